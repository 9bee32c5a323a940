/**
 * The offline scanner of MCP definitions. `scanServer` reads everything a server says about itself, `scanTool` one tool; both are pure,
 * bounded (see limits.ts) and never throw: what cannot be read is held. OWASP MCP03, SAFE-T1001 and neighbours; AISVS 10.4.1.
 */
import { checkServer, type Entry } from "./server/checks.ts";
import { flowLabels } from "./server/flows.ts";
import { excerpt } from "./excerpt.ts";
import { judge, weights } from "./judge.ts";
import { withDefaults } from "./limits.ts";
import { pointer, type Place } from "./text/leaves.ts";
import type { Finding, FlowLabels, ItemKind, ItemReport, ScanContext, ScanLimits, ScanReport, ServerDefinition, ToolDefinition, Verdict } from "./types.ts";
import { view } from "./view.ts";

export { riskTier, type RiskTier } from "./server/tier.ts";
export { tokenCost } from "./server/cost.ts";
export { excerpt } from "./excerpt.ts";
export { hiddenKind } from "./text/characters.ts";
export type * from "./types.ts";

const lists: readonly [keyof ServerDefinition & string, ItemKind][] = [["tools", "tool"], ["prompts", "prompt"], ["resources", "resource"], ["resourceTemplates", "resourceTemplate"]];
const listNames: ReadonlySet<string> = new Set(lists.map(([member]) => member));
const noFlow: FlowLabels = { untrusted: false, private: false, sink: false, destructive: false };

interface Tally {
  readonly limits: ScanLimits;
  readonly findings: Finding[];
  complete: boolean;
  items: number;
  strings: number;
  characters: number;
}

/** Scans one tool. `definition` is untrusted JSON of any shape. */
export function scanTool(definition: ToolDefinition, context: ScanContext = {}): ScanReport {
  const tally = begin(context);
  const report = scanItem("tool", definition, null, tally);
  return finish(tally, [report]);
}

/** Scans a server: its own members, then its tools, prompts, resources and templates, then what shows between them. */
export function scanServer(definition: ServerDefinition, context: ScanContext = {}): ScanReport {
  const tally = begin(context);
  const entries: Entry[] = [];
  const add = (kind: ItemKind, item: unknown, place: Place | null): void => {
    const report = scanItem(kind, item, place, tally);
    entries.push({ kind, name: report.name, item, place: place ?? { parent: null, key: "" }, report });
  };
  try {
    const top: Record<string, unknown> = {};
    for (const key of Object.keys(definition)) if (!listNames.has(key)) top[key] = definition[key];
    add("server", top, null);
    for (const [member, kind] of lists) {
      const list = definition[member];
      if (list === undefined) continue;
      const items: readonly unknown[] = Array.isArray(list) ? list : [list];
      const parent: Place = { parent: null, key: member };
      for (let at = 0; at < items.length; at++) {
        if (tally.items >= tally.limits.items || tally.characters >= tally.limits.serverText) {
          exhausted(tally, { parent, key: at }, tally.items >= tally.limits.items ? `more than ${tally.limits.items} items` : `more than ${tally.limits.serverText} characters`);
          break;
        }
        add(kind, items[at], { parent, key: at });
      }
    }
    checkServer(definition, entries, context, ({ text, ...finding }) => push(tally, { ...finding, span: [0, text.length], excerpt: excerpt(text, [0, text.length]) }));
  } catch (error) {
    unreadable(tally, null, error);
  }
  return finish(tally, settle(entries.map((entry) => entry.report), tally.findings));
}

function begin(context: ScanContext): Tally {
  return { limits: withDefaults(context.limits), findings: [], complete: true, items: 0, strings: 0, characters: 0 };
}

function scanItem(kind: ItemKind, item: unknown, place: Place | null, tally: Tally): ItemReport {
  tally.items += 1;
  const path = pointer(place);
  try {
    const seen = view(kind, item, place, tally.limits);
    tally.strings += seen.harvest.leaves.length;
    tally.characters += seen.harvest.characters;
    const { findings, score } = judge(seen);
    for (const finding of findings) push(tally, finding);
    for (const { what, place: where } of seen.harvest.exhausted) exhausted(tally, where, budgetNames[what]);
    const said = worst(findings);
    const verdict = said === "pass" && seen.harvest.exhausted.length > 0 ? "hold" : said;
    return { kind, name: seen.name, path, verdict, score, flow: kind === "tool" ? flowLabels(seen) : noFlow };
  } catch (error) {
    // A getter, a proxy, a defect of ours: whatever it is, nobody has read this item.
    unreadable(tally, place, error);
    return { kind, name: "", path, verdict: "hold", score: 1, flow: noFlow };
  }
}

const budgetNames = { nodes: "too many members", depth: "nested too deeply", leaf: "a string that is too long", itemText: "too much text" } as const;

function exhausted(tally: Tally, place: Place, what: string): void {
  tally.complete = false;
  push(tally, {
    ruleId: "scan-budget", severity: "high", effect: "hold", path: pointer(place), span: [0, 0], excerpt: "",
    message: `Only a part was read: ${what}.`, owasp: "MCP03", safe: "SAFE-T2102",
  });
}

function unreadable(tally: Tally, place: Place | null, error: unknown): void {
  tally.complete = false;
  push(tally, {
    ruleId: "scan-failed", severity: "high", effect: "hold", path: pointer(place), span: [0, 0], excerpt: "",
    message: `Could not be read (${error instanceof Error ? error.name : "error"}).`, owasp: "MCP03", safe: "SAFE-T2102",
  });
}

/** The list has an end, but not at the cost of the worst: a block displaces a note. */
function push(tally: Tally, finding: Finding): void {
  if (tally.findings.length < tally.limits.findings) tally.findings.push(finding);
  else if (finding.effect !== "note") {
    const at = tally.findings.findIndex((other) => other.effect === "note" || (other.effect === "hold" && finding.effect === "block"));
    if (at >= 0) tally.findings[at] = finding;
    tally.complete = false;
  }
}

export function worst(findings: readonly Finding[]): Verdict {
  if (findings.some((finding) => finding.effect === "block")) return "block";
  return findings.some((finding) => finding.effect === "hold") ? "hold" : "pass";
}

/** Findings between items count for the item they point into. */
function settle(reports: readonly ItemReport[], findings: readonly Finding[]): ItemReport[] {
  const byPath = new Map<string, Finding[]>();
  for (const finding of findings) {
    const item = /^\/(?:tools|prompts|resources|resourceTemplates)\/\d+/.exec(finding.path)?.[0] ?? "";
    const list = byPath.get(item);
    if (list === undefined) byPath.set(item, [finding]);
    else list.push(finding);
  }
  return reports.map((report) => {
    const verdict = worst(byPath.get(report.path) ?? []);
    return report.verdict === "block" || verdict === "pass" || verdict === report.verdict ? report : { ...report, verdict };
  });
}

function finish(tally: Tally, items: readonly ItemReport[]): ScanReport {
  return {
    verdict: tally.complete || worst(tally.findings) === "block" ? worst(tally.findings) : "hold", findings: tally.findings, items, complete: tally.complete,
    read: { items: tally.items, strings: tally.strings, characters: tally.characters }, modelVersion: weights.version,
  };
}

/** What only shows when a server is seen as a whole, among others and over time: squatting, shadowing, duplicates, rug pulls, toxic flows. */
import { pointer, type Place } from "../text/leaves.ts";
import type { Finding, ItemReport, KnownTool, ScanContext, ServerDefinition } from "../types.ts";
import { indexNames, skeleton } from "./names.ts";
import { riskTier } from "./tier.ts";

export interface Entry {
  readonly kind: ItemReport["kind"];
  readonly name: string;
  readonly item: unknown;
  readonly place: Place;
  readonly report: ItemReport;
}

type Say = (finding: Omit<Finding, "span" | "excerpt"> & { readonly text: string }) => void;

export function checkServer(definition: ServerDefinition, entries: readonly Entry[], context: ScanContext, say: Say): void {
  lookalikeServer(definition, context, say);
  duplicates(entries, say);
  shadows(entries, context, say);
  rugPull(definition, entries, context, say);
  toxicFlow(entries, say);
}

function lookalikeServer(definition: ServerDefinition, context: ScanContext, say: Say): void {
  const own = context.serverName?.toLowerCase();
  const approved = (context.approvedServers ?? []).filter((name) => name.toLowerCase() !== own);
  if (approved.length === 0) return;
  const index = indexNames(approved);
  const exact = new Set(approved.map((name) => name.toLowerCase()));
  const names: [string, string][] = [];
  if (context.serverName !== undefined) names.push([context.serverName, ""]);
  for (const member of ["name", "title"] as const) {
    const value = definition[member];
    if (typeof value === "string" && value.toLowerCase() !== own) names.push([value.slice(0, 300), `/${member}`]);
  }
  for (const [name, path] of names) {
    const twin = index.find(name);
    if (twin !== undefined) {
      say({
        ruleId: "lookalike-server", severity: twin.how === "imitation" ? "critical" : "high", effect: twin.how === "imitation" ? "block" : "hold", path, text: name,
        message: `The name can be taken for the approved server "${twin.name}".`, owasp: "MCP09", safe: "SAFE-T1003",
      });
    } else if (path !== "" && exact.has(name.toLowerCase())) {
      say({ ruleId: "lookalike-server", severity: "high", effect: "hold", path, text: name, message: "Claims the name of another approved server.", owasp: "MCP09", safe: "SAFE-T1003" });
    }
  }
}

function duplicates(entries: readonly Entry[], say: Say): void {
  const byName = new Map<string, Entry>();
  const bySkeleton = new Map<string, Entry>();
  for (const entry of entries) {
    if (entry.name === "" || entry.kind === "server") continue;
    const key = `${entry.kind} ${entry.name}`;
    const folded = `${entry.kind} ${skeleton(entry.name)}`;
    const same = byName.get(key);
    const twin = bySkeleton.get(folded);
    if (same !== undefined) {
      say({ ruleId: "duplicate-name", severity: "high", effect: "hold", path: `${pointer(entry.place)}/name`, text: entry.name, message: `The name stands twice, also at ${pointer(same.place)}.`, owasp: "MCP03", safe: "SAFE-T1301" });
    } else if (twin !== undefined && [...entry.name].some((letter) => letter > "\u007f") !== [...twin.name].some((letter) => letter > "\u007f")) {
      say({ ruleId: "duplicate-name", severity: "critical", effect: "block", path: `${pointer(entry.place)}/name`, text: entry.name, message: `The name imitates "${twin.name}" of the same server.`, owasp: "MCP03", safe: "SAFE-T1301" });
    }
    byName.set(key, entry);
    if (twin === undefined) bySkeleton.set(folded, entry);
  }
}

/** Tools of other servers: the same name with the same purpose, or a name one slip away. */
function shadows(entries: readonly Entry[], context: ScanContext, say: Say): void {
  const own = context.serverName?.toLowerCase();
  const known = (context.approvedTools ?? []).filter((tool) => tool.server.toLowerCase() !== own).slice(0, 20_000);
  if (known.length === 0) return;
  const byName = new Map<string, KnownTool>(known.map((tool) => [tool.name, tool]));
  const index = indexNames(known.map((tool) => tool.name));
  for (const entry of entries) {
    if (entry.kind !== "tool" || entry.name === "") continue;
    const description = (entry.item as { description?: unknown }).description;
    const text = typeof description === "string" ? description.slice(0, 4_000) : "";
    const path = `${pointer(entry.place)}/name`;
    const same = byName.get(entry.name);
    if (same !== undefined) {
      const alike = similarity(text, same.description ?? "");
      say({
        ruleId: "shadowed-tool", severity: alike > 0.6 ? "high" : "info", effect: alike > 0.6 ? "hold" : "note", path, text: entry.name,
        message: `"${same.server}" offers a tool of this name${alike > 0.6 ? " with nearly the same description" : ""}.`, owasp: "MCP03", safe: "SAFE-T1301",
      });
      continue;
    }
    const twin = index.find(entry.name);
    if (twin === undefined) continue;
    const target = byName.get(twin.name);
    const alike = similarity(text, target?.description ?? "");
    if (twin.how === "slip" && alike < 0.4) continue;
    const foreign = [...entry.name].some((letter) => letter > "\u007f");
    say({
      ruleId: "shadowed-tool", severity: foreign ? "critical" : "high", effect: foreign ? "block" : alike > 0.4 ? "hold" : "note", path, text: entry.name,
      message: `The name can be taken for "${twin.name}" of "${target?.server ?? ""}".`, owasp: "MCP03", safe: "SAFE-T1301",
    });
  }
}

/** Jaccard similarity of word sets, 0 to 1. */
export function similarity(a: string, b: string): number {
  const words = (text: string): Set<string> => new Set(text.toLowerCase().slice(0, 4_000).split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 2));
  const [left, right] = [words(a), words(b)];
  if (left.size < 3 || right.size < 3) return 0;
  let shared = 0;
  for (const word of left) if (right.has(word)) shared += 1;
  return shared / (left.size + right.size - shared);
}

const watched = ["title", "description", "inputSchema", "outputSchema", "annotations", "_meta"] as const;

function rugPull(definition: ServerDefinition, entries: readonly Entry[], context: ScanContext, say: Say): void {
  const { previous } = context;
  if (previous === undefined) return;
  const before = new Map<string, Record<string, unknown>>();
  for (const tool of Array.isArray(previous.tools) ? previous.tools.slice(0, 20_000) : []) {
    if (typeof tool === "object" && tool !== null && typeof (tool as { name?: unknown }).name === "string") before.set((tool as { name: string }).name, tool as Record<string, unknown>);
  }
  for (const entry of entries) {
    if (entry.kind !== "tool") continue;
    const old = before.get(entry.name);
    if (old === undefined) {
      if (before.size > 0) say({ ruleId: "rug-pull", severity: "low", effect: "note", path: pointer(entry.place), text: entry.name, message: "The tool is new since the last approval.", owasp: "MCP04", safe: "SAFE-T1201" });
      continue;
    }
    const now = entry.item as Record<string, unknown>;
    const changed = watched.filter((member) => fingerprint(old[member]) !== fingerprint(now[member]));
    if (changed.length === 0) continue;
    const worse = entry.report.verdict !== "pass" || (rank(riskTier(now)) > rank(riskTier(old)));
    say({
      ruleId: "rug-pull", severity: worse ? "critical" : "medium", effect: worse ? "hold" : "note", path: pointer(entry.place), text: entry.name,
      message: `Changed since the last approval: ${changed.join(", ")}${worse ? "; and what it says or may do is worse than before" : ""}.`, owasp: "MCP04", safe: "SAFE-T1201",
    });
  }
  if (fingerprint(previous.instructions) !== fingerprint(definition.instructions)) {
    say({ ruleId: "rug-pull", severity: "medium", effect: "note", path: "/instructions", text: "", message: "The server's instructions changed since the last approval.", owasp: "MCP04", safe: "SAFE-T1201" });
  }
}

const rank = (tier: string): number => (tier === "read" ? 0 : tier === "write" ? 1 : 2);

/** A comparable form, bounded: member order does not matter, depth and size are cut. */
function fingerprint(value: unknown): string {
  const parts: string[] = [];
  const stack: unknown[] = [value];
  for (let steps = 0; stack.length > 0 && steps < 5_000; steps++) {
    const at = stack.pop();
    if (typeof at === "object" && at !== null) {
      const keys = Object.keys(at).slice(0, 2_000).sort();
      parts.push(Array.isArray(at) ? `[${at.length}` : `{${keys.join(",")}`);
      for (const key of keys) stack.push((at as Record<string, unknown>)[key]);
    } else parts.push(`${typeof at}:${String(at)}`);
  }
  return parts.join("\u0000");
}

function toxicFlow(entries: readonly Entry[], say: Say): void {
  const tools = entries.filter((entry) => entry.kind === "tool");
  const untrusted = tools.find((entry) => entry.report.flow.untrusted);
  const secret = tools.find((entry) => entry.report.flow.private);
  const sink = tools.find((entry) => entry.report.flow.sink);
  if (untrusted === undefined || secret === undefined || sink === undefined) return;
  say({
    ruleId: "toxic-flow", severity: "medium", effect: "note", path: pointer(sink.place), text: sink.name,
    message: `Text of strangers (${untrusted.name}) can reach private data (${secret.name}) and a way out (${sink.name}).`, owasp: "MCP10", safe: "SAFE-T1910",
  });
}

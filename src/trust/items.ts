/**
 * What a server says of itself, taken apart into items that can be pinned one by one: each tool, prompt, resource and template, and the
 * server's own name and instructions. An item's digest is SHA-256 over its canonical JSON (RFC 8785; AISVS 10.4.7).
 */
import { digestOf, type Digest } from "../kernel/digest.ts";
import { riskTier, scanServer, tokenCost, type Finding, type ItemKind, type RiskTier, type ScanContext, type ServerDefinition, type Verdict } from "./scanner/index.ts";

export interface Item {
  kind: ItemKind;
  /** The tool's or prompt's name, the resource's URI, the template's text; empty for the server itself. */
  name: string;
  digest: Digest;
  definition: unknown;
}

export interface ScannedItem extends Item {
  verdict: Verdict;
  findings: readonly Finding[];
  tier: RiskTier;
  /** Estimated tokens that the definition costs in every conversation. */
  tokens: number;
}

/** More than this of one server is not recorded, hence never approved, hence withheld. */
export const mostItems = 5000;

const lists = [["tools", "tool", "name"], ["prompts", "prompt", "name"], ["resources", "resource", "uri"], ["resourceTemplates", "resourceTemplate", "uriTemplate"]] as const;

/** The list member and the naming member of a kind: `tools` and `name` for a tool. */
export const listOf: Readonly<Record<Exclude<ItemKind, "server">, { list: "tools" | "prompts" | "resources" | "resourceTemplates"; key: string }>> = {
  tool: { list: "tools", key: "name" },
  prompt: { list: "prompts", key: "name" },
  resource: { list: "resources", key: "uri" },
  resourceTemplate: { list: "resourceTemplates", key: "uriTemplate" },
};

/** @returns undefined for what has no name of a sane length or is not canonical JSON: it can be neither pinned nor listed. */
export function itemOf(kind: ItemKind, definition: unknown): Item | undefined {
  if (typeof definition !== "object" || definition === null) return undefined;
  const name = kind === "server" ? "" : (definition as Record<string, unknown>)[listOf[kind].key];
  if (typeof name !== "string" || name.length > 2048 || (kind !== "server" && name === "")) return undefined;
  try {
    return { kind, name, digest: digestOf(definition), definition };
  } catch {
    return undefined;
  }
}

/** Scans a definition and takes it apart. Two items of one name in one list are both held: nobody could say which is meant. */
export function scanItems(definition: ServerDefinition, context: ScanContext): ScannedItem[] {
  const report = scanServer(definition, context);
  const scanned: ScannedItem[] = [];
  const take = (kind: ItemKind, value: unknown, path: string, verdict: Verdict) => {
    const item = itemOf(kind, value);
    if (!item || scanned.length >= mostItems) return;
    const findings = report.findings.filter((finding) => (path === "" ? !/^\/(?:tools|prompts|resources|resourceTemplates)(?:\/|$)/.test(finding.path) : finding.path === path || finding.path.startsWith(`${path}/`)));
    scanned.push({ ...item, verdict, findings: findings.map((finding) => ({ ...finding, path: finding.path.slice(path.length) })), tier: kind === "tool" ? riskTier(value) : "read", tokens: tokenCost(value) });
  };
  const verdicts = new Map(report.items.map((item) => [item.path, item.verdict]));
  const { name, title, instructions } = definition;
  take("server", { name: name ?? null, title: title ?? null, instructions: instructions ?? null }, "", report.items.find(({ kind }) => kind === "server")?.verdict ?? "hold");
  for (const [list, kind] of lists) {
    const members = definition[list];
    if (!Array.isArray(members)) continue;
    members.forEach((member: unknown, index) => take(kind, member, `/${list}/${index}`, verdicts.get(`/${list}/${index}`) ?? "hold"));
  }
  return scanned;
}

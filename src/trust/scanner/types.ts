/**
 * What the scanner reads and what it says. A definition is untrusted JSON: every field is unknown until looked at.
 * Ids follow the OWASP MCP Top 10 (2025, beta) and the SAFE-MCP technique list.
 */

/** block: never listed. hold: not listed until a reviewer approves it. note: shown to the reviewer, changes nothing. */
export type Effect = "block" | "hold" | "note";
export type Severity = "critical" | "high" | "medium" | "low" | "info";
export type Verdict = "block" | "hold" | "pass";

/** A tool as `tools/list` returns it (MCP 2025-06-18 and later); unknown members are scanned too. */
export interface ToolDefinition {
  readonly name?: unknown;
  readonly title?: unknown;
  readonly description?: unknown;
  readonly inputSchema?: unknown;
  readonly outputSchema?: unknown;
  readonly annotations?: unknown;
  readonly _meta?: unknown;
  readonly [member: string]: unknown;
}

/** Everything a server says about itself: `serverInfo`, `instructions` and the four lists. */
export interface ServerDefinition {
  readonly name?: unknown;
  readonly title?: unknown;
  readonly description?: unknown;
  readonly instructions?: unknown;
  readonly tools?: unknown;
  readonly prompts?: unknown;
  readonly resources?: unknown;
  readonly resourceTemplates?: unknown;
  readonly [member: string]: unknown;
}

/** A tool that another, approved server already offers. */
export interface KnownTool {
  readonly server: string;
  readonly name: string;
  readonly description?: string;
}

/** What the registry knows around a definition. Every member may be absent: the scanner then skips what needs it. */
export interface ScanContext {
  /** The name the server is registered under; its own earlier approval does not count as a look-alike. */
  readonly serverName?: string;
  readonly approvedServers?: readonly string[];
  readonly approvedTools?: readonly KnownTool[];
  /** The definition that was approved last, for rug-pull history. */
  readonly previous?: ServerDefinition;
  readonly limits?: Partial<ScanLimits>;
}

/** Bounds on the work of one scan. Beyond a bound the rest is not read and a `scan-budget` hold says so. */
export interface ScanLimits {
  /** Items (tools, prompts, resources, templates) read per server. */
  readonly items: number;
  /** Nodes (objects, arrays, scalars) read per item. */
  readonly nodes: number;
  /** Nesting depth read. */
  readonly depth: number;
  /** UTF-16 code units read per string. */
  readonly leaf: number;
  /** UTF-16 code units read per item. */
  readonly itemText: number;
  /** UTF-16 code units read per server. */
  readonly serverText: number;
  /** Findings kept per scan. */
  readonly findings: number;
}

export interface Finding {
  readonly ruleId: string;
  readonly severity: Severity;
  readonly effect: Effect;
  /** RFC 6901 pointer to the string (or to the member whose key is meant). */
  readonly path: string;
  /** Half-open span of UTF-16 code units in the original string. */
  readonly span: readonly [number, number];
  /** The text at the span, shortened, with invisible characters written as `\u{…}`. */
  readonly excerpt: string;
  readonly message: string;
  readonly owasp: string;
  readonly safe?: string;
}

/** What the parts of a toxic flow are: who writes the tool's output, what it reads, where it writes. */
export interface FlowLabels {
  readonly untrusted: boolean;
  readonly private: boolean;
  readonly sink: boolean;
  readonly destructive: boolean;
}

export type ItemKind = "server" | "tool" | "prompt" | "resource" | "resourceTemplate";

export interface ItemReport {
  readonly kind: ItemKind;
  readonly name: string;
  readonly path: string;
  readonly verdict: Verdict;
  /** The model's probability that the item carries instructions to the model, 0 to 1. */
  readonly score: number;
  readonly flow: FlowLabels;
}

export interface ScanReport {
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
  readonly items: readonly ItemReport[];
  /** False when a budget ended the scan early; there is then a `scan-budget` finding. */
  readonly complete: boolean;
  readonly read: { readonly items: number; readonly strings: number; readonly characters: number };
  readonly modelVersion: string;
}

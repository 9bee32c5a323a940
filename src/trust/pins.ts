/**
 * The pins, in memory: for every server what was approved, what was last seen, and what an administrator set. The data path asks here and
 * nowhere else; an answer is a map look-up. Deny by default: an item is let through only if every version the server shows of it is approved.
 */
import type { Selectable } from "kysely";
import type { Storage, Tables } from "../storage/index.ts";
import type { ItemKind } from "./scanner/index.ts";

export const reviewStates = ["draft", "in-review", "approved", "held", "rejected", "retired"] as const;
export type ReviewState = (typeof reviewStates)[number];

/** Why an item is withheld: `changed` when another version of it was approved before. */
export type Standing = "approved" | "unreviewed" | "changed" | "blocked" | "held" | "rejected" | "expired" | "pending";

export interface Override {
  enabled: boolean | undefined;
  /** The name that clients see and call. */
  alias: string | undefined;
  title: string | undefined;
  description: string | undefined;
}

export interface Pin {
  readonly kind: ItemKind;
  readonly name: string;
  readonly standing: Standing;
  /** What it can do at worst: read, write or destructive. */
  readonly tier: string;
  /** Digests that may be shown. */
  readonly approved: ReadonlySet<string>;
  /** Digests that the last inspection saw. */
  readonly seen: ReadonlySet<string>;
  /** Milliseconds; Infinity when the approval has no end. */
  readonly until: number;
  readonly override: Override | undefined;
}

export interface ServerPins {
  readonly state: ReviewState;
  /** Milliseconds; undefined until an inspection has succeeded. */
  readonly inspectedAt: number | undefined;
  /** By the name that clients use: the alias, where there is one. */
  find(kind: ItemKind, name: string): Pin | undefined;
  /** By the server's own name. */
  original(kind: ItemKind, name: string): Pin | undefined;
  items(): IterableIterator<Pin>;
}

export interface Pins {
  of(serverId: string): ServerPins | undefined;
  /** Hears the id of every server whose pins changed. */
  onChange(listener: (serverId: string) => void): void;
  close(): void;
}

type Row<T extends keyof Tables> = Selectable<Tables[T]>;

export async function openPins(storage: Storage): Promise<Pins> {
  const compiled = new Map<string, ServerPins>();
  const listeners: ((serverId: string) => void)[] = [];
  const load = async (serverId?: string) => {
    const one = serverId ?? "";
    const servers = await storage.db.selectFrom("trust_servers").selectAll().$if(serverId !== undefined, (query) => query.where("server_id", "=", one)).execute();
    const items = await storage.db.selectFrom("trust_items").select(["server_id", "kind", "name", "digest", "verdict", "tier"]).where("present", "=", 1).$if(serverId !== undefined, (query) => query.where("server_id", "=", one)).execute();
    const decisions = await storage.db.selectFrom("trust_decisions").selectAll().$if(serverId !== undefined, (query) => query.where("server_id", "=", one)).orderBy("decided_at").orderBy("id").execute();
    const overrides = await storage.db.selectFrom("trust_overrides").selectAll().$if(serverId !== undefined, (query) => query.where("server_id", "=", one)).execute();
    const ids = new Set(servers.map(({ server_id }) => server_id));
    for (const known of serverId === undefined ? [...compiled.keys()] : [serverId]) if (!ids.has(known)) compiled.delete(known);
    const byServer = <T extends { server_id: string }>(rows: readonly T[]) => Map.groupBy(rows, (row) => row.server_id);
    const [itemsOf, decisionsOf, overridesOf] = [byServer(items), byServer(decisions), byServer(overrides)];
    for (const row of servers) compiled.set(row.server_id, compile(row, itemsOf.get(row.server_id) ?? [], decisionsOf.get(row.server_id) ?? [], overridesOf.get(row.server_id) ?? []));
    for (const id of serverId === undefined ? compiled.keys() : [serverId]) for (const listener of listeners) listener(id);
  };
  let loads = Promise.resolve();
  const stop = storage.onChange((change) => {
    if (change !== undefined && change.topic !== "trust") return;
    const done = loads.then(() => load(change?.ref));
    loads = done.catch(() => undefined);
    return done;
  });
  await load();
  return { of: (serverId) => compiled.get(serverId), onChange: (listener) => void listeners.push(listener), close: stop };
}

type ItemRow = Pick<Row<"trust_items">, "server_id" | "kind" | "name" | "digest" | "verdict" | "tier">;

/** Pure: what the rows of one server come to. */
export function compile(server: Row<"trust_servers">, items: readonly ItemRow[], decisions: readonly Row<"trust_decisions">[], overrides: readonly Row<"trust_overrides">[]): ServerPins {
  const keyOf = ({ kind, name }: { kind: string; name: string }) => `${kind} ${name}`;
  const latest = new Map<string, Row<"trust_decisions">>();
  const everApproved = new Set<string>();
  for (const decision of decisions) {
    latest.set(`${keyOf(decision)} ${decision.digest}`, decision);
    if (decision.decision === "approved" && decision.pending === 0) everApproved.add(keyOf(decision));
  }
  const pins = new Map<string, Pin>();
  for (const [key, versions] of Map.groupBy(items, keyOf)) {
    const [first] = versions;
    if (!first) continue;
    const standings = versions.map((version) => standingOf(version, latest.get(`${key} ${version.digest}`), everApproved.has(key)));
    const approved = versions.filter((_, index) => standings[index] === "approved");
    pins.set(key, {
      kind: first.kind as ItemKind,
      name: first.name,
      tier: (["destructive", "write"] as const).find((tier) => versions.some((version) => version.tier === tier)) ?? "read",
      standing: standings.find((standing) => standing !== "approved") ?? "approved",
      approved: new Set(approved.map(({ digest }) => digest)),
      seen: new Set(versions.map(({ digest }) => digest)),
      until: Math.min(...approved.map(({ digest }) => latest.get(`${key} ${digest}`)?.expires_at ?? Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY),
      override: overrideFor(first, overrides),
    });
  }
  // An alias never hides another item: a name that is somebody's own stays theirs.
  const shown = new Map<string, Pin>();
  for (const pin of pins.values()) shown.set(`${pin.kind} ${pin.override?.alias === undefined || pins.has(`${pin.kind} ${pin.override.alias}`) ? pin.name : pin.override.alias}`, pin);
  return Object.freeze({
    state: server.state as ReviewState,
    inspectedAt: server.inspected_at ?? undefined,
    find: (kind: ItemKind, name: string) => shown.get(`${kind} ${name}`),
    original: (kind: ItemKind, name: string) => pins.get(`${kind} ${name}`),
    items: () => pins.values(),
  });
}

function standingOf(item: ItemRow, decision: Row<"trust_decisions"> | undefined, approvedBefore: boolean): Standing {
  if (decision?.pending === 1) return "pending";
  if (decision) return decision.decision as Standing;
  if (item.verdict === "block") return "blocked";
  return approvedBefore ? "changed" : "unreviewed";
}

/** The exact name wins over patterns, the longer pattern over the shorter. */
function overrideFor(item: { kind: string; name: string }, overrides: readonly Row<"trust_overrides">[]): Override | undefined {
  const matching = overrides.filter((row) => row.kind === item.kind && matches(row.name, item.name)).sort((a, b) => Number(b.name === item.name) - Number(a.name === item.name) || b.name.length - a.name.length);
  if (matching.length === 0) return undefined;
  const enabled = matching.find((row) => row.enabled !== null)?.enabled;
  const alias = matching.find((row) => row.name === item.name)?.alias ?? undefined;
  return {
    alias,
    enabled: enabled === undefined || enabled === null ? undefined : enabled === 1,
    title: matching.find((row) => row.title !== null)?.title ?? undefined,
    description: matching.find((row) => row.description !== null)?.description ?? undefined,
  };
}

/** `*` stands for any run of characters; everything else for itself. Linear in the product of both lengths. */
export function matches(pattern: string, name: string): boolean {
  if (!pattern.includes("*")) return pattern === name;
  const parts = pattern.split("*");
  const head = parts[0] ?? "";
  const tail = parts.at(-1) ?? "";
  if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail)) return false;
  let at = head.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found === -1 || found + part.length > name.length - tail.length) return false;
    at = found + part.length;
  }
  return true;
}

/** Whether an item may be shown and used now. */
export function isOpen(pins: ServerPins | undefined, pin: Pin, now: number): boolean {
  return pins?.state === "approved" && pin.standing === "approved" && pin.until > now && pin.override?.enabled !== false;
}

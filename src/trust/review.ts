/**
 * Inspection and review: what a server says is fetched in quarantine, scanned, recorded by digest, and let through only by a decision:
 * a reviewer's, or, where the setting allows it, the rule that approves what is clean at a server's first inspection.
 * Decisions and their audit events are one transaction.
 */
import type { Audit } from "../audit/index.ts";
import { newId } from "../kernel/ids.ts";
import { Problem, problem } from "../kernel/problem.ts";
import type { ServerState, Snapshot } from "../snapshot/index.ts";
import type { Storage, Write } from "../storage/index.ts";
import { differences, type Difference } from "./diff.ts";
import { scanItems, type ScannedItem } from "./items.ts";
import type { Pins, ReviewState, Standing } from "./pins.ts";
import type { Finding, ItemKind, RiskTier, ServerDefinition, Verdict } from "./scanner/index.ts";

/** Asks a server for everything it says, in the newest era it speaks or in each; `onPhase` is told as phases begin. @throws Problem or Error when it does not answer. */
export type FetchDefinitions = (server: ServerState, onPhase: (phase: Phase) => void, everyEra: boolean) => Promise<readonly ServerDefinition[]>;
export type Phase = "resolve" | "connect" | "discover" | "list" | "scan" | "store";

/** Who decides what nobody has decided: nobody ("required"), or the rule for clean first inspections ("clean"). "off": nothing is withheld. */
export type ApprovalMode = "required" | "clean" | "off";

export interface Reviewer {
  userId: string;
  requestId?: string | undefined;
}

export interface ItemView {
  kind: ItemKind;
  name: string;
  digest: string;
  standing: Standing;
  verdict: Verdict;
  findings: readonly Finding[];
  tier: RiskTier;
  tokens: number;
  definition: unknown;
  /** Against the version approved last; empty when there is none. */
  changes: Difference[];
  enabled: boolean;
  firstSeenAt: number;
  decision: { decision: string; reason: string; by: string | undefined; at: number; expiresAt: number | undefined; pending: boolean } | undefined;
}

export interface Inspection {
  ok: boolean;
  /** Milliseconds since the epoch. */
  at: number;
  phases: { phase: Phase; milliseconds: number }[];
  /** Why it failed, for a person: never quotes the upstream. */
  error?: string;
  items: number;
  withheld: number;
}

export interface Decision {
  decision: "approved" | "held" | "rejected";
  /** Which versions; "all" is everything shown that has not been rejected. */
  items: "all" | readonly { kind: ItemKind; name: string; digest: string }[];
  reason: string;
  expiresAt?: number | undefined;
}

export interface OverrideChange {
  kind: ItemKind;
  /** An exact name, or a pattern with `*`. */
  name: string;
  enabled?: boolean | null | undefined;
  alias?: string | null | undefined;
  title?: string | null | undefined;
  description?: string | null | undefined;
}

export interface Review {
  /** One inspection of a server at a time; those who ask meanwhile share it. Never throws. */
  inspect(server: ServerState): Promise<Inspection>;
  /** As `inspect`, from now on in each era that the server speaks: it has shown something that the newest alone did not. */
  inspectEveryEra(server: ServerState): Promise<Inspection>;
  /** @returns the number of decisions made. @throws Problem 409 when a version has been superseded, 422 for none. */
  decide(server: ServerState, decision: Decision, by: Reviewer): Promise<{ decided: number; pending: number }>;
  /** Confirms what another proposed. @throws Problem 403 for one's own proposal. */
  second(server: ServerState, by: Reviewer): Promise<number>;
  changeState(server: ServerState, state: ReviewState, reason: string, by: Reviewer): Promise<void>;
  override(server: ServerState, changes: readonly OverrideChange[], by: Reviewer): Promise<void>;
  items(server: ServerState): Promise<ItemView[]>;
  /** When this process last saw that nothing had changed, in milliseconds since the epoch; 0: never. */
  verifiedAt(server: ServerState): number;
  stateOf(server: ServerState): Promise<{ state: ReviewState; reason: string; inspection: Inspection | undefined }>;
}

export interface ReviewOptions {
  storage: Storage;
  snapshot: Snapshot;
  audit: Audit;
  pins: Pins;
  visit: FetchDefinitions;
  mode: (server: ServerState) => ApprovalMode;
  /** Whether a second person must confirm what a server's owner decides. */
  fourEyes: boolean;
  now: () => number;
}

/** A definition larger than this is recorded by its digest alone, and held. */
const largestDefinition = 256 * 1024;

export function createReview(options: ReviewOptions): Review {
  const { storage, snapshot, audit, pins, visit, fourEyes, now } = options;
  const running = new Map<string, Promise<Inspection>>();
  const verified = new Map<string, number>();
  const everyEra = new Set<string>();

  const inspect = async (server: ServerState): Promise<Inspection> => {
    const startedAt = now();
    const began = performance.now();
    const phases: Inspection["phases"] = [];
    let since = began;
    let current: Phase = "resolve";
    const enter = (phase: Phase) => {
      const at = performance.now();
      phases.push({ phase: current, milliseconds: Math.round(at - since) });
      [current, since] = [phase, at];
    };
    try {
      const variants = await visit(server, enter, everyEra.has(server.id));
      enter("scan");
      const items = unite(variants.map((definition) => scanItems(definition, contextOf(server))));
      enter("store");
      const changed = await record(server, items, startedAt);
      enter("store");
      verified.set(server.id, startedAt);
      const compiled = pins.of(server.id);
      const inspection: Inspection = { ok: true, at: now(), phases, items: items.length, withheld: compiled ? [...compiled.items()].filter(({ standing }) => standing !== "approved").length : 0 };
      if (changed) await storeInspection(server, inspection);
      return inspection;
    } catch (error) {
      enter("store");
      const inspection: Inspection = { ok: false, at: now(), phases, error: error instanceof Problem ? error.message : "It does not answer as an MCP server", items: 0, withheld: 0 };
      await storeInspection(server, inspection).catch(() => undefined);
      return inspection;
    }
  };

  const contextOf = (server: ServerState) => {
    const others = [...snapshot.servers.values()].filter((other) => other.id !== server.id && pins.of(other.id)?.state === "approved");
    return { serverName: server.name, approvedServers: others.map(({ name }) => name), approvedTools: others.flatMap((other) => other.toolNames.map((name) => ({ server: other.name, name }))) };
  };

  /** @returns false when everything is as the last inspection saw it: then nothing is written. */
  const record = async (server: ServerState, items: readonly ScannedItem[], at: number): Promise<boolean> => {
    const mode = options.mode(server);
    const shown = pins.of(server.id);
    if (shown?.inspectedAt !== undefined && items.every((item) => shown.original(item.kind, item.name)?.seen.has(item.digest)) && [...shown.items()].reduce((sum, pin) => sum + pin.seen.size, 0) === items.length) return false;
    await storage.write(async (transaction, announce) => {
      const known = await transaction.selectFrom("trust_items").select(["kind", "name", "digest", "present"]).where("server_id", "=", server.id).execute();
      const review = await transaction.selectFrom("trust_servers").selectAll().where("server_id", "=", server.id).executeTakeFirst();
      const first = review === undefined || review.inspected_at === null;
      const before = new Set(known.map(keyOf));
      const shownBefore = new Set(known.filter(({ present }) => present === 1).map(keyOf));
      const names = new Set(known.map(({ kind, name }) => `${kind} ${name}`));
      await transaction.updateTable("trust_items").set({ present: 0 }).where("server_id", "=", server.id).execute();
      for (const item of items) {
        const text = JSON.stringify(item.definition);
        const kept = text.length <= largestDefinition;
        const values = { verdict: kept ? item.verdict : item.verdict === "block" ? "block" : "hold", findings: JSON.stringify(item.findings), tier: item.tier, tokens: item.tokens, present: 1, last_seen_at: at };
        await transaction
          .insertInto("trust_items")
          .values({ server_id: server.id, kind: item.kind, name: item.name, digest: item.digest, definition: kept ? text : null, first_seen_at: at, ...values })
          .onConflict((conflict) => conflict.columns(["server_id", "kind", "name", "digest"]).doUpdateSet(values))
          .execute();
        const subject = `server:${server.id}`;
        const detail = { server: server.name, kind: item.kind, name: item.name, digest: item.digest };
        if (mode === "clean" && first && values.verdict === "pass" && !before.has(keyOf(item))) await insertDecision(transaction, server, item, { decision: "approved", reason: "Clean at the first inspection" }, undefined, at, false);
        else if (!before.has(keyOf(item))) await audit.recordIn(transaction, { type: !first && names.has(`${item.kind} ${item.name}`) ? "item.changed" : "item.withheld", subject, detail });
        else if (!shownBefore.has(keyOf(item))) await audit.recordIn(transaction, { type: "item.returned", subject, detail });
      }
      const clean = mode === "clean" && first;
      if (review === undefined) {
        await transaction.insertInto("trust_servers").values({ server_id: server.id, state: mode === "required" ? "in-review" : "approved", reason: mode === "required" ? "Inspected, waits for a reviewer" : "Approved by rule", changed_by: null, changed_at: at, inspected_at: at, inspection: "{}" }).execute();
      } else {
        await transaction.updateTable("trust_servers").set({ inspected_at: at, ...(review.state === "draft" ? { state: clean ? "approved" : "in-review", changed_at: at } : {}) }).where("server_id", "=", server.id).execute();
      }
      announce({ topic: "trust", ref: server.id });
    });
    return true;
  };

  const storeInspection = async (server: ServerState, inspection: Inspection): Promise<void> => {
    await storage.write(async (transaction, announce) => {
      const text = JSON.stringify(inspection);
      await transaction
        .insertInto("trust_servers")
        .values({ server_id: server.id, state: "draft", reason: "Not inspected yet", changed_by: null, changed_at: now(), inspected_at: null, inspection: text })
        .onConflict((conflict) => conflict.column("server_id").doUpdateSet({ inspection: text }))
        .execute();
      await audit.recordIn(transaction, { type: inspection.ok ? "server.inspected" : "server.inspection.failed", subject: `server:${server.id}`, detail: { name: server.name, items: inspection.items, withheld: inspection.withheld, reason: inspection.error } });
      announce({ topic: "trust", ref: server.id });
    });
  };

  const insertDecision = async (transaction: Write, server: ServerState, item: { kind: string; name: string; digest: string }, { decision, reason, expiresAt }: Pick<Decision, "decision" | "reason" | "expiresAt">, by: Reviewer | undefined, at: number, pending: boolean): Promise<void> => {
    await transaction
      .insertInto("trust_decisions")
      .values({ id: newId(), server_id: server.id, kind: item.kind, name: item.name, digest: item.digest, decision, reason, decided_by: by?.userId ?? null, decided_at: at, expires_at: expiresAt ?? null, pending: Number(pending), seconded_by: null, seconded_at: null })
      .execute();
    await audit.recordIn(transaction, {
      type: pending ? "item.approval.proposed" : (`item.${decision}` as const),
      actorId: by?.userId,
      requestId: by?.requestId,
      subject: `server:${server.id}`,
      detail: { server: server.name, kind: item.kind, name: item.name, digest: item.digest, reason },
    });
  };

  const setState = async (transaction: Write, server: ServerState, state: ReviewState, reason: string, by: Reviewer): Promise<void> => {
    await transaction.updateTable("trust_servers").set({ state, reason, changed_by: by.userId, changed_at: now() }).where("server_id", "=", server.id).execute();
    await audit.recordIn(transaction, { type: "server.review.changed", actorId: by.userId, requestId: by.requestId, subject: `server:${server.id}`, detail: { name: server.name, state, reason } });
  };

  const inspectOnce = (server: ServerState): Promise<Inspection> => {
    const known = running.get(server.id);
    if (known) return known;
    const started = inspect(server).finally(() => running.delete(server.id));
    running.set(server.id, started);
    return started;
  };

  return {
    inspect: inspectOnce,
    inspectEveryEra(server) {
      everyEra.add(server.id);
      return inspectOnce(server);
    },

    async decide(server, decision, by) {
      const at = now();
      if (decision.expiresAt !== undefined && decision.expiresAt <= at) throw problem("invalid", { detail: "expiresAt: must be in the future", errors: [{ field: "expiresAt", message: "Must be in the future" }] });
      const pending = fourEyes && decision.decision === "approved" && server.ownerId === by.userId;
      return storage.write(async (transaction, announce) => {
        const present = await transaction.selectFrom("trust_items").select(["kind", "name", "digest"]).where("server_id", "=", server.id).where("present", "=", 1).execute();
        const shown = new Set(present.map(keyOf));
        const chosen = decision.items === "all" ? present : decision.items;
        if (chosen.length === 0) throw problem("invalid", { detail: "There is nothing to decide on: the server has not been inspected yet", errors: [{ field: "items", message: "Nothing chosen" }] });
        const gone = chosen.find((item) => !shown.has(keyOf(item)));
        if (gone) throw problem("conflict", { detail: `${gone.kind} ${gone.name.slice(0, 100)} has changed since it was shown: look again` });
        for (const item of chosen) await insertDecision(transaction, server, item, decision, by, at, pending);
        if (decision.decision === "approved" && !pending) {
          const review = await transaction.selectFrom("trust_servers").select("state").where("server_id", "=", server.id).executeTakeFirst();
          if (review?.state === "draft" || review?.state === "in-review") await setState(transaction, server, "approved", decision.reason, by);
        }
        announce({ topic: "trust", ref: server.id });
        return { decided: chosen.length, pending: pending ? chosen.length : 0 };
      });
    },

    async second(server, by) {
      return storage.write(async (transaction, announce) => {
        const waiting = await transaction.selectFrom("trust_decisions").selectAll().where("server_id", "=", server.id).where("pending", "=", 1).execute();
        if (waiting.length === 0) throw problem("not-found", { detail: "Nothing waits for a second person" });
        const others = waiting.filter((row) => row.decided_by !== by.userId && server.ownerId !== by.userId);
        if (others.length === 0) throw problem("forbidden", { detail: "A second person must confirm: neither the owner nor who proposed it" });
        for (const row of others) {
          await transaction.updateTable("trust_decisions").set({ pending: 0, seconded_by: by.userId, seconded_at: now() }).where("id", "=", row.id).execute();
          await audit.recordIn(transaction, { type: "item.approved", actorId: by.userId, requestId: by.requestId, subject: `server:${server.id}`, detail: { server: server.name, kind: row.kind, name: row.name, digest: row.digest, reason: row.reason } });
        }
        const review = await transaction.selectFrom("trust_servers").select("state").where("server_id", "=", server.id).executeTakeFirst();
        if (review?.state === "draft" || review?.state === "in-review") await setState(transaction, server, "approved", "Confirmed by a second person", by);
        announce({ topic: "trust", ref: server.id });
        return others.length;
      });
    },

    async changeState(server, state, reason, by) {
      await storage.write(async (transaction, announce) => {
        await transaction
          .insertInto("trust_servers")
          .values({ server_id: server.id, state, reason, changed_by: by.userId, changed_at: now(), inspected_at: null, inspection: "{}" })
          .onConflict((conflict) => conflict.column("server_id").doNothing())
          .execute();
        await setState(transaction, server, state, reason, by);
        announce({ topic: "trust", ref: server.id });
      });
    },

    async override(server, changes, by) {
      await storage.write(async (transaction, announce) => {
        for (const { kind, name, enabled, alias, title, description } of changes) {
          if (alias !== undefined && alias !== null) await requireFree(transaction, server, kind, name, alias);
          const values = {
            ...(enabled === undefined ? {} : { enabled: enabled === null ? null : Number(enabled) }),
            ...(alias === undefined ? {} : { alias }),
            ...(title === undefined ? {} : { title }),
            ...(description === undefined ? {} : { description }),
            changed_by: by.userId,
            changed_at: now(),
          };
          await transaction
            .insertInto("trust_overrides")
            .values({ server_id: server.id, kind, name, enabled: null, alias: null, title: null, description: null, ...values })
            .onConflict((conflict) => conflict.columns(["server_id", "kind", "name"]).doUpdateSet(values))
            .execute();
          await audit.recordIn(transaction, { type: "item.settings.changed", actorId: by.userId, requestId: by.requestId, subject: `server:${server.id}`, detail: { server: server.name, kind, name, fields: Object.keys(values).filter((field) => !field.startsWith("changed_")) } });
        }
        await transaction.deleteFrom("trust_overrides").where("server_id", "=", server.id).where("enabled", "is", null).where("alias", "is", null).where("title", "is", null).where("description", "is", null).execute();
        announce({ topic: "trust", ref: server.id });
      });
    },

    async items(server) {
      const rows = await storage.db.selectFrom("trust_items").selectAll().where("server_id", "=", server.id).orderBy("kind").orderBy("name").orderBy("first_seen_at").execute();
      const decisions = await storage.db.selectFrom("trust_decisions").selectAll().where("server_id", "=", server.id).orderBy("decided_at").orderBy("id").execute();
      const latest = new Map(decisions.map((row) => [keyOf(row), row]));
      const compiled = pins.of(server.id);
      const parsed = (row: { definition: string | null }): unknown => (row.definition === null ? null : (JSON.parse(row.definition) as unknown));
      return rows
        .filter((row) => row.present === 1)
        .map((row): ItemView => {
          const decision = latest.get(keyOf(row));
          const approvedBefore = rows.findLast((other) => other.kind === row.kind && other.name === row.name && other.digest !== row.digest && latest.get(keyOf(other))?.decision === "approved");
          const pin = compiled?.find(row.kind as ItemKind, row.name);
          const expired = decision?.decision === "approved" && decision.expires_at !== null && decision.expires_at <= now();
          return {
            kind: row.kind as ItemKind,
            name: row.name,
            digest: row.digest,
            standing: expired ? "expired" : pin?.approved.has(row.digest) === true ? "approved" : decision ? (decision.pending === 1 ? "pending" : (decision.decision as Standing)) : row.verdict === "block" ? "blocked" : approvedBefore ? "changed" : "unreviewed",
            verdict: row.verdict as Verdict,
            findings: JSON.parse(row.findings) as Finding[],
            tier: row.tier as RiskTier,
            tokens: row.tokens,
            definition: parsed(row),
            changes: approvedBefore ? differences(parsed(approvedBefore), parsed(row)) : [],
            enabled: pin?.override?.enabled !== false,
            firstSeenAt: row.first_seen_at,
            decision: decision && { decision: decision.decision, reason: decision.reason, by: decision.decided_by ?? undefined, at: decision.decided_at, expiresAt: decision.expires_at ?? undefined, pending: decision.pending === 1 },
          };
        });
    },

    verifiedAt: (server) => verified.get(server.id) ?? 0,

    async stateOf(server) {
      const row = await storage.db.selectFrom("trust_servers").selectAll().where("server_id", "=", server.id).executeTakeFirst();
      if (!row) return { state: "draft", reason: "Not inspected yet", inspection: undefined };
      return { state: row.state as ReviewState, reason: row.reason, inspection: row.inspection === "{}" ? undefined : (JSON.parse(row.inspection) as Inspection) };
    },
  };
}

/** @throws Problem 409 when clients know something else by that name, 422 for a pattern. */
async function requireFree(transaction: Write, server: ServerState, kind: ItemKind, name: string, alias: string): Promise<void> {
  if (name.includes("*")) throw problem("invalid", { detail: "alias: a pattern of names cannot have one name", errors: [{ field: "alias", message: "Only for an exact name" }] });
  const own = await transaction.selectFrom("trust_items").select("name").where("server_id", "=", server.id).where("kind", "=", kind).where("name", "=", alias).where("present", "=", 1).executeTakeFirst();
  const other = await transaction.selectFrom("trust_overrides").select("name").where("server_id", "=", server.id).where("kind", "=", kind).where("alias", "=", alias).where("name", "!=", name).executeTakeFirst();
  if ((own && alias !== name) || other) throw problem("conflict", { detail: "Another item of this server has that name" });
}

function keyOf({ kind, name, digest }: { kind: string; name: string; digest: string }): string {
  return `${kind} ${digest} ${name}`;
}

/** One item per digest: a server may show the same in both eras, or differ. A name that one list shows twice with different digests is held. */
function unite(variants: readonly (readonly ScannedItem[])[]): ScannedItem[] {
  const items = new Map<string, ScannedItem>();
  for (const variant of variants) {
    const names = new Set<string>();
    for (const item of variant) {
      const twice = names.has(`${item.kind} ${item.name}`);
      names.add(`${item.kind} ${item.name}`);
      const known = items.get(keyOf(item));
      const verdict = worse(known?.verdict ?? "pass", twice ? worse(item.verdict, "hold") : item.verdict);
      items.set(keyOf(item), { ...item, verdict });
    }
  }
  return [...items.values()];
}

function worse(a: Verdict, b: Verdict): Verdict {
  return a === "block" || b === "block" ? "block" : a === "hold" || b === "hold" ? "hold" : "pass";
}


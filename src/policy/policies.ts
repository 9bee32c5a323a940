/**
 * The running set of policies: kept in the database, validated before it is stored, compiled when it changes, swapped in one step. A set that
 * does not compile is never swapped in. One starter policy permits what was granted; without others, nothing of Cedar is loaded.
 */
import type { Audit } from "../audit/index.ts";
import { newId } from "../kernel/ids.ts";
import type { Log } from "../kernel/log.ts";
import type { Principal } from "../kernel/principal.ts";
import { problem } from "../kernel/problem.ts";
import type { ServerState, Snapshot, UserState } from "../snapshot/index.ts";
import type { Storage, Tables } from "../storage/index.ts";
import type { Selectable } from "kysely";
import { createEngine, validatePolicy, type Engine, type Policy, type PolicyDecision } from "./engine.ts";
import type { Circumstances, PolicyAction, ResourceKind, Subject, Thing } from "./vocabulary.ts";

export const starter: Policy = { name: "granted", text: "// Whoever was granted a server may use all of it.\npermit (principal, action, resource)\nwhen { principal.servers.contains(resource.server) };\n" };

export interface StoredPolicy extends Policy {
  enabled: boolean;
  revision: number;
  changedBy: string | undefined;
  changedAt: number;
}

export interface PolicyWish {
  action: PolicyAction;
  kind: ResourceKind;
  /** The upstream's own name of the tool or prompt, or the resource's URI. */
  name: string;
  arguments: unknown;
  address: string;
}

export interface Policies {
  /** Whether anything beyond the starter policy runs. */
  readonly active: boolean;
  /** Raised whenever a decision may have changed. */
  readonly version: number;
  /** @returns "allow" without a look at anything but the grant while the starter policy is all there is. */
  decide(principal: Principal, server: ServerState, wish: PolicyWish): PolicyDecision;
  /** Whether the principal may know of the server: it was granted, or a policy permits something of it. */
  admits(principal: Principal, server: ServerState): boolean;
  /** What another set would decide: for tests, differences and simulations. */
  engineOf(policies: readonly Policy[]): Promise<(username: string, server: ServerState, wish: PolicyWish) => PolicyDecision>;
  list(): StoredPolicy[];
  /** @throws Problem 422 with positions, 409 for a name that is taken. */
  create(policy: Policy & { enabled: boolean }, by: Doer): Promise<StoredPolicy>;
  /** @throws Problem 404, 412, 422. */
  change(name: string, change: { text?: string | undefined; enabled?: boolean | undefined }, revision: number | undefined, by: Doer): Promise<StoredPolicy>;
  remove(name: string, revision: number | undefined, by: Doer): Promise<void>;
  close(): void;
}

export interface Doer {
  actorId: string;
  requestId: string;
}

export interface PoliciesOptions {
  storage: Storage;
  snapshot: Snapshot;
  audit: Audit;
  log: Log;
  now: () => number;
  /** Items of a server as reviewed: for what a policy says of the server as a whole, and their risk tiers. */
  itemsOf: (server: ServerState) => Iterable<{ kind: ResourceKind; name: string; tier: string }>;
  tierOf: (server: ServerState, kind: ResourceKind, name: string) => string;
}

export async function openPolicies(options: PoliciesOptions): Promise<Policies> {
  const { storage, snapshot, audit, log, now, itemsOf, tierOf } = options;
  let stored = new Map<string, StoredPolicy>();
  /** Undefined while the starter policy alone decides. */
  let engine: Engine | undefined;
  const admitted = new Map<string, boolean>();
  let version = 0;

  const present = (row: Selectable<Tables["policies"]>): StoredPolicy => ({ name: row.name, text: row.text, enabled: row.enabled === 1, revision: row.revision, changedBy: row.changed_by ?? undefined, changedAt: row.changed_at });
  const load = async () => {
    const rows = await storage.db.selectFrom("policies").selectAll().orderBy("name").execute();
    const next = new Map(rows.map((row) => [row.name, present(row)]));
    const running = [...next.values()].filter(({ enabled }) => enabled);
    const [only] = running;
    const compiled = running.length === 1 && only?.text === starter.text ? undefined : await createEngine(running);
    [stored, engine] = [next, compiled];
    admitted.clear();
    version++;
  };
  await storage.write(async (transaction) => {
    const started = await transaction.insertInto("meta").values({ key: "policies", value: "started" }).onConflict((conflict) => conflict.column("key").doNothing()).executeTakeFirst();
    if (started.numInsertedOrUpdatedRows !== 1n) return;
    await transaction.insertInto("policies").values({ id: newId(), ...starter, enabled: 1, revision: 1, changed_by: null, changed_at: now() }).execute();
  });
  await load();
  let loads = Promise.resolve();
  const stop = storage.onChange((change) => {
    if (change === undefined || change.topic === "policy") {
      const done = loads.then(load);
      loads = done.catch((error: unknown) => log.error("policy.load.failed", { error: error as Error }));
      return loads;
    }
    admitted.clear();
    version++;
    return undefined;
  });

  const subjectOf = ({ id, username, kind, groups }: UserState, scopes: readonly string[], server: ServerState): Subject => ({ username, kind, scopes, groups, granted: snapshot.isGranted(id, server.id) });
  const thingOf = (server: ServerState, { kind, name }: Pick<PolicyWish, "kind" | "name">): Thing => ({ kind, name, tier: tierOf(server, kind, name), server: { name: server.name, tags: server.tags, transport: server.transport } });
  const nobody = { factor: false, client: "", actors: [] };
  const circumstancesOf = (principal: Principal, { address, arguments: given }: PolicyWish): Circumstances => ({ address, at: now(), arguments: given, factor: principal.factor === true, client: principal.clientId ?? "", actors: principal.actor ?? [] });
  const granted = (allowed: boolean): PolicyDecision => ({ allowed, reasons: allowed ? [starter.name] : [], obligations: [] });

  const decide: Policies["decide"] = (principal, server, wish) => {
    if (engine === undefined) return granted(snapshot.isGranted(principal.userId, server.id));
    const user = snapshot.users.get(principal.userId);
    if (!user) return granted(false);
    return engine.decide(subjectOf(user, [...principal.scopes], server), wish.action, thingOf(server, wish), circumstancesOf(principal, wish));
  };
  const requireValid = async (text: string) => {
    const faults = await validatePolicy(text);
    if (faults.length > 0) throw problem("invalid", { detail: `The policy is not valid: ${faults[0]?.message ?? ""}`, errors: faults.map(({ start, end, message }) => ({ field: `text[${start}..${end}]`, message })) });
  };
  const stale = () => problem("precondition-failed", { detail: "The policy was changed or removed since you read it" });
  const find = (name: string): StoredPolicy => {
    const found = stored.get(name);
    if (!found) throw problem("not-found", { detail: "No such policy" });
    return found;
  };

  return {
    get active() {
      return engine !== undefined;
    },
    get version() {
      return version;
    },
    decide,
    admits(principal, server) {
      if (snapshot.isGranted(principal.userId, server.id)) return true;
      if (engine === undefined) return false;
      const key = `${principal.userId} ${server.id} ${[...principal.scopes].join(" ")}`;
      const known = admitted.get(key);
      if (known !== undefined) return known;
      let found = false;
      for (const { kind, name } of itemsOf(server)) if ((found ||= decide(principal, server, { action: "list", kind, name, arguments: undefined, address: "" }).allowed)) break;
      if (admitted.size > 50_000) admitted.clear();
      admitted.set(key, found);
      return found;
    },
    async engineOf(policies) {
      const other = await createEngine(policies);
      return (username, server, wish) => {
        const user = [...snapshot.users.values()].find((candidate) => candidate.username === username);
        if (!user) return granted(false);
        return other.decide(subjectOf(user, user.scopes, server), wish.action, thingOf(server, wish), { ...nobody, address: wish.address, at: now(), arguments: wish.arguments });
      };
    },
    list: () => [...stored.values()],
    async create(policy, by) {
      await requireValid(policy.text);
      await storage.write(async (transaction, announce) => {
        await transaction.insertInto("policies").values({ id: newId(), name: policy.name, text: policy.text, enabled: Number(policy.enabled), revision: 1, changed_by: by.actorId, changed_at: now() }).execute();
        await audit.recordIn(transaction, { type: "policy.created", ...by, subject: `policy:${policy.name}`, detail: { name: policy.name, enabled: policy.enabled } });
        announce({ topic: "policy" });
      }).catch((error: unknown) => {
        throw (error as { code?: unknown }).code === "conflict" ? problem("conflict", { detail: "A policy of that name already exists" }) : error;
      });
      return find(policy.name);
    },
    async change(name, { text, enabled }, revision, by) {
      find(name);
      if (text !== undefined) await requireValid(text);
      await storage.write(async (transaction, announce) => {
        const { numUpdatedRows } = await transaction
          .updateTable("policies")
          .set((row) => ({ ...(text === undefined ? {} : { text }), ...(enabled === undefined ? {} : { enabled: Number(enabled) }), revision: row("revision", "+", 1), changed_by: by.actorId, changed_at: now() }))
          .where("name", "=", name)
          .$if(revision !== undefined, (query) => query.where("revision", "=", revision ?? 0))
          .executeTakeFirst();
        if (numUpdatedRows !== 1n) throw stale();
        await audit.recordIn(transaction, { type: "policy.changed", ...by, subject: `policy:${name}`, detail: { name, enabled, fields: [...(text === undefined ? [] : ["text"]), ...(enabled === undefined ? [] : ["enabled"])] } });
        announce({ topic: "policy" });
      });
      return find(name);
    },
    async remove(name, revision, by) {
      find(name);
      await storage.write(async (transaction, announce) => {
        const { numDeletedRows } = await transaction.deleteFrom("policies").where("name", "=", name).$if(revision !== undefined, (query) => query.where("revision", "=", revision ?? 0)).executeTakeFirst();
        if (numDeletedRows !== 1n) throw stale();
        await audit.recordIn(transaction, { type: "policy.removed", ...by, subject: `policy:${name}`, detail: { name } });
        announce({ topic: "policy" });
      });
    },
    close: stop,
  };
}

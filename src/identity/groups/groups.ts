/**
 * Groups: people and service accounts that hold scopes and grants together. What a user holds in effect is the union of what is the user's
 * own and what the groups give; the snapshot works it out. Whoever loses a scope by a change here loses the tokens that carry it.
 */
import type { Audit } from "../../audit/index.ts";
import { newId } from "../../kernel/ids.ts";
import { problem } from "../../kernel/problem.ts";
import { isScope, type Scope } from "../../kernel/scopes.ts";
import type { GroupState, Snapshot } from "../../snapshot/index.ts";
import type { Change, Storage, Write } from "../../storage/index.ts";
import { usernameKey, type Doer } from "../users.ts";

/** Who says that somebody is a member: an administrator or SCIM, or an issuer's claim, which its next token replaces. */
export type MemberSource = "manual" | `claim:${string}`;

export interface GroupFields {
  name: string;
  description?: string | undefined;
  scopes: readonly Scope[];
  externalId?: string | undefined;
}

export interface GroupChange {
  name?: string;
  description?: string | null;
  scopes?: readonly Scope[];
  externalId?: string | null;
  /** User ids: exactly these are members by hand afterwards. */
  members?: readonly string[];
  addMembers?: readonly string[];
  /** However they came in. */
  removeMembers?: readonly string[];
}

export interface Groups {
  /** By name. */
  list(): GroupState[];
  /** @throws Problem 404. */
  find(name: string): GroupState;
  byId(id: string): GroupState | undefined;
  /** @throws Problem 409 when the name is taken. */
  create(group: GroupFields & { members?: readonly string[] }, by: Doer): Promise<GroupState>;
  /** @param expected revision, or undefined for any. @throws Problem 404, 409 or 412. */
  change(id: string, change: GroupChange, by: Doer, expected?: number): Promise<GroupState>;
  remove(id: string, by: Doer, expected?: number): Promise<void>;
  grant(group: GroupState, serverId: string, by: Doer): Promise<void>;
  revoke(group: GroupState, serverId: string, by: Doer): Promise<void>;
  /** Within a sign-in: makes the memberships of this source exactly the named groups that exist. @returns whether anything changed. */
  follow(userId: string, names: readonly string[], source: MemberSource, by: Doer): Promise<boolean>;
}

export interface GroupsOptions {
  storage: Storage;
  snapshot: Snapshot;
  audit: Audit;
  now: () => number;
}

/** Names are compared as user names are. */
const nameKey = usernameKey;
type Announce = (change: Change) => void;

export function createGroups({ storage, snapshot, audit, now }: GroupsOptions): Groups {
  const stateOf = (id: string): GroupState => {
    const state = snapshot.groups.get(id);
    if (!state) throw problem("not-found", { detail: "No such group" });
    return state;
  };
  const find = (name: string): GroupState => {
    const key = nameKey(name);
    const state = [...snapshot.groups.values()].find((group) => nameKey(group.name) === key);
    if (!state) throw problem("not-found", { detail: "No such group" });
    return state;
  };
  const taken = (error: unknown): never => {
    throw (error as { code?: unknown }).code === "conflict" ? problem("conflict", { detail: "A group of that name already exists" }) : error;
  };
  const join = async (transaction: Write, id: string, userIds: readonly string[], source: MemberSource) => {
    for (const batch of batches(userIds)) {
      const known = await transaction.selectFrom("users").select("id").where("id", "in", batch).where("deleted_at", "is", null).execute();
      if (known.length !== new Set(batch).size) throw problem("invalid", { detail: "members: no such user", errors: [{ field: "members", message: "No such user" }] });
      await transaction
        .insertInto("group_members")
        .values(known.map((user) => ({ group_id: id, user_id: user.id, source, created_at: now() })))
        .onConflict((conflict) => conflict.columns(["group_id", "user_id", "source"]).doNothing())
        .execute();
    }
  };
  const leave = async (transaction: Write, announce: Announce, id: string, userIds: readonly string[], source: MemberSource | undefined, loses: boolean) => {
    for (const batch of batches(userIds)) {
      await transaction.deleteFrom("group_members").where("group_id", "=", id).where("user_id", "in", batch).$if(source !== undefined, (query) => query.where("source", "=", source ?? "")).execute();
    }
    if (loses) await endTokens(transaction, announce, userIds, now());
  };
  const raise = async (transaction: Write, id: string, expected: number | undefined) => {
    const row = await transaction.selectFrom("groups").selectAll().where("id", "=", id).executeTakeFirst();
    if (!row) throw problem("not-found", { detail: "No such group" });
    if (expected !== undefined && row.revision !== expected) throw problem("precondition-failed", { detail: "The group was changed since you read it" });
    const raised = await transaction.updateTable("groups").set({ revision: row.revision + 1, updated_at: now() }).where("id", "=", id).where("revision", "=", row.revision).executeTakeFirst();
    if (Number(raised.numUpdatedRows) !== 1) throw problem("precondition-failed", { detail: "The group was changed since you read it" });
    return row;
  };
  const membersOf = async (transaction: Write, id: string) => (await transaction.selectFrom("group_members").select("user_id").distinct().where("group_id", "=", id).execute()).map((row) => row.user_id);
  const grantEvent = (group: GroupState, by: Doer) => ({ ...by, subject: `group:${group.id}` });

  return {
    list: () => [...snapshot.groups.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    find,
    byId: (id) => snapshot.groups.get(id),
    async create({ name, description, scopes, externalId, members = [] }, by) {
      const id = newId();
      await storage.write(async (transaction, announce) => {
        await transaction
          .insertInto("groups")
          .values({ id, name, name_key: nameKey(name), description: description ?? null, scopes: JSON.stringify(scopes), external_id: externalId ?? null, revision: 1, created_at: now(), updated_at: now() })
          .execute();
        await join(transaction, id, members, "manual");
        await audit.recordIn(transaction, { type: "group.created", ...by, subject: `group:${id}`, detail: { name, scopes, members: members.length } });
        announce({ topic: "group", ref: id });
      }).catch(taken);
      return stateOf(id);
    },
    async change(id, change, by, expected) {
      await storage.write(async (transaction, announce) => {
        const row = await raise(transaction, id, expected);
        const held = scopesOf(row);
        const { name, description, scopes, externalId } = change;
        if (name !== undefined || description !== undefined || scopes !== undefined || externalId !== undefined) {
          await transaction
            .updateTable("groups")
            .set({
              ...(name === undefined ? {} : { name, name_key: nameKey(name) }),
              ...(description === undefined ? {} : { description }),
              ...(scopes === undefined ? {} : { scopes: JSON.stringify(scopes) }),
              ...(externalId === undefined ? {} : { external_id: externalId }),
            })
            .where("id", "=", id)
            .execute();
          await audit.recordIn(transaction, { type: "group.changed", ...by, subject: `group:${id}`, detail: { name: name ?? row.name, ...(scopes ? { scopes } : {}) } });
        }
        const before = await membersOf(transaction, id);
        if (change.members) await leave(transaction, announce, id, before.filter((member) => !change.members?.includes(member)), undefined, held.length > 0);
        if (change.removeMembers) await leave(transaction, announce, id, change.removeMembers, undefined, held.length > 0);
        await join(transaction, id, [...(change.members ?? []), ...(change.addMembers ?? [])], "manual");
        const after = new Set(await membersOf(transaction, id));
        if (scopes && held.some((scope) => !scopes.includes(scope))) await endTokens(transaction, announce, [...after], now());
        for (const user of before.filter((member) => !after.has(member))) await audit.recordIn(transaction, { type: "group.member.removed", ...by, subject: `group:${id}`, detail: { user, by: "manual" } });
        const known = new Set(before);
        for (const user of [...after].filter((member) => !known.has(member))) await audit.recordIn(transaction, { type: "group.member.added", ...by, subject: `group:${id}`, detail: { user, by: "manual" } });
        announce({ topic: "group", ref: id });
      }).catch(taken);
      return stateOf(id);
    },
    async remove(id, by, expected) {
      await storage.write(async (transaction, announce) => {
        const row = await raise(transaction, id, expected);
        if (scopesOf(row).length > 0) await endTokens(transaction, announce, await membersOf(transaction, id), now());
        await transaction.deleteFrom("groups").where("id", "=", id).execute();
        await audit.recordIn(transaction, { type: "group.deleted", ...by, subject: `group:${id}`, detail: { name: row.name } });
        announce({ topic: "group", ref: id });
        announce({ topic: "grant" });
      });
    },
    async grant(group, serverId, by) {
      await storage.write(async (transaction, announce) => {
        await transaction.insertInto("group_grants").values({ group_id: group.id, server_id: serverId, created_by: by.actorId ?? "", created_at: now() }).onConflict((conflict) => conflict.columns(["group_id", "server_id"]).doNothing()).execute();
        await audit.recordIn(transaction, { type: "group.grant.created", ...grantEvent(group, by), detail: { server: serverId } });
        announce({ topic: "grant", ref: serverId });
      });
    },
    async revoke(group, serverId, by) {
      await storage.write(async (transaction, announce) => {
        await transaction.deleteFrom("group_grants").where("group_id", "=", group.id).where("server_id", "=", serverId).execute();
        await audit.recordIn(transaction, { type: "group.grant.removed", ...grantEvent(group, by), detail: { server: serverId } });
        announce({ topic: "grant", ref: serverId });
      });
    },
    async follow(userId, names, source, by) {
      const keys = new Set(names.map(nameKey));
      const wanted = new Set([...snapshot.groups.values()].filter((group) => keys.has(nameKey(group.name))).map((group) => group.id));
      const rows = await storage.db.selectFrom("group_members").select("group_id").where("user_id", "=", userId).where("source", "=", source).execute();
      const current = new Set(rows.map((row) => row.group_id));
      const [joins, leaves] = [[...wanted].filter((id) => !current.has(id)), [...current].filter((id) => !wanted.has(id))];
      if (joins.length === 0 && leaves.length === 0) return false;
      await storage.write(async (transaction, announce) => {
        for (const id of joins) {
          await join(transaction, id, [userId], source);
          await audit.recordIn(transaction, { type: "group.member.added", ...by, subject: `group:${id}`, detail: { user: userId, by: source } });
        }
        for (const id of leaves) {
          const row = await transaction.selectFrom("groups").select("scopes").where("id", "=", id).executeTakeFirst();
          await leave(transaction, announce, id, [userId], source, row !== undefined && scopesOf(row).length > 0);
          await audit.recordIn(transaction, { type: "group.member.removed", ...by, subject: `group:${id}`, detail: { user: userId, by: source } });
        }
        for (const id of [...joins, ...leaves]) announce({ topic: "group", ref: id });
      });
      return true;
    },
  };
}

function scopesOf(row: { scopes: string }): Scope[] {
  return (JSON.parse(row.scopes) as string[]).filter(isScope);
}

/** Raises the users' epochs: tokens that carry what was lost are refused from now on. */
async function endTokens(transaction: Write, announce: Announce, userIds: readonly string[], at: number): Promise<void> {
  for (const batch of batches(userIds)) await transaction.updateTable("users").set((update) => ({ epoch: update("epoch", "+", 1), updated_at: at })).where("id", "in", batch).execute();
  for (const ref of userIds) announce({ topic: "user", ref });
}

/** Statements take a bounded number of values. */
function batches<T>(values: readonly T[], size = 500): T[][] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, index) => values.slice(index * size, (index + 1) * size));
}

/** People with an account here: created, scoped and disabled by administrators; a change that narrows rights ends their tokens at once. */
import type { Audit } from "../audit/index.ts";
import { newId } from "../kernel/ids.ts";
import { problem } from "../kernel/problem.ts";
import type { Scope } from "../kernel/scopes.ts";
import type { Snapshot, UserState } from "../snapshot/index.ts";
import type { Storage, Write } from "../storage/index.ts";
import { passwordWeakness, type PasswordOwner } from "./password-rules.ts";
import { hashPassword, verifyPassword } from "./passwords.ts";

export interface NewUser {
  username: string;
  password: string;
  scopes: readonly Scope[];
}

/** On whose behalf, for the audit trail. */
export interface Doer {
  actorId?: string | undefined;
  requestId?: string | undefined;
}

export interface Users {
  list(): UserState[];
  /** @throws Problem 404. */
  find(username: string): UserState;
  /** @throws Problem 409 when the name is taken, 422 when the password is weak. */
  create(user: NewUser, by: Doer): Promise<UserState>;
  /** Creates a user only if there is none yet. @returns undefined when there is. */
  createFirst(user: NewUser, by: "setup link" | "environment", within?: { before?(transaction: Write): Promise<void>; after?(transaction: Write, userId: string): Promise<void> }): Promise<string | undefined>;
  /** @throws Problem 409 when it would leave no active administrator. */
  change(username: string, change: { scopes?: readonly Scope[]; disabled?: boolean; password?: string }, by: Doer): Promise<UserState>;
  /** Same cost for unknown users. @returns the user, or undefined. */
  verify(username: string, password: string): Promise<UserState | undefined>;
}

export interface UsersOptions {
  storage: Storage;
  snapshot: Snapshot;
  audit: Audit;
  /** Whether the user has a second factor: then a shorter password is enough. */
  hasFactor: (userId: string) => Promise<boolean>;
  now: () => number;
}

/** Case and width do not make another person (RFC 8265 section 3.3, UsernameCaseMapped). */
export function usernameKey(username: string): string {
  return username.normalize("NFKC").toLowerCase();
}

export function createUsers({ storage, snapshot, audit, hasFactor, now }: UsersOptions): Users {
  const insert = async (transaction: Write, user: NewUser, passwordHash: string): Promise<string> => {
    const id = newId();
    const at = now();
    await transaction
      .insertInto("users")
      .values({ id, username: user.username, username_key: usernameKey(user.username), password_hash: passwordHash, scopes: JSON.stringify(user.scopes), disabled: 0, epoch: 1, created_at: at, updated_at: at })
      .execute();
    return id;
  };
  const stateOf = (id: string): UserState => {
    const state = snapshot.users.get(id);
    if (!state) throw problem("not-found", { detail: "No such user" });
    return state;
  };
  const find = (username: string): UserState => {
    const key = usernameKey(username);
    const state = [...snapshot.users.values()].find((user) => usernameKey(user.username) === key);
    if (!state) throw problem("not-found", { detail: "No such user" });
    return state;
  };

  return {
    list: () => [...snapshot.users.values()].sort((a, b) => (a.username < b.username ? -1 : 1)),
    find,
    async create(user, by) {
      requireStrength(user.password, { username: user.username, hasFactor: false });
      const passwordHash = await hashPassword(user.password);
      const id = await storage.write(async (transaction, announce) => {
        const created = await insert(transaction, user, passwordHash);
        await audit.recordIn(transaction, { type: "user.created", ...by, subject: `user:${created}`, detail: { scopes: user.scopes } });
        announce({ topic: "user", ref: created });
        return created;
      }).catch((error: unknown) => {
        throw (error as { code?: unknown }).code === "conflict" ? problem("conflict", { detail: "A user of that name already exists" }) : error;
      });
      return stateOf(id);
    },
    async createFirst(user, by, within) {
      requireStrength(user.password, { username: user.username, hasFactor: false });
      const passwordHash = await hashPassword(user.password);
      return storage.write(async (transaction, announce) => {
        await within?.before?.(transaction);
        if (await transaction.selectFrom("users").select("id").limit(1).executeTakeFirst()) return undefined;
        const id = await insert(transaction, user, passwordHash);
        await audit.recordIn(transaction, { type: "setup.completed", subject: `user:${id}`, detail: { by } });
        await within?.after?.(transaction, id);
        announce({ topic: "user", ref: id });
        return id;
      });
    },
    async change(username, change, by) {
      const { id, kind } = find(username);
      if (change.password !== undefined && kind === "service") throw problem("invalid", { detail: "password: a service account has none", errors: [{ field: "password", message: "A service account has none" }] });
      if (change.password !== undefined) requireStrength(change.password, { username, hasFactor: await hasFactor(id) });
      const passwordHash = change.password === undefined ? undefined : await hashPassword(change.password);
      await storage.write(async (transaction, announce) => {
        const row = await transaction.selectFrom("users").selectAll().where("id", "=", id).executeTakeFirst();
        if (!row) throw problem("not-found", { detail: "No such user" });
        const scopes = change.scopes ? JSON.stringify(change.scopes) : row.scopes;
        const disabled = change.disabled === undefined ? row.disabled : Number(change.disabled);
        await transaction
          .updateTable("users")
          .set({ scopes, disabled, epoch: row.epoch + 1, updated_at: now(), ...(passwordHash ? { password_hash: passwordHash } : {}) })
          .where("id", "=", id)
          .execute();
        await requireAdministrator(transaction);
        if (change.scopes) await audit.recordIn(transaction, { type: "user.scopes.changed", ...by, subject: `user:${id}`, detail: { scopes: change.scopes } });
        if (change.disabled !== undefined) await audit.recordIn(transaction, { type: change.disabled ? "user.disabled" : "user.enabled", ...by, subject: `user:${id}` });
        if (passwordHash) await audit.recordIn(transaction, { type: "user.password.changed", ...by, subject: `user:${id}` });
        announce({ topic: "user", ref: id });
      });
      return stateOf(id);
    },
    async verify(username, password) {
      const row = await storage.db.selectFrom("users").select(["id", "password_hash", "disabled"]).where("username_key", "=", usernameKey(username)).executeTakeFirst();
      // Service accounts and people of a directory have no password: the empty hash costs the same and never matches.
      const matches = await verifyPassword(row?.password_hash || undefined, password);
      return matches && row?.disabled === 0 ? snapshot.users.get(row.id) : undefined;
    },
  };
}

function requireStrength(password: string, owner: PasswordOwner): void {
  const weak = passwordWeakness(password, owner);
  if (weak) throw problem("invalid", { detail: `password ${weak}`, errors: [{ field: "password", message: weak }] });
}

/** The last administrator can neither be disabled nor lose the scope. */
export async function requireAdministrator(transaction: Write): Promise<void> {
  const active = await transaction.selectFrom("users").select("scopes").where("disabled", "=", 0).where("deleted_at", "is", null).execute();
  if (!active.some((row) => (JSON.parse(row.scopes) as unknown[]).includes("admin"))) throw problem("conflict", { detail: "That would leave no active administrator" });
}

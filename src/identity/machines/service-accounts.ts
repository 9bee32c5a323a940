/** Service accounts: users that are programs. They have an owner instead of a password, and act by API keys and workload tokens. */
import type { Audit } from "../../audit/index.ts";
import { problem } from "../../kernel/problem.ts";
import type { Scope } from "../../kernel/scopes.ts";
import type { Snapshot, UserState } from "../../snapshot/index.ts";
import type { Storage } from "../../storage/index.ts";
import { endAccount, insertAccount } from "../accounts.ts";
import { usernameKey, type Doer, type Users } from "../users.ts";

export interface ServiceAccounts {
  list(): UserState[];
  /** @throws Problem 404, for people too. */
  find(name: string): UserState;
  /** @throws Problem 409 when the name is taken, by whomever. */
  create(account: { name: string; description?: string | undefined; scopes: readonly Scope[]; ownerId: string }, by: Doer): Promise<UserState>;
  change(name: string, change: { description?: string | null; ownerId?: string; scopes?: readonly Scope[]; disabled?: boolean }, by: Doer): Promise<UserState>;
  /** Its keys, groups and grants end with it; the name becomes free. */
  remove(name: string, by: Doer): Promise<void>;
}

export function createServiceAccounts({ storage, snapshot, users, audit, now }: { storage: Storage; snapshot: Snapshot; users: Users; audit: Audit; now: () => number }): ServiceAccounts {
  const find = (name: string): UserState => {
    const key = usernameKey(name);
    const account = [...snapshot.users.values()].find((user) => user.kind === "service" && usernameKey(user.username) === key);
    if (!account) throw problem("not-found", { detail: "No such service account" });
    return account;
  };
  return {
    list: () => [...snapshot.users.values()].filter((user) => user.kind === "service").sort((a, b) => (a.username < b.username ? -1 : 1)),
    find,
    async create({ name, description, scopes, ownerId }, by) {
      await storage.write(async (transaction, announce) => {
        const id = await insertAccount(transaction, announce, { username: name, kind: "service", scopes, ownerId, description }, now());
        await audit.recordIn(transaction, { type: "service-account.created", ...by, subject: `user:${id}`, detail: { scopes } });
      }).catch((error: unknown) => {
        throw (error as { code?: unknown }).code === "conflict" ? problem("conflict", { detail: "A user or service account of that name already exists" }) : error;
      });
      return find(name);
    },
    async change(name, { description, ownerId, scopes, disabled }, by) {
      const { id } = find(name);
      if (description !== undefined || ownerId !== undefined) {
        await storage.write(async (transaction, announce) => {
          await transaction.updateTable("users").set({ updated_at: now(), ...(description === undefined ? {} : { description }), ...(ownerId === undefined ? {} : { owner_id: ownerId }) }).where("id", "=", id).execute();
          await audit.recordIn(transaction, { type: "service-account.changed", ...by, subject: `user:${id}` });
          announce({ topic: "user", ref: id });
        });
      }
      if (scopes !== undefined || disabled !== undefined) await users.change(name, { ...(scopes === undefined ? {} : { scopes }), ...(disabled === undefined ? {} : { disabled }) }, by);
      return find(name);
    },
    async remove(name, by) {
      const { id } = find(name);
      await storage.write(async (transaction, announce) => {
        await endAccount(transaction, announce, id, now());
        await audit.recordIn(transaction, { type: "user.deprovisioned", ...by, subject: `user:${id}`, detail: { by: "administrator" } });
      });
    },
  };
}

/** Accounts without a password: service accounts, and people whom a directory names. And the end of any account. */
import { newId } from "../kernel/ids.ts";
import { problem } from "../kernel/problem.ts";
import type { Scope } from "../kernel/scopes.ts";
import type { Change, Write } from "../storage/index.ts";
import { requireAdministrator, usernameKey } from "./users.ts";

type Announce = (change: Change) => void;

export interface NewAccount {
  username: string;
  kind: "person" | "service";
  scopes?: readonly Scope[];
  ownerId?: string | undefined;
  description?: string | undefined;
  externalId?: string | undefined;
  /** What a directory says of the person. */
  profile?: object;
  disabled?: boolean;
}

/** @returns the id. A taken name is a conflict of the transaction. */
export async function insertAccount(transaction: Write, announce: Announce, account: NewAccount, at: number): Promise<string> {
  const id = newId();
  await transaction
    .insertInto("users")
    .values({
      id,
      username: account.username,
      username_key: usernameKey(account.username),
      // No password verifies against the empty hash.
      password_hash: "",
      scopes: JSON.stringify(account.scopes ?? []),
      disabled: Number(account.disabled ?? false),
      epoch: 1,
      created_at: at,
      updated_at: at,
      kind: account.kind,
      owner_id: account.ownerId ?? null,
      description: account.description ?? null,
      external_id: account.externalId ?? null,
      profile: account.profile === undefined ? null : JSON.stringify(account.profile),
    })
    .execute();
  announce({ topic: "user", ref: id });
  return id;
}

/**
 * Ends an account for good: tokens, keys, memberships and grants. The row stays, under a name that nobody can have, for the audit trail
 * and for the servers it owns; so whoever gets the name next gets none of the rights.
 */
export async function endAccount(transaction: Write, announce: Announce, id: string, at: number): Promise<void> {
  const row = await transaction.selectFrom("users").select(["username_key", "epoch"]).where("id", "=", id).where("deleted_at", "is", null).executeTakeFirst();
  if (!row) throw problem("not-found", { detail: "No such user" });
  await transaction.updateTable("users").set({ disabled: 1, deleted_at: at, updated_at: at, epoch: row.epoch + 1, username_key: `${row.username_key}#${id}` }).where("id", "=", id).execute();
  await requireAdministrator(transaction);
  const groups = await transaction.deleteFrom("group_members").where("user_id", "=", id).returning("group_id").execute();
  const grants = await transaction.deleteFrom("grants").where("user_id", "=", id).returning("server_id").execute();
  const keys = await transaction.updateTable("api_keys").set({ revoked_at: at }).where("user_id", "=", id).where("revoked_at", "is", null).returning("id").execute();
  for (const ref of new Set(groups.map((group) => group.group_id))) announce({ topic: "group", ref });
  for (const { server_id: ref } of grants) announce({ topic: "grant", ref });
  for (const { id: ref } of keys) announce({ topic: "api-key", ref });
  announce({ topic: "user", ref: id });
}

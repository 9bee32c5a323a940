/**
 * Users as SCIM has them (RFC 7643 section 4.1): what a directory provisions, changes and withdraws. A user withdrawn by DELETE is gone
 * for good; one set inactive is disabled. Scopes are not SCIM's business: they come from groups and administrators.
 */
import type { Selectable } from "kysely";
import { z } from "zod";
import type { Audit } from "../../audit/index.ts";
import { sha256Hex } from "../../kernel/digest.ts";
import { problem } from "../../kernel/problem.ts";
import type { Snapshot } from "../../snapshot/index.ts";
import type { Storage, Tables } from "../../storage/index.ts";
import { endAccount, insertAccount } from "../accounts.ts";
import { requireAdministrator, usernameKey, type Doer } from "../users.ts";
import { scimError } from "./errors.ts";
import { fits, type Filter } from "./filter.ts";

export const userUrn = "urn:ietf:params:scim:schemas:core:2.0:User";
const text = z.string().max(500);
/** Directories write booleans as texts, and in any case. */
const flag = z.union([z.boolean(), z.string().toLowerCase().pipe(z.enum(["true", "false"])).transform((value) => value === "true")]);
const optional = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

/** What is kept of what a directory sends; everything else is left out without a word, as RFC 7644 section 3.3 allows. */
export const scimUserSchema = z.object({
  userName: z.string().min(1).max(100).regex(/^[\p{L}\p{N}._@+-]+$/u, "must be letters, digits and . _ @ + -"),
  externalId: optional(z.string().min(1).max(500)),
  displayName: optional(text),
  name: optional(z.object({ formatted: optional(text), givenName: optional(text), familyName: optional(text) })),
  emails: optional(z.array(z.object({ value: z.string().max(320), type: optional(z.string().max(50)), primary: optional(flag) })).max(20)),
  active: flag.default(true),
});
export type ScimUser = z.output<typeof scimUserSchema>;
/** The attributes that PATCH may change. */
export const userAttributes = ["userName", "externalId", "displayName", "name", "emails", "active"] as const;

const profileSchema = scimUserSchema.pick({ displayName: true, name: true, emails: true });
type Row = Selectable<Tables["users"]>;

/** With id and meta: what a reader gets, and what filters are judged over. */
export type UserResource = ScimUser & { schemas: string[]; id: string; groups: { value: string; display: string; $ref: string; type: string }[]; meta: { resourceType: string; created: string; lastModified: string; location: string; version: string } };

export interface ScimUsers {
  /** @returns those that fit, and how many there are of them. @param start 0-based. */
  list(filter: Filter | undefined, start: number, count: number): Promise<{ total: number; items: UserResource[] }>;
  /** @throws Problem 404. */
  get(id: string): Promise<UserResource>;
  create(user: ScimUser, by: Doer): Promise<UserResource>;
  replace(id: string, user: ScimUser, by: Doer): Promise<UserResource>;
  remove(id: string, by: Doer): Promise<void>;
}

export function createScimUsers({ storage, snapshot, audit, publicUrl, now }: { storage: Storage; snapshot: Snapshot; audit: Audit; publicUrl: string; now: () => number }): ScimUsers {
  const present = (row: Row): UserResource => {
    const user = valuesOf(row);
    const version = `W/"${sha256Hex(JSON.stringify([user, row.updated_at])).slice(0, 16)}"`;
    const groups = (snapshot.users.get(row.id)?.groups ?? []).flatMap((name) => [...snapshot.groups.values()].find((group) => group.name === name) ?? []);
    return {
      schemas: [userUrn],
      id: row.id,
      ...user,
      groups: groups.map((group) => ({ value: group.id, display: group.name, $ref: `${publicUrl}/scim/v2/Groups/${group.id}`, type: "direct" })),
      meta: { resourceType: "User", created: new Date(row.created_at).toISOString(), lastModified: new Date(row.updated_at).toISOString(), location: `${publicUrl}/scim/v2/Users/${row.id}`, version },
    };
  };
  const people = () => storage.db.selectFrom("users").selectAll().where("kind", "=", "person").where("deleted_at", "is", null).orderBy("id");
  const rowOf = async (id: string): Promise<Row> => {
    const row = await people().where("id", "=", id).executeTakeFirst();
    if (!row) throw problem("not-found", { detail: `Resource ${id} not found` });
    return row;
  };
  const taken = (error: unknown): never => {
    throw (error as { code?: unknown }).code === "conflict" ? problem("conflict", { detail: "userName is taken" }) : error;
  };
  const profileOf = ({ displayName, name, emails }: ScimUser) => ({ displayName, name, emails });
  return {
    async list(filter, start, count) {
      // What directories ask before every creation is answered by the index.
      const exact = filter?.kind === "compare" && filter.operator === "eq" && typeof filter.value === "string" ? filter : undefined;
      const value = String(exact?.value ?? "");
      if (exact?.attribute === "username" || exact?.attribute === "externalid" || exact?.attribute === "id") {
        const column = exact.attribute === "username" ? "username_key" : exact.attribute === "id" ? "id" : "external_id";
        const rows = await people().where(column, "=", column === "username_key" ? usernameKey(value) : value).limit(200).execute();
        return { total: rows.length, items: rows.slice(start, start + count).map(present) };
      }
      if (filter === undefined) {
        const { total } = await storage.db.selectFrom("users").select((select) => select.fn.countAll<number>().as("total")).where("kind", "=", "person").where("deleted_at", "is", null).executeTakeFirstOrThrow();
        return { total: Number(total), items: count === 0 ? [] : (await people().limit(count).offset(start).execute()).map(present) };
      }
      const found = (await people().execute()).map(present).filter((user) => fits(user, filter));
      return { total: found.length, items: found.slice(start, start + count) };
    },
    get: async (id) => present(await rowOf(id)),
    async create(user, by) {
      const id = await storage.write(async (transaction, announce) => {
        const made = await insertAccount(transaction, announce, { username: user.userName, kind: "person", externalId: user.externalId, profile: profileOf(user), disabled: !user.active }, now());
        await audit.recordIn(transaction, { type: "user.provisioned", ...by, subject: `user:${made}`, detail: { by: "scim" } });
        return made;
      }).catch(taken);
      return present(await rowOf(id));
    },
    async replace(id, user, by) {
      await storage.write(async (transaction, announce) => {
        const row = await transaction.selectFrom("users").selectAll().where("id", "=", id).where("kind", "=", "person").where("deleted_at", "is", null).executeTakeFirst();
        if (!row) throw problem("not-found", { detail: `Resource ${id} not found` });
        const before = valuesOf(row);
        if (JSON.stringify(scimUserSchema.parse(before)) === JSON.stringify(user)) return;
        const ends = before.active && !user.active;
        await transaction
          .updateTable("users")
          .set({ username: user.userName, username_key: usernameKey(user.userName), external_id: user.externalId ?? null, profile: JSON.stringify(profileOf(user)), disabled: Number(!user.active), updated_at: now(), epoch: row.epoch + Number(ends) })
          .where("id", "=", id)
          .execute();
        if (ends) await requireAdministrator(transaction);
        if (before.active !== user.active) await audit.recordIn(transaction, { type: user.active ? "user.enabled" : "user.disabled", ...by, subject: `user:${id}` });
        await audit.recordIn(transaction, { type: "user.profile.changed", ...by, subject: `user:${id}`, detail: { by: "scim" } });
        announce({ topic: "user", ref: id });
      }).catch(taken);
      return present(await rowOf(id));
    },
    async remove(id, by) {
      await rowOf(id);
      await storage.write(async (transaction, announce) => {
        await endAccount(transaction, announce, id, now());
        await audit.recordIn(transaction, { type: "user.deprovisioned", ...by, subject: `user:${id}`, detail: { by: "scim" } });
      });
    },
  };
}

function valuesOf(row: Row): ScimUser {
  const profile = row.profile === null ? {} : profileSchema.parse(JSON.parse(row.profile));
  return { userName: row.username, externalId: row.external_id ?? undefined, displayName: undefined, name: undefined, emails: undefined, ...profile, active: row.disabled === 0 };
}

/** @throws Problem naming the attribute, in SCIM's terms. */
export function parseScimUser(value: unknown): ScimUser {
  const parsed = scimUserSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw scimError("invalidValue", `${issue?.path.join(".") ?? "value"}: ${issue?.message ?? "not valid"}`);
}

/** Policies, and calls that a policy lets through only with a person's consent. */
import { sql, type Kysely } from "kysely";
import type { Migration } from "kysely/migration";

export const policy: Migration = {
  async up(database: Kysely<Record<string, never>>) {
    const { schema } = database;
    await schema
      .createTable("policies")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("name", "text", (c) => c.notNull().unique())
      .addColumn("text", "text", (c) => c.notNull())
      .addColumn("enabled", "integer", (c) => c.notNull())
      .addColumn("revision", "integer", (c) => c.notNull())
      .addColumn("changed_by", "text")
      .addColumn("changed_at", "bigint", (c) => c.notNull())
      .execute();
    await schema
      .createTable("call_approvals")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("user_id", "text", (c) => c.notNull().references("users.id").onDelete("cascade"))
      .addColumn("server_id", "text", (c) => c.notNull().references("servers.id").onDelete("cascade"))
      .addColumn("tool", "text", (c) => c.notNull())
      .addColumn("arguments_digest", "text", (c) => c.notNull())
      .addColumn("policy", "text", (c) => c.notNull())
      .addColumn("state", "text", (c) => c.notNull())
      .addColumn("asked_at", "bigint", (c) => c.notNull())
      .addColumn("expires_at", "bigint", (c) => c.notNull())
      .addColumn("decided_by", "text")
      .addColumn("decided_at", "bigint")
      .execute();
    await sql`create index call_approvals_call on call_approvals (user_id, server_id, tool, arguments_digest)`.execute(database);
  },
};

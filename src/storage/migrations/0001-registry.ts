/** The first tables: users, servers, grants, signing keys, set-up, throttles, audit. */
import { sql, type Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Migrations run before the typed tables exist, so they see an untyped database. */
type Anything = Record<string, never>;

export const registry: Migration = {
  async up(database: Kysely<Anything>) {
    const { schema } = database;
    await schema.createTable("meta").addColumn("key", "text", (c) => c.primaryKey()).addColumn("value", "text", (c) => c.notNull()).execute();
    await schema
      .createTable("users")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("username", "text", (c) => c.notNull())
      .addColumn("username_key", "text", (c) => c.notNull().unique())
      .addColumn("password_hash", "text", (c) => c.notNull())
      .addColumn("scopes", "text", (c) => c.notNull())
      .addColumn("disabled", "integer", (c) => c.notNull())
      .addColumn("epoch", "integer", (c) => c.notNull())
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .addColumn("updated_at", "bigint", (c) => c.notNull())
      .execute();
    await schema
      .createTable("servers")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("name", "text", (c) => c.notNull().unique())
      .addColumn("url", "text", (c) => c.notNull())
      .addColumn("title", "text")
      .addColumn("description", "text")
      .addColumn("tags", "text", (c) => c.notNull())
      .addColumn("transport", "text", (c) => c.notNull())
      .addColumn("auth_mode", "text", (c) => c.notNull())
      .addColumn("headers", "text")
      .addColumn("owner_id", "text", (c) => c.notNull().references("users.id"))
      .addColumn("enabled", "integer", (c) => c.notNull())
      .addColumn("state", "text", (c) => c.notNull())
      .addColumn("state_detail", "text")
      .addColumn("checked_at", "bigint")
      .addColumn("tool_names", "text", (c) => c.notNull())
      .addColumn("revision", "integer", (c) => c.notNull())
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .addColumn("updated_at", "bigint", (c) => c.notNull())
      .execute();
    await schema
      .createTable("grants")
      .addColumn("user_id", "text", (c) => c.notNull().references("users.id").onDelete("cascade"))
      .addColumn("server_id", "text", (c) => c.notNull().references("servers.id").onDelete("cascade"))
      .addColumn("created_by", "text", (c) => c.notNull())
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("grants_key", ["user_id", "server_id"])
      .execute();
    await schema
      .createTable("signing_keys")
      .addColumn("kid", "text", (c) => c.primaryKey())
      .addColumn("algorithm", "text", (c) => c.notNull())
      .addColumn("public_jwk", "text", (c) => c.notNull())
      .addColumn("private_jwk", "text", (c) => c.notNull())
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .addColumn("retires_at", "bigint", (c) => c.notNull())
      .execute();
    await schema.createTable("setup_tokens").addColumn("token_hash", "text", (c) => c.primaryKey()).addColumn("expires_at", "bigint", (c) => c.notNull()).execute();
    await schema
      .createTable("throttles")
      .addColumn("key", "text", (c) => c.primaryKey())
      .addColumn("failures", "integer", (c) => c.notNull())
      .addColumn("last_failure_at", "bigint", (c) => c.notNull())
      .addColumn("blocked_until", "bigint", (c) => c.notNull())
      .execute();
    const postgres = database.getExecutor().adapter.supportsTransactionalDdl;
    await schema
      .createTable("audit_events")
      .addColumn("sequence", postgres ? "bigserial" : "integer", (c) => (postgres ? c.primaryKey() : c.primaryKey().autoIncrement()))
      .addColumn("id", "text", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      .addColumn("type", "text", (c) => c.notNull())
      .addColumn("severity", "text", (c) => c.notNull())
      .addColumn("outcome", "text", (c) => c.notNull())
      .addColumn("actor_id", "text")
      .addColumn("subject", "text")
      .addColumn("request_id", "text")
      .addColumn("detail", "text", (c) => c.notNull())
      .execute();
    await sql`create index audit_events_type on audit_events (type, sequence)`.execute(database);
    await sql`create index audit_events_actor on audit_events (actor_id, sequence)`.execute(database);
  },
};

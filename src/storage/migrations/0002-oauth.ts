/** The authorization server: its records (codes, tokens, grants …), pre-registered clients, and what was revoked. */
import { sql, type Kysely } from "kysely";
import type { Migration } from "kysely/migration";

type Anything = Record<string, never>;

export const oauth: Migration = {
  async up(database: Kysely<Anything>) {
    const { schema } = database;
    await schema
      .createTable("oauth_records")
      .addColumn("id_hash", "text", (c) => c.primaryKey())
      .addColumn("model", "text", (c) => c.notNull())
      .addColumn("payload", "text", (c) => c.notNull())
      .addColumn("grant_hash", "text")
      .addColumn("user_code_hash", "text")
      .addColumn("account_id", "text", (c) => c.references("users.id").onDelete("cascade"))
      .addColumn("client_id", "text")
      .addColumn("epoch", "integer")
      .addColumn("consumed_at", "bigint")
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .addColumn("expires_at", "bigint", (c) => c.notNull())
      .execute();
    await sql`create index oauth_records_grant on oauth_records (grant_hash)`.execute(database);
    await sql`create index oauth_records_user_code on oauth_records (user_code_hash)`.execute(database);
    await sql`create index oauth_records_account on oauth_records (account_id, model)`.execute(database);
    await sql`create index oauth_records_expiry on oauth_records (expires_at)`.execute(database);
    await schema
      .createTable("oauth_clients")
      .addColumn("client_id", "text", (c) => c.primaryKey())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("metadata", "text", (c) => c.notNull())
      .addColumn("secret_hash", "text")
      .addColumn("scopes", "text", (c) => c.notNull())
      .addColumn("acts_as", "text", (c) => c.references("users.id").onDelete("cascade"))
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .addColumn("updated_at", "bigint", (c) => c.notNull())
      .execute();
    await schema
      .createTable("oauth_revocations")
      .addColumn("ref", "text", (c) => c.primaryKey())
      .addColumn("expires_at", "bigint", (c) => c.notNull())
      .execute();
  },
};

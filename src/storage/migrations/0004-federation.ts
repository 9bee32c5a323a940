/** Federation: groups, identity providers, trusted issuers, service accounts and API keys. */
import { sql, type Kysely } from "kysely";
import type { Migration } from "kysely/migration";

type Anything = Record<string, never>;

export const federation: Migration = {
  async up(database: Kysely<Anything>) {
    const { schema } = database;
    // One column per statement: SQLite takes no more.
    await schema.alterTable("users").addColumn("kind", "text", (c) => c.notNull().defaultTo("person")).execute();
    await schema.alterTable("users").addColumn("owner_id", "text").execute();
    await schema.alterTable("users").addColumn("description", "text").execute();
    await schema.alterTable("users").addColumn("external_id", "text").execute();
    await schema.alterTable("users").addColumn("profile", "text").execute();
    await schema.alterTable("users").addColumn("deleted_at", "bigint").execute();
    await schema
      .createTable("groups")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("name_key", "text", (c) => c.notNull().unique())
      .addColumn("description", "text")
      .addColumn("scopes", "text", (c) => c.notNull())
      .addColumn("external_id", "text")
      .addColumn("revision", "integer", (c) => c.notNull())
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .addColumn("updated_at", "bigint", (c) => c.notNull())
      .execute();
    await schema
      .createTable("group_members")
      .addColumn("group_id", "text", (c) => c.notNull().references("groups.id").onDelete("cascade"))
      .addColumn("user_id", "text", (c) => c.notNull().references("users.id").onDelete("cascade"))
      .addColumn("source", "text", (c) => c.notNull())
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("group_members_key", ["group_id", "user_id", "source"])
      .execute();
    await sql`create index group_members_user on group_members (user_id)`.execute(database);
    await schema
      .createTable("group_grants")
      .addColumn("group_id", "text", (c) => c.notNull().references("groups.id").onDelete("cascade"))
      .addColumn("server_id", "text", (c) => c.notNull().references("servers.id").onDelete("cascade"))
      .addColumn("created_by", "text", (c) => c.notNull())
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("group_grants_key", ["group_id", "server_id"])
      .execute();
    for (const table of ["identity_providers", "trusted_issuers"]) {
      await schema
        .createTable(table)
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("name", "text", (c) => c.notNull().unique())
        .addColumn("issuer", "text", (c) => c.notNull())
        .addColumn("settings", "text", (c) => c.notNull())
        .addColumn("secret", "text")
        .addColumn("enabled", "integer", (c) => c.notNull())
        .addColumn("revision", "integer", (c) => c.notNull())
        .addColumn("created_at", "bigint", (c) => c.notNull())
        .addColumn("updated_at", "bigint", (c) => c.notNull())
        .execute();
    }
    await schema
      .createTable("external_identities")
      .addColumn("issuer", "text", (c) => c.notNull())
      .addColumn("subject", "text", (c) => c.notNull())
      .addColumn("user_id", "text", (c) => c.notNull().references("users.id").onDelete("cascade"))
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .addColumn("last_seen_at", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("external_identities_key", ["issuer", "subject"])
      .execute();
    await sql`create index external_identities_user on external_identities (user_id)`.execute(database);
    await schema
      .createTable("external_sign_ins")
      .addColumn("state_hash", "text", (c) => c.primaryKey())
      .addColumn("provider_id", "text", (c) => c.notNull().references("identity_providers.id").onDelete("cascade"))
      .addColumn("sealed", "text", (c) => c.notNull())
      .addColumn("expires_at", "bigint", (c) => c.notNull())
      .execute();
    await schema
      .createTable("api_keys")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("user_id", "text", (c) => c.notNull().references("users.id").onDelete("cascade"))
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("prefix", "text", (c) => c.notNull().unique())
      .addColumn("key_hash", "text", (c) => c.notNull().unique())
      .addColumn("scopes", "text", (c) => c.notNull())
      .addColumn("servers", "text")
      .addColumn("tools", "text")
      .addColumn("created_by", "text", (c) => c.notNull())
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .addColumn("expires_at", "bigint", (c) => c.notNull())
      .addColumn("last_used_at", "bigint")
      .addColumn("revoked_at", "bigint")
      .execute();
    await sql`create index api_keys_user on api_keys (user_id)`.execute(database);
    await schema
      .createTable("used_assertions")
      .addColumn("assertion_hash", "text", (c) => c.primaryKey())
      .addColumn("expires_at", "bigint", (c) => c.notNull())
      .execute();
  },
};

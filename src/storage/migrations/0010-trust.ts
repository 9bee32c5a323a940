/** Inspected definitions, decisions about them, settings of single tools, and the review state of servers. */
import { sql, type Kysely } from "kysely";
import type { Migration } from "kysely/migration";

export const trust: Migration = {
  async up(database: Kysely<Record<string, never>>) {
    const { schema } = database;
    const ofServer = (table: string) => schema.createTable(table).addColumn("server_id", "text", (c) => c.notNull().references("servers.id").onDelete("cascade"));
    await ofServer("trust_items")
      .addColumn("kind", "text", (c) => c.notNull())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("digest", "text", (c) => c.notNull())
      .addColumn("definition", "text")
      .addColumn("verdict", "text", (c) => c.notNull())
      .addColumn("findings", "text", (c) => c.notNull())
      .addColumn("tier", "text", (c) => c.notNull())
      .addColumn("tokens", "integer", (c) => c.notNull())
      .addColumn("present", "integer", (c) => c.notNull())
      .addColumn("first_seen_at", "bigint", (c) => c.notNull())
      .addColumn("last_seen_at", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("trust_items_key", ["server_id", "kind", "name", "digest"])
      .execute();
    await ofServer("trust_decisions")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("kind", "text", (c) => c.notNull())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("digest", "text", (c) => c.notNull())
      .addColumn("decision", "text", (c) => c.notNull())
      .addColumn("reason", "text", (c) => c.notNull())
      .addColumn("decided_by", "text")
      .addColumn("decided_at", "bigint", (c) => c.notNull())
      .addColumn("expires_at", "bigint")
      .addColumn("pending", "integer", (c) => c.notNull())
      .addColumn("seconded_by", "text")
      .addColumn("seconded_at", "bigint")
      .execute();
    await sql`create index trust_decisions_item on trust_decisions (server_id, kind, name, digest)`.execute(database);
    await ofServer("trust_overrides")
      .addColumn("kind", "text", (c) => c.notNull())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("enabled", "integer")
      .addColumn("alias", "text")
      .addColumn("title", "text")
      .addColumn("description", "text")
      .addColumn("changed_by", "text", (c) => c.notNull())
      .addColumn("changed_at", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("trust_overrides_key", ["server_id", "kind", "name"])
      .execute();
    await schema
      .createTable("trust_servers")
      .addColumn("server_id", "text", (c) => c.primaryKey().references("servers.id").onDelete("cascade"))
      .addColumn("state", "text", (c) => c.notNull())
      .addColumn("reason", "text", (c) => c.notNull())
      .addColumn("changed_by", "text")
      .addColumn("changed_at", "bigint", (c) => c.notNull())
      .addColumn("inspected_at", "bigint")
      .addColumn("inspection", "text", (c) => c.notNull())
      .execute();
  },
};

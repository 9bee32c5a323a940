/**
 * The audit log: entries in segments, chained and in a Merkle tree. The table of events that was becomes the outbox: what is in it goes
 * into the log like everything that is written there later, in its order, and is chained from then on.
 */
import { sql, type Kysely } from "kysely";
import type { Migration } from "kysely/migration";
import { newId } from "../../kernel/ids.ts";

type Anything = Record<string, never>;

export const auditChain: Migration = {
  async up(database: Kysely<Anything>) {
    // PostgreSQL runs every migration in a transaction; the embedded database can, and half of this one would not start again.
    if (database.isTransaction) await change(database);
    else await database.transaction().execute(change);
  },
};

async function change(database: Kysely<Anything>): Promise<void> {
  const { schema } = database;
  await sql`drop index audit_events_type`.execute(database);
  await sql`drop index audit_events_actor`.execute(database);
  await schema.alterTable("audit_events").renameTo("audit_outbox").execute();
  await schema.alterTable("audit_outbox").addColumn("seal", "text").execute();
  await schema
    .createTable("audit_chain")
    .addColumn("id", "integer", (c) => c.primaryKey())
    .addColumn("origin", "text")
    .addColumn("size", "bigint", (c) => c.notNull())
    .addColumn("hash", "text", (c) => c.notNull())
    .addColumn("frontier", "text", (c) => c.notNull())
    .addColumn("removed", "bigint", (c) => c.notNull())
    .addColumn("adopted", "bigint", (c) => c.notNull())
    .execute();
  await schema
    .createTable("audit_segments")
    .addColumn("first", "bigint", (c) => c.primaryKey())
    .addColumn("last", "bigint", (c) => c.notNull().unique())
    .addColumn("first_at", "bigint", (c) => c.notNull())
    .addColumn("last_at", "bigint", (c) => c.notNull())
    .addColumn("terms", "text", (c) => c.notNull())
    .addColumn("entries", "text", (c) => c.notNull())
    .execute();
  await sql`create index audit_segments_time on audit_segments (last_at)`.execute(database);
  await schema
    .createTable("audit_nodes")
    .addColumn("level", "integer", (c) => c.notNull())
    .addColumn("position", "bigint", (c) => c.notNull())
    .addColumn("hash", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("audit_nodes_key", ["level", "position"])
    .execute();
  await schema
    .createTable("audit_checkpoints")
    .addColumn("size", "bigint", (c) => c.primaryKey())
    .addColumn("at", "bigint", (c) => c.notNull())
    .addColumn("hash", "text", (c) => c.notNull())
    .addColumn("frontier", "text", (c) => c.notNull())
    .addColumn("note", "text", (c) => c.notNull())
    .execute();
  await schema
    .createTable("audit_keys")
    .addColumn("key_id", "text", (c) => c.primaryKey())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("verifier", "text", (c) => c.notNull())
    .addColumn("private_key", "text", (c) => c.notNull())
    .addColumn("created_at", "bigint", (c) => c.notNull())
    .execute();
  await schema.createTable("audit_bodies").addColumn("event_id", "text", (c) => c.primaryKey()).addColumn("at", "bigint", (c) => c.notNull()).addColumn("envelope", "text", (c) => c.notNull()).execute();
  await sql`create index audit_bodies_time on audit_bodies (at)`.execute(database);
  const { rows } = await sql<{ count: number | string }>`select count(*) as count from audit_outbox`.execute(database);
  const adopted = JSON.stringify({ adopted: Number(rows[0]?.count ?? 0) });
  await sql`insert into audit_outbox (id, at, type, severity, outcome, detail) values (${newId()}, ${Date.now()}, 'audit.log.started', 'notice', 'success', ${adopted})`.execute(database);
  await sql`insert into audit_chain (id, size, hash, frontier, removed, adopted) select 1, 0, ${"0".repeat(64)}, '', 0, max(sequence) from audit_outbox`.execute(database);
}

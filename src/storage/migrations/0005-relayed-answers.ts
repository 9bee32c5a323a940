/** Answers of clients on their way to the process that asked. */
import { sql, type Kysely } from "kysely";
import type { Migration } from "kysely/migration";

type Anything = Record<string, never>;

export const relayedAnswers: Migration = {
  async up(database: Kysely<Anything>) {
    await database.schema
      .createTable("relayed_answers")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("session", "text", (c) => c.notNull())
      .addColumn("message", "text", (c) => c.notNull())
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .execute();
    await sql`create index relayed_answers_session on relayed_answers (session)`.execute(database);
  },
};

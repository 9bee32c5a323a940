/** Servers that are local processes, and servers that are REST APIs with an OpenAPI document. */
import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

export const transports: Migration = {
  async up(database: Kysely<Record<string, never>>) {
    const { schema } = database;
    for (const column of ["stdio", "environment", "openapi"]) await schema.alterTable("servers").addColumn(column, "text").execute();
    await schema
      .createTable("openapi_documents")
      .addColumn("server_id", "text", (c) => c.primaryKey().references("servers.id").onDelete("cascade"))
      .addColumn("document", "text", (c) => c.notNull())
      .addColumn("stored_at", "bigint", (c) => c.notNull())
      .execute();
  },
};

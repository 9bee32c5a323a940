/** Bundles and who may use them; limits, and the budgets that processes share to keep them. */
import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

export const bundles: Migration = {
  async up(database: Kysely<Record<string, never>>) {
    const { schema } = database;
    await schema
      .createTable("bundles")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("name", "text", (c) => c.notNull().unique())
      .addColumn("title", "text")
      .addColumn("description", "text")
      .addColumn("instructions", "text")
      .addColumn("discover", "integer", (c) => c.notNull())
      .addColumn("contents", "text", (c) => c.notNull())
      .addColumn("owner_id", "text", (c) => c.notNull().references("users.id"))
      .addColumn("enabled", "integer", (c) => c.notNull())
      .addColumn("revision", "integer", (c) => c.notNull())
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .addColumn("updated_at", "bigint", (c) => c.notNull())
      .execute();
    await schema
      .createTable("bundle_grants")
      .addColumn("user_id", "text", (c) => c.notNull().references("users.id").onDelete("cascade"))
      .addColumn("bundle_id", "text", (c) => c.notNull().references("bundles.id").onDelete("cascade"))
      .addColumn("created_by", "text", (c) => c.notNull())
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("bundle_grants_key", ["user_id", "bundle_id"])
      .execute();
    await schema
      .createTable("limits")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("name", "text", (c) => c.notNull().unique())
      .addColumn("user_match", "text")
      .addColumn("server_match", "text")
      .addColumn("tool_match", "text")
      .addColumn("per_second_milli", "bigint")
      .addColumn("burst", "integer")
      .addColumn("concurrent", "integer")
      .addColumn("per_day", "integer")
      .addColumn("revision", "integer", (c) => c.notNull())
      .addColumn("created_at", "bigint", (c) => c.notNull())
      .addColumn("updated_at", "bigint", (c) => c.notNull())
      .execute();
    await schema
      .createTable("budgets")
      .addColumn("key", "text", (c) => c.primaryKey())
      .addColumn("milli", "bigint", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      .execute();
    await schema
      .createTable("budget_slots")
      .addColumn("key", "text", (c) => c.notNull())
      .addColumn("holder", "text", (c) => c.notNull())
      .addColumn("amount", "integer", (c) => c.notNull())
      .addColumn("expires_at", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("budget_slots_key", ["key", "holder"])
      .execute();
  },
};

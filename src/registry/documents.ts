/** The stored OpenAPI documents: large, so read when they are needed and not kept in the snapshot. */
import type { Storage } from "../storage/index.ts";

export async function storedDocument(storage: Pick<Storage, "db">, serverId: string): Promise<string | undefined> {
  return (await storage.db.selectFrom("openapi_documents").select("document").where("server_id", "=", serverId).executeTakeFirst())?.document;
}

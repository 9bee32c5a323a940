/** Limits, as the data path reads them. There are few: every change loads them all. */
import type { Storage } from "../storage/index.ts";

export interface LimitState {
  readonly id: string;
  readonly name: string;
  /** A user's id; "*": counted for each user alone; undefined: for all together. Likewise the server (id) and the tool (name). */
  readonly user: string | undefined;
  readonly server: string | undefined;
  readonly tool: string | undefined;
  readonly perSecond: number | undefined;
  /** Requests that may come at once after a pause. */
  readonly burst: number | undefined;
  readonly concurrent: number | undefined;
  readonly perDay: number | undefined;
  readonly revision: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export async function loadLimits(storage: Storage): Promise<readonly LimitState[]> {
  const rows = await storage.db.selectFrom("limits").selectAll().orderBy("name").execute();
  return Object.freeze(
    rows.map((row) =>
      Object.freeze({
        id: row.id,
        name: row.name,
        user: row.user_match ?? undefined,
        server: row.server_match ?? undefined,
        tool: row.tool_match ?? undefined,
        perSecond: row.per_second_milli === null ? undefined : row.per_second_milli / 1000,
        burst: row.burst ?? undefined,
        concurrent: row.concurrent ?? undefined,
        perDay: row.per_day ?? undefined,
        revision: row.revision,
        createdAt: row.created_at,
        updatedAt: row.updated_at,
      }),
    ),
  );
}

/** Bundles and their grants, as the data path reads them. There are few: every change loads them all. */
import type { Storage } from "../storage/index.ts";

export interface ChosenTool {
  readonly server: string;
  /** As the server's own list names it. */
  readonly tool: string;
  /** As the bundle names it; absent: as the server does. */
  readonly name?: string | undefined;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly arguments?: Readonly<Record<string, ArgumentRule>> | undefined;
}

export interface ArgumentRule {
  /** The caller neither sees nor gives it; this is sent. */
  readonly pin?: unknown;
  /** The caller neither sees nor gives it; nothing is sent. */
  readonly hide?: true | undefined;
  /** Sent when the caller gives nothing. */
  readonly default?: unknown;
  readonly description?: string | undefined;
}

export interface ChosenItem {
  readonly server: string;
  readonly item: string;
  readonly name?: string | undefined;
}

export interface BundleContents {
  readonly tools: readonly ChosenTool[];
  /** By name. */
  readonly prompts: readonly ChosenItem[];
  /** By URI, or by URI template; "*": all of the server. */
  readonly resources: readonly ChosenItem[];
}

export interface BundleState extends BundleContents {
  readonly id: string;
  readonly name: string;
  readonly title: string | undefined;
  readonly description: string | undefined;
  readonly instructions: string | undefined;
  readonly discover: boolean;
  readonly ownerId: string;
  readonly enabled: boolean;
  readonly revision: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Ids of users who may use it. */
  readonly users: ReadonlySet<string>;
}

/** @param before what is unchanged stays the same object: what was made of it holds. */
export async function loadBundles(storage: Storage, before: ReadonlyMap<string, BundleState>): Promise<ReadonlyMap<string, BundleState>> {
  const rows = await storage.db.selectFrom("bundles").selectAll().orderBy("name").execute();
  const grants = Map.groupBy(await storage.db.selectFrom("bundle_grants").select(["bundle_id", "user_id"]).execute(), ({ bundle_id }) => bundle_id);
  return new Map(
    rows.map((row) => {
      const users = new Set((grants.get(row.id) ?? []).map(({ user_id }) => user_id));
      const known = before.get(row.name);
      if (known?.id === row.id && known.revision === row.revision && known.users.size === users.size && users.isSubsetOf(known.users)) return [row.name, known];
      const state: BundleState = Object.freeze({
        // Written by validated code, read back with the platform's parser.
        ...(JSON.parse(row.contents) as BundleContents),
        id: row.id,
        name: row.name,
        title: row.title ?? undefined,
        description: row.description ?? undefined,
        instructions: row.instructions ?? undefined,
        discover: row.discover === 1,
        ownerId: row.owner_id,
        enabled: row.enabled === 1,
        revision: row.revision,
        createdAt: row.created_at,
        updatedAt: row.updated_at,
        users,
      });
      return [row.name, state];
    }),
  );
}

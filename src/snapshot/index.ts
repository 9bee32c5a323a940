/**
 * The snapshot: an in-memory compilation of what a call needs (users, servers, grants). The control plane writes the database and
 * announces; the snapshot reloads just what changed and replaces the frozen entry in one step. The data plane reads nothing else.
 */
import type { Storage, Tables } from "../storage/index.ts";
import type { Selectable } from "kysely";

export interface UserState {
  readonly id: string;
  readonly username: string;
  readonly scopes: readonly string[];
  readonly disabled: boolean;
  readonly epoch: number;
  readonly createdAt: number;
}

export interface ServerState {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly title: string | undefined;
  readonly description: string | undefined;
  readonly tags: readonly string[];
  readonly transport: string;
  readonly authMode: string;
  /** The sealed header object, opened by the gateway when it first calls. */
  readonly sealedHeaders: string | undefined;
  readonly ownerId: string;
  readonly enabled: boolean;
  readonly state: string;
  readonly stateDetail: string | undefined;
  readonly checkedAt: number | undefined;
  readonly toolNames: readonly string[];
  readonly revision: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface Snapshot {
  readonly users: ReadonlyMap<string, UserState>;
  /** By name; names are lower-case and unique. */
  readonly servers: ReadonlyMap<string, ServerState>;
  isGranted(userId: string, serverId: string): boolean;
  /** User ids with a grant for the server. */
  grantedUsers(serverId: string): string[];
  /** Hears of every server that changed (new state, or undefined when it is gone). */
  onServer(listener: (name: string, state: ServerState | undefined) => void): void;
  /** Hears after every reload, whatever changed: what was decided before may be decided otherwise now. */
  onReload(listener: () => void): void;
  close(): void;
}

export async function openSnapshot({ storage }: { storage: Storage }): Promise<Snapshot> {
  const users = new Map<string, UserState>();
  const servers = new Map<string, ServerState>();
  const nameOf = new Map<string, string>();
  let grants = new Map<string, Set<string>>();
  const listeners: ((name: string, state: ServerState | undefined) => void)[] = [];

  const reloadListeners: (() => void)[] = [];

  const putServer = (id: string, state: ServerState | undefined) => {
    const old = nameOf.get(id);
    if (old !== undefined && old !== state?.name) servers.delete(old);
    if (state) {
      servers.set(state.name, state);
      nameOf.set(id, state.name);
    } else nameOf.delete(id);
    const name = state?.name ?? old;
    if (name !== undefined) for (const listener of listeners) listener(name, state);
  };
  const loadUsers = async (id?: string) => {
    const rows = await storage.db.selectFrom("users").selectAll().$if(id !== undefined, (query) => query.where("id", "=", id ?? "")).execute();
    const seen = new Set(rows.map((row) => row.id));
    for (const known of id === undefined ? [...users.keys()] : [id]) if (!seen.has(known)) users.delete(known);
    for (const row of rows) users.set(row.id, userState(row));
  };
  const loadServers = async (id?: string) => {
    const rows = await storage.db.selectFrom("servers").selectAll().$if(id !== undefined, (query) => query.where("id", "=", id ?? "")).execute();
    const seen = new Set(rows.map((row) => row.id));
    for (const known of id === undefined ? [...nameOf.keys()] : [id]) if (!seen.has(known)) putServer(known, undefined);
    for (const row of rows) putServer(row.id, serverState(row));
  };
  const loadGrants = async (serverId?: string) => {
    const rows = await storage.db.selectFrom("grants").select(["user_id", "server_id"]).$if(serverId !== undefined, (query) => query.where("server_id", "=", serverId ?? "")).execute();
    const byServer = new Map<string, Set<string>>();
    for (const { user_id, server_id } of rows) {
      const set = byServer.get(server_id);
      if (set) set.add(user_id);
      else byServer.set(server_id, new Set([user_id]));
    }
    if (serverId === undefined) grants = byServer;
    else grants.set(serverId, byServer.get(serverId) ?? new Set());
  };

  const loadAll = async () => {
    await loadUsers();
    await loadServers();
    await loadGrants();
  };
  // One reload at a time, in the order of the announcements: an older row must never replace a newer one.
  let reloads = Promise.resolve();
  const stop = storage.onChange((change) => {
    const reload = async () => {
      if (change === undefined) await loadAll();
      else if (change.topic === "user") await loadUsers(change.ref);
      else if (change.topic === "server") await loadServers(change.ref);
      else if (change.topic === "grant") await loadGrants(change.ref);
    };
    const done = reloads.then(reload).finally(() => {
      for (const listener of reloadListeners) listener();
    });
    reloads = done.catch(() => undefined);
    return done;
  });
  await loadAll();

  return {
    users,
    servers,
    isGranted: (userId, serverId) => grants.get(serverId)?.has(userId) === true,
    grantedUsers: (serverId) => [...(grants.get(serverId) ?? [])],
    onServer: (listener) => void listeners.push(listener),
    onReload: (listener) => void reloadListeners.push(listener),
    close: stop,
  };
}

/** Rows are ours, written by validated code; JSON columns are read back with the platform's parser. */
function texts(json: string): readonly string[] {
  return Object.freeze((JSON.parse(json) as unknown[]).map(String));
}

function userState(row: Selectable<Tables["users"]>): UserState {
  return Object.freeze({ id: row.id, username: row.username, scopes: texts(row.scopes), disabled: row.disabled !== 0, epoch: row.epoch, createdAt: row.created_at });
}

export function serverState(row: Selectable<Tables["servers"]>): ServerState {
  return Object.freeze({
    id: row.id,
    name: row.name,
    url: row.url,
    title: row.title ?? undefined,
    description: row.description ?? undefined,
    tags: texts(row.tags),
    transport: row.transport,
    authMode: row.auth_mode,
    sealedHeaders: row.headers ?? undefined,
    ownerId: row.owner_id,
    enabled: row.enabled === 1,
    state: row.state,
    stateDetail: row.state_detail ?? undefined,
    checkedAt: row.checked_at ?? undefined,
    toolNames: texts(row.tool_names),
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  });
}

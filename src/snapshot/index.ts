/**
 * The snapshot: an in-memory compilation of what a call needs (users, groups, servers, grants, API keys). The control plane writes the database and
 * announces; the snapshot reloads just what changed and replaces the frozen entry in one step. The data plane reads nothing else.
 */
import type { Storage, Tables } from "../storage/index.ts";
import type { Selectable } from "kysely";
import { loadBundles, type BundleState } from "./bundles.ts";
import { loadLimits, type LimitState } from "./limits.ts";

export type { ArgumentRule, BundleContents, BundleState, ChosenTool } from "./bundles.ts";
export type { LimitState } from "./limits.ts";

export interface UserState {
  readonly id: string;
  readonly username: string;
  /** In effect: the user's own and those of the user's groups. */
  readonly scopes: readonly string[];
  readonly ownScopes: readonly string[];
  /** Names, sorted. */
  readonly groups: readonly string[];
  /** A person, or a service account: a program without a password. */
  readonly kind: "person" | "service";
  /** Who answers for a service account. */
  readonly ownerId: string | undefined;
  readonly description: string | undefined;
  readonly disabled: boolean;
  readonly epoch: number;
  readonly createdAt: number;
}

export interface GroupState {
  readonly id: string;
  readonly name: string;
  readonly description: string | undefined;
  readonly scopes: readonly string[];
  /** The provisioning client's identifier (SCIM externalId). */
  readonly externalId: string | undefined;
  /** User ids. */
  readonly members: ReadonlySet<string>;
  readonly revision: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface ApiKeyState {
  readonly id: string;
  readonly userId: string;
  readonly scopes: readonly string[];
  /** What the key may reach of what its user may; undefined: all of it. */
  readonly servers: readonly string[] | undefined;
  readonly tools: readonly string[] | undefined;
  /** Milliseconds. */
  readonly expiresAt: number;
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
  /** What a stdio server runs. */
  readonly stdio?: { readonly command: string; readonly args: readonly string[]; readonly directory: string | undefined; readonly network: boolean } | undefined;
  /** The sealed environment of a stdio server. */
  readonly sealedEnvironment?: string | undefined;
  /** Where the document of an OpenAPI server came from, and which one it is. */
  readonly openapi?: { readonly source: string; readonly digest: string } | undefined;
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
  /** By id. */
  readonly groups: ReadonlyMap<string, GroupState>;
  /** By keyed hash of the whole key; none that is revoked. */
  readonly apiKeys: ReadonlyMap<string, ApiKeyState>;
  /** By the user's own grant or by one of a group. */
  isGranted(userId: string, serverId: string): boolean;
  /** User ids with a grant of their own for the server. */
  grantedUsers(serverId: string): string[];
  /** Ids of the groups with a grant for the server. */
  grantedGroups(serverId: string): string[];
  /** By name. */
  readonly bundles: ReadonlyMap<string, BundleState>;
  readonly limits: readonly LimitState[];
  /** Hears of every server that changed (new state, or undefined when it is gone). */
  onServer(listener: (name: string, state: ServerState | undefined) => void): void;
  /** Hears after every reload, whatever changed: what was decided before may be decided otherwise now. */
  onReload(listener: () => void): void;
  close(): void;
}

export async function openSnapshot({ storage }: { storage: Storage }): Promise<Snapshot> {
  const users = new Map<string, UserState>();
  const rows = new Map<string, Selectable<Tables["users"]>>();
  const groups = new Map<string, GroupState>();
  const groupsOf = new Map<string, Set<string>>();
  const apiKeys = new Map<string, ApiKeyState>();
  const hashOfKey = new Map<string, string>();
  const servers = new Map<string, ServerState>();
  const nameOf = new Map<string, string>();
  let grants = new Map<string, Set<string>>();
  let groupGrants = new Map<string, Set<string>>();
  const listeners: ((name: string, state: ServerState | undefined) => void)[] = [];

  let bundles: ReadonlyMap<string, BundleState> = new Map();
  let limits: readonly LimitState[] = [];
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
  const compose = (id: string) => {
    const row = rows.get(id);
    if (row) users.set(id, userState(row, [...(groupsOf.get(id) ?? [])].flatMap((group) => groups.get(group) ?? [])));
    else users.delete(id);
  };
  const loadUsers = async (id?: string) => {
    const found = await storage.db.selectFrom("users").selectAll().where("deleted_at", "is", null).$if(id !== undefined, (query) => query.where("id", "=", id ?? "")).execute();
    const seen = new Set(found.map((row) => row.id));
    const gone = (id === undefined ? [...rows.keys()] : [id]).filter((known) => !seen.has(known));
    for (const known of gone) rows.delete(known);
    for (const row of found) rows.set(row.id, row);
    for (const changed of [...gone, ...seen]) compose(changed);
  };
  const putGroup = (id: string, state: GroupState | undefined) => {
    const before = groups.get(id)?.members ?? new Set<string>();
    if (state) groups.set(id, state);
    else groups.delete(id);
    for (const member of before) if (!state?.members.has(member)) groupsOf.get(member)?.delete(id);
    for (const member of state?.members ?? []) groupsOf.set(member, (groupsOf.get(member) ?? new Set()).add(id));
    for (const member of new Set([...before, ...(state?.members ?? [])])) compose(member);
  };
  const loadGroups = async (id?: string) => {
    const found = await storage.db.selectFrom("groups").selectAll().$if(id !== undefined, (query) => query.where("id", "=", id ?? "")).execute();
    const members = await storage.db.selectFrom("group_members").select(["group_id", "user_id"]).$if(id !== undefined, (query) => query.where("group_id", "=", id ?? "")).execute();
    const membersOf = sets(members.map((row) => [row.group_id, row.user_id]));
    const seen = new Set(found.map((row) => row.id));
    for (const known of id === undefined ? [...groups.keys()] : [id]) if (!seen.has(known)) putGroup(known, undefined);
    for (const row of found) putGroup(row.id, groupState(row, membersOf.get(row.id) ?? new Set()));
  };
  const loadKeys = async (id?: string) => {
    const found = await storage.db.selectFrom("api_keys").selectAll().where("revoked_at", "is", null).$if(id !== undefined, (query) => query.where("id", "=", id ?? "")).execute();
    for (const known of id === undefined ? [...hashOfKey.keys()] : [id]) {
      apiKeys.delete(hashOfKey.get(known) ?? "");
      hashOfKey.delete(known);
    }
    for (const row of found) {
      apiKeys.set(row.key_hash, apiKeyState(row));
      hashOfKey.set(row.id, row.key_hash);
    }
  };
  const loadServers = async (id?: string) => {
    const rows = await storage.db.selectFrom("servers").selectAll().$if(id !== undefined, (query) => query.where("id", "=", id ?? "")).execute();
    const seen = new Set(rows.map((row) => row.id));
    for (const known of id === undefined ? [...nameOf.keys()] : [id]) if (!seen.has(known)) putServer(known, undefined);
    for (const row of rows) putServer(row.id, serverState(row));
  };
  const loadGrants = async (serverId?: string) => {
    const own = await storage.db.selectFrom("grants").select(["user_id", "server_id"]).$if(serverId !== undefined, (query) => query.where("server_id", "=", serverId ?? "")).execute();
    const ofGroups = await storage.db.selectFrom("group_grants").select(["group_id", "server_id"]).$if(serverId !== undefined, (query) => query.where("server_id", "=", serverId ?? "")).execute();
    const [byServer, groupsByServer] = [sets(own.map((row) => [row.server_id, row.user_id])), sets(ofGroups.map((row) => [row.server_id, row.group_id]))];
    if (serverId === undefined) [grants, groupGrants] = [byServer, groupsByServer];
    else {
      grants.set(serverId, byServer.get(serverId) ?? new Set());
      groupGrants.set(serverId, groupsByServer.get(serverId) ?? new Set());
    }
  };

  const loadAll = async () => {
    await loadUsers();
    await loadGroups();
    await loadServers();
    await loadGrants();
    await loadKeys();
    bundles = await loadBundles(storage, bundles);
    limits = await loadLimits(storage);
  };
  // One reload at a time, in the order of the announcements: an older row must never replace a newer one.
  let reloads = Promise.resolve();
  const stop = storage.onChange((change) => {
    const reload = async () => {
      if (change === undefined) await loadAll();
      else if (change.topic === "user") await loadUsers(change.ref);
      else if (change.topic === "server") await loadServers(change.ref);
      else if (change.topic === "grant") await loadGrants(change.ref);
      else if (change.topic === "group") await loadGroups(change.ref);
      else if (change.topic === "api-key") await loadKeys(change.ref);
      else if (change.topic === "bundle") bundles = await loadBundles(storage, bundles);
      else if (change.topic === "limit") limits = await loadLimits(storage);
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
    groups,
    apiKeys,
    get bundles() {
      return bundles;
    },
    get limits() {
      return limits;
    },
    isGranted(userId, serverId) {
      if (grants.get(serverId)?.has(userId)) return true;
      const granted = groupGrants.get(serverId);
      if (granted !== undefined && granted.size > 0) for (const group of groupsOf.get(userId) ?? []) if (granted.has(group)) return true;
      return false;
    },
    grantedUsers: (serverId) => [...(grants.get(serverId) ?? [])],
    grantedGroups: (serverId) => [...(groupGrants.get(serverId) ?? [])],
    onServer: (listener) => void listeners.push(listener),
    onReload: (listener) => void reloadListeners.push(listener),
    close: stop,
  };
}

/** Rows are ours, written by validated code; JSON columns are read back with the platform's parser. */
function texts(json: string): readonly string[] {
  return Object.freeze((JSON.parse(json) as unknown[]).map(String));
}

function sets(pairs: readonly (readonly [string, string])[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const [key, value] of pairs) {
    const set = found.get(key);
    if (set) set.add(value);
    else found.set(key, new Set([value]));
  }
  return found;
}

function userState(row: Selectable<Tables["users"]>, groups: readonly GroupState[]): UserState {
  const ownScopes = texts(row.scopes);
  return Object.freeze({
    id: row.id,
    username: row.username,
    scopes: groups.length === 0 ? ownScopes : Object.freeze([...new Set([...ownScopes, ...groups.flatMap((group) => group.scopes)])]),
    ownScopes,
    groups: Object.freeze(groups.map((group) => group.name).sort()),
    kind: row.kind === "service" ? "service" : "person",
    ownerId: row.owner_id ?? undefined,
    description: row.description ?? undefined,
    disabled: row.disabled !== 0,
    epoch: row.epoch,
    createdAt: row.created_at,
  });
}

function groupState(row: Selectable<Tables["groups"]>, members: ReadonlySet<string>): GroupState {
  return Object.freeze({ id: row.id, name: row.name, description: row.description ?? undefined, scopes: texts(row.scopes), externalId: row.external_id ?? undefined, members, revision: row.revision, createdAt: row.created_at, updatedAt: row.updated_at });
}

function apiKeyState(row: Selectable<Tables["api_keys"]>): ApiKeyState {
  return Object.freeze({ id: row.id, userId: row.user_id, scopes: texts(row.scopes), servers: row.servers === null ? undefined : texts(row.servers), tools: row.tools === null ? undefined : texts(row.tools), expiresAt: row.expires_at });
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
    stdio: row.stdio === null ? undefined : Object.freeze(JSON.parse(row.stdio) as NonNullable<ServerState["stdio"]>),
    sealedEnvironment: row.environment ?? undefined,
    openapi: row.openapi === null ? undefined : Object.freeze(JSON.parse(row.openapi) as NonNullable<ServerState["openapi"]>),
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

/**
 * What each upstream offers, from memory: its discovery and its lists of tools, prompts, resources and templates.
 * A list that the upstream calls public is kept once for all; every other one per principal, upstream credential and declared
 * capabilities (MCP 2026-07-28, caching; a legacy upstream's list may differ by capabilities and counts as private).
 */
import { sha256Hex } from "../../kernel/digest.ts";
import type { ServerState, Snapshot } from "../../snapshot/index.ts";
import type { Asking, ClientFacts, Discovery, JsonObject, Peer } from "../exchange.ts";
import { errorCodes, isObject, WireError } from "../wire/message.ts";
import { createMemory, isHeld, type Held, type Memory, type Recalled, type Said } from "./memory.ts";

export const listKinds = ["tools", "prompts", "resources", "resourceTemplates"] as const;
export type ListKind = (typeof listKinds)[number];

export const listMethods: Record<ListKind, string> = { tools: "tools/list", prompts: "prompts/list", resources: "resources/list", resourceTemplates: "resources/templates/list" };
/** The capability that says that a server has such a list. */
const capabilityOf: Record<ListKind, string> = { tools: "tools", prompts: "prompts", resources: "resources", resourceTemplates: "resources" };

/** A server's whole list. Two answers with the same text are the same object. */
export interface ServerList {
  readonly serial: number;
  readonly items: readonly JsonObject[];
}

export interface CatalogOptions {
  snapshot: Pick<Snapshot, "onServer">;
  peer(server: ServerState): Peer;
  /** Names the credentials that a call of this principal carries upstream: lists fetched with different ones are never mixed. */
  credential?(principalId: string, server: ServerState): string;
  now: () => number;
  /** Milliseconds; see MemoryOptions. */
  refresh: number;
  keep: number;
  patience: number;
  /** Milliseconds for one whole list, pages included. */
  timeout: number;
}

export interface Catalog {
  discovery(server: ServerState, asking: Asking): Recalled<Discovery>;
  list(kind: ListKind, server: ServerState, asking: Asking): Recalled<ServerList>;
  /** The upstream said that a list of its changed. */
  changed(serverName: string, kind: ListKind): void;
  /** Something was decided or seen of a server: all its lists are asked for again. */
  expire(serverId: string): void;
}

interface Scoped<T> extends Said<T> {
  isPublic: boolean;
}

/** What is fetched from one upstream: far more than any should offer. */
const [mostPages, mostItems, mostCharacters] = [50, 5000, 16 * 1024 * 1024];
const mostKeys = 50_000;

export function createCatalog(options: CatalogOptions): Catalog {
  const { snapshot, peer, timeout, credential = (_principalId, server) => server.sealedHeaders ?? "" } = options;
  const lists = createMemory<ServerList>({ ...options, capacity: mostKeys });
  const discoveries = createMemory<Discovery>({ ...options, capacity: mostKeys });
  /** Keys of lists that their upstream last called public. */
  const open = new Set<string>();
  const intern = createInterning();
  /** Server name → what keys of it begin with: another address or credential is another upstream. */
  const places = new Map<string, { state: ServerState; prefix: string }>();
  const capabilityTexts = new WeakMap<ClientFacts["capabilities"], string>();

  const prefixOf = (state: ServerState): string => {
    const known = places.get(state.name);
    if (known?.state === state) return known.prefix;
    const prefix = `${state.id}|${sha256Hex(JSON.stringify([state.url, state.transport, state.authMode, state.sealedHeaders ?? null])).slice(0, 16)}|`;
    if (known && known.prefix !== prefix) drop(known.prefix);
    places.set(state.name, { state, prefix });
    return prefix;
  };
  const drop = (prefix: string): void => {
    const matches = (key: string) => key.startsWith(prefix);
    lists.forget(matches);
    discoveries.forget(matches);
    for (const key of open) if (matches(key)) open.delete(key);
  };
  snapshot.onServer((name, state) => {
    const known = places.get(name);
    if (!known) return;
    if (state) prefixOf(state);
    else {
      places.delete(name);
      drop(known.prefix);
    }
  });

  const privateKey = (server: ServerState, { caller, client }: Asking): string => {
    let capabilities = capabilityTexts.get(client.capabilities);
    if (capabilities === undefined) {
      capabilities = Object.keys(client.capabilities).length === 0 ? "" : sha256Hex(JSON.stringify(client.capabilities)).slice(0, 16);
      capabilityTexts.set(client.capabilities, capabilities);
    }
    return `${caller.userId}|${capabilities}|${credential(caller.userId, server)}`;
  };
  /**
   * A question in the caller's name but of no session of his, which outlives his request: the answer is for whoever asks next.
   * The name of the client and its era do not reach the upstream, since the answer is kept without them.
   */
  const background = ({ caller, client, requestId }: Asking): Asking => ({
    caller,
    client: { era: "modern", protocolVersion: "2026-07-28", capabilities: client.capabilities, info: undefined },
    session: undefined,
    requestId,
    signal: AbortSignal.timeout(timeout),
  });

  /** Public answers under a key of their own; a private one only ever under its principal's. */
  const recall = <T>(memory: Memory<T>, server: ServerState, what: string, asking: Asking, question: (asking: Asking) => Promise<Scoped<T>>): Recalled<T> => {
    const prefix = prefixOf(server);
    const publicKey = `${prefix}${what}|*`;
    const ownKey = () => `${prefix}${what}|${privateKey(server, asking)}`;
    const own = (): Recalled<T> =>
      memory.recall(ownKey(), async () => {
        const said = await question(background(asking));
        if (said.isPublic) {
          memory.put(publicKey, said);
          open.add(publicKey);
        }
        return said;
      });
    if (!open.has(publicKey)) return own();
    const shared = memory.recall(publicKey, async () => {
      const said = await question(background(asking));
      if (said.isPublic) return said;
      // No longer public: this answer is the asker's alone, and whoever waits for the shared one asks for himself.
      memory.put(ownKey(), said);
      open.delete(publicKey);
      memory.forget((key) => key === publicKey);
      throw new Error("not public");
    });
    if (isHeld(shared)) return shared;
    const orOwn = (answer: Promise<Held<T> | undefined>) => answer.then((held) => held ?? (open.has(publicKey) ? undefined : settled(own())));
    return { last: shared.last, pending: orOwn(shared.pending), asked: orOwn(shared.asked) };
  };

  const discovery = (server: ServerState, asking: Asking): Recalled<Discovery> =>
    recall(discoveries, server, "discovery", asking, async (asker) => {
      const value = await peer(server).discover(asker);
      return { value, ttlMs: value.ttlMs, isPublic: value.cacheScope === "public" };
    });

  return {
    discovery,
    list: (kind, server, asking) =>
      recall(lists, server, kind, asking, async (asker) => {
        const known = await settled(discovery(server, asking));
        if (!known) throw new Error("The upstream does not say what it offers");
        if (known.value.capabilities[capabilityOf[kind]] === undefined) return { value: intern([]), ttlMs: known.value.ttlMs, isPublic: known.value.cacheScope === "public" };
        return fetchList(peer(server), kind, asker, intern);
      }),
    expire: (serverId) => lists.expire((key) => key.startsWith(`${serverId}|`)),
    changed(serverName, kind) {
      const place = places.get(serverName);
      if (!place) return;
      // Both lists of resources change together: there is one notification for them.
      const kinds = kind === "resources" ? ["resources", "resourceTemplates"] : [kind];
      lists.expire((key) => kinds.some((one) => key.startsWith(`${place.prefix}${one}|`)));
    },
  };
}

async function settled<T>(recalled: Recalled<T>): Promise<Held<T> | undefined> {
  return isHeld(recalled) ? recalled : ((await recalled.asked) ?? recalled.last);
}

async function fetchList(target: Peer, kind: ListKind, asking: Asking, intern: (items: JsonObject[]) => ServerList): Promise<Scoped<ServerList>> {
  const items: JsonObject[] = [];
  let ttlMs = Number.POSITIVE_INFINITY;
  let isPublic = true;
  let cursor: string | undefined;
  for (let page = 0; page < mostPages && items.length < mostItems; page++) {
    const result = await ask(target, kind, cursor, asking);
    const entries = result[kind];
    if (!Array.isArray(entries)) throw new Error(`The upstream's ${kind} are not a list`);
    items.push(...entries.filter(isObject));
    ttlMs = Math.min(ttlMs, typeof result["ttlMs"] === "number" ? result["ttlMs"] : 0);
    isPublic &&= result["cacheScope"] === "public";
    cursor = typeof result["nextCursor"] === "string" ? result["nextCursor"] : undefined;
    if (cursor === undefined) break;
  }
  return { value: intern(items.slice(0, mostItems)), ttlMs, isPublic };
}

/** A method that a server does not have, although it claims to: as good as an empty list. */
async function ask(target: Peer, kind: ListKind, cursor: string | undefined, asking: Asking): Promise<JsonObject> {
  try {
    return await target.request({
      ...asking,
      method: listMethods[kind],
      params: cursor === undefined ? undefined : { cursor },
      logLevel: undefined,
      notify: () => undefined,
      ask: () => Promise.reject(new WireError(400, errorCodes.internal, "Nobody is there to be asked")),
    });
  } catch (error) {
    if (error instanceof WireError && error.code === errorCodes.methodNotFound) return { [kind]: [] };
    throw error;
  }
}

/** Keeps one object for all lists of the same text, as long as anybody uses it. */
function createInterning(): (items: JsonObject[]) => ServerList {
  const known = new Map<string, WeakRef<ServerList>>();
  let [serial, sweepAt] = [0, 1024];
  return (items) => {
    const text = JSON.stringify(items);
    if (text.length > mostCharacters) throw new Error("The upstream's list is too large");
    const digest = sha256Hex(text);
    const same = known.get(digest)?.deref();
    if (same) return same;
    const list: ServerList = Object.freeze({ serial: ++serial, items: Object.freeze(items) });
    known.set(digest, new WeakRef(list));
    if (known.size > sweepAt) {
      for (const [key, reference] of known) if (!reference.deref()) known.delete(key);
      sweepAt = Math.max(1024, known.size * 2);
    }
    return list;
  };
}

/**
 * Listening to many servers as to one: what any of them says changed is said once, after a short rest; resource updates arrive under the
 * names that they are read by here. Servers that the caller comes to see are listened to from then on, others no longer.
 */
import type { ServerState } from "../../snapshot/index.ts";
import type { Listened, ListenFilter, Listening, Notification, Peer } from "../exchange.ts";
import type { ListKind } from "../lists/catalog.ts";
import { exposedUri, ownerOf } from "./uris.ts";

export interface FanIn {
  peer(server: ServerState): Peer;
  /** Those that the caller sees now. */
  servers(): readonly ServerState[];
  /** Whether the caller may read this of the server's resources here. */
  reads(server: ServerState, uri: string): Promise<boolean>;
  /** A server said that a list of its changed. */
  changed(server: ServerState, kind: ListKind): void;
  /** Hears when the servers may be others, or what one of them (by id) may show; returns how to stop. */
  onChange(listener: (serverId?: string) => void): () => void;
  /** Milliseconds to wait for servers to begin. */
  deadline: number;
}

/** Milliseconds for which changes are collected before they are told. */
const rest = 250;
const changes: Record<string, { kind: ListKind; member: keyof ListenFilter }> = {
  "notifications/tools/list_changed": { kind: "tools", member: "toolsListChanged" },
  "notifications/prompts/list_changed": { kind: "prompts", member: "promptsListChanged" },
  "notifications/resources/list_changed": { kind: "resources", member: "resourcesListChanged" },
};

export async function fanIn(listening: Listening, { peer, servers, reads, changed, onChange, deadline }: FanIn): Promise<Listened> {
  const { filter, signal } = listening;
  const open = new Map<string, AbortController>();
  const waiting = new Set<string>();
  const honoured = new Set<string>();
  let visible = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  const tell = (method: string): void => {
    const change = changes[method];
    if (!change || filter[change.member] !== true) return;
    waiting.add(method);
    timer ??= setTimeout(() => {
      timer = undefined;
      const methods = [...waiting];
      waiting.clear();
      if (!signal.aborted) for (const one of methods) listening.notify({ method: one });
    }, rest);
  };
  const hear = (server: ServerState, notification: Notification): void => {
    const change = changes[notification.method];
    if (change) {
      changed(server, change.kind);
      tell(notification.method);
    } else if (notification.method === "notifications/resources/updated") {
      const uri = notification.params?.["uri"];
      if (typeof uri === "string") listening.notify({ ...notification, params: { ...notification.params, uri: exposedUri(server.name, uri) } });
    }
  };
  const subscriptionsOf = async (server: ServerState): Promise<string[]> => {
    const uris = (filter.resourceSubscriptions ?? []).map(ownerOf).flatMap((owner) => (owner?.server === server.name ? [owner.uri] : []));
    const readable = await Promise.all(uris.map((uri) => reads(server, uri)));
    return uris.filter((_, index) => readable[index]);
  };

  const begin = async (server: ServerState): Promise<void> => {
    const controller = new AbortController();
    open.set(server.name, controller);
    const { resourceSubscriptions: _all, ...kinds } = filter;
    try {
      const resourceSubscriptions = await subscriptionsOf(server);
      const listened = await peer(server).listen({
        caller: listening.caller,
        client: listening.client,
        session: listening.session,
        requestId: listening.requestId,
        filter: { ...kinds, ...(resourceSubscriptions.length > 0 ? { resourceSubscriptions } : {}) },
        signal: AbortSignal.any([signal, controller.signal]),
        notify: (notification) => hear(server, notification),
      });
      for (const uri of listened.filter.resourceSubscriptions ?? []) honoured.add(exposedUri(server.name, uri));
      void listened.ended.then(() => forget(server.name, controller));
    } catch {
      // One server that cannot be listened to is no reason not to hear the others.
      forget(server.name, controller);
    }
  };
  /** It is begun anew with the next change of what is visible. */
  const forget = (name: string, controller: AbortController): void => {
    if (open.get(name) === controller) open.delete(name);
  };
  const follow = (serverId?: string): void => {
    if (signal.aborted) return;
    const seen = new Map(servers().map((server) => [server.name, server]));
    if (serverId !== undefined) {
      if ([...seen.values()].some(({ id }) => id === serverId)) for (const method of Object.keys(changes)) tell(method);
      return;
    }
    for (const [name, controller] of open) {
      if (seen.has(name)) continue;
      controller.abort();
      open.delete(name);
    }
    for (const [name, server] of seen) if (!open.has(name)) void begin(server);
    const different = seen.size !== visible.size || [...seen.keys()].some((name) => !visible.has(name));
    visible = new Set(seen.keys());
    if (different) for (const method of Object.keys(changes)) tell(method);
  };

  const first = servers();
  visible = new Set(first.map((server) => server.name));
  const beginning = Promise.all(first.map(begin));
  const stop = onChange(follow);
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      stop();
      clearTimeout(timer);
      open.clear();
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
  let patience: NodeJS.Timeout | undefined;
  await Promise.race([beginning, ended, new Promise((resolve) => (patience = setTimeout(resolve, deadline)))]);
  clearTimeout(patience);
  const { resourceSubscriptions, ...kinds } = filter;
  return { filter: { ...kinds, ...(resourceSubscriptions ? { resourceSubscriptions: resourceSubscriptions.filter((uri) => honoured.has(uri)) } : {}) }, ended };
}

/**
 * Fan-in of `subscriptions/listen`: however many listen through the gateway, an upstream holds one stream for each credential, with the
 * union of what they want to hear. A stream that breaks is opened again with back-off; who joins late is told nothing of before.
 */
import type { ClientFacts, JsonObject, Listened, ListenFilter, Listening, Notification } from "../exchange.ts";
import { backoff, pauseFor } from "./backoff.ts";
import { debounced } from "./debounce.ts";
import { createDeadline } from "./deadline.ts";
import { UpstreamError } from "./http.ts";
import { holderOf, type Credential } from "./leg.ts";
import { envelope, mirroredHeaders, type Carry } from "./carriage.ts";
import { wireError, withMeta } from "./rpc.ts";
import { honoured, matches, union } from "./filters.ts";
import { isObject, metaKeys } from "../wire/message.ts";

interface Listener {
  filter: ListenFilter;
  notify: (notification: Notification) => void;
}

interface Group {
  listeners: Set<Listener>;
  /** What the open stream hears. */
  filter: ListenFilter;
  stream: AbortController | undefined;
  closed: AbortController;
  ended: Promise<void>;
  end: () => void;
  /** Changes of the stream happen one after another. */
  turn: Promise<unknown>;
}

/** Until the acknowledgement must have come. */
const patience = 30_000;
/** A silent stream is opened anew after this long, so that one whose other end is gone does not stay. */
const renewal = 1_800_000;
/** A stream that lasted this long was no failure. */
const steady = 30_000;

export function createModernListening({ carry, version }: { carry: Carry; version: string }, onChanged: (method: string) => void) {
  const groups = new Map<string, Group>();

  const hear = (group: Group, notification: Notification) => {
    const { method, params } = notification;
    if (method.endsWith("/list_changed")) onChanged(method);
    const { [metaKeys.subscriptionId]: _id, ...meta } = isObject(params?.["_meta"]) ? params["_meta"] : {};
    const { _meta: _old, ...rest } = params ?? {};
    const bare: Notification = { method, params: { ...rest, ...(Object.keys(meta).length > 0 ? { _meta: meta } : {}) } };
    for (const listener of group.listeners) if (matches(listener.filter, bare)) listener.notify(bare);
  };

  /** Opens a stream with the filter. @returns what was honoured, once the upstream has acknowledged; `over` resolves when it ends. */
  const open = async (group: Group, filter: ListenFilter, { caller, credential, client }: { caller: Listening["caller"]; credential: Credential; client: ClientFacts }): Promise<{ filter: ListenFilter; stream: AbortController; over: Promise<void> }> => {
    const stream = new AbortController();
    const signal = AbortSignal.any([stream.signal, group.closed.signal]);
    const deadline = createDeadline({ start: patience, idle: renewal, total: Number.POSITIVE_INFINITY }, signal);
    const params = withMeta({ notifications: wireFilter(filter) }, envelope({ client, version }));
    let acknowledged: (filter: ListenFilter) => void = () => undefined;
    const acknowledgement = new Promise<ListenFilter>((resolve) => {
      acknowledged = resolve;
    });
    const carried = carry({
      holder: holderOf({ caller, credential }),
      principalId: caller.userId,
      credential,
      method: "subscriptions/listen",
      params,
      headers: mirroredHeaders("subscriptions/listen", params),
      deadline,
      onNotification(notification) {
        if (notification.method === "notifications/subscriptions/acknowledged") acknowledged(honoured(filter, readFilter(notification.params?.["notifications"])));
        else hear(group, notification);
      },
    }).then(({ status, message }) => {
      if (message.kind === "error") throw wireError(message.error, status);
    });
    const over = carried.finally(() => deadline.end());
    // Whoever waits for the acknowledgement hears of a failure; later ones are the supervisor's.
    over.catch(() => undefined);
    const late = pauseFor(patience, signal).then(() => {
      throw new UpstreamError("timeout", "The upstream did not acknowledge the subscription in time");
    });
    late.catch(() => undefined);
    const first = await Promise.race([acknowledgement, late, over.then(() => Promise.reject(new UpstreamError("broken", "The upstream ended the subscription at once")))]).catch((error: unknown) => {
      stream.abort(error);
      throw error;
    });
    return { filter: first, stream, over };
  };

  /** Keeps the group's stream open until nobody listens any more. */
  const supervise = (group: Group, over: Promise<void>, who: Parameters<typeof open>[2], failures = 0) => {
    const mine = group.stream;
    const began = performance.now();
    const again = async () => {
      // Where nothing is honoured, the upstream ends the stream at once and has nothing to say.
      if (Object.keys(group.filter).length === 0) return;
      const first = performance.now() - began > steady ? 0 : failures + 1;
      for (let attempt = first; group.stream === mine && !group.closed.signal.aborted; attempt++) {
        if (!(await pauseFor(backoff(attempt), group.closed.signal))) return;
        const next = await open(group, wanted(group), who).catch(() => undefined);
        if (!next) continue;
        // Somebody joined meanwhile and has opened another.
        if (group.stream !== mine) return next.stream.abort();
        group.stream = next.stream;
        group.filter = next.filter;
        return supervise(group, next.over, who, attempt);
      }
    };
    void over.catch(() => undefined).then(again);
  };
  const wanted = (group: Group) => [...group.listeners].map(({ filter }) => filter).reduce(union, {});

  const listen = async (listening: Listening, credential: Credential): Promise<Listened> => {
    const { caller, client, filter, signal } = listening;
    // Capabilities may matter to what is announced; principals that share a credential are one to the upstream.
    const key = `${credential.key}\n${JSON.stringify(client.capabilities)}`;
    const group = groups.get(key) ?? createGroup();
    groups.set(key, group);
    const leaving = AbortSignal.any([signal, group.closed.signal]);
    const listener: Listener = { filter, notify: debounced(listening.notify, leaving) };
    group.listeners.add(listener);
    const leave = () => {
      group.listeners.delete(listener);
      if (group.listeners.size > 0 || groups.get(key) !== group) return;
      groups.delete(key);
      group.closed.abort();
      group.end();
    };
    const join = async () => {
      if (group.stream && covers(group.filter, filter)) return;
      const who = { caller, credential, client };
      const { filter: heard, stream, over } = await open(group, wanted(group), who);
      const old = group.stream;
      group.stream = stream;
      group.filter = heard;
      supervise(group, over, who);
      old?.abort();
    };
    try {
      const turn = group.turn.then(join, join);
      group.turn = turn.catch(() => undefined);
      await turn;
    } catch (error) {
      leave();
      throw error;
    }
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
    return { filter: honoured(filter, group.filter), ended: group.ended };
  };

  return {
    listen,
    async close() {
      for (const group of groups.values()) {
        group.closed.abort();
        group.end();
      }
      groups.clear();
    },
  };
}

function createGroup(): Group {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { listeners: new Set(), filter: {}, stream: undefined, closed: new AbortController(), ended, end, turn: Promise.resolve() };
}

function covers(heard: ListenFilter, wanted: ListenFilter): boolean {
  const all = union(heard, wanted);
  return JSON.stringify(all) === JSON.stringify(union(heard, {}));
}

function wireFilter(filter: ListenFilter): JsonObject {
  const { resourceSubscriptions, ...flags } = filter;
  return { ...flags, ...(resourceSubscriptions && resourceSubscriptions.length > 0 ? { resourceSubscriptions: [...resourceSubscriptions] } : {}) };
}

function readFilter(value: unknown): ListenFilter {
  if (!isObject(value)) return {};
  const uris = value["resourceSubscriptions"];
  return {
    ...(value["toolsListChanged"] === true ? { toolsListChanged: true } : {}),
    ...(value["promptsListChanged"] === true ? { promptsListChanged: true } : {}),
    ...(value["resourcesListChanged"] === true ? { resourcesListChanged: true } : {}),
    ...(Array.isArray(uris) ? { resourceSubscriptions: uris.filter((uri): uri is string => typeof uri === "string") } : {}),
  };
}

/**
 * Listening to a server of 2025 or before: its GET stream and `resources/subscribe`, counted by reference, on a session that the holder's
 * listeners share. A session that is lost is opened again with back-off, and what was subscribed is subscribed again.
 */
import type { Listened, ListenFilter, Listening, Notification } from "../exchange.ts";
import { backoff, pauseFor } from "./backoff.ts";
import { createDeadline, type Deadline } from "./deadline.ts";
import { debounced } from "./debounce.ts";
import { matches } from "./filters.ts";
import { holderOf, type Credential } from "./leg.ts";
import type { Borrow } from "./legacy.ts";
import type { Lease } from "./pool.ts";
import type { LegacySession } from "./session.ts";
import { UpstreamError } from "./http.ts";
import { isObject } from "../wire/message.ts";

/** Milliseconds for one subscribe or unsubscribe. */
const patience = 30_000;

export function createLegacyListening(borrow: Borrow) {
  const listeners = new Set<{ holder: string; filter: ListenFilter; notify: (notification: Notification) => void }>();
  /** How many listen to a resource on a session. */
  const subscribed = new WeakMap<LegacySession, Map<string, number>>();
  const closed = new AbortController();

  const request = async (session: LegacySession, method: string, uri: string, signal?: AbortSignal) => {
    const deadline: Deadline = createDeadline({ start: patience, idle: patience, total: patience }, signal);
    try {
      await session.request({ method, params: { uri }, logLevel: undefined, deadline, notify: () => undefined, ask: async () => Promise.reject(new UpstreamError("broken", "The upstream asked in the midst of a subscription")) });
    } finally {
      deadline.end();
    }
  };
  const subscribe = async (session: LegacySession, uri: string, signal: AbortSignal) => {
    const counts = subscribed.get(session) ?? new Map<string, number>();
    subscribed.set(session, counts);
    const count = counts.get(uri) ?? 0;
    counts.set(uri, count + 1);
    if (count > 0) return;
    await request(session, "resources/subscribe", uri, signal).catch((error: unknown) => {
      counts.delete(uri);
      throw error;
    });
  };
  const unsubscribe = (session: LegacySession, uri: string) => {
    const counts = subscribed.get(session);
    const count = counts?.get(uri);
    if (counts === undefined || count === undefined) return;
    if (count > 1) return void counts.set(uri, count - 1);
    counts.delete(uri);
    if (session.isAlive) void request(session, "resources/unsubscribe", uri).catch(() => undefined);
  };

  /** What of the filter the session can tell of. */
  const attach = async (session: LegacySession, wanted: ListenFilter, signal: AbortSignal): Promise<ListenFilter> => {
    if (!(await session.hear())) return {};
    const { capabilities } = session.initialized;
    const offers = (kind: string, what: string) => isObject(capabilities[kind]) && capabilities[kind][what] === true;
    const heard: ListenFilter = {
      ...(wanted.toolsListChanged && offers("tools", "listChanged") ? { toolsListChanged: true } : {}),
      ...(wanted.promptsListChanged && offers("prompts", "listChanged") ? { promptsListChanged: true } : {}),
      ...(wanted.resourcesListChanged && offers("resources", "listChanged") ? { resourcesListChanged: true } : {}),
    };
    const uris = offers("resources", "subscribe") ? [...new Set(wanted.resourceSubscriptions)] : [];
    const followed: string[] = [];
    try {
      for (const uri of uris) {
        await subscribe(session, uri, signal);
        followed.push(uri);
      }
    } catch (error) {
      for (const uri of followed) unsubscribe(session, uri);
      throw error;
    }
    return { ...heard, ...(followed.length > 0 ? { resourceSubscriptions: followed } : {}) };
  };

  return {
    /** Something came on a session of the holder's. */
    hear(holder: string, notification: Notification): void {
      for (const listener of listeners) if (listener.holder === holder && matches(listener.filter, notification)) listener.notify(notification);
    },
    async listen({ caller, client, session, filter, signal, notify }: Listening, credential: Credential): Promise<Listened> {
      const leaving = AbortSignal.any([signal, closed.signal]);
      const who = { caller, client, session, credential };
      let lease: Lease<LegacySession> = await borrow(who, "listen", leaving);
      let heard: ListenFilter;
      try {
        heard = await attach(lease.item, filter, leaving);
      } catch (error) {
        lease.giveBack(lease.item.isAlive);
        throw error;
      }
      const listener = { holder: holderOf({ caller, credential }), filter: heard, notify: debounced(notify, leaving) };
      listeners.add(listener);

      const keep = async (): Promise<void> => {
        while (!leaving.aborted) {
          await aborted(AbortSignal.any([lease.item.lost, leaving]));
          if (leaving.aborted) break;
          lease.giveBack(false);
          for (let attempt = 0; ; attempt++) {
            if (!(await pauseFor(backoff(attempt), leaving))) return;
            const next = await borrow(who, "listen", leaving).catch(() => undefined);
            const attached = next && (await attach(next.item, filter, leaving).catch(() => undefined));
            if (next && attached) {
              lease = next;
              listener.filter = attached;
              break;
            }
            next?.giveBack(next.item.isAlive);
          }
        }
        for (const uri of listener.filter.resourceSubscriptions ?? []) unsubscribe(lease.item, uri);
        lease.giveBack(true);
      };
      const ended = keep().finally(() => listeners.delete(listener));
      return { filter: heard, ended };
    },
    close(): void {
      closed.abort(new UpstreamError("unreachable", "The server was removed or changed"));
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

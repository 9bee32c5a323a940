/**
 * Sessions and channels at one upstream, each for one holder: lent to one call at a time, or shared by what belongs together. Bounded in
 * number, idle time and age; what failed is never lent again, and what is closed is said goodbye to.
 */
import { UpstreamError } from "./http.ts";
import { limitSettings, type PeerLimits } from "./limits.ts";

export interface Poolable {
  readonly isAlive: boolean;
  /** Nobody holds it just now, or somebody does again. */
  rest?(isResting: boolean): void;
  close(): Promise<void>;
}

export interface PoolKey {
  /** Whose, and for what: only equal keys share. */
  id: string;
  principalId: string;
  /** Several may hold it at once. */
  isShared: boolean;
  /** The client's session at the gateway that it ends with. */
  session: string | undefined;
}

export interface Lease<T> {
  readonly item: T;
  /** @param isSound false: something went wrong, so that it must not be used again. */
  giveBack(isSound: boolean): void;
}

interface Entry<T> {
  key: PoolKey;
  ready: Promise<T>;
  item: T | undefined;
  holders: number;
  isSound: boolean;
  openedAt: number;
  usedAt: number;
}

export interface Pool<T> {
  lease(key: PoolKey, open: () => Promise<T>): Promise<Lease<T>>;
  release(session: string): void;
  readonly size: number;
  close(): Promise<void>;
}

type Bounds = Pick<PeerLimits, "sessions" | "sessionsPerPrincipal" | "sessionIdle" | "sessionLifetime">;

/** @param now milliseconds, monotonic. */
export function createPool<T extends Poolable>(limits: Bounds, now: () => number = () => performance.now()): Pool<T> {
  const entries = new Set<Entry<T>>();
  const closing = new Set<Promise<void>>();
  let isClosed = false;

  const drop = (entry: Entry<T>) => {
    if (!entries.delete(entry)) return;
    const done = entry.ready.then((item) => item.close()).catch(() => undefined);
    closing.add(done);
    void done.then(() => closing.delete(done));
  };
  const isUsable = (entry: Entry<T>) => entry.isSound && (entry.item?.isAlive ?? true) && now() - entry.openedAt < limits.sessionLifetime;
  const reap = () => {
    for (const entry of entries) {
      const idle = entry.holders === 0 && now() - entry.usedAt > limits.sessionIdle;
      if (idle || (entry.holders === 0 && !isUsable(entry))) drop(entry);
    }
  };
  const timer = setInterval(reap, Math.min(30_000, Math.max(100, limits.sessionIdle / 4)));
  timer.unref();

  /** One that nobody uses makes room, the one longest unused first. */
  const makeRoom = (among: (entry: Entry<T>) => boolean, most: number, limit: keyof Bounds, whose: string) => {
    const held = [...entries].filter(among);
    if (held.length < most) return;
    const idle = held.filter(({ holders }) => holders === 0).sort((a, b) => a.usedAt - b.usedAt);
    const surplus = held.length - most + 1;
    if (idle.length < surplus) throw new UpstreamError("busy", `All ${most} sessions ${whose} are in use (${limitSettings[limit]})`);
    for (const entry of idle.slice(0, surplus)) drop(entry);
  };

  return {
    get size() {
      return entries.size;
    },
    async lease(key, open) {
      if (isClosed) throw new UpstreamError("unreachable", "The server was removed or changed");
      let entry: Entry<T> | undefined;
      for (const candidate of entries) {
        if (candidate.key.id !== key.id || candidate.key.isShared !== key.isShared) continue;
        if (!isUsable(candidate)) {
          if (candidate.holders === 0) drop(candidate);
        } else if (key.isShared || candidate.holders === 0) entry = candidate;
      }
      if (!entry) {
        makeRoom((other) => other.key.principalId === key.principalId, limits.sessionsPerPrincipal, "sessionsPerPrincipal", "of yours with this upstream");
        makeRoom(() => true, limits.sessions, "sessions", "with this upstream");
        const opened: Entry<T> = { key, ready: open(), item: undefined, holders: 0, isSound: true, openedAt: now(), usedAt: now() };
        entries.add(opened);
        opened.ready.then(
          (item) => {
            opened.item = item;
          },
          () => {
            opened.isSound = false;
            entries.delete(opened);
          },
        );
        entry = opened;
      }
      const held = entry;
      held.holders += 1;
      let item: T;
      try {
        item = await held.ready;
      } catch (error) {
        held.holders -= 1;
        throw error;
      }
      item.rest?.(false);
      let given = false;
      return {
        item,
        giveBack(isSound) {
          if (given) return;
          given = true;
          held.holders -= 1;
          held.usedAt = now();
          if (!isSound) held.isSound = false;
          if (held.holders > 0) return;
          if (isClosed || !isUsable(held)) drop(held);
          else item.rest?.(true);
        },
      };
    },
    release(session) {
      for (const entry of entries) if (entry.key.session === session) drop(entry);
    },
    async close() {
      isClosed = true;
      clearInterval(timer);
      for (const entry of entries) drop(entry);
      await Promise.all(closing);
    },
  };
}

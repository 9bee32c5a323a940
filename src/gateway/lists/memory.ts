/**
 * What upstreams said, remembered: fresh for as long as they allow, then shown while it is asked again, and kept as last known good for a
 * bounded time when they fail. One question at a time per key; an upstream that fails is left alone for a growing while.
 */

export interface Said<T> {
  value: T;
  /** Milliseconds for which the upstream lets it be used unasked. */
  ttlMs: number;
}

export interface Held<T> {
  readonly value: T;
  /** Milliseconds since the epoch from which on it is asked again. */
  readonly freshUntil: number;
  /** Milliseconds since the epoch until which the upstream itself lets it be used: what a client may be told. */
  readonly validUntil: number;
}

/** Not in memory, or no longer good enough: an answer is under way. */
export interface Awaited<T> {
  /** Undefined: the upstream failed, or was left alone because it fails. Never rejects. */
  readonly pending: Promise<Held<T> | undefined>;
  /** The same without regard to how long it takes: for who fetches, not for who reads. */
  readonly asked: Promise<Held<T> | undefined>;
  /** The last known good, to be used when the answer does not come in time. */
  readonly last: Held<T> | undefined;
}

export type Recalled<T> = Held<T> | Awaited<T>;

export function isHeld<T>(recalled: Recalled<T>): recalled is Held<T> {
  return !("pending" in recalled);
}

export interface MemoryOptions {
  now: () => number;
  /** Milliseconds for which an answer is used at least; after ten times that, readers wait for the new one. */
  refresh: number;
  /** Milliseconds after which the last known good is forgotten. */
  keep: number;
  /** Milliseconds that readers wait for an upstream's answer; after that it is treated as failing until it answers. */
  patience: number;
  /** Most keys; the least recently used goes first. */
  capacity: number;
}

export interface Memory<T> {
  recall(key: string, ask: () => Promise<Said<T>>): Recalled<T>;
  put(key: string, said: Said<T>): void;
  /** What is known, however old; asks nobody. */
  peek(key: string): Held<T> | undefined;
  /** Whether the last question failed. */
  isFailing(key: string): boolean;
  /** What is known must be asked again before it is used; it stays as last known good. */
  expire(matches: (key: string) => boolean): void;
  forget(matches: (key: string) => boolean): void;
}

interface Entry<T> {
  held: Held<T> | undefined;
  saidAt: number;
  askedAt: number;
  pending: Promise<Held<T> | undefined> | undefined;
  /** Raised when what is known, or is being said, no longer holds. */
  generation: number;
  expired: boolean;
  failures: number;
  retryAt: number;
}

/** The SDK's own bound on what an upstream may ask for. */
const longestTtl = 24 * 3600 * 1000;
const [firstPause, longestPause] = [1000, 60_000];
const settled = Promise.resolve(undefined);

export function createMemory<T>({ now, refresh, keep, patience, capacity }: MemoryOptions): Memory<T> {
  const entries = new Map<string, Entry<T>>();

  const entryOf = (key: string): Entry<T> => {
    let entry = entries.get(key);
    // Insertion order is order of use: a Map is its own LRU list.
    if (entry) entries.delete(key);
    else entry = { held: undefined, saidAt: 0, askedAt: 0, pending: undefined, generation: 0, expired: false, failures: 0, retryAt: 0 };
    entries.set(key, entry);
    if (entries.size > capacity) entries.delete(entries.keys().next().value ?? "");
    return entry;
  };
  const store = (entry: Entry<T>, { value, ttlMs }: Said<T>): Held<T> => {
    entry.saidAt = now();
    entry.held = { value, freshUntil: entry.saidAt + Math.min(Math.max(ttlMs, refresh), longestTtl), validUntil: entry.saidAt + Math.min(ttlMs, longestTtl) };
    entry.failures = 0;
    entry.retryAt = 0;
    return entry.held;
  };
  const start = (entry: Entry<T>, ask: () => Promise<Said<T>>): Promise<Held<T> | undefined> => {
    const { generation } = entry;
    entry.askedAt = now();
    const pending = ask()
      .then(
        (said) => {
          const held = store(entry, said);
          entry.expired = entry.generation !== generation;
          return held;
        },
        () => {
          entry.retryAt = now() + Math.min(firstPause * 2 ** entry.failures, longestPause);
          entry.failures++;
          return undefined;
        },
      )
      .finally(() => {
        entry.pending = undefined;
      });
    entry.pending = pending;
    return pending;
  };

  return {
    recall(key, ask) {
      const entry = entryOf(key);
      const at = now();
      if (entry.held && at >= entry.saidAt + keep) entry.held = undefined;
      const { held } = entry;
      if (held && !entry.expired && at < held.freshUntil) return held;
      const paused = at < entry.retryAt;
      if (!entry.pending && !paused) void start(entry, ask);
      if (held && !entry.expired && entry.failures === 0 && at < held.freshUntil + 9 * refresh) return held;
      // Who is known to fail is not waited for: its next answer will be there for a later reader.
      const waits = entry.pending && entry.failures === 0 && at < entry.askedAt + patience;
      const asked = entry.pending ?? settled;
      return { pending: waits ? asked : settled, asked, last: held };
    },
    put(key, said) {
      const entry = entryOf(key);
      store(entry, said);
      entry.expired = false;
    },
    peek: (key) => entries.get(key)?.held,
    isFailing: (key) => (entries.get(key)?.failures ?? 0) > 0,
    expire(matches) {
      for (const [key, entry] of entries) {
        if (!matches(key)) continue;
        entry.generation++;
        entry.expired = true;
        // News of a change says that the upstream is there.
        entry.retryAt = 0;
      }
    },
    forget(matches) {
      for (const key of entries.keys()) if (matches(key)) entries.delete(key);
    },
  };
}

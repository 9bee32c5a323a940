/** One limit for one subject, within this process: spends what it took from the ledger, and takes more before it runs out. */
import type { Bucket, Ledger } from "./ledger.ts";

/** True: counted. A number: refused, with the milliseconds to wait. */
export type Counted = true | number;

export interface Counter {
  take(): Counted | Promise<Counted>;
  /** Undoes a `take`: the request was refused by another limit. */
  undo(): void;
  /** The request has been answered. */
  release(): void;
  /** Milliseconds since the epoch of the last use. */
  readonly usedAt: number;
  readonly busy: boolean;
  /** Returns to the ledger what was not needed since the last look, while it is in use. */
  trim(): Promise<void>;
  /** Returns to the ledger all that is not in use. */
  settle(): Promise<void>;
}

export interface CounterOptions {
  ledger: Ledger;
  key: string;
  now: () => number;
}

/** Tokens per time, or a quota. @param slice how many are taken at once. */
export function createTokenCounter({ ledger, key, now }: CounterOptions, bucket: Bucket, slice: number, emptyWait: () => number): Counter {
  let held = 0;
  let emptyUntil = 0;
  let usedAt = now();
  let drawing: Promise<void> | undefined;
  const draw = (): Promise<void> =>
    (drawing ??= ledger.draw(key, slice, bucket).then(({ granted, wait }) => {
      drawing = undefined;
      held += granted;
      if (granted === 0) emptyUntil = now() + (Number.isFinite(wait) ? wait : emptyWait());
    }));
  const take = (): Counted | Promise<Counted> => {
    usedAt = now();
    if (held >= 1) {
      held--;
      if (held * 2 < slice && slice > 1 && drawing === undefined && usedAt >= emptyUntil) void draw();
      return true;
    }
    // Refused without asking until something can be there again: a flood costs no queries.
    if (usedAt < emptyUntil) return emptyUntil - usedAt;
    return draw().then(take);
  };
  return {
    take,
    undo: () => void held++,
    release: () => undefined,
    get usedAt() {
      return usedAt;
    },
    busy: false,
    trim: async () => undefined,
    async settle() {
      const amount = Math.floor(held);
      held -= amount;
      if (amount > 0) await ledger.restore(key, amount, bucket);
    },
  };
}

/** Milliseconds for which a full house is believed to be full. */
const fullFor = 250;

/** Requests under way at once. */
export function createPlaceCounter({ ledger, key, now }: CounterOptions, limit: number, slice: number): Counter {
  let [held, used, peak] = [0, 0, 0];
  let fullUntil = 0;
  let usedAt = now();
  let occupying: Promise<void> | undefined;
  const occupy = (): Promise<void> =>
    (occupying ??= ledger.occupy(key, slice, limit).then((granted) => {
      occupying = undefined;
      held += granted;
      if (granted === 0) fullUntil = now() + fullFor;
    }));
  const take = (): Counted | Promise<Counted> => {
    usedAt = now();
    if (used < held) {
      used++;
      peak = Math.max(peak, used);
      return true;
    }
    if (usedAt < fullUntil) return fullUntil - usedAt;
    return occupy().then(take);
  };
  const leave = () => void used--;
  const keep = async (needed: number): Promise<void> => {
    const amount = held - needed;
    held -= Math.max(0, amount);
    if (amount > 0) await ledger.vacate(key, amount);
  };
  return {
    take,
    undo: leave,
    release: leave,
    get usedAt() {
      return usedAt;
    },
    get busy() {
      return used > 0;
    },
    async trim() {
      const needed = peak;
      peak = used;
      await keep(needed);
    },
    settle: () => keep(used),
  };
}

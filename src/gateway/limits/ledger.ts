/**
 * What all processes together have left of a limit. Each takes a slice and spends it without asking again; what it does not spend it
 * returns. A slice is taken off before it is spent, so that a quota is never exceeded; see docs/limits.md for the bounds.
 */
import { sql } from "kysely";
import type { Storage } from "../../storage/index.ts";

export interface Bucket {
  /** Most that is ever there. */
  capacity: number;
  /** What comes back, per millisecond; 0 for a quota. */
  perMillisecond: number;
}

export interface Drawn {
  granted: number;
  /** Milliseconds until there is something again, when nothing was granted; Infinity for a quota. */
  wait: number;
}

export interface Ledger {
  /** @param want at least 1. @returns up to `want`. */
  draw(key: string, want: number, bucket: Bucket): Promise<Drawn>;
  restore(key: string, amount: number, bucket: Bucket): Promise<void>;
  /** Places of a concurrency limit. @returns how many of `want` were free. */
  occupy(key: string, want: number, limit: number): Promise<number>;
  vacate(key: string, amount: number): Promise<void>;
  /** Keeps the places of this process from expiring, and removes what is long over. */
  renew(): Promise<void>;
}

function refilled(milli: number, at: number, now: number, { capacity, perMillisecond }: Bucket): number {
  return Math.min(capacity * 1000, milli + Math.max(0, now - at) * perMillisecond * 1000);
}

function draw(milli: number, want: number, { perMillisecond }: Bucket): Drawn {
  const granted = Math.min(want, Math.floor(milli / 1000));
  return { granted, wait: granted > 0 ? 0 : perMillisecond > 0 ? Math.ceil((1000 - milli) / (perMillisecond * 1000)) : Number.POSITIVE_INFINITY };
}

/** For one process alone, and for every process while the database is away. */
export function createLocalLedger(now: () => number): Ledger {
  const budgets = new Map<string, { milli: number; at: number }>();
  const places = new Map<string, number>();
  return {
    async draw(key, want, bucket) {
      const known = budgets.get(key);
      const milli = known ? refilled(known.milli, known.at, now(), bucket) : bucket.capacity * 1000;
      const drawn = draw(milli, want, bucket);
      budgets.set(key, { milli: milli - drawn.granted * 1000, at: now() });
      return drawn;
    },
    async restore(key, amount, bucket) {
      const known = budgets.get(key);
      if (known) known.milli = Math.min(bucket.capacity * 1000, known.milli + amount * 1000);
    },
    async occupy(key, want, limit) {
      const taken = places.get(key) ?? 0;
      const granted = Math.max(0, Math.min(want, limit - taken));
      places.set(key, taken + granted);
      return granted;
    },
    async vacate(key, amount) {
      const left = (places.get(key) ?? 0) - amount;
      if (left > 0) places.set(key, left);
      else places.delete(key);
    },
    async renew() {
      // A day's quota and a bucket that has filled up again say nothing more after two days.
      for (const [key, { at }] of budgets) if (now() - at > longest) budgets.delete(key);
    },
  };
}

const longest = 2 * 24 * 3600 * 1000;
/** Milliseconds after which the places of a process that is gone are free again. */
const placeLifetime = 30_000;

/** @param holder names this process. @param onError hears of every failure; meanwhile each process keeps the limits by itself. */
export function createSharedLedger({ storage, now, holder, onError }: { storage: Pick<Storage, "db" | "kind">; now: () => number; holder: string; onError: (error: unknown) => void }): Ledger {
  const alone = createLocalLedger(now);
  const { db } = storage;
  /** In one transaction that has the key to itself: the write comes first, so that both databases lock before they read. */
  const alter = async <T>(key: string, initial: number, change: (milli: number, at: number) => { milli: number; value: T }): Promise<T> =>
    db.transaction().execute(async (transaction) => {
      const at = now();
      await transaction.insertInto("budgets").values({ key, milli: initial, at }).onConflict((conflict) => conflict.column("key").doUpdateSet({ key })).execute();
      const row = await transaction.selectFrom("budgets").select(["milli", "at"]).where("key", "=", key).executeTakeFirstOrThrow();
      const { milli, value } = change(row.milli, row.at);
      await transaction.updateTable("budgets").set({ milli: Math.round(milli), at }).where("key", "=", key).execute();
      return value;
    });
  const orAlone = async <T>(shared: () => Promise<T>, own: () => Promise<T>): Promise<T> => {
    try {
      return await shared();
    } catch (error) {
      onError(error);
      return own();
    }
  };
  return {
    draw: (key, want, bucket) =>
      orAlone(
        () =>
          alter(key, bucket.capacity * 1000, (stored, at) => {
            const milli = refilled(stored, at, now(), bucket);
            const value = draw(milli, want, bucket);
            return { milli: milli - value.granted * 1000, value };
          }),
        () => alone.draw(key, want, bucket),
      ),
    restore: (key, amount, bucket) =>
      orAlone(
        () => alter(key, bucket.capacity * 1000, (stored, at) => ({ milli: Math.min(bucket.capacity * 1000, refilled(stored, at, now(), bucket) + amount * 1000), value: undefined })),
        () => alone.restore(key, amount, bucket),
      ),
    occupy: (key, want, limit) =>
      orAlone(
        async () =>
          db.transaction().execute(async (transaction) => {
            const at = now();
            await transaction.insertInto("budgets").values({ key, milli: 0, at }).onConflict((conflict) => conflict.column("key").doUpdateSet({ at })).execute();
            const held = await transaction.selectFrom("budget_slots").select(["holder", "amount"]).where("key", "=", key).where((row) => row.or([row("holder", "=", holder), row("expires_at", ">", at)])).execute();
            const granted = Math.max(0, Math.min(want, limit - held.reduce((sum, { amount }) => sum + amount, 0)));
            if (granted > 0) {
              await transaction
                .insertInto("budget_slots")
                .values({ key, holder, amount: granted, expires_at: at + placeLifetime })
                .onConflict((conflict) => conflict.columns(["key", "holder"]).doUpdateSet({ amount: sql`budget_slots.amount + ${granted}`, expires_at: at + placeLifetime }))
                .execute();
            }
            return granted;
          }),
        () => alone.occupy(key, want, limit),
      ),
    async vacate(key, amount) {
      await alone.vacate(key, amount);
      await orAlone(
        async () => {
          await db.updateTable("budget_slots").set((row) => ({ amount: row("amount", "-", amount) })).where("key", "=", key).where("holder", "=", holder).execute();
          await db.deleteFrom("budget_slots").where("key", "=", key).where("holder", "=", holder).where("amount", "<=", 0).execute();
        },
        async () => undefined,
      );
    },
    async renew() {
      await alone.renew();
      await orAlone(
        async () => {
          const at = now();
          await db.updateTable("budget_slots").set({ expires_at: at + placeLifetime }).where("holder", "=", holder).execute();
          await db.deleteFrom("budget_slots").where("expires_at", "<=", at - placeLifetime).execute();
          await db.deleteFrom("budgets").where("at", "<=", at - longest).execute();
        },
        async () => undefined,
      );
    },
  };
}

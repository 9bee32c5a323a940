/**
 * Throttling of failed logins, per account and per address, shared between processes through the database.
 * After a few free attempts each further failure doubles the wait (NIST SP 800-63B-4 section 3.2.2); what is stored is a keyed hash.
 */
import type { Storage } from "../storage/index.ts";

export interface Throttle {
  /** @returns seconds to wait, or 0. */
  blockedFor(subject: Subject): Promise<number>;
  /** Counts a failure; @returns seconds that the subject is now blocked for, or 0. */
  fail(subject: Subject): Promise<number>;
  succeed(subject: Subject): Promise<void>;
}

export type Subject = { kind: "account" | "address"; value: string };

const rules = {
  account: { free: 5, longestSeconds: 900 },
  /** Several people may share an address. */
  address: { free: 20, longestSeconds: 900 },
} as const;
const forgetAfter = 24 * 3600 * 1000;

export function createThrottle({ storage, now }: { storage: Storage; now: () => number }): Throttle {
  const keyOf = ({ kind, value }: Subject) => storage.vault.keyedHash(`throttle:${kind}`, value);
  return {
    async blockedFor(subject) {
      const row = await storage.db.selectFrom("throttles").select("blocked_until").where("key", "=", keyOf(subject)).executeTakeFirst();
      return row ? Math.max(0, Math.ceil((row.blocked_until - now()) / 1000)) : 0;
    },
    async fail(subject) {
      const { free, longestSeconds } = rules[subject.kind];
      const key = keyOf(subject);
      const at = now();
      return storage.write(async (transaction) => {
        const row = await transaction.selectFrom("throttles").selectAll().where("key", "=", key).executeTakeFirst();
        const failures = row && at - row.last_failure_at < forgetAfter ? row.failures + 1 : 1;
        const seconds = failures < free ? 0 : Math.min(longestSeconds, 2 ** Math.min(20, failures - free));
        const values = { failures, last_failure_at: at, blocked_until: at + seconds * 1000 };
        await transaction.insertInto("throttles").values({ key, ...values }).onConflict((conflict) => conflict.column("key").doUpdateSet(values)).execute();
        return seconds;
      });
    },
    async succeed(subject) {
      await storage.db.deleteFrom("throttles").where("key", "=", keyOf(subject)).execute();
    },
  };
}

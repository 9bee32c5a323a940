/** Recovery codes: ten of 80 random bits, each good once, for whoever has lost the factor (NIST SP 800-63B-4 section 4.2.1.1). Only keyed hashes are stored. */
import { randomBytes } from "node:crypto";
import type { Storage, Write } from "../../storage/index.ts";

export interface Recovery {
  count(userId: string): Promise<number>;
  /** Replaces all of the user's codes. @returns the new ones, to be shown this once. */
  replace(transaction: Write, userId: string): Promise<string[]>;
  /** Spends the code: of two at once, one succeeds. */
  use(userId: string, code: string): Promise<boolean>;
}

const howMany = 10;
/** Crockford's base32: no letter that looks like a digit. */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

export function createRecovery({ storage, now }: { storage: Storage; now: () => number }): Recovery {
  const { db, vault } = storage;
  const hashOf = (userId: string, bare: string) => vault.keyedHash("recovery-code", `${userId}:${bare}`);
  return {
    async count(userId) {
      const { count } = await db.selectFrom("recovery_codes").select((select) => select.fn.countAll().as("count")).where("user_id", "=", userId).executeTakeFirstOrThrow();
      return Number(count);
    },
    async replace(transaction, userId) {
      const codes = Array.from({ length: howMany }, () => [...randomBytes(16)].map((byte) => alphabet[byte & 31]).join(""));
      await transaction.deleteFrom("recovery_codes").where("user_id", "=", userId).execute();
      await transaction.insertInto("recovery_codes").values(codes.map((code) => ({ code_hash: hashOf(userId, code), user_id: userId, created_at: now() }))).execute();
      return codes.map((code) => `${code.slice(0, 4)}-${code.slice(4, 8)}-${code.slice(8, 12)}-${code.slice(12)}`);
    },
    async use(userId, code) {
      const bare = readable(code);
      if (bare === undefined) return false;
      const { numDeletedRows } = await db.deleteFrom("recovery_codes").where("user_id", "=", userId).where("code_hash", "=", hashOf(userId, bare)).executeTakeFirst();
      return numDeletedRows === 1n;
    },
  };
}

/** As written down by hand: any case, with or without dashes, O for 0, I and L for 1. */
function readable(text: string): string | undefined {
  const bare = text.toUpperCase().replaceAll(/[\s-]/g, "").replaceAll("O", "0").replaceAll(/[IL]/g, "1");
  return /^[0-9A-HJKMNP-TV-Z]{16}$/.test(bare) ? bare : undefined;
}

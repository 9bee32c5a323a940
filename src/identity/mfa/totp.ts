/**
 * Time-based one-time codes (RFC 6238: SHA-1, 6 digits, 30 s, the only parameters that every app has): one step to either side is
 * accepted, and no step twice (section 5.2). The secret is 160 random bits, kept in an envelope.
 */
import { Secret, TOTP } from "otpauth";
import type { Storage } from "../../storage/index.ts";

export interface Totp {
  isEnrolled(userId: string): Promise<boolean>;
  /** A new secret that counts once a code of it was confirmed; shown this once. @returns base32 and the otpauth URI for apps. */
  provision(userId: string, username: string): Promise<{ secret: string; uri: string }>;
  /** The one being provisioned, while that is fresh. */
  pending(userId: string, username: string): Promise<{ secret: string; uri: string } | undefined>;
  /** @returns whether the code is the provisioned secret's: then it is the user's factor. */
  confirm(userId: string, code: string): Promise<boolean>;
  /** Spends the step of the code: of any number at once, one succeeds. */
  use(userId: string, code: string): Promise<boolean>;
}

/** Milliseconds in which a provisioned secret can be confirmed. */
const confirmWithin = 15 * 60_000;
const period = 30;

/** A row of the table, ready to insert. @param secret base32. */
export function totpRow({ vault }: Pick<Storage, "vault">, userId: string, secret: string, at: number, confirmed: boolean) {
  return { user_id: userId, secret: vault.seal(place(userId), secret), last_step: 0, created_at: at, confirmed_at: confirmed ? at : null };
}

export function createTotp({ storage, issuer, now }: { storage: Storage; issuer: string; now: () => number }): Totp {
  const { db, vault } = storage;
  const generator = (secret: string, label: string) => new TOTP({ issuer, label, secret: Secret.fromBase32(secret), algorithm: "SHA1", digits: 6, period });
  /** @returns the step that the code belongs to. */
  const stepOf = (secret: string, code: string): number | undefined => {
    if (!/^\d{6}$/.test(code)) return undefined;
    const totp = generator(secret, "");
    const timestamp = now();
    const delta = totp.validate({ token: code, timestamp, window: 1 });
    return delta === null ? undefined : totp.counter({ timestamp }) + delta;
  };
  const rowOf = (userId: string) => db.selectFrom("totp_factors").selectAll().where("user_id", "=", userId).executeTakeFirst();
  const described = (secret: string, username: string) => ({ secret, uri: generator(secret, username).toString() });

  return {
    async isEnrolled(userId) {
      const row = await rowOf(userId);
      return row !== undefined && row.confirmed_at !== null;
    },
    async provision(userId, username) {
      const secret = new Secret({ size: 20 }).base32;
      await db.deleteFrom("totp_factors").where("user_id", "=", userId).where("confirmed_at", "is", null).execute();
      await db.insertInto("totp_factors").values(totpRow(storage, userId, secret, now(), false)).execute();
      return described(secret, username);
    },
    async pending(userId, username) {
      const row = await rowOf(userId);
      return row?.confirmed_at === null && row.created_at > now() - confirmWithin ? described(vault.open(place(userId), row.secret), username) : undefined;
    },
    async confirm(userId, code) {
      const row = await rowOf(userId);
      if (row?.confirmed_at !== null || row.created_at <= now() - confirmWithin) return false;
      const step = stepOf(vault.open(place(userId), row.secret), code);
      if (step === undefined) return false;
      const { numUpdatedRows } = await db.updateTable("totp_factors").set({ confirmed_at: now(), last_step: step }).where("user_id", "=", userId).where("confirmed_at", "is", null).where("secret", "=", row.secret).executeTakeFirst();
      return numUpdatedRows === 1n;
    },
    async use(userId, code) {
      const row = await rowOf(userId);
      if (!row || row.confirmed_at === null) return false;
      const step = stepOf(vault.open(place(userId), row.secret), code);
      if (step === undefined || step <= row.last_step) return false;
      const { numUpdatedRows } = await db.updateTable("totp_factors").set({ last_step: step }).where("user_id", "=", userId).where("last_step", "<", step).executeTakeFirst();
      return numUpdatedRows === 1n;
    },
  };
}

function place(userId: string) {
  return { table: "totp_factors", column: "secret", row: userId };
}

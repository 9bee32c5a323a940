/** The second factors of a user as a whole: which there are, using a code, recovery codes, removing and resetting. */
import type { Audit } from "../../audit/index.ts";
import { problem } from "../../kernel/problem.ts";
import type { Storage, Write } from "../../storage/index.ts";
import { createSteps } from "../steps.ts";
import { createPasskeys, type Passkeys } from "./passkeys.ts";
import { createRecovery } from "./recovery.ts";
import { createTotp, totpRow, type Totp } from "./totp.ts";

export interface Enrolled {
  totp: boolean;
  passkeys: number;
  recoveryCodes: number;
}

/** Who asks, for the audit trail. */
interface Asked {
  id: string;
}

export interface Factors {
  readonly totp: Totp;
  readonly passkeys: Passkeys;
  of(userId: string): Promise<Enrolled>;
  /** Of everybody who has any, by user id. */
  all(): Promise<Map<string, Enrolled>>;
  /** A time-based or recovery code; spends it. */
  useCode(userId: string, code: string, request: Asked): Promise<"totp" | "recovery" | undefined>;
  /** New recovery codes; older ones no longer work. @returns them, to be shown this once. */
  newRecoveryCodes(userId: string, request: Asked): Promise<string[]>;
  /** Sets the time-based factor of an unattended installation. @param secret base32. */
  provision(transaction: Write, userId: string, secret: string): Promise<void>;
  /** Ends every token and session but the one that asks. @returns the user's new epoch. @throws Problem 404, 409 for an administrator's last. */
  remove(userId: string, which: { totp: true } | { passkey: string }, request: Asked): Promise<number>;
  /** Removes all; every token and session of the user ends. */
  reset(userId: string, by: { actorId: string; requestId: string }): Promise<void>;
}

export interface FactorsOptions {
  storage: Storage;
  audit: Audit;
  publicUrl: string;
  now: () => number;
}

export function hasFactor({ totp, passkeys }: Enrolled): boolean {
  return totp || passkeys > 0;
}

export function createFactors({ storage, audit, publicUrl, now }: FactorsOptions): Factors {
  const { db } = storage;
  const totp = createTotp({ storage, issuer: `Sallyport (${new URL(publicUrl).host})`, now });
  const passkeys = createPasskeys({ storage, steps: createSteps({ storage, now }), publicUrl, now });
  const recovery = createRecovery({ storage, now });

  const of = async (userId: string): Promise<Enrolled> => ({ totp: await totp.isEnrolled(userId), passkeys: await passkeys.count(userId), recoveryCodes: await recovery.count(userId) });
  const raise = async (transaction: Write, userId: string): Promise<number> => {
    await transaction.updateTable("users").set((update) => ({ epoch: update("epoch", "+", 1), updated_at: now() })).where("id", "=", userId).execute();
    return (await transaction.selectFrom("users").select("epoch").where("id", "=", userId).executeTakeFirstOrThrow()).epoch;
  };

  return {
    totp,
    passkeys,
    of,
    async all() {
      const found = new Map<string, Enrolled>();
      const entry = (userId: string) => {
        const known = found.get(userId) ?? { totp: false, passkeys: 0, recoveryCodes: 0 };
        found.set(userId, known);
        return known;
      };
      for (const { user_id: id } of await db.selectFrom("totp_factors").select("user_id").where("confirmed_at", "is not", null).execute()) entry(id).totp = true;
      for (const { user_id: id } of await db.selectFrom("passkeys").select("user_id").execute()) entry(id).passkeys++;
      for (const { user_id: id } of await db.selectFrom("recovery_codes").select("user_id").execute()) entry(id).recoveryCodes++;
      return found;
    },
    async useCode(userId, code, request) {
      const bare = code.replaceAll(/\s/g, "");
      const factor = /^\d{6}$/.test(bare) ? ((await totp.use(userId, bare)) ? "totp" : undefined) : (await recovery.use(userId, code)) ? "recovery" : undefined;
      if (factor === "totp") audit.record({ type: "factor.used", actorId: userId, requestId: request.id, detail: { kind: "totp" } });
      if (factor === "recovery") audit.record({ type: "recovery-code.used", actorId: userId, requestId: request.id, detail: { left: await recovery.count(userId) } });
      return factor;
    },
    newRecoveryCodes: (userId, request) =>
      storage.write(async (transaction) => {
        const codes = await recovery.replace(transaction, userId);
        await audit.recordIn(transaction, { type: "recovery-codes.created", actorId: userId, requestId: request.id, subject: `user:${userId}`, detail: { count: codes.length } });
        return codes;
      }),
    async provision(transaction, userId, secret) {
      await transaction.insertInto("totp_factors").values(totpRow(storage, userId, secret, now(), true)).execute();
      await audit.recordIn(transaction, { type: "factor.enrolled", subject: `user:${userId}`, detail: { kind: "totp", by: "environment" } });
    },
    remove: (userId, which, request) =>
      storage.write(async (transaction, announce) => {
        const { numDeletedRows } = await ("totp" in which ? transaction.deleteFrom("totp_factors").where("user_id", "=", userId).where("confirmed_at", "is not", null) : transaction.deleteFrom("passkeys").where("user_id", "=", userId).where("id", "=", which.passkey)).executeTakeFirst();
        if (numDeletedRows !== 1n) throw problem("not-found", { detail: "No such factor" });
        const left = await transaction.selectFrom("totp_factors").select("user_id").where("user_id", "=", userId).where("confirmed_at", "is not", null).unionAll(transaction.selectFrom("passkeys").select("user_id").where("user_id", "=", userId)).execute();
        // Recovery codes stand in for a factor: without one there is nothing to recover.
        if (left.length === 0) await transaction.deleteFrom("recovery_codes").where("user_id", "=", userId).execute();
        await audit.recordIn(transaction, { type: "factor.removed", actorId: userId, requestId: request.id, subject: `user:${userId}`, detail: { kind: "totp" in which ? "totp" : "passkey" } });
        announce({ topic: "user", ref: userId });
        return raise(transaction, userId);
      }),
    reset: (userId, by) =>
      storage.write(async (transaction, announce) => {
        const codes = await transaction.deleteFrom("totp_factors").where("user_id", "=", userId).executeTakeFirst();
        const keys = await transaction.deleteFrom("passkeys").where("user_id", "=", userId).executeTakeFirst();
        await transaction.deleteFrom("recovery_codes").where("user_id", "=", userId).execute();
        await raise(transaction, userId);
        await audit.recordIn(transaction, { type: "factor.reset", ...by, subject: `user:${userId}`, detail: { passkeys: Number(keys.numDeletedRows), totp: codes.numDeletedRows > 0n } });
        announce({ topic: "user", ref: userId });
      }),
  };
}

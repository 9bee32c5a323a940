/** What rests between two requests of a sign-in or an enrolment: sealed, expiring, bound to one browser, found by a keyed hash only. */
import type { Storage } from "../storage/index.ts";

/** challenge-in, challenge-new: of a passkey's sign-in and enrolment. password-shown: the second factor is still to come. */
export type StepKind = "challenge-in" | "challenge-new" | "password-shown";

export interface Steps {
  /** @param lifetime seconds. */
  put(kind: StepKind, token: string, boundTo: string, value: object, lifetime: number): Promise<void>;
  read<T>(kind: StepKind, token: string, boundTo: string): Promise<T | undefined>;
  /** Spends it: of two at once, one gets nothing. */
  take<T>(kind: StepKind, token: string, boundTo: string): Promise<T | undefined>;
}

export function createSteps({ storage, now }: { storage: Storage; now: () => number }): Steps {
  const { db, vault } = storage;
  const hashOf = (kind: StepKind, token: string) => vault.keyedHash("sign-in-step", `${kind}:${token}`);
  const place = (row: string) => ({ table: "sign_in_steps", column: "sealed", row });
  const read: Steps["read"] = async <T>(kind: StepKind, token: string, boundTo: string) => {
    const hash = hashOf(kind, token);
    const row = await db.selectFrom("sign_in_steps").selectAll().where("token_hash", "=", hash).where("kind", "=", kind).where("bound_to", "=", boundTo).where("expires_at", ">", now()).executeTakeFirst();
    return row && (JSON.parse(vault.open(place(hash), row.sealed)) as T);
  };
  return {
    async put(kind, token, boundTo, value, lifetime) {
      const hash = hashOf(kind, token);
      await db.deleteFrom("sign_in_steps").where("expires_at", "<=", now()).execute();
      await db.insertInto("sign_in_steps").values({ token_hash: hash, kind, bound_to: boundTo, sealed: vault.seal(place(hash), JSON.stringify(value)), expires_at: now() + lifetime * 1000 }).execute();
    },
    read,
    async take<T>(kind: StepKind, token: string, boundTo: string) {
      const value = await read<T>(kind, token, boundTo);
      if (value === undefined) return undefined;
      const { numDeletedRows } = await db.deleteFrom("sign_in_steps").where("token_hash", "=", hashOf(kind, token)).executeTakeFirst();
      return numDeletedRows === 1n ? value : undefined;
    },
  };
}

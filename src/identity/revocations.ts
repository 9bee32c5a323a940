/**
 * What was revoked before its time: single tokens by `jti`, all tokens of a grant, all of a client. Held in memory, shared between processes by
 * announcement, and asked at every use of a token; an entry is forgotten when the last token concerned has expired by itself.
 */
import type { Principal } from "../kernel/principal.ts";
import type { Storage, Write } from "../storage/index.ts";

export interface Revocations {
  isRevoked(token: Pick<Principal, "tokenId" | "grantId" | "clientId">): boolean;
  /** Within the transaction that removes what is revoked. `announce` is that of `storage.write`. */
  revokeIn(transaction: Write, announce: (change: { topic: "revocation"; ref: string }) => void, what: Revoked): Promise<void>;
  /** Forgets what has expired. */
  sweep(): Promise<void>;
  close(): void;
}

export type Revoked = { tokenId: string } | { grantId: string } | { clientId: string };

export interface RevocationsOptions {
  storage: Storage;
  /** Longest life of an access token, in seconds. */
  tokenLifetime: number;
  now: () => number;
}

const leeway = 60_000;

export async function openRevocations({ storage, tokenLifetime, now }: RevocationsOptions): Promise<Revocations> {
  let revoked = new Set<string>();
  const load = async () => {
    const rows = await storage.db.selectFrom("oauth_revocations").select("ref").where("expires_at", ">", now()).execute();
    revoked = new Set(rows.map(({ ref }) => ref));
  };
  const stop = storage.onChange(async (change) => {
    if (change === undefined) await load();
    else if (change.topic === "revocation" && change.ref !== undefined) revoked.add(change.ref);
  });
  await load();
  return {
    isRevoked: ({ tokenId, grantId, clientId }) => revoked.size > 0 && (revoked.has(`token:${tokenId}`) || (grantId !== undefined && revoked.has(`grant:${grantId}`)) || (clientId !== undefined && revoked.has(`client:${clientId}`))),
    async revokeIn(transaction, announce, what) {
      const ref = "tokenId" in what ? `token:${what.tokenId}` : "grantId" in what ? `grant:${what.grantId}` : `client:${what.clientId}`;
      const expires_at = now() + tokenLifetime * 1000 + leeway;
      await transaction.insertInto("oauth_revocations").values({ ref, expires_at }).onConflict((conflict) => conflict.column("ref").doUpdateSet({ expires_at })).execute();
      announce({ topic: "revocation", ref });
    },
    async sweep() {
      await storage.db.deleteFrom("oauth_revocations").where("expires_at", "<=", now()).execute();
      await load();
    },
    close: stop,
  };
}

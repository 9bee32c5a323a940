/**
 * The authorization server's storage on both databases, in the shape that oidc-provider asks for. Ids (which are the tokens and codes
 * themselves) are stored as keyed hashes, payloads as envelopes. What belongs to an account ends with the account's epoch; consuming is
 * atomic, so that of two uses at once one is a reuse, which revokes the grant.
 */
import type { Adapter, AdapterPayload } from "oidc-provider";
import type { Audit } from "../../audit/index.ts";
import type { Snapshot } from "../../snapshot/index.ts";
import type { Storage, Write } from "../../storage/index.ts";
import type { Revocations } from "../revocations.ts";

export interface Records {
  /** For one of oidc-provider's models, other than Client. */
  adapter(model: string): Adapter;
  /** @returns what identifies the grant in tokens, in the revocation list and in our own pages. */
  grantHash(grantId: string): string;
  /** Ends a grant with all its codes and tokens. */
  revokeGrant(grantHash: string, reason: string): Promise<void>;
  /** Live grants of an account. */
  grantsOf(accountId: string): Promise<GrantRecord[]>;
  /** Remembers a one-time id until it expires. @returns false when it was there already. */
  remember(kind: string, id: string, expiresAt: number): Promise<boolean>;
  sweep(): Promise<void>;
}

export interface GrantRecord {
  hash: string;
  clientId: string;
  /** Audience → scopes. */
  resources: Record<string, string>;
  createdAt: number;
  expiresAt: number;
}

export interface RecordsOptions {
  storage: Storage;
  snapshot: Pick<Snapshot, "users">;
  revocations: Revocations;
  audit: Audit;
  now: () => number;
}

/** Far beyond any lifetime, for what oidc-provider stores without one. */
const forever = 10 * 365 * 86_400;
/** An id is needed again where the record is found by something else. */
const foundOtherwise = new Set(["DeviceCode"]);

export function createRecords({ storage, snapshot, revocations, audit, now }: RecordsOptions): Records {
  const { db, vault } = storage;
  const hashOf = (model: string, id: string) => vault.keyedHash(`oauth:${model}`, id);
  const grantHash = (grantId: string) => hashOf("Grant", grantId);
  const place = (row: string) => ({ table: "oauth_records", column: "payload", row });
  const endGrant = async (transaction: Write, announce: Parameters<Revocations["revokeIn"]>[1], hash: string, reason: string) => {
    const { numDeletedRows } = await transaction.deleteFrom("oauth_records").where((where) => where.or([where("grant_hash", "=", hash), where("id_hash", "=", hash)])).executeTakeFirst();
    await revocations.revokeIn(transaction, announce, { grantId: hash });
    if (numDeletedRows > 0n) await audit.recordIn(transaction, { type: "oauth.grant.revoked", subject: `oauth-grant:${hash}`, detail: { reason } });
  };
  const revokeGrant = (hash: string, reason: string) => storage.write((transaction, announce) => endGrant(transaction, announce, hash, reason));

  const adapter = (model: string): Adapter => {
    const find = async (column: "id_hash" | "user_code_hash", hash: string, id?: string): Promise<AdapterPayload | undefined> => {
      const row = await db.selectFrom("oauth_records").selectAll().where("model", "=", model).where(column, "=", hash).executeTakeFirst();
      if (!row || row.expires_at <= now()) return undefined;
      if (row.account_id !== null) {
        const user = snapshot.users.get(row.account_id);
        if (!user || user.disabled || user.epoch !== row.epoch) return undefined;
      }
      const payload = JSON.parse(vault.open(place(row.id_hash), row.payload)) as AdapterPayload;
      return { ...payload, ...(id === undefined ? {} : { jti: id }), ...(row.consumed_at === null ? {} : { consumed: Math.floor(row.consumed_at / 1000) }) };
    };
    return {
      async upsert(id, payload, expiresIn) {
        const id_hash = hashOf(model, id);
        // When it was consumed has a column of its own; its id is not kept.
        const rest: Record<string, unknown> = { ...payload };
        delete rest["consumed"];
        if (!foundOtherwise.has(model)) delete rest["jti"];
        const accountId = payload.accountId;
        const values = {
          model,
          payload: vault.seal(place(id_hash), JSON.stringify(rest)),
          grant_hash: payload.grantId === undefined ? null : grantHash(payload.grantId),
          user_code_hash: payload.userCode === undefined ? null : hashOf("user-code", payload.userCode),
          account_id: accountId ?? null,
          client_id: payload.clientId ?? null,
          epoch: accountId === undefined ? null : (snapshot.users.get(accountId)?.epoch ?? 0),
          expires_at: now() + (expiresIn ?? forever) * 1000,
        };
        await storage.write((transaction) => transaction.insertInto("oauth_records").values({ id_hash, created_at: now(), consumed_at: null, ...values }).onConflict((conflict) => conflict.column("id_hash").doUpdateSet(values)).execute());
      },
      find: (id) => find("id_hash", hashOf(model, id), id),
      findByUserCode: (userCode) => find("user_code_hash", hashOf("user-code", userCode)),
      // Browser sessions are not oidc-provider's: its own last for one redirect.
      findByUid: async () => undefined,
      async consume(id) {
        const id_hash = hashOf(model, id);
        const { numUpdatedRows } = await storage.write((transaction) => transaction.updateTable("oauth_records").set({ consumed_at: now() }).where("id_hash", "=", id_hash).where("consumed_at", "is", null).executeTakeFirstOrThrow());
        if (numUpdatedRows === 1n) return;
        const row = await db.selectFrom("oauth_records").select("grant_hash").where("id_hash", "=", id_hash).executeTakeFirst();
        if (row?.grant_hash) await revokeGrant(row.grant_hash, "reuse");
        const { errors } = await import("oidc-provider");
        throw new errors.InvalidGrant("used before");
      },
      async destroy(id) {
        const id_hash = hashOf(model, id);
        await storage.write(async (transaction, announce) => {
          await transaction.deleteFrom("oauth_records").where("id_hash", "=", id_hash).execute();
          if (model === "AccessToken" || model === "ClientCredentials") await revocations.revokeIn(transaction, announce, { tokenId: id });
        });
      },
      // oidc-provider asks each of its models; one is enough, all go together.
      revokeByGrantId: async (grantId) => (model === "AccessToken" ? revokeGrant(grantHash(grantId), "revoked") : undefined),
    };
  };

  return {
    adapter,
    grantHash,
    revokeGrant,
    async grantsOf(accountId) {
      const rows = await db.selectFrom("oauth_records").selectAll().where("model", "=", "Grant").where("account_id", "=", accountId).where("expires_at", ">", now()).orderBy("created_at", "desc").execute();
      const epoch = snapshot.users.get(accountId)?.epoch;
      return rows
        .filter((row) => row.epoch === epoch)
        .map((row) => {
          const { resources = {}, clientId = "" } = JSON.parse(vault.open(place(row.id_hash), row.payload)) as { resources?: Record<string, string>; clientId?: string };
          return { hash: row.id_hash, clientId, resources, createdAt: row.created_at, expiresAt: row.expires_at };
        });
    },
    async remember(kind, id, expiresAt) {
      const id_hash = hashOf(kind, id);
      const at = now();
      // One that has expired makes room for the same id anew.
      return storage.write(async (transaction) => {
        await transaction.deleteFrom("oauth_records").where("id_hash", "=", id_hash).where("expires_at", "<=", at).execute();
        const { numInsertedOrUpdatedRows } = await transaction
          .insertInto("oauth_records")
          .values({ id_hash, model: kind, payload: "", grant_hash: null, user_code_hash: null, account_id: null, client_id: null, epoch: null, consumed_at: null, created_at: at, expires_at: expiresAt })
          .onConflict((conflict) => conflict.column("id_hash").doNothing())
          .executeTakeFirstOrThrow();
        return numInsertedOrUpdatedRows === 1n;
      });
    },
    async sweep() {
      await db.deleteFrom("oauth_records").where("expires_at", "<=", now()).execute();
    },
  };
}

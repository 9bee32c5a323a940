/**
 * API keys: for programs that cannot fetch tokens. Shown once, stored as a keyed hash, always expiring, no more able than their user and
 * narrowed to servers and tools at will. The snapshot holds the hashes, so a revoked key ends in every process at once.
 */
import type { Audit } from "../../audit/index.ts";
import { newId } from "../../kernel/ids.ts";
import { problem } from "../../kernel/problem.ts";
import type { Scope } from "../../kernel/scopes.ts";
import type { Log } from "../../kernel/log.ts";
import type { Snapshot } from "../../snapshot/index.ts";
import type { Storage, Tables } from "../../storage/index.ts";
import type { Selectable } from "kysely";
import { Refused, type Verifier } from "../tokens.ts";
import type { Doer } from "../users.ts";
import { isKeyForm, mintKey } from "./key-format.ts";

export interface NewApiKey {
  userId: string;
  name: string;
  scopes: readonly Scope[];
  servers: readonly string[] | undefined;
  tools: readonly string[] | undefined;
  /** Milliseconds. */
  expiresAt: number;
}

export type ApiKeyRow = Selectable<Tables["api_keys"]>;

export interface ApiKeys {
  /** @returns the key itself, this once. @throws Problem 409 beyond the limit of keys, 422 for an expiry that is not allowed. */
  create(key: NewApiKey, by: Doer): Promise<{ key: string; row: ApiKeyRow }>;
  /** Live and ended ones, newest first. */
  list(userId: string | undefined): Promise<ApiKeyRow[]>;
  /** @throws Problem 404. */
  find(id: string): Promise<ApiKeyRow>;
  revoke(row: ApiKeyRow, by: Doer): Promise<void>;
  /** For `createTokens`. */
  readonly verifier: Verifier;
}

export interface ApiKeysOptions {
  storage: Storage;
  snapshot: Pick<Snapshot, "apiKeys">;
  audit: Audit;
  log: Log;
  /** Seconds. */
  longestLife: number;
  now: () => number;
}

const purpose = "api-key";
const mostPerUser = 100;
/** How exactly the last use is known, in milliseconds: a write per call would cost more than the call. */
const useInterval = 60_000;

export function createApiKeys({ storage, snapshot, audit, log, longestLife, now }: ApiKeysOptions): ApiKeys {
  const lastUse = new Map<string, number>();
  const noteUse = (id: string) => {
    const at = now();
    if (at - (lastUse.get(id) ?? 0) < useInterval) return;
    lastUse.set(id, at);
    storage.db
      .updateTable("api_keys")
      .set({ last_used_at: at })
      .where("id", "=", id)
      .where((where) => where.or([where("last_used_at", "is", null), where("last_used_at", "<=", at - useInterval)]))
      .execute()
      .catch((error: unknown) => log.error("api-key.use.unnoted", { error }));
  };
  /** A key that was hashed under the root key before rotation is found once, and hashed anew. */
  const adopt = async (key: string, current: string): Promise<string> => {
    const old = storage.vault.previousKeyedHashes(purpose, key).find((candidate) => snapshot.apiKeys.has(candidate));
    if (old === undefined) throw new Refused("key-unknown");
    const { id = "" } = snapshot.apiKeys.get(old) ?? {};
    await storage.write(async (transaction, announce) => {
      await transaction.updateTable("api_keys").set({ key_hash: current }).where("id", "=", id).execute();
      announce({ topic: "api-key", ref: id });
    });
    return current;
  };
  return {
    async create({ userId, name, scopes, servers, tools, expiresAt }, by) {
      const refuse = (message: string) => problem("invalid", { detail: `expiresAt: ${message}`, errors: [{ field: "expiresAt", message }] });
      if (expiresAt <= now()) throw refuse("must be in the future");
      // A minute of grace, so that "exactly the longest" said by another clock is accepted.
      if (expiresAt > now() + longestLife * 1000 + 60_000) throw refuse(`must be within ${longestLife} seconds (SALLYPORT_API_KEY_MAX_LIFETIME)`);
      const { key, prefix } = mintKey();
      const row: ApiKeyRow = {
        id: newId(),
        user_id: userId,
        name,
        prefix,
        key_hash: storage.vault.keyedHash(purpose, key),
        scopes: JSON.stringify(scopes),
        servers: servers ? JSON.stringify(servers) : null,
        tools: tools ? JSON.stringify(tools) : null,
        created_by: by.actorId ?? "",
        created_at: now(),
        expires_at: expiresAt,
        last_used_at: null,
        revoked_at: null,
      };
      await storage.write(async (transaction, announce) => {
        const live = await transaction.selectFrom("api_keys").select("id").where("user_id", "=", userId).where("revoked_at", "is", null).where("expires_at", ">", now()).execute();
        if (live.length >= mostPerUser) throw problem("conflict", { detail: `There are ${mostPerUser} live keys already; revoke one first` });
        await transaction.insertInto("api_keys").values(row).execute();
        await audit.recordIn(transaction, { type: "api-key.created", ...by, subject: `user:${userId}`, detail: { prefix, scopes, servers, tools, expires: new Date(expiresAt).toISOString() } });
        announce({ topic: "api-key", ref: row.id });
      });
      return { key, row };
    },
    list: (userId) =>
      storage.db
        .selectFrom("api_keys")
        .selectAll()
        .$if(userId !== undefined, (query) => query.where("user_id", "=", userId ?? ""))
        .orderBy("created_at", "desc")
        .orderBy("id", "desc")
        .limit(1000)
        .execute(),
    async find(id) {
      const row = await storage.db.selectFrom("api_keys").selectAll().where("id", "=", id).executeTakeFirst();
      if (!row) throw problem("not-found", { detail: "No such key" });
      return row;
    },
    async revoke(row, by) {
      await storage.write(async (transaction, announce) => {
        await transaction.updateTable("api_keys").set({ revoked_at: now() }).where("id", "=", row.id).where("revoked_at", "is", null).execute();
        await audit.recordIn(transaction, { type: "api-key.revoked", ...by, subject: `user:${row.user_id}`, detail: { prefix: row.prefix } });
        announce({ topic: "api-key", ref: row.id });
      });
    },
    verifier: {
      recognises: (credential) => credential.startsWith("sp_"),
      async check(credential) {
        if (!isKeyForm(credential)) throw new Refused("key-form");
        const hash = storage.vault.keyedHash(purpose, credential);
        const state = snapshot.apiKeys.get(hash) ?? snapshot.apiKeys.get(await adopt(credential, hash));
        if (state === undefined) throw new Refused("key-unknown");
        const { id, userId, servers, tools } = state;
        const expiresAt = Math.floor(state.expiresAt / 1000);
        const restrictions = servers || tools ? { ...(servers ? { servers } : {}), ...(tools ? { tools } : {}) } : undefined;
        return {
          userId,
          expiresAt,
          principal: (user) =>
            Object.freeze({
              userId,
              scopes: new Set(state.scopes.filter((scope) => user.scopes.includes(scope))),
              audience: [],
              tokenId: id,
              expiresAt,
              kind: user.kind ?? "person",
              groups: user.groups ?? [],
              keyId: id,
              ...(restrictions ? { restrictions } : {}),
            }),
          isCurrent: () => snapshot.apiKeys.get(hash)?.id === id,
          // A key is for this installation, not for one endpoint of it; `servers` narrows it.
          opens: () => true,
          used: () => noteUse(id),
        };
      },
    },
  };
}

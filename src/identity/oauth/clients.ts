/**
 * Pre-registered OAuth clients: public, with a secret, or with a key of their own (private_key_jwt). A client that gets tokens for itself
 * (client_credentials) acts as an account: its scopes, its grants, its end.
 */
import type { ClientMetadata } from "oidc-provider";
import type { Audit } from "../../audit/index.ts";
import { newId, newToken } from "../../kernel/ids.ts";
import { problem } from "../../kernel/problem.ts";
import type { Scope } from "../../kernel/scopes.ts";
import type { Snapshot, UserState } from "../../snapshot/index.ts";
import type { Storage, Tables, Vault } from "../../storage/index.ts";
import type { Selectable } from "kysely";
import type { Revocations } from "../revocations.ts";
import type { Doer } from "../users.ts";

/** The command line, which every installation knows. */
export const cliClient: ClientMetadata = {
  client_id: "sallyport-cli",
  client_name: "Sallyport command line",
  application_type: "native",
  grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
  response_types: [],
  redirect_uris: [],
  token_endpoint_auth_method: "none",
};

export type AuthMethod = "none" | "client_secret_basic" | "client_secret_post" | "private_key_jwt";

export interface NewClient {
  name: string;
  authMethod: AuthMethod;
  grantTypes: readonly string[];
  redirectUris: readonly string[];
  jwks?: Record<string, unknown> | undefined;
  jwksUri?: string | undefined;
  scopes: readonly Scope[];
  /** User name of the account that it acts as; needed for client_credentials. */
  actsAs?: string | undefined;
  requireDpop: boolean;
}

export interface OAuthClient {
  clientId: string;
  name: string;
  authMethod: string;
  grantTypes: readonly string[];
  redirectUris: readonly string[];
  scopes: readonly string[];
  actsAs: string | undefined;
  requireDpop: boolean;
  createdAt: number;
}

export interface Clients {
  list(): Promise<OAuthClient[]>;
  /** @throws Problem 404. */
  get(clientId: string): Promise<OAuthClient>;
  /** @returns the secret once, for a client that has one. */
  create(client: NewClient, by: Doer): Promise<{ client: OAuthClient; secret: string | undefined }>;
  /** A new secret; the old one ends at once. @throws Problem 404, or 409 for a client without a secret. */
  renewSecret(clientId: string, by: Doer): Promise<string>;
  remove(clientId: string, by: Doer): Promise<void>;
  /** As oidc-provider takes it; undefined when unknown. */
  metadataOf(clientId: string): Promise<ClientMetadata | undefined>;
  /** The account whose grants the client's own tokens use. */
  accountOf(clientId: string): Promise<UserState | undefined>;
  /** What the client's own tokens may hold: its scopes, as far as its account holds them. */
  ownScopes(clientId: string): Promise<readonly string[]>;
  /** RFC 7591, where that is switched on. */
  registerDynamically(clientId: string, metadata: ClientMetadata): Promise<void>;
}

export interface ClientsOptions {
  storage: Storage;
  snapshot: Pick<Snapshot, "users">;
  audit: Audit;
  revocations: Revocations;
  now: () => number;
}

export function secretHashOf(vault: Pick<Vault, "keyedHash">, secret: string): string {
  return vault.keyedHash("oauth-client-secret", secret);
}

export function createClients({ storage, snapshot, audit, revocations, now }: ClientsOptions): Clients {
  const { db, vault } = storage;
  const find = (clientId: string) => db.selectFrom("oauth_clients").selectAll().where("client_id", "=", clientId).executeTakeFirst();
  const existing = async (clientId: string) => {
    const row = await find(clientId);
    if (!row) throw problem("not-found", { detail: "No such client" });
    return row;
  };
  const present = (row: Selectable<Tables["oauth_clients"]>): OAuthClient => {
    const metadata = JSON.parse(row.metadata) as ClientMetadata;
    return {
      clientId: row.client_id,
      name: row.name,
      authMethod: metadata.token_endpoint_auth_method ?? "none",
      grantTypes: metadata.grant_types ?? [],
      redirectUris: metadata.redirect_uris ?? [],
      scopes: JSON.parse(row.scopes) as string[],
      actsAs: row.acts_as === null ? undefined : snapshot.users.get(row.acts_as)?.username,
      requireDpop: metadata.dpop_bound_access_tokens === true,
      createdAt: row.created_at,
    };
  };
  const accountOf = async (clientId: string): Promise<UserState | undefined> => {
    const row = await find(clientId);
    return snapshot.users.get(row?.acts_as ?? "");
  };
  const insert = async (clientId: string, { name, metadata, secretHash, scopes, actsAs }: { name: string; metadata: ClientMetadata; secretHash?: string | undefined; scopes: readonly string[]; actsAs?: string | undefined }, by: Doer) => {
    const at = now();
    await storage.write(async (transaction) => {
      await transaction.insertInto("oauth_clients").values({ client_id: clientId, name, metadata: JSON.stringify(metadata), secret_hash: secretHash ?? null, scopes: JSON.stringify(scopes), acts_as: actsAs ?? null, created_at: at, updated_at: at }).execute();
      await audit.recordIn(transaction, { type: "oauth.client.created", ...by, subject: `oauth-client:${clientId}`, detail: { client: clientId, name, grants: metadata.grant_types ?? [] } });
    });
  };

  return {
    list: async () => (await db.selectFrom("oauth_clients").selectAll().orderBy("client_id").execute()).map(present),
    get: async (clientId) => present(await existing(clientId)),
    async create(client, by) {
      const actsAs = client.actsAs === undefined ? undefined : [...snapshot.users.values()].find((user) => user.username === client.actsAs);
      if (client.actsAs !== undefined && !actsAs) throw problem("invalid", { detail: "actsAs: no such user", errors: [{ field: "actsAs", message: "No such user" }] });
      const clientId = newId(now());
      const secret = client.authMethod.startsWith("client_secret") ? newToken() : undefined;
      const metadata: ClientMetadata = {
        client_id: clientId,
        client_name: client.name,
        token_endpoint_auth_method: client.authMethod,
        grant_types: [...client.grantTypes],
        response_types: client.grantTypes.includes("authorization_code") ? ["code"] : [],
        redirect_uris: [...client.redirectUris],
        response_modes: ["query"],
        application_type: client.redirectUris.length > 0 && client.redirectUris.every((uri) => !uri.startsWith("https:")) ? "native" : "web",
        ...(client.jwks ? { jwks: client.jwks as never } : {}),
        ...(client.jwksUri ? { jwks_uri: client.jwksUri } : {}),
        ...(client.requireDpop ? { dpop_bound_access_tokens: true } : {}),
      };
      await insert(clientId, { name: client.name, metadata, secretHash: secret && secretHashOf(vault, secret), scopes: client.scopes, actsAs: actsAs?.id }, by);
      return { client: await this.get(clientId), secret };
    },
    async renewSecret(clientId, by) {
      const row = await existing(clientId);
      if (row.secret_hash === null) throw problem("conflict", { detail: "This client has no secret" });
      const secret = newToken();
      await storage.write(async (transaction) => {
        await transaction.updateTable("oauth_clients").set({ secret_hash: secretHashOf(vault, secret), updated_at: now() }).where("client_id", "=", clientId).execute();
        await audit.recordIn(transaction, { type: "oauth.client.secret.renewed", ...by, subject: `oauth-client:${clientId}`, detail: { client: clientId } });
      });
      return secret;
    },
    async remove(clientId, by) {
      await existing(clientId);
      await storage.write(async (transaction, announce) => {
        await transaction.deleteFrom("oauth_records").where("client_id", "=", clientId).execute();
        await revocations.revokeIn(transaction, announce, { clientId });
        await transaction.deleteFrom("oauth_clients").where("client_id", "=", clientId).execute();
        await audit.recordIn(transaction, { type: "oauth.client.removed", ...by, subject: `oauth-client:${clientId}`, detail: { client: clientId } });
      });
    },
    async metadataOf(clientId) {
      const row = await find(clientId);
      // Compared as a keyed hash: what oidc-provider takes for the secret is the stored one's hash.
      return row && { ...(JSON.parse(row.metadata) as ClientMetadata), ...(row.secret_hash === null ? {} : { client_secret: row.secret_hash }) };
    },
    accountOf,
    async ownScopes(clientId) {
      const [row, account] = [await find(clientId), await accountOf(clientId)];
      if (!row || !account || account.disabled) return [];
      return (JSON.parse(row.scopes) as string[]).filter((scope) => account.scopes.includes(scope));
    },
    registerDynamically: (clientId, metadata) => insert(clientId, { name: metadata.client_name ?? clientId, metadata: { ...metadata, client_id: clientId, response_modes: ["query"] }, scopes: [] }, {}),
  };
}

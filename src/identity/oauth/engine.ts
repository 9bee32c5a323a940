/**
 * oidc-provider, configured: OAuth 2.1 as MCP asks for it, or FAPI 2.0. Loaded at the first request that needs it, and made anew when the
 * signing key changes. Access tokens of its own are short ids that only the token endpoint sees: it answers with JWTs of ours in their place.
 */
import { KeyObject } from "node:crypto";
import type { AccessToken, Adapter, Client, ClientCredentials, ClientMetadata, Configuration, Provider } from "oidc-provider";
import type { Audit } from "../../audit/index.ts";
import { sameText } from "../../kernel/digest.ts";
import { newId } from "../../kernel/ids.ts";
import type { Log } from "../../kernel/log.ts";
import type { Outbound } from "../../net/outbound.ts";
import type { Snapshot } from "../../snapshot/index.ts";
import type { Vault } from "../../storage/index.ts";
import type { Keys } from "../keys.ts";
import type { Resources } from "../resources.ts";
import { cliClient, secretHashOf, type Clients } from "./clients.ts";
import type { Records } from "./records.ts";

export type OAuthProfile = "mcp" | "fapi2";

export interface EngineOptions {
  issuer: string;
  profile: OAuthProfile;
  keys: Keys;
  records: Records;
  clients: Clients;
  snapshot: Pick<Snapshot, "users">;
  resources: Resources;
  vault: Vault;
  outbound: Pick<Outbound, "fetch">;
  audit: Audit;
  log: Log;
  /** Hosts whose client metadata documents are read; "*" stands for every public one. */
  clientHosts: readonly string[];
  registration: boolean;
  /** Seconds. */
  tokenLifetime: number;
  refreshLifetime: number;
  extraGrants: readonly ExtraGrant[];
  /** What an access token that is about to be saved carries besides. */
  furtherClaims(token: object): Record<string, unknown> | undefined;
  now: () => number;
}

/** A grant type beyond oidc-provider's own. */
export interface ExtraGrant {
  name: string;
  parameters: readonly string[];
  handle(provider: Provider, context: GrantContext): Promise<void>;
}

/** What a grant handler sees of oidc-provider's context. */
export interface GrantContext {
  body: unknown;
  oidc: { client: Client; params: Record<string, string | undefined>; entity(kind: string, value: unknown): void };
}

export interface Engine {
  get(): Promise<Provider>;
  /** The token that stands behind an id which the token endpoint answered with. */
  findToken(id: string): Promise<AccessToken | ClientCredentials | undefined>;
}

export const routes = { authorization: "/authorize", token: "/token", jwks: "/.well-known/jwks.json", pushed_authorization_request: "/par", device_authorization: "/device_authorization", code_verification: "/device", revocation: "/revoke", introspection: "/introspect", registration: "/register" } as const;

export const deviceGrantType = "urn:ietf:params:oauth:grant-type:device_code";

const interactionLifetime = 1800;
const sessionLifetime = 600;
const fetchesPerMinute = 60;
/** Grant types that anybody may register for. */
const registrable = new Set(["authorization_code", "refresh_token"]);

export function createEngine(options: EngineOptions): Engine {
  let current: { kid: string; provider: Promise<Provider> } | undefined;
  const get = async (): Promise<Provider> => {
    const { kid } = await options.keys.signing();
    if (current?.kid !== kid) current = { kid, provider: build(options) };
    return current.provider;
  };
  return {
    get,
    async findToken(id) {
      const provider = await get();
      return (await provider.AccessToken.find(id)) ?? (await provider.ClientCredentials.find(id));
    },
  };
}

async function build(options: EngineOptions): Promise<Provider> {
  const { issuer, profile, keys, records, clients, snapshot, resources, vault, outbound, log, clientHosts, registration, tokenLifetime, refreshLifetime, extraGrants, audit, now } = options;
  const { Provider, ExternalSigningKey, errors } = await load(log);
  const fapi = profile === "fapi2";
  const signing = await keys.signing();
  const publicKey = keys.verification(signing.kid);
  if (!publicKey) throw new Error("The signing key is not among the published ones");

  const algorithm = signing.algorithm === "ES256" ? "ES256" : "EdDSA";

  /** Identity tokens are signed by our own key, whose private half stays where it is. */
  class SigningKey extends ExternalSigningKey {
    override get kid() {
      return signing.kid;
    }
    override get alg() {
      return algorithm;
    }
    override keyObject(): KeyObject {
      return KeyObject.from(publicKey?.key ?? signing.privateKey);
    }
    override async sign(data: Uint8Array): Promise<Uint8Array> {
      return new Uint8Array(await crypto.subtle.sign(algorithm === "ES256" ? { name: "ECDSA", hash: "SHA-256" } : "Ed25519", signing.privateKey, Uint8Array.from(data)));
    }
  }

  const mayFetch = createBudget(fetchesPerMinute, now);
  const asymmetric = fapi ? ["ES256", "PS256", "EdDSA", "Ed25519"] : ["ES256", "PS256", "RS256", "EdDSA", "Ed25519"];
  const configuration: Configuration = {
    adapter: (model: string): Adapter => (model === "Client" ? clientAdapter(clients, fapi, (message) => new errors.InvalidClientMetadata(message)) : records.adapter(model)),
    clients: fapi ? [] : [cliClient],
    clientDefaults: { id_token_signed_response_alg: algorithm, token_endpoint_auth_method: fapi ? "private_key_jwt" : "none" },
    clientAuthMethods: fapi ? ["private_key_jwt"] : ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
    // Of an assertion, so much of its future is forgiven (FAPI 2.0 section 5.3.2.1).
    clockTolerance: 10,
    claims: { openid: ["sub", "preferred_username"] },
    cookies: { names: { session: "session", interaction: "interaction", resume: "resume" }, keys: [vault.keyedHash("oauth-cookies", "key")], short: { signed: false, httpOnly: true, sameSite: "lax" }, long: { signed: false, httpOnly: true, sameSite: "lax" } },
    enabledJWA: { clientAuthSigningAlgValues: asymmetric as never, dPoPSigningAlgValues: ["ES256", "EdDSA", "Ed25519"] },
    expiresWithSession: async () => false,
    extraTokenClaims: async (ctx, token) => {
      const { AuthorizationCode: code, DeviceCode: device, RefreshToken: refresh } = ctx.oidc.entities;
      const { authTime, amr } = code ?? device ?? refresh ?? {};
      return { ...options.furtherClaims(token), ...(authTime === undefined ? {} : { auth_time: authTime, amr: amr ?? [] }) };
    },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: !fapi, charset: "base-20", mask: "****-****", deviceInfo: () => ({}) },
      introspection: { enabled: true, allowedPolicy: async (_ctx, client, token) => client.clientAuthMethod !== "none" || token.clientId === client.clientId },
      revocation: { enabled: true, allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId },
      registration: { enabled: registration && !fapi, issueRegistrationAccessToken: false, idFactory: () => newId() },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: fapi },
      dPoP: { enabled: true },
      fapi: fapi ? { enabled: true, profile: "2.0" } : { enabled: false },
      externalSigningSupport: { enabled: true, ack: "experimental-01" },
      clientIdMetadataDocument: {
        enabled: clientHosts.length > 0,
        ack: "draft-02",
        cacheDuration: { min: 60, max: 3600 },
        // Anybody can make us fetch by naming a client: few at a time, and only where clients may come from.
        allowFetch: async (_ctx, clientId) => isAllowedClientId(clientId, clientHosts) && mayFetch(),
        allowClient: async (_ctx, client) => {
          restrict(client, fapi);
          audit.record({ type: "oauth.client.read", detail: { client: client.clientId } });
          return client.redirectUris?.every(isSafeRedirect) ?? true;
        },
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: async (_ctx, _client, oneOf) => oneOf ?? resources.api.uri,
        useGrantedResource: async () => true,
        async getResourceServerInfo(ctx, indicator, client) {
          const resource = resources.parse(indicator);
          if (!resource) throw new errors.InvalidTarget("The resource is not one of this server's");
          // Of the account when it is known already, else at consent.
          const holder = ctx.oidc.params?.["grant_type"] === "client_credentials" ? await clients.ownScopes(client.clientId) : ctx.oidc.account ? (snapshot.users.get(ctx.oidc.account.accountId)?.scopes ?? []) : undefined;
          return { scope: resource.scopes.filter((scope) => holder === undefined || holder.includes(scope)).join(" "), audience: resource.uri, accessTokenFormat: "opaque", accessTokenTTL: tokenLifetime };
        },
      },
    },
    fetch: async (url, init) => {
      const { dispatcher: _theirs, ...rest } = (init ?? {}) as RequestInit & { dispatcher?: unknown };
      const response = await outbound.fetch(url, { ...rest, redirect: "manual" });
      if (response.status === 200 && !/^application\/(?:[\w.-]+\+)?json\b/i.test(response.headers.get("content-type") ?? "")) {
        await response.body?.cancel();
        throw new TypeError("The answer is not JSON");
      }
      return response;
    },
    fetchResponseBodyLimits: { "client_id metadata document": 5120, jwks_uri: 65_536, sector_identifier_uri: 5120 },
    findAccount: async (_ctx, accountId) => {
      const user = snapshot.users.get(accountId);
      return user && !user.disabled ? { accountId, claims: async () => ({ sub: accountId, preferred_username: user.username }) } : undefined;
    },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed("refresh_token"),
    jwks: { keys: [new SigningKey()] },
    // Consent is given anew to each authorization, or remembered by our own page: never by oidc-provider's session.
    loadExistingGrant: async (ctx) => {
      const grantId = ctx.oidc.result?.consent?.grantId;
      return grantId === undefined ? undefined : ctx.oidc.provider.Grant.find(grantId);
    },
    pkce: { required: () => true },
    renderError: (ctx, out) => void (ctx.body = out),
    responseTypes: ["code"],
    rotateRefreshToken: true,
    routes,
    scopes: ["openid", "offline_access"],
    ttl: {
      AccessToken: tokenLifetime,
      ClientCredentials: tokenLifetime,
      AuthorizationCode: 60,
      DeviceCode: 600,
      IdToken: 600,
      Interaction: interactionLifetime,
      Session: sessionLifetime,
      Grant: refreshLifetime,
      // Rotation does not prolong: a family ends when its first token would have (RFC 9700 section 4.14.2).
      RefreshToken: (ctx) => ctx?.oidc?.entities?.RotatedRefreshToken?.remainingTTL ?? refreshLifetime,
    },
  };
  const provider = new Provider(issuer, configuration);
  provider.proxy = false;
  provider.silent = true;
  provider.on("server_error", (_ctx, error) => log.error("oauth.failed", { error }));
  // Two presentations at once of an assertion or proof: one finds the other's entry.
  provider.ReplayDetection.unique = (iss: string, jti: string, exp: number) => records.remember("replay", `${iss}\n${jti}`, exp * 1000);
  // ast-grep-ignore: prototype-write -- oidc-provider's own way to compare secrets of which only hashes are kept: its class, not the platform's
  provider.Client.prototype.compareClientSecret = async function compareClientSecret(this: Client, actual: string) {
    return this.clientSecret !== undefined && sameText(this.clientSecret, secretHashOf(vault, actual));
  };
  for (const { name, parameters, handle } of extraGrants) provider.registerGrantType(name, (ctx) => handle(provider, ctx as unknown as GrantContext), [...parameters]);
  return provider;
}

/** It says on the console what it thinks of the runtime when it is loaded: that goes to the log. */
async function load(log: Log): Promise<typeof import("oidc-provider")> {
  const { warn } = console;
  const replaceWarn = (replacement: typeof warn) => {
    // ast-grep-ignore: console -- silenced while the library loads, not written to
    console.warn = replacement; // oxlint-disable-line no-console -- silenced while the library loads, not written to
  };
  replaceWarn((text: unknown) => log.debug("oauth.notice", { reason: String(text) }));
  try {
    return await import("oidc-provider");
  } finally {
    replaceWarn(warn);
  }
}

/** Pre-registered clients come from their table; nothing is written through oidc-provider but what dynamic registration makes. */
function clientAdapter(clients: Clients, fapi: boolean, refusal: (message: string) => Error): Adapter {
  const none = async () => undefined;
  return {
    async find(clientId) {
      const metadata = await clients.metadataOf(clientId);
      return metadata && { ...metadata, ...(fapi ? { dpop_bound_access_tokens: true, require_pushed_authorization_requests: true } : {}) };
    },
    async upsert(clientId, metadata) {
      if (!metadata.redirect_uris?.every(isSafeRedirect)) throw refusal("redirect_uris must be https, http on loopback, or a private-use scheme with a dot");
      if (metadata.token_endpoint_auth_method !== "none" || metadata.grant_types?.some((type) => !registrable.has(type))) throw refusal("only public clients for authorization_code and refresh_token are registered dynamically");
      await clients.registerDynamically(clientId, metadata as ClientMetadata);
    },
    destroy: none,
    consume: none,
    findByUid: none,
    findByUserCode: none,
    revokeByGrantId: none,
  };
}

/** Client ID Metadata Document, section 3: a URL with a path. */
function isAllowedClientId(clientId: string, hosts: readonly string[]): boolean {
  const url = URL.parse(clientId);
  return url !== null && url.pathname !== "/" && (hosts.includes("*") || hosts.includes(url.host));
}

/** At most so many in any minute. */
function createBudget(perMinute: number, now: () => number): () => boolean {
  let spent: number[] = [];
  return () => {
    const at = now();
    spent = spent.filter((time) => at - time < 60_000);
    if (spent.length >= perMinute) return false;
    spent.push(at);
    return true;
  };
}

/** Answers go back in the query only, and under FAPI every token is bound. */
function restrict(client: Client, fapi: boolean): void {
  Object.assign(client, { responseModes: ["query"] }, fapi ? { dpopBoundAccessTokens: true } : {});
  // A loopback redirect is an application on the person's machine, which listens on whatever port is free (RFC 8252 section 7.3).
  if (client.redirectUris?.some(isLoopbackRedirect)) Object.assign(client, { applicationType: "native" });
}

/** https, http on loopback, or a private-use scheme with a dot (RFC 8252 section 7.1). */
export function isSafeRedirect(uri: string): boolean {
  const url = URL.parse(uri);
  if (url === null || url.hash !== "" || url.username !== "" || url.password !== "") return false;
  return url.protocol === "https:" || isLoopbackRedirect(uri) || /^[a-z][a-z0-9+-]*\.[a-z0-9+.-]+:$/.test(url.protocol);
}

export function isLoopbackRedirect(uri: string): boolean {
  const url = URL.parse(uri);
  return url?.protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
}

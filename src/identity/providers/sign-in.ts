/**
 * Signing in at an identity provider: OpenID Connect authorization code with PKCE, state, nonce and `iss` (RFC 9700, RFC 9207). A sign-in
 * that goes out is bound to the browser and to one provider, and comes back once.
 */
import * as oauth from "oauth4webapi";
import { importJWK, importPKCS8, type CryptoKey } from "jose";
import { z } from "zod";
import type { Audit } from "../../audit/index.ts";
import { sameText } from "../../kernel/digest.ts";
import { newToken } from "../../kernel/ids.ts";
import { parseUntrustedJson } from "../../kernel/json.ts";
import { Problem, problem } from "../../kernel/problem.ts";
import type { Outbound } from "../../net/outbound.ts";
import type { RequestInfo } from "../../net/route.ts";
import type { UserState } from "../../snapshot/index.ts";
import type { Storage } from "../../storage/index.ts";
import { createCookie } from "../cookies.ts";
import { returnPath } from "../return-to.ts";
import { Refused } from "../tokens.ts";
import { describePerson, peopleSettings } from "./claims.ts";
import { algorithms, type IssuerKeys } from "./issuer-keys.ts";
import type { People } from "./people.ts";
import type { Entry, EntryStore } from "./store.ts";

export const providerSettings = z.strictObject({
  title: z.string().min(1).max(100).regex(/^[^\p{C}]+$/u, "must be visible text").describe("On the sign-in page"),
  clientId: z.string().min(1).max(500),
  clientAuth: z.enum(["client_secret_basic", "client_secret_post", "private_key_jwt"]).default("client_secret_basic"),
  scopes: z.array(z.string().regex(/^[!#-[\]-~]{1,200}$/)).max(20).default(["openid", "profile", "email"]),
  idJag: z.boolean().default(false).describe("Accept its identity assertions (ID-JAG): it decides which clients may act for people here, without asking them"),
  ...peopleSettings,
});
export type ProviderSettings = z.output<typeof providerSettings>;
export type Provider = Entry<ProviderSettings>;

export interface ExternalSignIn {
  /** Enabled providers, for the sign-in page. */
  links(returnTo?: string): { label: string; href: string }[];
  /** @returns where to send the browser, and the cookie that binds it. @throws Problem. */
  start(provider: string, returnTo: string | undefined, request: RequestInfo): Promise<{ location: string; cookie: string }>;
  /** @param parameters of the redirect. @throws Problem 403 when anything does not fit; the reason is in the audit trail. */
  finish(provider: string, parameters: URLSearchParams, request: RequestInfo): Promise<{ user: UserState; factors: readonly ("federated" | "mfa")[]; returnTo: string }>;
}

export interface ExternalSignInOptions {
  entries: EntryStore<ProviderSettings>;
  keys: IssuerKeys;
  people: People;
  outbound: Pick<Outbound, "fetch">;
  storage: Storage;
  audit: Audit;
  publicUrl: string;
  now: () => number;
}

const lifetime = 600_000;
const flowSchema = z.object({ nonce: z.string(), verifier: z.string(), binding: z.string(), returnTo: z.string() });

export function createExternalSignIn({ entries, keys, people, outbound, storage, audit, publicUrl, now }: ExternalSignInOptions): ExternalSignIn {
  const cookie = createCookie(publicUrl, "sallyport-external");
  const redirectUri = (name: string) => `${publicUrl}/login/callback/${name}`;
  const enabled = (name: string): Provider => {
    const provider = entries.find(name);
    if (!provider.enabled) throw problem("not-found", { detail: "Nothing of that name" });
    return provider;
  };
  const place = (hash: string) => ({ table: "external_sign_ins", column: "sealed", row: hash });
  const clientOf = ({ settings }: Provider): oauth.Client => ({ client_id: settings.clientId });

  const clientAuth = async (provider: Provider): Promise<oauth.ClientAuth> => {
    const secret = entries.openSecret(provider) ?? "";
    if (provider.settings.clientAuth === "client_secret_basic") return oauth.ClientSecretBasic(secret);
    if (provider.settings.clientAuth === "client_secret_post") return oauth.ClientSecretPost(secret);
    const { key, kid } = await importClientKey(secret);
    return oauth.PrivateKeyJwt(kid === undefined ? key : { key, kid });
  };

  /** Takes the flow that `state` names out of the database: it works once, whatever comes of it. */
  const take = async (state: string, provider: Provider, request: RequestInfo) => {
    const hash = storage.vault.keyedHash("sign-in", state);
    const row = await storage.db.deleteFrom("external_sign_ins").where("state_hash", "=", hash).returningAll().executeTakeFirst();
    if (!row) throw new Refused("state");
    if (row.expires_at <= now()) throw new Refused("state-expired");
    // Mix-up (RFC 9700 section 4.4): the answer of one provider never goes to another, each has a redirect URI of its own.
    if (row.provider_id !== provider.id) throw new Refused("mix-up");
    const flow = flowSchema.parse(parseUntrustedJson(Buffer.from(storage.vault.open(place(hash), row.sealed))));
    // Sign-in forgery (RFC 6749 section 10.12): only the browser that began may end it.
    const binding = cookie.read(request.headers.get("cookie"));
    if (binding === undefined || !sameText(binding, flow.binding)) throw new Refused("browser");
    return flow;
  };

  const redeem = async (provider: Provider, parameters: URLSearchParams, request: RequestInfo) => {
    const state = parameters.get("state") ?? "";
    const flow = await take(state, provider, request);
    const server = await keys.metadata(provider.issuer);
    const client = clientOf(provider);
    // Checks state, error, and `iss` where it is given or announced.
    const checked = oauth.validateAuthResponse(server, client, parameters, state);
    const options = { [oauth.customFetch]: outbound.fetch, [oauth.allowInsecureRequests]: provider.issuer.startsWith("http:"), signal: AbortSignal.timeout(10_000) };
    const response = await oauth.authorizationCodeGrantRequest(server, client, await clientAuth(provider), checked, redirectUri(provider.name), flow.verifier, options);
    const answer = await oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce: flow.nonce, requireIdToken: true });
    const claims = await keys.verify(answer.id_token ?? "", provider.issuer, { algorithms: [...algorithms], audience: provider.settings.clientId, requiredClaims: ["iss", "aud", "exp", "iat", "sub", "nonce"], clockTolerance: 5, currentDate: new Date(now()) });
    const person = describePerson(provider.issuer, claims, provider.settings);
    const user = await people.resolve(person, provider.settings, provider.name, true, { requestId: request.id });
    return { user, factors: person.mfa ? (["federated", "mfa"] as const) : (["federated"] as const), returnTo: flow.returnTo };
  };

  return {
    links: (returnTo) =>
      entries
        .list()
        .filter((provider) => provider.enabled)
        .map(({ name, settings }) => ({ label: settings.title, href: `/login/external/${name}${returnTo === undefined ? "" : `?${new URLSearchParams({ return_to: returnTo })}`}` })),
    async start(name, returnTo, request) {
      const provider = enabled(name);
      let server: oauth.AuthorizationServer;
      try {
        server = await keys.metadata(provider.issuer);
      } catch (cause) {
        throw problem("unavailable", { detail: `${provider.settings.title} cannot be reached right now`, headers: { "retry-after": "30" }, cause });
      }
      if (server.authorization_endpoint === undefined) throw problem("unavailable", { detail: `${provider.settings.title} names no authorization endpoint` });
      const binding = cookie.read(request.headers.get("cookie")) ?? newToken();
      const [state, nonce, verifier] = [newToken(), newToken(), oauth.generateRandomCodeVerifier()];
      const hash = storage.vault.keyedHash("sign-in", state);
      await storage.db.deleteFrom("external_sign_ins").where("expires_at", "<", now()).execute();
      await storage.db
        .insertInto("external_sign_ins")
        .values({ state_hash: hash, provider_id: provider.id, sealed: storage.vault.seal(place(hash), JSON.stringify({ nonce, verifier, binding, returnTo: returnPath(returnTo) })), expires_at: now() + lifetime })
        .execute();
      const location = new URL(server.authorization_endpoint);
      const parameters = { client_id: provider.settings.clientId, response_type: "code", redirect_uri: redirectUri(provider.name), scope: provider.settings.scopes.join(" "), state, nonce, code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256" };
      for (const [parameter, value] of Object.entries(parameters)) location.searchParams.set(parameter, value);
      return { location: location.href, cookie: cookie.set(binding, lifetime / 1000) };
    },
    async finish(name, parameters, request) {
      const provider = enabled(name);
      try {
        const done = await redeem(provider, parameters, request);
        audit.record({ type: "authentication.external.succeeded", actorId: done.user.id, requestId: request.id, detail: { provider: name } });
        return done;
      } catch (error) {
        if (error instanceof Problem && error.status >= 500) throw error;
        audit.record({ type: "authentication.external.failed", requestId: request.id, detail: { provider: name, reason: reasonOf(error) } });
        throw problem("forbidden", { detail: "The sign-in was not accepted", cause: error });
      }
    },
  };
}

/** For the audit trail: codes, never what a provider wrote. */
function reasonOf(error: unknown): string {
  if (error instanceof Refused) return error.message;
  const { code, name } = error as { code?: unknown; name?: string };
  return typeof code === "string" ? code : (name ?? "unknown");
}

/** A private JWK, or PKCS #8 in PEM (an EC or RSA key; RS256 for the latter). @throws when it is neither. */
export async function importClientKey(text: string): Promise<{ key: CryptoKey; kid: string | undefined }> {
  if (text.trimStart().startsWith("{")) {
    const jwk = z.looseObject({ kty: z.enum(["RSA", "EC", "OKP"]), kid: z.string().optional(), alg: z.string().optional(), crv: z.string().optional() }).parse(parseUntrustedJson(Buffer.from(text)));
    const alg = jwk.alg ?? (jwk.kty === "RSA" ? "RS256" : jwk.kty === "OKP" ? "EdDSA" : jwk.crv === "P-384" ? "ES384" : "ES256");
    return { key: (await importJWK(jwk as Parameters<typeof importJWK>[0], alg)) as CryptoKey, kid: jwk.kid };
  }
  return { key: await importPKCS8(text, "RS256").catch(() => importPKCS8(text, "ES256")), kid: undefined };
}

/** An identity provider of somebody else's, for tests: a real oidc-provider on loopback, whose keys the test holds too, and a browser that follows it. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from "jose";
import { Provider, type ClientMetadata, type Configuration } from "oidc-provider";

export interface Idp {
  readonly issuer: string;
  /** How often each path was asked. */
  readonly asked: Map<string, number>;
  /** Who signs in next, and what the ID token says besides. */
  person: { sub: string } & Record<string, unknown>;
  /** Signed as the provider would, with a key of its JWKS. */
  sign(payload: JWTPayload, header?: Record<string, unknown>): Promise<string>;
  /** The public half of the signing key. */
  publicJwk(): Promise<object>;
  publicKey(): CryptoKey;
  /** New keys; the old ones are forgotten. */
  rotate(): Promise<void>;
  /** While true, it answers 503 to everything. */
  down: boolean;
  /** Instead of its own answers, by path. */
  readonly overrides: Map<string, (request: IncomingMessage, response: ServerResponse) => void>;
  /** As a browser: from the authorization URL to the redirect that leaves the provider. @returns that URL. */
  authorize(url: string): Promise<URL>;
  close(): Promise<void>;
}

export async function startIdp(clients: (issuer: string) => ClientMetadata[]): Promise<Idp> {
  let handler: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => void response.writeHead(503).end();
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    idp.asked.set(path, (idp.asked.get(path) ?? 0) + 1);
    const override = idp.overrides.get(path);
    if (idp.down) response.writeHead(503).end();
    else if (override) override(request, response);
    else handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let key: { kid: string; privateKey: CryptoKey; publicKey: CryptoKey };
  let generation = 0;

  const idp: Idp = {
    issuer,
    asked: new Map(),
    person: { sub: "nobody" },
    down: false,
    overrides: new Map(),
    sign: (payload, header = {}) => new SignJWT(payload).setProtectedHeader({ alg: "RS256", kid: key.kid, typ: "at+jwt", ...header }).sign(key.privateKey),
    publicJwk: () => exportJWK(key.publicKey),
    publicKey: () => key.publicKey,
    async rotate() {
      const pair = await generateKeyPair("RS256", { extractable: true });
      key = { kid: `key-${++generation}`, ...pair };
      handler = await provide(issuer, clients(issuer), { ...(await exportJWK(pair.privateKey)), kid: key.kid, alg: "RS256", use: "sig" }, () => idp.person);
    },
    async authorize(url) {
      const jar = new Map<string, string>();
      let next = new URL(url);
      for (let hop = 0; hop < 12; hop++) {
        if (next.origin !== issuer) return next;
        const response = await fetch(next, { redirect: "manual", headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") } });
        for (const cookie of response.headers.getSetCookie()) {
          const [pair = ""] = cookie.split(";");
          const at = pair.indexOf("=");
          jar.set(pair.slice(0, at), pair.slice(at + 1));
        }
        const location = response.headers.get("location");
        if (location === null) throw new Error(`the provider answered ${response.status}: ${(await response.text()).slice(0, 300)}`);
        next = new URL(location, next);
      }
      throw new Error("too many redirects");
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  await idp.rotate();
  return idp;
}

async function provide(issuer: string, clients: ClientMetadata[], jwk: object, person: () => Idp["person"]) {
  const configuration: Configuration = {
    clients,
    jwks: { keys: [jwk] },
    cookies: { keys: ["of a test"] },
    claims: { openid: ["sub", "amr", "acr", "oid"], profile: ["name", "preferred_username"], email: ["email", "email_verified"], groups: ["groups"] },
    scopes: ["openid", "profile", "email", "groups", "offline_access"],
    conformIdTokenClaims: false,
    findAccount: (_context, id) => ({ accountId: id, claims: async () => ({ ...person(), sub: id }) }),
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    features: { devInteractions: { enabled: false }, clientCredentials: { enabled: true }, resourceIndicators: { enabled: true, getResourceServerInfo: (_context, resource) => ({ scope: "call", audience: resource, accessTokenFormat: "jwt" as const, jwt: { sign: { alg: "RS256" as const } } }), defaultResource: () => [], useGrantedResource: () => true } },
    clientAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
  };
  const provider = new Provider(issuer, configuration);
  const callback = provider.callback();
  const interact = async (request: IncomingMessage, response: ServerResponse) => {
    const details = await provider.interactionDetails(request, response);
    if (details.prompt.name === "login") return provider.interactionFinished(request, response, { login: { accountId: person().sub, ...(Array.isArray(person()["amr"]) ? { amr: person()["amr"] as string[] } : {}) } }, { mergeWithLastSubmission: false });
    const grant = new provider.Grant({ accountId: details.session?.accountId ?? "", clientId: String(details.params["client_id"]) });
    grant.addOIDCScope(String(details.params["scope"]));
    return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
  };
  return (request: IncomingMessage, response: ServerResponse) => {
    if (request.url?.startsWith("/interaction/")) void interact(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    else void callback(request, response);
  };
}

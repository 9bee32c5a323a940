/** The FAPI 2.0 Security Profile, switched on: what must work, and thirty things that must not. */
import { createHash, randomUUID } from "node:crypto";
import { decodeJwt, exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adminName, adminPassword, type World } from "../world.ts";
import { authorize, callback, browse, personOf, pkce, registerClient, startOAuthWorld, type Person } from "./flow.ts";
import { startMetadataHost } from "./metadata-host.ts";

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const now = () => Math.floor(Date.now() / 1000);

let world: World;
let person: Person;
let clientId = "";
let clientKey: CryptoKey;
let key: CryptoKey;
let jwk: JWK;
beforeAll(async () => {
  world = await startOAuthWorld({ settings: { SALLYPORT_OAUTH_PROFILE: "fapi2", SALLYPORT_PASSWORD_GRANT: "enabled" } });
  person = await personOf(world, adminName);
  const pair = await generateKeyPair("PS256", { extractable: true });
  clientKey = pair.privateKey;
  ({ clientId } = await registerClient(world, { authMethod: "private_key_jwt", jwks: { keys: [{ ...(await exportJWK(pair.publicKey)), kid: "k", alg: "PS256", use: "sig" }] } }));
  const bound = await generateKeyPair("ES256", { extractable: true });
  key = bound.privateKey;
  jwk = await exportJWK(bound.publicKey);
});
afterAll(() => world.end());

const assertion = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}, signer: CryptoKey | Uint8Array = clientKey) =>
  new SignJWT({ iss: clientId, sub: clientId, aud: world.publicUrl, jti: randomUUID(), iat: now(), exp: now() + 60, ...claims }).setProtectedHeader({ alg: "PS256", kid: "k", ...header }).sign(signer);
const proof = (target: string, claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}, signer: CryptoKey = key) => new SignJWT({ htm: "POST", htu: world.publicUrl + target, jti: randomUUID(), iat: now(), ...claims }).setProtectedHeader({ alg: "ES256", typ: "dpop+jwt", jwk, ...header }).sign(signer);
const post = (path: string, fields: Record<string, string | undefined>, headers: Record<string, string> = {}) => world.fetch(path, { method: "POST", headers, body: new URLSearchParams(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined)) });
const authentication = async (jwt?: string) => ({ client_id: clientId, client_assertion_type: assertionType, client_assertion: jwt ?? (await assertion()) });
const push = async (changes: Record<string, string | undefined> = {}, jwt?: string, challenge = pkce().challenge) => post("/par", { ...(await authentication(jwt)), response_type: "code", redirect_uri: callback, code_challenge: challenge, code_challenge_method: "S256", scope: "servers:read", state: "s", ...changes });
const begin = (requestUri: string, further: Record<string, string> = {}) => `/authorize?${new URLSearchParams({ client_id: clientId, request_uri: requestUri, ...further })}`;

async function code(): Promise<{ code: string; verifier: string }> {
  const { verifier, challenge } = pkce();
  const { request_uri: requestUri } = (await (await push({}, undefined, challenge)).json()) as { request_uri: string };
  const { answer } = await authorize(world, person, begin(requestUri));
  return { code: answer.get("code") ?? "", verifier };
}
const redeem = async (given: { code: string; verifier: string }, changes: Record<string, string | undefined> = {}, dpop?: string, jwt?: string) =>
  post("/token", { grant_type: "authorization_code", ...(await authentication(jwt)), code: given.code, code_verifier: given.verifier, redirect_uri: callback, ...changes }, { dpop: dpop ?? (await proof("/token")) });

describe("the profile", () => {
  it("goes through: pushed request, bound token, call with a proof", async () => {
    const answer = (await (await redeem(await code())).json()) as { access_token: string; token_type: string };
    expect(answer.token_type).toBe("DPoP");
    expect(decodeJwt(answer.access_token)["cnf"]).toMatchObject({ jkt: expect.any(String) as unknown });
    const ath = createHash("sha256").update(answer.access_token).digest("base64url");
    expect((await world.fetch("/api/v1/servers", { headers: { authorization: `DPoP ${answer.access_token}`, dpop: await proof("/api/v1/servers", { htm: "GET", ath }) } })).status).toBe(200);
  });

  it("says so in its metadata", async () => {
    const metadata = (await (await world.fetch("/.well-known/oauth-authorization-server")).json()) as Record<string, string[]>;
    expect(metadata).toMatchObject({ require_pushed_authorization_requests: true, token_endpoint_auth_methods_supported: ["private_key_jwt"], authorization_response_iss_parameter_supported: true, code_challenge_methods_supported: ["S256"], response_types_supported: ["code"] });
    for (const weak of ["RS256", "HS256", "none"]) expect(metadata["token_endpoint_auth_signing_alg_values_supported"]).not.toContain(weak);
    expect(metadata).not.toHaveProperty("device_authorization_endpoint");
  });
});

describe("refuses", () => {
  it("1: an authorization request that was not pushed", async () => {
    const response = await browse(world, person, `/authorize?${new URLSearchParams({ client_id: clientId, response_type: "code", redirect_uri: callback, code_challenge: pkce().challenge, code_challenge_method: "S256", scope: "servers:read" })}`);
    expect(new URL(response.headers.get("location") ?? "https://nowhere.example").searchParams.get("error")).toBe("invalid_request");
  });

  it("2: a reference that nobody got", async () => {
    expect((await browse(world, person, begin("urn:ietf:params:oauth:request_uri:nobody-got-this"))).headers.get("location")).toBeNull();
  });

  it("3: a reference a second time", async () => {
    const { request_uri: requestUri } = (await (await push()).json()) as { request_uri: string };
    await authorize(world, person, begin(requestUri));
    const again = await browse(world, person, begin(requestUri));
    expect(again.status === 400 || new URL(again.headers.get("location") ?? "", world.url).searchParams.has("error")).toBe(true);
  });

  it("4: another client's reference", async () => {
    const pair = await generateKeyPair("ES256", { extractable: true });
    const other = await registerClient(world, { authMethod: "private_key_jwt", jwks: { keys: [{ ...(await exportJWK(pair.publicKey)), alg: "ES256" }] } });
    const { request_uri: requestUri } = (await (await push()).json()) as { request_uri: string };
    const response = await browse(world, person, `/authorize?${new URLSearchParams({ client_id: other.clientId, request_uri: requestUri })}`);
    expect(response.status === 400 || new URL(response.headers.get("location") ?? "", world.url).searchParams.has("error")).toBe(true);
  });

  it("5: parameters beside the reference, which change nothing", async () => {
    const { challenge } = pkce();
    const { request_uri: requestUri } = (await (await push({}, undefined, challenge)).json()) as { request_uri: string };
    const response = await browse(world, person, begin(requestUri, { redirect_uri: "https://evil.example/callback", scope: "admin" }));
    expect(response.headers.get("location") ?? "").not.toContain("evil.example");
  });

  it.each<[string, Record<string, string | undefined>]>([
    ["6: a push without PKCE", { code_challenge: undefined, code_challenge_method: undefined }],
    ["7: a push with plain PKCE", { code_challenge_method: "plain" }],
    ["8: a push without a redirect", { redirect_uri: "https://evil.example/callback" }],
    ["9: a push with a redirect by prefix", { redirect_uri: `${callback}/more` }],
    ["10: a push for the implicit grant", { response_type: "token" }],
    ["11: a push for the hybrid flow", { response_type: "code id_token", nonce: "n" }],
    ["12: a push of a reference", { request_uri: "urn:ietf:params:oauth:request_uri:x" }],
    ["13: a push for an unknown resource", { resource: "https://evil.example" }],
    ["14: a push for an answer in the fragment", { response_mode: "fragment" }],
    ["15: a push for an answer by form", { response_mode: "form_post" }],
  ])("%s", async (_what, changes) => {
    const response = await push(changes);
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toContain("application/json");
  });

  it.each<[string, () => Promise<string>]>([
    ["16: an assertion for the token endpoint instead of the issuer", () => assertion({ aud: `${world.publicUrl}/token` })],
    ["17: an assertion for us among others", () => assertion({ aud: [world.publicUrl, "https://other.example"] })],
    ["18: an assertion by RS256", async () => assertion({}, { alg: "RS256" }, (await generateKeyPair("RS256")).privateKey)],
    ["19: an assertion by HMAC", () => assertion({}, { alg: "HS256" }, Buffer.from("x".repeat(32)))],
    ["20: an assertion that is unsigned", async () => `${Buffer.from('{"alg":"none"}').toString("base64url")}.${(await assertion()).split(".")[1]}.`],
    ["21: an assertion that has expired", () => assertion({ exp: now() - 60 })],
    ["22: an assertion of the future", () => assertion({ nbf: now() + 60 })],
    ["23: an assertion by another key", async () => assertion({}, {}, (await generateKeyPair("PS256")).privateKey)],
    ["24: an assertion that was used", async () => {
      const jwt = await assertion();
      expect((await push({}, jwt)).status).toBe(201);
      return jwt;
    }],
  ])("%s", async (_what, forge) => {
    const response = await push({}, await forge());
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: "invalid_client" });
  });

  it("25: a client with a secret, or with none", async () => {
    const secret = await registerClient(world, { authMethod: "client_secret_basic", grantTypes: ["client_credentials"], redirectUris: [], actsAs: adminName, scopes: ["servers:read"] });
    const basic = { authorization: `Basic ${Buffer.from(`${secret.clientId}:${secret.clientSecret}`).toString("base64")}` };
    expect((await post("/token", { grant_type: "client_credentials" }, { ...basic, dpop: await proof("/token") })).status).toBeGreaterThanOrEqual(400);
    const open = await registerClient(world, {});
    expect((await post("/par", { client_id: open.clientId, response_type: "code", redirect_uri: callback, code_challenge: pkce().challenge, code_challenge_method: "S256" })).status).toBeGreaterThanOrEqual(400);
  });

  it("26: a code without a proof", async () => {
    const given = await code();
    expect((await post("/token", { grant_type: "authorization_code", ...(await authentication()), code: given.code, code_verifier: given.verifier, redirect_uri: callback })).status).toBe(400);
  });

  it.each<[string, (given: { code: string; verifier: string }) => Promise<Response>]>([
    ["27: a code with another verifier", (given) => redeem({ ...given, verifier: pkce().verifier })],
    ["28: a code with another redirect", (given) => redeem(given, { redirect_uri: "https://client.example/other" })],
    ["29: a code with a proof for another address", async (given) => redeem(given, {}, await proof("/par"))],
    ["30: a code with a proof by a key of RSA", async (given) => {
      const weak = await generateKeyPair("RS256", { extractable: true });
      return redeem(given, {}, await proof("/token", {}, { alg: "RS256", jwk: await exportJWK(weak.publicKey) }, weak.privateKey));
    }],
    ["31: a code a second time", async (given) => {
      await redeem(given);
      return redeem(given);
    }],
  ])("%s", async (_what, ask) => {
    expect((await ask(await code())).status).toBe(400);
  });

  it("32: a bound token without its proof", async () => {
    const { access_token: token } = (await (await redeem(await code())).json()) as { access_token: string };
    expect((await world.fetch("/api/v1/servers", { headers: { authorization: `Bearer ${token}` } })).status).toBe(401);
  });

  it("33: a client by metadata document that is public", async () => {
    const host = await startMetadataHost();
    const id = host.client("/public.json", [callback]);
    expect((await browse(world, person, `/authorize?${new URLSearchParams({ client_id: id, response_type: "code", redirect_uri: callback, code_challenge: pkce().challenge, code_challenge_method: "S256" })}`)).status).toBe(400);
    await host.close();
  });

  it("34: the password grant, unless it is switched on by name", async () => {
    const strict = await startOAuthWorld({ settings: { SALLYPORT_OAUTH_PROFILE: "fapi2" } });
    expect(await (await strict.login(adminName, adminPassword)).json()).toMatchObject({ error: "unauthorized_client" });
    await strict.end();
  });

  it("35: the device flow, token exchange by clients, and identity assertions", async () => {
    expect((await post("/device_authorization", { client_id: "sallyport-cli" })).status).toBeGreaterThanOrEqual(400);
    for (const grant of ["urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:device_code"]) expect((await post("/token", { grant_type: grant, ...(await authentication()) })).status).toBe(400);
  });
});

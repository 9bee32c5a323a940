/** DPoP (RFC 9449): a token that is bound to a key opens nothing without a proof by that key for this request, now, once. */
import { createHash, randomUUID } from "node:crypto";
import { calculateJwkThumbprint, decodeJwt, exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adminName, type World } from "../world.ts";
import { authorizationUrl, authorize, callback, personOf, pkce, registerClient, signIn, startOAuthWorld, tokenRequest } from "./flow.ts";

let world: World;
let key: CryptoKey;
let jwk: JWK;
let clientId = "";
let resource = "";
let token = "";
let refresh = "";
beforeAll(async () => {
  world = await startOAuthWorld();
  const pair = await generateKeyPair("ES256", { extractable: true });
  key = pair.privateKey;
  jwk = await exportJWK(pair.publicKey);
  ({ clientId } = await registerClient(world, { requireDpop: true }));
  await world.fetch("/api/v1/servers", { token: await world.admin(), json: { name: "one", url: "http://127.0.0.1:1/mcp" } });
  resource = `${world.publicUrl}/servers/one/mcp`;
  const issued = (await (await redeem(await proof("POST", `${world.publicUrl}/token`))).json()) as { access_token: string; refresh_token: string; token_type: string };
  expect(issued.token_type).toBe("DPoP");
  token = issued.access_token;
  refresh = issued.refresh_token;
});
afterAll(() => world.end());

const ath = (text: string) => createHash("sha256").update(text).digest("base64url");
const now = () => Math.floor(Date.now() / 1000);
const proof = (htm: string, htu: string, claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}, signer: CryptoKey | Uint8Array = key) => new SignJWT({ htm, htu, jti: randomUUID(), iat: now(), ...claims }).setProtectedHeader({ alg: "ES256", typ: "dpop+jwt", jwk, ...header }).sign(signer);
const forCall = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}, signer: CryptoKey | Uint8Array = key) => proof("POST", resource, { ath: ath(token), ...claims }, header, signer);
async function redeem(dpop: string | undefined, further: Record<string, string> = {}): Promise<Response> {
  const { verifier, challenge } = pkce();
  const { answer } = await authorize(world, await personOf(world, adminName), authorizationUrl({ clientId, challenge, resource, scope: "tools:call", further }));
  return tokenRequest(world, { grant_type: "authorization_code", code: answer.get("code") ?? "", redirect_uri: callback, client_id: clientId, code_verifier: verifier }, dpop === undefined ? {} : { dpop });
}
const call = (headers: Record<string, string>) => fetch(`${world.url}/servers/one/mcp`, { method: "POST", body: '{"jsonrpc":"2.0","id":1,"method":"ping"}', headers: { "content-type": "application/json", ...headers } });

describe("at the token endpoint", () => {
  it("binds the token to the key of the proof", async () => {
    expect(decodeJwt(token)["cnf"]).toEqual({ jkt: await calculateJwkThumbprint(jwk) });
  });

  it("refuses a client that must prove and does not", async () => {
    expect((await redeem(undefined)).status).toBe(400);
  });

  it("takes a proof once, also at once", async () => {
    const shown = await proof("POST", `${world.publicUrl}/token`);
    const answers = await Promise.all([redeem(shown), redeem(shown), redeem(shown)]);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it("binds the refresh token of a public client too", async () => {
    const other = await generateKeyPair("ES256", { extractable: true });
    const by = (signer: CryptoKey, shown: JWK) => proof("POST", `${world.publicUrl}/token`, {}, { jwk: shown }, signer);
    const ask = (dpop: string) => tokenRequest(world, { grant_type: "refresh_token", refresh_token: refresh, client_id: clientId }, { dpop });
    expect((await ask(await by(other.privateKey, await exportJWK(other.publicKey)))).status).toBe(400);
    expect((await ask(await by(key, jwk))).status).toBe(200);
  });

  it("binds the code when the request named the key", async () => {
    expect((await redeem(await proof("POST", `${world.publicUrl}/token`), { dpop_jkt: await calculateJwkThumbprint(jwk) })).status).toBe(200);
    const other = await generateKeyPair("ES256", { extractable: true });
    expect((await redeem(await proof("POST", `${world.publicUrl}/token`, {}, { jwk: await exportJWK(other.publicKey) }, other.privateKey), { dpop_jkt: await calculateJwkThumbprint(jwk) })).status).toBe(400);
  });
});

describe("at the gateway", () => {
  it("opens with the proof, and only as DPoP", async () => {
    expect((await call({ authorization: `DPoP ${token}`, dpop: await forCall() })).status).toBe(502);
    expect((await call({ authorization: `Bearer ${token}`, dpop: await forCall() })).status).toBe(401);
    expect((await call({ authorization: `Bearer ${token}` })).status).toBe(401);
  });

  it.each<[string, () => Promise<string> | string | undefined]>([
    ["no proof", () => undefined],
    ["nonsense", () => "nonsense"],
    ["two proofs", async () => `${await forCall()}, ${await forCall()}`],
    ["a proof for another method", () => forCall({ htm: "GET" })],
    ["a proof for another server", () => forCall({ htu: `${world.publicUrl}/servers/two/mcp` })],
    ["a proof for another host", () => forCall({ htu: "https://evil.example/servers/one/mcp" })],
    ["a proof for another token", () => forCall({ ath: ath("another") })],
    ["a proof without the token's hash", () => forCall({ ath: undefined })],
    ["a proof without a jti", () => forCall({ jti: undefined })],
    ["a proof without a time", () => forCall({ iat: undefined })],
    ["an old proof", () => forCall({ iat: now() - 120 })],
    ["a proof of the future", () => forCall({ iat: now() + 120 })],
    ["a proof of another type", () => forCall({}, { typ: "JWT" })],
    ["a proof by HMAC", () => forCall({}, { alg: "HS256", jwk: { kty: "oct", k: "eA" } }, Buffer.from("x".repeat(32)))],
    ["an unsigned proof", async () => `${Buffer.from(JSON.stringify({ alg: "none", typ: "dpop+jwt", jwk })).toString("base64url")}.${(await forCall()).split(".")[1]}.`],
    ["a proof by another key under ours", async () => forCall({}, {}, (await generateKeyPair("ES256")).privateKey)],
    ["a proof by a key of the thief's", async () => {
      const thief = await generateKeyPair("ES256", { extractable: true });
      return forCall({}, { jwk: await exportJWK(thief.publicKey) }, thief.privateKey);
    }],
    ["a proof that shows its private key", async () => forCall({}, { jwk: { ...jwk, d: "AAAA" } })],
    ["a proof that is too long", () => forCall({ padding: "x".repeat(5000) })],
  ])("refuses %s", async (_what, forge) => {
    const dpop = await forge();
    const response = await call({ authorization: `DPoP ${token}`, ...(dpop === undefined ? {} : { dpop }) });
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toMatch(/^DPoP error="invalid_dpop_proof".*resource_metadata=".*algs="ES256 EdDSA Ed25519"$/);
    expect(await response.json()).toMatchObject({ detail: "Could not validate credentials" });
  });

  it("takes a proof once, also at once", async () => {
    const dpop = await forCall();
    const statuses = await Promise.all(Array.from({ length: 6 }, async () => (await call({ authorization: `DPoP ${token}`, dpop })).status));
    expect(statuses.filter((status) => status === 502)).toHaveLength(1);
    expect(statuses.filter((status) => status === 401)).toHaveLength(5);
  });

  it("refuses a proof of a token that is not bound", async () => {
    const open = await registerClient(world, {});
    const { access_token: unbound } = await signIn(world, await personOf(world, adminName), { clientId: open.clientId, resource, scope: "tools:call" });
    expect((await call({ authorization: `DPoP ${unbound}`, dpop: await proof("POST", resource, { ath: ath(unbound) }) })).status).toBe(401);
    expect((await call({ authorization: `Bearer ${unbound}` })).status).toBe(502);
  });

  it("says in its metadata which algorithms it takes", async () => {
    expect(await (await world.fetch("/.well-known/oauth-protected-resource/servers/one/mcp")).json()).toMatchObject({ dpop_signing_alg_values_supported: ["ES256", "EdDSA", "Ed25519"] });
  });
});

it("works at the management API alike", async () => {
  const { verifier, challenge } = pkce();
  const { answer } = await authorize(world, await personOf(world, adminName), authorizationUrl({ clientId, challenge, scope: "servers:read" }));
  const issued = (await (await tokenRequest(world, { grant_type: "authorization_code", code: answer.get("code") ?? "", redirect_uri: callback, client_id: clientId, code_verifier: verifier }, { dpop: await proof("POST", `${world.publicUrl}/token`) })).json()) as { access_token: string };
  const get = async (dpop: string) => (await world.fetch("/api/v1/servers?limit=5", { headers: { authorization: `DPoP ${issued.access_token}`, dpop } })).status;
  expect(await get(await proof("GET", `${world.publicUrl}/api/v1/servers`, { ath: ath(issued.access_token) }))).toBe(200);
  expect(await get(await proof("GET", `${world.publicUrl}/api/v1/users`, { ath: ath(issued.access_token) }))).toBe(401);
});

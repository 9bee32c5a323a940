/** Clients that act for themselves, and the end of tokens: client credentials, private_key_jwt, revocation, introspection. */
import { randomUUID } from "node:crypto";
import { decodeJwt, exportJWK, generateKeyPair, SignJWT, type CryptoKey } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adminName, databases, type World } from "../world.ts";
import { callback, personOf, registerClient, signIn, startOAuthWorld, tokenRequest, type RegisteredClient } from "./flow.ts";

const basic = ({ clientId, clientSecret }: RegisteredClient) => ({ authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}` });
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

describe.each(databases)("a machine on %s", (database) => {
  let world: World;
  let resource = "";
  beforeAll(async () => {
    world = await startOAuthWorld({ database });
    await world.user("robot", "tools:call", "servers:read");
    await world.fetch("/api/v1/servers", { token: await world.admin(), json: { name: "one", url: "http://127.0.0.1:1/mcp" } });
    resource = `${world.publicUrl}/servers/one/mcp`;
  });
  afterAll(() => world.end());

  const machine = (changes: Record<string, unknown> = {}) => registerClient(world, { authMethod: "client_secret_basic", grantTypes: ["client_credentials"], redirectUris: [], scopes: ["tools:call", "admin"], actsAs: "robot", ...changes });
  const own = (client: RegisteredClient, fields: Record<string, string> = {}, headers = basic(client)) => tokenRequest(world, { grant_type: "client_credentials", resource, ...fields }, headers);
  const call = (token: string) => fetch(`${world.url}/servers/one/mcp`, { method: "POST", body: '{"jsonrpc":"2.0","id":1,"method":"ping"}', headers: { authorization: `Bearer ${token}`, "content-type": "application/json" } });

  it("gets a token as the account that it acts as, with the scopes that both hold", async () => {
    const client = await machine();
    const answer = (await (await own(client)).json()) as { access_token: string; scope: string; refresh_token?: string };
    expect(answer).toMatchObject({ token_type: "Bearer", scope: "tools:call" });
    expect(answer.refresh_token).toBeUndefined();
    expect(decodeJwt(answer.access_token)).toMatchObject({ sub: (await personOf(world, "robot")).userId, client_id: client.clientId, aud: resource });
    expect((await call(answer.access_token)).status).toBe(404);
    await world.fetch("/api/v1/servers/one/grants/robot", { token: await world.admin(), method: "PUT" });
    expect((await call(answer.access_token)).status).toBe(502);
    await world.fetch("/api/v1/servers/one/grants/robot", { token: await world.admin(), method: "DELETE" });
  });

  it("may send its secret in the form, if so registered", async () => {
    const client = await machine({ authMethod: "client_secret_post" });
    expect((await tokenRequest(world, { grant_type: "client_credentials", resource, client_id: client.clientId, client_secret: client.clientSecret })).status).toBe(200);
  });

  it.each<[string, (client: RegisteredClient) => Promise<Response>, number, string]>([
    ["a wrong secret", (client) => own(client, {}, basic({ ...client, clientSecret: "wrong" })), 401, "invalid_client"],
    ["the secret's hash as the secret", async (client) => own(client, {}, basic({ ...client, clientSecret: (await world.storage.db.selectFrom("oauth_clients").select("secret_hash").where("client_id", "=", client.clientId).executeTakeFirstOrThrow()).secret_hash ?? "" })), 401, "invalid_client"],
    ["no secret", (client) => tokenRequest(world, { grant_type: "client_credentials", client_id: client.clientId }), 401, "invalid_client"],
    ["an unknown client", () => tokenRequest(world, { grant_type: "client_credentials", client_id: "nobody" }), 401, "invalid_client"],
    ["two ways of saying who it is", (client) => tokenRequest(world, { grant_type: "client_credentials", client_id: client.clientId, client_secret: client.clientSecret }, basic(client)), 400, "invalid_request"],
    ["a scope that its account lacks", (client) => own(client, { resource: "", scope: "admin" }), 400, "invalid_scope"],
    ["another grant than its own", (client) => tokenRequest(world, { grant_type: "authorization_code", code: "x", redirect_uri: callback, code_verifier: "x".repeat(43) }, basic(client)), 400, "invalid_request"],
    ["an unknown resource", (client) => own(client, { resource: "https://evil.example" }), 400, "invalid_target"],
  ])("is refused with %s", async (_what, ask, status, error) => {
    const response = await ask(await machine());
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toContain("application/json");
    expect(await response.json()).toMatchObject({ error, detail: expect.any(String) as unknown });
  });

  it("is refused with a parameter given twice", async () => {
    const client = await machine();
    const response = await world.fetch("/token", { method: "POST", headers: { ...basic(client), "content-type": "application/x-www-form-urlencoded" }, body: "grant_type=client_credentials&scope=tools:call&scope=admin" });
    expect(response.status).toBe(400);
  });

  it("ends with its account, its removal, and its old secret", async () => {
    const [first, second] = [await machine(), await machine()];
    await world.user("robot-two", "tools:call");
    const third = await machine({ actsAs: "robot-two" });
    const tokens = await Promise.all([first, second, third].map(async (client) => ((await (await own(client)).json()) as { access_token: string }).access_token));
    const admin = await world.admin();
    expect((await world.fetch(`/api/v1/clients/${first.clientId}`, { token: admin, method: "DELETE" })).status).toBe(204);
    const renewed = (await (await world.fetch(`/api/v1/clients/${second.clientId}/secret`, { token: admin, method: "POST" })).json()) as { clientSecret: string };
    await world.fetch("/api/v1/users/robot-two", { token: admin, method: "PATCH", json: { disabled: true } });
    expect((await call(tokens[0] ?? "")).status).toBe(401);
    expect((await call(tokens[2] ?? "")).status).toBe(401);
    expect((await own(first)).status).toBe(401);
    expect((await own(second)).status).toBe(401);
    expect((await own({ ...second, clientSecret: renewed.clientSecret })).status).toBe(200);
    expect((await own(third)).status).toBe(400);
  });

  it("never has its secret shown or stored", async () => {
    const client = await machine();
    const listed = await (await world.fetch("/api/v1/clients", { token: await world.admin() })).text();
    expect(listed).not.toContain(client.clientSecret);
    expect(JSON.stringify(await world.storage.db.selectFrom("oauth_clients").selectAll().execute())).not.toContain(client.clientSecret);
  });

  it.each<[string, Record<string, unknown>]>([
    ["public and acting for itself", { authMethod: "none" }],
    ["acting as nobody", { actsAs: undefined }],
    ["acting as an unknown account", { actsAs: "nobody-here" }],
    ["redirected to javascript", { grantTypes: ["authorization_code"], redirectUris: ["javascript:alert(1)"] }],
    ["redirected in plain text", { grantTypes: ["authorization_code"], redirectUris: ["http://client.example/cb"] }],
    ["redirected with a fragment", { grantTypes: ["authorization_code"], redirectUris: ["https://client.example/cb#x"] }],
    ["with a private key", { authMethod: "private_key_jwt", jwks: { keys: [{ kty: "OKP", crv: "Ed25519", x: "x", d: "d" }] } }],
    ["with the implicit grant", { grantTypes: ["implicit"] }],
  ])("is not registered %s", async (_what, changes) => {
    await expect(machine(changes)).rejects.toThrow(/422/);
  });

  describe("with a key of its own", () => {
    let client: RegisteredClient;
    let key: CryptoKey;
    beforeAll(async () => {
      const pair = await generateKeyPair("ES256", { extractable: true });
      key = pair.privateKey;
      client = await machine({ authMethod: "private_key_jwt", jwks: { keys: [{ ...(await exportJWK(pair.publicKey)), kid: "k", alg: "ES256", use: "sig" }] } });
    });
    const now = () => Math.floor(Date.now() / 1000);
    const assertion = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}, signer: CryptoKey | Uint8Array = key) =>
      new SignJWT({ iss: client.clientId, sub: client.clientId, aud: world.publicUrl, jti: randomUUID(), iat: now(), exp: now() + 60, ...claims }).setProtectedHeader({ alg: "ES256", kid: "k", ...header }).sign(signer);
    const ask = async (jwt: string) => tokenRequest(world, { grant_type: "client_credentials", resource, client_assertion_type: assertionType, client_assertion: jwt });

    it("gets a token, once per assertion", async () => {
      const jwt = await assertion();
      expect((await ask(jwt)).status).toBe(200);
      expect((await ask(jwt)).status).toBe(401);
    });

    it("gets one token of many presentations of an assertion at once", async () => {
      const jwt = await assertion();
      const statuses = await Promise.all(Array.from({ length: 8 }, async () => (await ask(jwt)).status));
      expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    });

    it.each<[string, () => Promise<string>]>([
      ["for another audience", () => assertion({ aud: "https://other.example" })],
      ["of another issuer", () => assertion({ iss: "someone-else" })],
      ["about another client", () => assertion({ sub: "someone-else" })],
      ["that has expired", () => assertion({ exp: now() - 60 })],
      ["that is of the future", () => assertion({ nbf: now() + 120 })],
      ["without an end", () => assertion({ exp: undefined })],
      ["without a jti", () => assertion({ jti: undefined })],
      ["by another key", async () => assertion({}, {}, (await generateKeyPair("ES256")).privateKey)],
      ["by HMAC", () => assertion({}, { alg: "HS256" }, Buffer.from("x".repeat(32)))],
      ["unsigned", async () => `${Buffer.from('{"alg":"none"}').toString("base64url")}.${(await assertion()).split(".")[1]}.`],
    ])("is refused with an assertion %s", async (_what, forge) => {
      expect((await ask(await forge())).status).toBe(401);
    });
  });

  describe("revocation", () => {
    const revoke = (token: string, fields: Record<string, string>, headers: Record<string, string> = {}) => world.fetch("/revoke", { method: "POST", headers, body: new URLSearchParams({ token, ...fields }) });

    it("of an access token ends it at once, and its family", async () => {
      const person = await personOf(world, adminName);
      const client = await registerClient(world, {});
      const token = await signIn(world, person, { clientId: client.clientId, resource, scope: "tools:call" });
      expect((await call(token.access_token)).status).toBe(502);
      expect((await revoke(token.access_token, { client_id: client.clientId })).status).toBe(200);
      expect((await call(token.access_token)).status).toBe(401);
      expect((await tokenRequest(world, { grant_type: "refresh_token", refresh_token: token.refresh_token, client_id: client.clientId })).status).toBe(400);
    });

    it("of a refresh token ends its access tokens", async () => {
      const client = await registerClient(world, {});
      const token = await signIn(world, await personOf(world, adminName), { clientId: client.clientId, resource, scope: "tools:call" });
      expect((await revoke(token.refresh_token ?? "", { client_id: client.clientId })).status).toBe(200);
      expect((await call(token.access_token)).status).toBe(401);
    });

    it("of a machine's token needs the machine's secret", async () => {
      const client = await machine();
      const { access_token } = (await (await own(client)).json()) as { access_token: string };
      expect((await revoke(access_token, { client_id: client.clientId })).status).toBe(401);
      expect((await call(access_token)).status).toBe(404);
      expect((await revoke(access_token, {}, basic(client))).status).toBe(200);
      expect((await call(access_token)).status).toBe(401);
    });

    it("of a person's own token, got by password, needs no client", async () => {
      const mine = await world.admin();
      const kept = await world.admin();
      expect((await revoke(mine, {})).status).toBe(200);
      expect((await world.fetch("/api/v1/servers", { token: mine })).status).toBe(401);
      expect((await world.fetch("/api/v1/servers", { token: kept })).status).toBe(200);
    });

    it("by another client does nothing", async () => {
      const [client, other] = [await registerClient(world, {}), await registerClient(world, {})];
      const token = await signIn(world, await personOf(world, adminName), { clientId: client.clientId, resource, scope: "tools:call" });
      await revoke(token.access_token, { client_id: other.clientId });
      expect((await call(token.access_token)).status).toBe(502);
    });

    it("of nonsense is answered as if it had been a token", async () => {
      const client = await registerClient(world, {});
      for (const nonsense of ["nonsense", "a.b.c", "x".repeat(8000)]) expect((await revoke(nonsense, { client_id: client.clientId })).status).toBe(200);
    });

    it("races calls without one getting through afterwards", async () => {
      const client = await registerClient(world, {});
      const token = await signIn(world, await personOf(world, adminName), { clientId: client.clientId, resource, scope: "tools:call" });
      let over = false;
      const late: number[] = [];
      const caller = async () => {
        for (let count = 0; count < 40; count++) {
          const after = over;
          const { status } = await call(token.access_token);
          if (after) late.push(status);
        }
      };
      const callers = Promise.all([caller(), caller(), caller(), caller()]);
      await revoke(token.access_token, { client_id: client.clientId });
      over = true;
      await callers;
      expect(late.filter((status) => status !== 401)).toEqual([]);
      expect((await call(token.access_token)).status).toBe(401);
    });
  });

  describe("introspection", () => {
    const ask = (token: string, client: RegisteredClient) => world.fetch("/introspect", { method: "POST", headers: basic(client), body: new URLSearchParams({ token }) }).then((response) => response.json() as Promise<Record<string, unknown>>);

    it("says what a token is to a client that authenticates, and nothing of one that has ended", async () => {
      const client = await machine();
      const { access_token } = (await (await own(client)).json()) as { access_token: string };
      expect(await ask(access_token, client)).toMatchObject({ active: true, client_id: client.clientId, scope: "tools:call", aud: resource, token_type: "Bearer" });
      await world.fetch("/revoke", { method: "POST", headers: basic(client), body: new URLSearchParams({ token: access_token }) });
      expect(await ask(access_token, client)).toEqual({ active: false });
      expect(await ask("nonsense", client)).toEqual({ active: false });
    });

    it("is refused to one that does not", async () => {
      const client = await machine();
      expect((await world.fetch("/introspect", { method: "POST", body: new URLSearchParams({ token: "x", client_id: client.clientId }) })).status).toBe(401);
    });
  });
});

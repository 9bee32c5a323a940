/** Acting for somebody else: token exchange with the chain of actors, and the identity assertion of an enterprise's provider, each with what must be refused. */
import { randomUUID } from "node:crypto";
import { decodeJwt, exportJWK, generateKeyPair, SignJWT, type CryptoKey } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adminName, databases, type World } from "../world.ts";
import { callback, personOf, registerClient, signIn, startOAuthWorld, tokenRequest, type RegisteredClient } from "./flow.ts";
import { startMetadataHost, type MetadataHost } from "./metadata-host.ts";

const accessToken = "urn:ietf:params:oauth:token-type:access_token";
const exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange";
const basic = ({ clientId, clientSecret }: RegisteredClient) => ({ authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}` });

describe.each(databases)("token exchange by an agent on %s", (database) => {
  let world: World;
  let agent: RegisteredClient;
  let subject = "";
  let resource = "";
  let ids: Record<"person" | "agent" | "other", string>;
  beforeAll(async () => {
    world = await startOAuthWorld({ database });
    await world.user("agent", "tools:call");
    await world.user("other-agent", "tools:call");
    agent = await registerClient(world, { authMethod: "client_secret_basic", grantTypes: [exchangeGrant, "client_credentials"], redirectUris: [], scopes: ["tools:call"], actsAs: "agent" });
    const app = await registerClient(world, {});
    await world.fetch("/api/v1/servers", { token: await world.admin(), json: { name: "one", url: "http://127.0.0.1:1/mcp" } });
    resource = `${world.publicUrl}/servers/one/mcp`;
    subject = (await signIn(world, await personOf(world, adminName), { clientId: app.clientId, scope: "servers:read tools:call" })).access_token;
    ids = { person: (await personOf(world, adminName)).userId, agent: (await personOf(world, "agent")).userId, other: (await personOf(world, "other-agent")).userId };
  });
  afterAll(() => world.end());

  const exchange = (fields: Record<string, string | undefined> = {}, client = agent) => tokenRequest(world, { grant_type: exchangeGrant, subject_token: subject, subject_token_type: accessToken, resource, ...fields }, basic(client));
  const own = async (client: RegisteredClient) => ((await (await tokenRequest(world, { grant_type: "client_credentials" }, basic(client))).json()) as { access_token: string }).access_token;

  it("gives a token of the person's that says who acts, with no more than both hold", async () => {
    const response = await exchange();
    expect(response.status).toBe(200);
    const answer = (await response.json()) as { access_token: string };
    expect(answer).toMatchObject({ issued_token_type: accessToken, token_type: "Bearer", scope: "tools:call" });
    expect(answer).not.toHaveProperty("refresh_token");
    const claims = decodeJwt(answer.access_token);
    expect(claims).toMatchObject({ sub: ids.person, aud: resource, client_id: agent.clientId, scope: "tools:call", act: { sub: ids.agent, client_id: agent.clientId } });
    expect(claims.exp).toBeLessThanOrEqual(decodeJwt(subject).exp ?? 0);
    expect((await fetch(`${world.url}/servers/one/mcp`, { method: "POST", body: '{"jsonrpc":"2.0","id":1,"method":"ping"}', headers: { authorization: `Bearer ${answer.access_token}`, "content-type": "application/json" } })).status).toBe(502);
  });

  it("keeps the chain when an agent hands on to another, and ends it somewhere", async () => {
    const second = await registerClient(world, { authMethod: "client_secret_basic", grantTypes: [exchangeGrant], redirectUris: [], scopes: ["tools:call"], actsAs: "other-agent" });
    let token = ((await (await exchange({ resource: world.publicUrl })).json()) as { access_token: string }).access_token;
    const handedOn = ((await (await exchange({ subject_token: token, resource }, second)).json()) as { access_token: string }).access_token;
    expect(decodeJwt(handedOn)).toMatchObject({ sub: ids.person, act: { sub: ids.other, act: { sub: ids.agent } } });
    let response: Response | undefined;
    for (let count = 0; count < 5; count++) {
      response = await exchange({ subject_token: token, resource: world.publicUrl }, count % 2 === 0 ? second : agent);
      token = ((await response.clone().json()) as { access_token?: string }).access_token ?? token;
    }
    expect(response?.status).toBe(400);
  });

  it("ends with the person's grant", async () => {
    const app = await registerClient(world, {});
    const granted = await signIn(world, await personOf(world, adminName), { clientId: app.clientId, scope: "tools:call" });
    const { access_token: token } = (await (await exchange({ subject_token: granted.access_token })).json()) as { access_token: string };
    const call = () => fetch(`${world.url}/servers/one/mcp`, { method: "POST", body: '{"jsonrpc":"2.0","id":1,"method":"ping"}', headers: { authorization: `Bearer ${token}`, "content-type": "application/json" } });
    expect((await call()).status).toBe(502);
    await world.fetch("/revoke", { method: "POST", body: new URLSearchParams({ token: granted.refresh_token ?? "", client_id: app.clientId }) });
    expect((await call()).status).toBe(401);
  });

  it("takes the agent's own token as the actor, and no other's", async () => {
    expect((await exchange({ actor_token: await own(agent), actor_token_type: accessToken })).status).toBe(200);
    expect((await exchange({ actor_token: subject, actor_token_type: accessToken })).status).toBe(400);
  });

  it.each<[string, () => Promise<Record<string, string | undefined>> | Record<string, string | undefined>, string]>([
    ["an endpoint's token as the subject", async () => ({ subject_token: ((await (await exchange()).json()) as { access_token: string }).access_token }), "invalid_request"],
    ["a forged subject", () => ({ subject_token: `${subject.slice(0, -8)}AAAAAAAA` }), "invalid_request"],
    ["another type of subject", () => ({ subject_token_type: "urn:ietf:params:oauth:token-type:id_token" }), "invalid_request"],
    ["another type of token", () => ({ requested_token_type: "urn:ietf:params:oauth:token-type:refresh_token" }), "invalid_request"],
    ["an actor without its type", () => ({ actor_token: subject }), "invalid_request"],
    ["a foreign resource", () => ({ resource: "https://evil.example" }), "invalid_target"],
    ["a scope that the subject lacks", () => ({ scope: "admin" }), "invalid_scope"],
    ["a scope that the agent lacks", () => ({ scope: "servers:read", resource: undefined }), "invalid_scope"],
  ])("refuses %s", async (_what, fields, error) => {
    const response = await exchange(await fields());
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error });
  });

  it("is for clients that were given it", async () => {
    const other = await registerClient(world, { authMethod: "client_secret_basic", grantTypes: ["authorization_code"], redirectUris: [callback] });
    expect((await exchange({}, other)).status).toBe(400);
    await expect(registerClient(world, { authMethod: "none", grantTypes: [exchangeGrant], redirectUris: [], actsAs: "agent" })).rejects.toThrow(/422/);
  });
});

describe("the identity assertion of an enterprise's provider", () => {
  let host: MetadataHost;
  let world: World;
  let client: RegisteredClient;
  let key: CryptoKey;
  let resource = "";
  beforeAll(async () => {
    host = await startMetadataHost();
    const pair = await generateKeyPair("ES256", { extractable: true });
    key = pair.privateKey;
    host.serve("/.well-known/openid-configuration", { issuer: host.url, jwks_uri: `${host.url}/jwks`, authorization_endpoint: `${host.url}/a`, token_endpoint: `${host.url}/t`, response_types_supported: ["code"], subject_types_supported: ["public"], id_token_signing_alg_values_supported: ["ES256"] });
    host.serve("/jwks", { keys: [{ ...(await exportJWK(pair.publicKey)), kid: "k", alg: "ES256", use: "sig" }] });
    world = await startOAuthWorld();
    const admin = await world.admin();
    expect((await world.fetch("/api/v1/groups", { token: admin, json: { name: "callers", scopes: ["tools:call"] } })).status).toBe(201);
    const added = await world.fetch("/api/v1/identity-providers", { token: admin, json: { name: "acme", issuer: host.url, title: "Acme", clientId: "x", idJag: true, groups: { callers: "callers" }, secret: randomUUID() } });
    expect(added.status, await added.clone().text()).toBe(201);
    client = await registerClient(world, { authMethod: "client_secret_basic", grantTypes: ["urn:ietf:params:oauth:grant-type:jwt-bearer"], redirectUris: [] });
    await world.fetch("/api/v1/servers", { token: admin, json: { name: "one", url: "http://127.0.0.1:1/mcp" } });
    resource = `${world.publicUrl}/servers/one/mcp`;
  }, 30_000);
  afterAll(async () => {
    await world.end();
    await host.close();
  });

  const now = () => Math.floor(Date.now() / 1000);
  const assertion = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}, signer: CryptoKey | Uint8Array = key) =>
    new SignJWT({ iss: host.url, sub: "employee-1", aud: world.publicUrl, client_id: client.clientId, jti: randomUUID(), iat: now(), exp: now() + 300, scope: "tools:call", resource, preferred_username: "employee", groups: ["callers"], ...claims }).setProtectedHeader({ alg: "ES256", kid: "k", typ: "oauth-id-jag+jwt", ...header }).sign(signer);
  const ask = (jwt: string, fields: Record<string, string> = {}, by = client) => tokenRequest(world, { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: jwt, ...fields }, basic(by));

  it("gives a token for the place that it names, of the person that it names, and is announced", async () => {
    const response = await ask(await assertion());
    const answer = (await response.json()) as { access_token: string };
    expect(answer).toMatchObject({ token_type: "Bearer", scope: "tools:call" });
    expect(decodeJwt(answer.access_token)).toMatchObject({ aud: resource, client_id: client.clientId, scope: "tools:call" });
    expect((await fetch(`${world.url}/servers/one/mcp`, { method: "POST", headers: { authorization: `Bearer ${answer.access_token}` } })).status).toBe(404);
    expect(await (await world.fetch("/.well-known/oauth-authorization-server")).json()).toMatchObject({ authorization_grant_profiles_supported: ["urn:ietf:params:oauth:grant-profile:id-jag"] });
  });

  it("is taken once, also at once", async () => {
    const jwt = await assertion();
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask(jwt)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) expect(await answer.json()).toMatchObject({ error: "invalid_grant" });
  });

  it.each<[string, () => Promise<string>]>([
    ["of another type", () => assertion({}, { typ: "JWT" })],
    ["that is an access token by type", () => assertion({}, { typ: "at+jwt" })],
    ["for another audience", () => assertion({ aud: "https://other.example" })],
    ["for us among others", () => assertion({ aud: [world.publicUrl, "https://other.example"] })],
    ["for the token endpoint", () => assertion({ aud: `${world.publicUrl}/token` })],
    ["of an unknown issuer", () => assertion({ iss: "https://evil.example" })],
    ["for another client", () => assertion({ client_id: "somebody-else" })],
    ["for no client", () => assertion({ client_id: undefined })],
    ["without a jti", () => assertion({ jti: undefined })],
    ["without an end", () => assertion({ exp: undefined })],
    ["that has expired", () => assertion({ iat: now() - 400, exp: now() - 100 })],
    ["of the future", () => assertion({ iat: now() + 200, exp: now() + 400 })],
    ["that lives too long", () => assertion({ exp: now() + 86_400 })],
    ["about nobody", () => assertion({ sub: undefined })],
    ["by another key", async () => assertion({}, {}, (await generateKeyPair("ES256")).privateKey)],
    ["by HMAC", () => assertion({}, { alg: "HS256" }, Buffer.from("x".repeat(32)))],
    ["bound to a key", () => assertion({ cnf: { jkt: "x" } })],
    ["that is nonsense", async () => "nonsense"],
  ])("is refused %s", async (_what, forge) => {
    const response = await ask(await forge());
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: "invalid_grant" });
  });

  it("gives no scope that it does not name, or that the person lacks, and no other place", async () => {
    expect(await (await ask(await assertion({ scope: "admin", resource: world.publicUrl }))).json()).toMatchObject({ error: "invalid_scope" });
    expect(await (await ask(await assertion({ scope: "tools:call" }), { scope: "admin" })).json()).toMatchObject({ error: "invalid_scope" });
    expect(await (await ask(await assertion(), { resource: world.publicUrl })).json()).toMatchObject({ error: "invalid_target" });
    expect(await (await ask(await assertion({ resource: "https://evil.example" }))).json()).toMatchObject({ error: "invalid_target" });
  });

  it("counts for nothing when its provider is not switched on for it", async () => {
    const admin = await world.admin();
    const { name, issuer, title, clientId } = (await (await world.fetch("/api/v1/identity-providers/acme", { token: admin })).json()) as Record<string, string>;
    const put = await world.fetch("/api/v1/identity-providers/acme", { token: admin, method: "PUT", json: { name, issuer, title, clientId } });
    expect(put.status, await put.clone().text()).toBe(200);
    expect(await (await ask(await assertion())).json()).toMatchObject({ error: "invalid_grant" });
  });

  it("never stands in the log", async () => {
    const jwt = await assertion();
    await ask(jwt);
    expect(world.logLines.join("")).not.toContain(jwt.split(".")[1]);
  });
});

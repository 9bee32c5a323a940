/** The gateway as an OAuth resource server (RFC 9728, RFC 8707): each endpoint says where its tokens come from, and takes no other endpoint's. */
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startWorld, type World } from "./world.ts";

let world: World;
let admin = "";
beforeAll(async () => {
  world = await startWorld();
  admin = await world.admin();
  const created = await world.fetch("/api/v1/servers", { token: admin, json: { name: "known", url: "http://127.0.0.1:1/mcp" } });
  expect(created.status).toBe(201);
});
afterAll(() => world.end());

const raw = (path: string, token?: string) => fetch(world.url + path, { method: "POST", body: "{}", headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) } });
const metadataOf = (path: string) => `${world.publicUrl}/.well-known/oauth-protected-resource${path}`;
const token = (fields: Record<string, string>) => world.fetch("/token", { method: "POST", body: new URLSearchParams(fields) });
const exchange = (fields: Record<string, string>) => token({ grant_type: "urn:ietf:params:oauth:grant-type:token-exchange", subject_token_type: "urn:ietf:params:oauth:token-type:access_token", ...fields });

describe("metadata", () => {
  it.each(["/mcp", "/servers/known/mcp", "/servers/unknown/mcp", "/bundles/any/mcp"])("of %s names exactly that endpoint, and this authorization server", async (path) => {
    const response = await world.fetch(`/.well-known/oauth-protected-resource${path}`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ resource: `${world.publicUrl}${path}`, authorization_servers: [world.publicUrl], scopes_supported: ["tools:call"], bearer_methods_supported: ["header"] });
  });

  it("of the management API is at the root", async () => {
    expect(await (await world.fetch("/.well-known/oauth-protected-resource")).json()).toMatchObject({ resource: world.publicUrl, scopes_supported: expect.arrayContaining(["admin"]) as unknown });
  });

  it("does not tell which servers exist", async () => {
    const [known, unknown] = await Promise.all(["known", "unknown"].map(async (name) => {
      const response = await world.fetch(`/.well-known/oauth-protected-resource/servers/${name}/mcp`);
      return { status: response.status, text: (await response.text()).replaceAll(name, "x"), headers: [...response.headers].filter(([header]) => !["date", "x-request-id", "content-length"].includes(header)) };
    }));
    expect(unknown).toEqual(known);
  });

  it("does not follow a Host header that is not the public one", async () => {
    const response = await fetch(`${world.url.replace("127.0.0.1", "localhost")}/.well-known/oauth-protected-resource/mcp`);
    expect(await response.json()).toMatchObject({ resource: `${world.publicUrl}/mcp` });
  });
});

describe("challenges", () => {
  it.each(["known", "unknown"])("of the server %s name its metadata and the scope; no error when there was no token", async (name) => {
    const response = await raw(`/servers/${name}/mcp`);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(`Bearer resource_metadata="${metadataOf(`/servers/${name}/mcp`)}", scope="tools:call"`);
    expect(await response.json()).toMatchObject({ detail: "Could not validate credentials" });
  });

  it("say invalid_token when there was one", async () => {
    const response = await raw("/servers/known/mcp", "a.b.c");
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(`Bearer error="invalid_token", error_description="The access token is not valid", resource_metadata="${metadataOf("/servers/known/mcp")}", scope="tools:call"`);
  });

  it("say insufficient_scope with the scope that is needed", async () => {
    const reader = await world.user("reader", "servers:read");
    const response = await raw("/servers/known/mcp", await world.tokenAt("/servers/known/mcp", reader.token));
    expect(response.status).toBe(403);
    expect(response.headers.get("www-authenticate")).toBe(`Bearer error="insufficient_scope", resource_metadata="${metadataOf("/servers/known/mcp")}", scope="tools:call"`);
  });
});

describe("audiences", () => {
  it("keep a token of the management API out of the gateway", async () => {
    expect((await raw("/servers/known/mcp", admin)).status).toBe(401);
  });

  it("keep one endpoint's token out of every other place", async () => {
    const own = await world.tokenAt("/servers/known/mcp", admin);
    expect((await raw("/servers/known/mcp", own)).status).not.toBe(401);
    expect((await raw("/servers/other/mcp", own)).status).toBe(401);
    expect((await world.fetch("/api/v1/servers", { token: own })).status).toBe(401);
  });

  it("hold whatever the case of the name in the address", async () => {
    expect((await raw("/servers/KNOWN/mcp", await world.tokenAt("/servers/known/mcp", admin))).status).not.toBe(401);
  });
});

describe("token exchange by the holder", () => {
  it("gives a token for the endpoint, of the same person, which ends no later", async () => {
    const answer = (await (await exchange({ subject_token: admin, resource: `${world.publicUrl}/mcp`, scope: "tools:call" })).json()) as { access_token: string };
    expect(answer).toMatchObject({ token_type: "Bearer", issued_token_type: "urn:ietf:params:oauth:token-type:access_token", scope: "tools:call" });
    const [before, after] = [decodeJwt(admin), decodeJwt(answer.access_token)];
    expect(after).toMatchObject({ sub: before.sub, aud: `${world.publicUrl}/mcp`, scopes: ["tools:call"] });
    expect(after.exp).toBeLessThanOrEqual(before.exp ?? 0);
  });

  it.each<[string, () => Promise<Record<string, string>> | Record<string, string>, string]>([
    ["an endpoint's token as the subject", async () => ({ subject_token: await world.tokenAt("/servers/known/mcp", admin), resource: `${world.publicUrl}/servers/other/mcp` }), "invalid_request"],
    ["a forged subject", () => ({ subject_token: `${admin.slice(0, -6)}AAAAAA`, resource: `${world.publicUrl}/mcp` }), "invalid_request"],
    ["no subject", () => ({ resource: `${world.publicUrl}/mcp` }), "invalid_request"],
    ["another type of subject", () => ({ subject_token: admin, subject_token_type: "urn:ietf:params:oauth:token-type:id_token", resource: `${world.publicUrl}/mcp` }), "invalid_request"],
    ["an actor", () => ({ subject_token: admin, actor_token: admin, resource: `${world.publicUrl}/mcp` }), "invalid_request"],
    ["no resource", () => ({ subject_token: admin }), "invalid_target"],
    ["the management API as the resource", () => ({ subject_token: admin, resource: world.publicUrl }), "invalid_target"],
    ["a foreign resource", () => ({ subject_token: admin, resource: "https://evil.example/mcp" }), "invalid_target"],
    ["a resource with a query", () => ({ subject_token: admin, resource: `${world.publicUrl}/mcp?a=b` }), "invalid_target"],
    ["a scope that the subject lacks", async () => ({ subject_token: await world.admin("tools:call"), resource: `${world.publicUrl}/mcp`, scope: "admin" }), "invalid_scope"],
  ])("refuses %s", async (_what, fields, error) => {
    const response = await exchange(await fields());
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error });
  });

  it("refuses the token of a user who was disabled meanwhile", async () => {
    const leaver = await world.user("leaver", "tools:call");
    await world.fetch("/api/v1/users/leaver", { token: admin, method: "PATCH", json: { disabled: true } });
    expect(await (await exchange({ subject_token: leaver.token, resource: `${world.publicUrl}/mcp` })).json()).toMatchObject({ error: "invalid_request" });
  });
});

/** The authorization matrix: every route of the route table × every kind of caller. A new route is in it by existing. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateKeyPair, SignJWT } from "jose";
import { problems } from "../src/kernel/problem.ts";
import { allScopes, type Scope } from "../src/kernel/scopes.ts";
import type { Route } from "../src/net/route.ts";
import { startWorld, tokenOf, type World } from "./world.ts";

/** Routes that need no token. A route joins them only by being written here. */
const open = [
  "GET /.well-known/jwks.json",
  "GET /.well-known/oauth-authorization-server",
  "GET /.well-known/oauth-protected-resource",
  "GET /.well-known/oauth-protected-resource/bundles/{name}/mcp",
  "GET /.well-known/oauth-protected-resource/mcp",
  "GET /.well-known/oauth-protected-resource/servers/{name}/mcp",
  "GET /.well-known/openid-configuration",
  "GET /account",
  "GET /account/clients",
  "GET /account/confirm",
  "GET /account/factors",
  "GET /account/password",
  "GET /account/sessions",
  "GET /assets/pages.css",
  "GET /assets/passkeys.js",
  "GET /authorize",
  "GET /authorize/{uid}",
  "GET /device",
  "GET /docs",
  "GET /healthz",
  "GET /healthz/ready",
  "GET /interaction/{uid}",
  "GET /login",
  "GET /login/callback/{provider}",
  "GET /login/external/{provider}",
  "GET /login/factor",
  "GET /openapi.json",
  "GET /setup",
  "POST /account/clients",
  "POST /account/confirm",
  "POST /account/confirm/passkey",
  "POST /account/confirm/passkey/options",
  "POST /account/factors/passkeys",
  "POST /account/factors/passkeys/options",
  "POST /account/factors/passkeys/remove",
  "POST /account/factors/recovery-codes",
  "POST /account/factors/totp",
  "POST /account/factors/totp/confirm",
  "POST /account/factors/totp/remove",
  "POST /account/password",
  "POST /account/sessions",
  "POST /device",
  "POST /device_authorization",
  "POST /interaction/{uid}",
  "POST /introspect",
  "POST /login",
  "POST /login/factor",
  "POST /login/passkey",
  "POST /login/passkey/options",
  "POST /logout",
  "POST /par",
  "POST /register",
  "POST /revoke",
  "POST /setup",
  "POST /token",
];

/** Routes that need no scope: they serve each caller the caller's own. */
const selfService = ["createApiKey", "listApiKeys", "revokeApiKey"];

/**
 * Routes below administration that name an object: what somebody with every scope but `admin`, and no claim to the object, is answered.
 * "shared": whoever holds the scopes may. Such a route without a line here fails.
 */
const ownership: Record<string, "shared" | 403 | 404> = {
  getServer: "shared",
  getReview: "shared",
  openAuditBody: "shared",
  replaceServer: 403,
  patchServer: 403,
  enableServer: 403,
  disableServer: 403,
  checkServer: 403,
  deleteServer: 403,
  inspectServer: 403,
  getBundle: 404,
  replaceBundle: 404,
  patchBundle: 404,
  deleteBundle: 404,
  listBundleTools: 404,
  revokeApiKey: 404,
};
/** Bodies that are accepted, so that it is ownership that decides. */
const bodies: Record<string, object> = { replaceServer: { url: "http://127.0.0.1:9/mcp" }, patchServer: { title: "taken over" }, replaceBundle: { tools: [] }, patchBundle: { title: "taken over" } };

/** Every caller who must get 401, by what is wrong with the credential. */
const refused = ["malformed", "expired", "changed signature", "for an endpoint of the gateway", "of another issuer", "disabled user", "withdrawn user", "ended by a scope change", "ended by leaving a group", "an expired key", "a revoked key", "a made-up key"] as const;

describe("the authorization matrix", () => {
  let world: World;
  const tokens = new Map<string, string>();
  beforeAll(async () => {
    let skew = 0;
    world = await startWorld({ now: () => Date.now() + skew });
    const admin = await world.admin();
    const send = (method: string, at: string, json?: unknown) => world.fetch(at, { token: admin, method, ...(json === undefined ? {} : { json }) });
    const key = async (life: number) => (await (await send("POST", "/api/v1/api-keys", { name: "k", user: "robot", scopes: allScopes, expiresAt: new Date(Date.now() + skew + life).toISOString() })).json()) as { key: string; id: string };
    for (const scope of allScopes) tokens.set(scope, (await world.user(`only-${scope.replace(":", "-")}`, scope)).token);
    tokens.set("no scopes", (await world.user("nothing")).token);
    tokens.set("somebody else", (await world.user("somebody-else", ...allScopes.filter((scope) => scope !== "admin"))).token);
    tokens.set("disabled user", (await world.user("disabled", ...allScopes)).token);
    await send("PATCH", "/api/v1/users/disabled", { disabled: true });
    tokens.set("ended by a scope change", (await world.user("narrowed", ...allScopes)).token);
    await send("PATCH", "/api/v1/users/narrowed", { scopes: ["servers:read"] });
    await send("POST", "/api/v1/groups", { name: "all", scopes: allScopes });
    const member = await world.user("member");
    await send("PUT", "/api/v1/groups/all/members/member");
    tokens.set("ended by leaving a group", await tokenOf(await world.login("member", member.password)));
    await send("DELETE", "/api/v1/groups/all/members/member");
    const withdrawn = await world.user("withdrawn", ...allScopes);
    tokens.set("withdrawn user", withdrawn.token);
    const { id } = (await (await send("GET", "/api/v1/users/withdrawn")).json()) as { id: string };
    expect((await send("DELETE", `/scim/v2/Users/${id}`)).status).toBe(204);
    await send("POST", "/api/v1/service-accounts", { name: "robot", scopes: allScopes });
    const revoked = await key(86_400_000);
    await send("DELETE", `/api/v1/api-keys/${revoked.id}`);
    tokens.set("a revoked key", revoked.key);
    tokens.set("a made-up key", `sp_${"a".repeat(8)}_${"b".repeat(49)}`);
    tokens.set("for an endpoint of the gateway", await world.tokenAt("/servers/one/mcp", admin));
    const foreign = await generateKeyPair("EdDSA");
    tokens.set("of another issuer", await new SignJWT({ scope: allScopes.join(" "), epoch: 1, client_id: "x" }).setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: "x" }).setIssuer("https://elsewhere.example").setAudience(world.publicUrl).setSubject("x").setIssuedAt().setNotBefore("0s").setJti("x").setExpirationTime("1h").sign(foreign.privateKey));
    skew = -7200_000;
    tokens.set("expired", await world.admin());
    tokens.set("an expired key", (await key(3600_000)).key);
    skew = 0;
    tokens.set("changed signature", `${admin.slice(0, -6)}AAAAAA`);
    tokens.set("malformed", "not.a.token");
    await send("POST", "/api/v1/servers", { name: "owned", url: "http://127.0.0.1:9/mcp" });
    expect((await send("POST", "/api/v1/bundles", { name: "owned" })).status).toBe(201);
    ownedKey = (await key(86_400_000)).id;
  });
  afterAll(() => world.end());

  let ownedKey = "";
  const path = (route: Route, name = "nothing-of-this-name") => route.path.replaceAll(/\{\w+\}/g, name);
  const send = (route: Route, at: string, token?: string, body: object = {}) =>
    world.fetch(at, { method: route.method.toUpperCase(), ...(token ? { token } : {}), headers: { "content-type": route.body?.type === "form" ? "application/x-www-form-urlencoded" : "application/json" }, ...(route.method === "get" ? {} : { body: route.body?.type === "form" ? "" : JSON.stringify(body) }) });
  const call = (route: Route, token?: string) => send(route, path(route), token);
  /** The whole body: nothing more than the catalogue says, and the reference. */
  const bodyOf = (route: Route, code: "unauthorized" | "forbidden", detail: string) => {
    const { status, title, hint } = problems[code];
    if (route.presentError) return { schemas: ["urn:ietf:params:scim:api:messages:2.0:Error"], status: String(status), detail };
    return { type: `urn:sallyport:problem:${code}`, title, status, detail, code, hint, reference: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown };
  };
  const guarded = () => world.routes.filter((route) => route.access !== "anyone");

  it("knows every route without a token by name", () => {
    expect(world.routes.filter((route) => route.access === "anyone").map((route) => `${route.method.toUpperCase()} ${route.path}`).sort()).toEqual(open);
  });

  it("finds every guarded route declaring at least one scope, or that it serves each caller the caller's own", () => {
    expect(guarded().length).toBeGreaterThan(60);
    for (const route of guarded()) expect(route.access === "anyone" || route.access.self ? ["own"] : route.access.scopes, route.operationId).not.toHaveLength(0);
    expect(guarded().filter((route) => route.access !== "anyone" && route.access.self).map((route) => route.operationId).sort()).toEqual(selfService);
  });

  it("answers 401 with the challenge to nobody", async () => {
    for (const route of guarded()) {
      const nobody = await call(route);
      expect(nobody.status, route.operationId).toBe(401);
      expect(nobody.headers.get("www-authenticate")).toBe("Bearer");
      expect(await nobody.json(), route.operationId).toEqual(bodyOf(route, "unauthorized", "Could not validate credentials"));
    }
  });

  it.each(refused)("answers 401 to a credential that is bad: %s", async (kind) => {
    expect(tokens.get(kind)).toBeTruthy();
    for (const route of guarded()) {
      const response = await call(route, tokens.get(kind));
      expect(response.status, `${route.operationId} with ${kind}`).toBe(401);
      expect(response.headers.get("www-authenticate")).toBe('Bearer error="invalid_token", error_description="The access token is not valid"');
      expect(await response.json(), route.operationId).toEqual(bodyOf(route, "unauthorized", "Could not validate credentials"));
    }
  });

  it("refuses credentials in any other place or scheme", async () => {
    const good = await world.admin();
    expect((await world.fetch(`/api/v1/users?access_token=${good}`)).status).toBe(401);
    expect((await world.fetch("/api/v1/users", { headers: { authorization: `Basic ${good}` } })).status).toBe(401);
    expect((await world.fetch("/api/v1/users", { headers: { cookie: `token=${good}` } })).status).toBe(401);
    expect((await world.fetch("/api/v1/users", { headers: { authorization: `Bearer ${good} ${good}` } })).status).toBe(401);
  });

  it.each([...allScopes, "no scopes"] as const)("answers 403 to a token that lacks a scope of the route, and nothing else to others: %s", async (holder) => {
    for (const route of guarded()) {
      if (route.access === "anyone") continue;
      const needed: readonly Scope[] = route.access.scopes;
      const response = await call(route, tokens.get(holder));
      const permitted = needed.every((scope) => scope === holder) || route.access.or === holder;
      if (permitted) expect([401, 403], `${route.operationId} with ${holder}`).not.toContain(response.status);
      else {
        expect(response.status, `${route.operationId} with ${holder}`).toBe(403);
        expect(response.headers.get("www-authenticate")).toBe(`Bearer error="insufficient_scope", scope="${needed.join(" ")}"`);
        expect(await response.json(), route.operationId).toEqual(bodyOf(route, "forbidden", "Insufficient permissions"));
      }
    }
  });

  it("answers another person than the owner that there is nothing, or that it is not permitted", async () => {
    const named = guarded().filter((route) => route.path.includes("{") && route.access !== "anyone" && !route.access.scopes.includes("admin"));
    expect(named.map((route) => route.operationId).sort()).toEqual(Object.keys(ownership).sort());
    for (const route of named) {
      const expected = ownership[route.operationId];
      if (expected === "shared") continue;
      const response = await send(route, path(route, route.operationId === "revokeApiKey" ? ownedKey : "owned"), tokens.get("somebody else"), bodies[route.operationId]);
      expect(response.status, `${route.operationId}: ${await response.clone().text()}`).toBe(expected);
      expect(await response.json()).toMatchObject(expected === 403 ? { detail: "Insufficient permissions" } : { code: "not-found" });
      // The owner is answered otherwise, so it was not for want of the object.
      const exists = await send({ ...route, method: "get" }, route.path.startsWith("/api/v1/api-keys") ? "/api/v1/api-keys?user=robot" : path(route, "owned").replace(/\/owned\/.*/, "/owned"), await world.admin());
      expect(exists.status, route.operationId).toBe(200);
    }
    expect(await (await world.fetch("/api/v1/servers/owned", { token: await world.admin() })).json()).toMatchObject({ name: "owned", enabled: true, title: null });
  });

  it("describes every route in OpenAPI 3.1 with its schemas, and the password flow as the guidelines have it", async () => {
    const description = (await (await world.fetch("/openapi.json")).json()) as { openapi: string; paths: Record<string, Record<string, { security: unknown[]; responses: Record<string, unknown> }>>; components: { securitySchemes: Record<string, unknown> } };
    expect(description.openapi).toBe("3.1.0");
    for (const route of world.routes) {
      const operation = description.paths[route.path]?.[route.method];
      expect(operation, `${route.method} ${route.path}`).toBeDefined();
      expect(operation?.security).toEqual(route.access === "anyone" ? [] : [{ OAuth2PasswordBearer: route.access.scopes }, ...(route.access.or === undefined ? [] : [{ OAuth2PasswordBearer: [route.access.or] }])]);
      if (!["get", "delete"].includes(route.method) && route.path !== "/token") for (const [status, spec] of Object.entries(route.responses)) if (Number(status) < 204) expect(spec.schema, `${route.operationId} ${status}`).toBeDefined();
    }
    expect(description.components.securitySchemes).toEqual({
      OAuth2PasswordBearer: {
        type: "oauth2",
        flows: { password: { tokenUrl: "token", scopes: { "servers:read": "Read MCP servers", "servers:write": "Create/update MCP servers", admin: "Administrative access", "tools:call": "Call tools through the gateway", scim: "Provision users and groups from a directory", "audit:read": "Read the audit trail, and what was kept of calls" } } },
      },
    });
  });

  it("answers the wrong method with 405 and Allow, and an unknown path with 404", async () => {
    const wrong = await world.fetch("/api/v1/servers", { method: "DELETE" });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get("allow")).toBe("GET, POST");
    expect((await world.fetch("/api/v1/nothing")).status).toBe(404);
  });
});

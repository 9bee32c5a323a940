/** The authorization matrix: every route of the route table × every kind of caller. A new route is in it by existing. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allScopes, type Scope } from "../src/kernel/scopes.ts";
import type { Route } from "../src/net/route.ts";
import { startWorld, type World } from "./world.ts";

/** Routes that need no token. A route joins them only by being written here. */
const open = [
  "GET /.well-known/jwks.json",
  "GET /.well-known/oauth-authorization-server",
  "GET /.well-known/oauth-protected-resource",
  "GET /.well-known/oauth-protected-resource/bundles/{name}/mcp",
  "GET /.well-known/oauth-protected-resource/mcp",
  "GET /.well-known/oauth-protected-resource/servers/{name}/mcp",
  "GET /.well-known/openid-configuration",
  "GET /account/clients",
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

describe("the authorization matrix", () => {
  let world: World;
  const tokens = new Map<string, string>();
  beforeAll(async () => {
    let skew = 0;
    world = await startWorld({ now: () => Date.now() + skew });
    for (const scope of allScopes) tokens.set(scope, (await world.user(`only-${scope.replace(":", "-")}`, scope)).token);
    tokens.set("no scopes", (await world.user("nothing")).token);
    const disabled = await world.user("disabled", ...allScopes);
    await world.fetch("/api/v1/users/disabled", { token: await world.admin(), method: "PATCH", json: { disabled: true } });
    tokens.set("disabled user", disabled.token);
    const narrowed = await world.user("narrowed", ...allScopes);
    await world.fetch("/api/v1/users/narrowed", { token: await world.admin(), method: "PATCH", json: { scopes: ["servers:read"] } });
    tokens.set("revoked by a scope change", narrowed.token);
    skew = -7200_000;
    tokens.set("expired", await world.admin());
    skew = 0;
    const good = await world.admin();
    tokens.set("changed signature", `${good.slice(0, -6)}AAAAAA`);
    tokens.set("malformed", "not.a.token");
  });
  afterAll(() => world.end());

  const path = (route: Route) => route.path.replaceAll(/\{\w+\}/g, "nothing-of-this-name");
  const call = (route: Route, token?: string, extra: Record<string, string> = {}) =>
    world.fetch(path(route), { method: route.method.toUpperCase(), ...(token ? { token } : {}), headers: { "content-type": route.body?.type === "form" ? "application/x-www-form-urlencoded" : "application/json", ...extra }, ...(route.method === "get" ? {} : { body: route.body?.type === "form" ? "" : "{}" }) });

  it("knows every route without a token by name", () => {
    expect(world.routes.filter((route) => route.access === "anyone").map((route) => `${route.method.toUpperCase()} ${route.path}`).sort()).toEqual(open);
  });

  it("finds every guarded route declaring at least one scope", () => {
    const guarded = world.routes.filter((route) => route.access !== "anyone");
    expect(guarded.length).toBeGreaterThan(10);
    for (const route of guarded) expect(route.access === "anyone" || route.access.self ? ["own"] : route.access.scopes, route.operationId).not.toHaveLength(0);
  });

  it("answers 401 with the challenge to nobody, and to every token that is not good", async () => {
    for (const route of world.routes.filter((candidate) => candidate.access !== "anyone")) {
      const nobody = await call(route);
      expect(nobody.status, route.operationId).toBe(401);
      expect(nobody.headers.get("www-authenticate")).toBe("Bearer");
      expect(await nobody.json()).toMatchObject({ status: route.presentError ? "401" : 401, detail: "Could not validate credentials" });
      for (const kind of ["malformed", "expired", "changed signature", "disabled user", "revoked by a scope change"]) {
        const response = await call(route, tokens.get(kind));
        expect(response.status, `${route.operationId} with ${kind}`).toBe(401);
        expect(response.headers.get("www-authenticate"), kind).toMatch(/^Bearer .*error="invalid_token"/);
        expect(await response.json()).toMatchObject({ detail: "Could not validate credentials" });
      }
    }
  });

  it("refuses credentials in any other place or scheme", async () => {
    const good = await world.admin();
    expect((await world.fetch(`/api/v1/users?access_token=${good}`)).status).toBe(401);
    expect((await world.fetch("/api/v1/users", { headers: { authorization: `Basic ${good}` } })).status).toBe(401);
    expect((await world.fetch("/api/v1/users", { headers: { cookie: `token=${good}` } })).status).toBe(401);
    expect((await world.fetch("/api/v1/users", { headers: { authorization: `Bearer ${good} ${good}` } })).status).toBe(401);
  });

  it("answers 403 to every token without all the scopes of the route, and nothing else to those with them", async () => {
    for (const route of world.routes) {
      if (route.access === "anyone") continue;
      const needed: readonly Scope[] = route.access.scopes;
      for (const holder of [...allScopes, "no scopes"] as const) {
        const response = await call(route, tokens.get(holder));
        const permitted = needed.every((scope) => scope === holder) || route.access.or === holder;
        if (permitted) expect([401, 403], `${route.operationId} with ${holder}`).not.toContain(response.status);
        else {
          expect(response.status, `${route.operationId} with ${holder}`).toBe(403);
          expect(response.headers.get("www-authenticate")).toBe(`Bearer error="insufficient_scope", scope="${needed.join(" ")}"`);
          expect(await response.json()).toMatchObject({ status: route.presentError ? "403" : 403, detail: "Insufficient permissions" });
        }
      }
    }
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

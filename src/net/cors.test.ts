/** What pages of other origins may read, over the running product. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startWorld, type World } from "../../test/world.ts";

const friend = "https://inspector.example";
let world: World;
beforeAll(async () => {
  world = await startWorld({ settings: { SALLYPORT_ALLOWED_ORIGINS: friend } });
});
afterAll(() => world.end());

const ask = (path: string, origin: string, init: RequestInit = {}) => world.fetch(path, { ...init, headers: { origin, ...(init.headers as Record<string, string>) } });

describe("a page of an allowed origin", () => {
  it.each([
    ["/.well-known/oauth-protected-resource/servers/x/mcp", "GET", 200],
    ["/.well-known/oauth-authorization-server", "GET", 200],
    ["/token", "POST", 415],
    ["/servers/x/mcp", "POST", 401],
    ["/mcp", "POST", 401],
  ])("reads %s", async (path, method, status) => {
    const response = await ask(path, friend, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get("access-control-allow-origin")).toBe(friend);
    expect(response.headers.get("access-control-expose-headers")).toContain("www-authenticate");
    expect(response.headers.get("vary")).toContain("origin");
    expect(response.headers.get("access-control-allow-credentials")).toBeNull();
  });

  it("may send what clients send, and nothing else", async () => {
    const response = await ask("/servers/x/mcp", friend, { method: "OPTIONS", headers: { "access-control-request-method": "POST", "access-control-request-headers": "authorization, content-type, mcp-protocol-version, mcp-param-city, cookie, x-forwarded-for" } });
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-headers")).toBe("authorization, content-type, mcp-protocol-version, mcp-param-city");
  });

  it.each(["/authorize", "/interaction/aaaaaaaaaaaa", "/device", "/account/clients", "/api/v1/servers", "/setup"])("does not read %s", async (path) => {
    expect((await ask(path, friend)).headers.get("access-control-allow-origin")).toBeNull();
    const preflight = await ask(path, friend, { method: "OPTIONS", headers: { "access-control-request-method": "GET" } });
    expect(preflight.headers.get("access-control-allow-origin")).toBeNull();
  });
});

it.each(["https://evil.example", "null", `${friend}.evil.example`, friend.toUpperCase()])("refuses a page of %s", async (origin) => {
  const response = await ask("/.well-known/oauth-authorization-server", origin);
  expect(response.status).toBe(403);
  expect(response.headers.get("access-control-allow-origin")).toBeNull();
});

it("says nothing of origins to our own pages", async () => {
  expect((await ask("/.well-known/oauth-authorization-server", world.url)).headers.get("access-control-allow-origin")).toBeNull();
});

/** Service accounts and API keys, from making to revoking, on both databases. */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startWorld, databases, type World } from "./world.ts";
import { startServer } from "../src/main.ts";
import { createLog } from "../src/ops/index.ts";

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

/** Answers every request with an empty result. */
async function startEcho() {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += String(chunk)));
    request.on("end", () => {
      const { id = null, method } = JSON.parse(body || "{}") as { id?: unknown; method?: string };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, result: method === "tools/list" ? { tools: [] } : {} }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, close: () => new Promise((resolve) => server.close(resolve)) };
}

describe.each(databases)("machines on %s", (database) => {
  let world: World;
  let admin = "";
  let upstream: Awaited<ReturnType<typeof startEcho>>;
  beforeAll(async () => {
    [world, upstream] = await Promise.all([startWorld({ database, settings: { SALLYPORT_APPROVAL: "off" } }), startEcho()]);
    admin = await world.admin();
    for (const name of ["one", "two"]) {
      await send("POST", "/api/v1/servers", { name, url: upstream.url });
    }
    expect((await send("POST", "/api/v1/service-accounts", { name: "robot", scopes: ["tools:call", "servers:read"] })).status).toBe(201);
    for (const name of ["one", "two"]) await send("PUT", `/api/v1/servers/${name}/grants/robot`);
  });
  afterAll(async () => {
    await world.end();
    await upstream.close();
  });
  const send = (method: string, path: string, json?: unknown, token = admin) => world.fetch(path, { token, method, ...(json === undefined ? {} : { json }) });
  const newKey = async (fields: object, token = admin) => {
    const response = await send("POST", "/api/v1/api-keys", { name: "k", user: "robot", scopes: ["tools:call"], expiresAt: inDays(30), ...fields }, token);
    const body = (await response.json()) as { key: string; id: string; prefix: string };
    expect(response.status, JSON.stringify(body)).toBe(201);
    return body;
  };
  const call = async (key: string, server: string, tool?: string) => {
    const response = await fetch(`${world.url}/servers/${server}/mcp`, { method: "POST", headers: { authorization: `Bearer ${key}`, "content-type": "application/json", accept: "application/json, text/event-stream" }, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: tool ? "tools/call" : "tools/list", params: tool ? { name: tool, arguments: {} } : {} }) });
    await response.text();
    return response.status;
  };

  it("shows a key once, and stores only its keyed hash", async () => {
    const { key, prefix } = await newKey({});
    const listed = await (await send("GET", "/api/v1/api-keys?user=robot")).text();
    expect(listed).toContain(prefix);
    expect(listed).not.toContain(key.slice(12));
    const rows = JSON.stringify(await world.storage.db.selectFrom("api_keys").selectAll().execute());
    expect(rows).not.toContain(key.slice(12));
  });

  it("accepts a key at every gateway endpoint its account may use, and at the API, by its scopes", async () => {
    const { key } = await newKey({ scopes: ["tools:call"] });
    expect(await call(key, "one")).toBe(200);
    expect(await call(key, "two", "echo")).toBe(200);
    expect((await send("GET", "/api/v1/servers", undefined, key)).status).toBe(403);
    const reader = await newKey({ scopes: ["servers:read"] });
    expect((await send("GET", "/api/v1/servers", undefined, reader.key)).status).toBe(200);
    expect(await call(reader.key, "one")).toBe(403);
  });

  it("keeps a narrowed key to its servers and tools", async () => {
    const { key } = await newKey({ servers: ["one"], tools: ["ech*"] });
    expect(await call(key, "two", "echo")).toBe(404);
    expect(await call(key, "one", "echo")).toBe(200);
    expect(await call(key, "one", "environment")).toBe(403);
    expect((await send("POST", "/api/v1/api-keys", { name: "k", user: "robot", scopes: ["tools:call"], servers: [], expiresAt: inDays(1) })).status).toBe(422);
  });

  it("refuses a revoked key at once, here and in another process", async () => {
    const { key, id } = await newKey({});
    const other = await startServer({ config: world.config, profile: "production", log: createLog({ level: "silent" }) });
    const there = () => fetch(`${other.url}/api/v1/api-keys`, { headers: { authorization: `Bearer ${key}` } }).then((response) => response.status);
    expect(await call(key, "one")).toBe(200);
    expect(await there()).toBe(200);
    expect((await send("DELETE", `/api/v1/api-keys/${id}`)).status).toBe(204);
    expect(await call(key, "one")).toBe(401);
    const began = performance.now();
    while ((await there()) !== 401 && performance.now() - began < 3000) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await there()).toBe(401);
    expect(performance.now() - began).toBeLessThan(1500);
    await other.stop();
  });

  it("ends keys with the account, and lets them rest while it is disabled", async () => {
    await send("POST", "/api/v1/service-accounts", { name: "brief", scopes: ["servers:read"] });
    const { key } = await newKey({ user: "brief", scopes: ["servers:read"] });
    const read = async () => (await send("GET", "/api/v1/servers", undefined, key)).status;
    expect(await read()).toBe(200);
    await send("PATCH", "/api/v1/service-accounts/brief", { disabled: true });
    expect(await read()).toBe(401);
    await send("PATCH", "/api/v1/service-accounts/brief", { disabled: false });
    expect(await read()).toBe(200);
    await send("PATCH", "/api/v1/service-accounts/brief", { scopes: [] });
    expect(await read()).toBe(403);
    expect((await send("DELETE", "/api/v1/service-accounts/brief")).status).toBe(204);
    expect(await read()).toBe(401);
    // The name is free, and the rights are gone with the old holder.
    expect((await send("POST", "/api/v1/service-accounts", { name: "brief", scopes: ["servers:read"] })).status).toBe(201);
    expect(await read()).toBe(401);
  });

  it("refuses keys of wrong form, unknown ones, and keys in any other place", async () => {
    const { key } = await newKey({ scopes: ["servers:read"] });
    const ways: [string, RequestInit][] = [
      [`/api/v1/servers?access_token=${key}`, {}],
      ["/api/v1/servers", { headers: { "x-api-key": key } }],
      ["/api/v1/servers", { headers: { authorization: `Basic ${key}` } }],
      ["/api/v1/servers", { headers: { authorization: `Bearer ${key.slice(0, -1)}` } }],
      ["/api/v1/servers", { headers: { authorization: `Bearer ${key.slice(0, -6)}AAAAAA` } }],
      ["/api/v1/servers", { headers: { authorization: `Bearer sp_${randomBytes(30).toString("hex")}` } }],
    ];
    for (const [path, init] of ways) expect((await fetch(world.url + path, init)).status, JSON.stringify(init)).toBe(401);
    const exchanged = await fetch(`${world.url}/token`, { method: "POST", body: new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:token-exchange", subject_token: key, subject_token_type: "urn:ietf:params:oauth:token-type:access_token", resource: `${world.publicUrl}/servers/one/mcp` }) });
    expect(exchanged.status).toBe(400);
  });

  it("gives no key more than its user, no key to another person, and none by a key", async () => {
    const ada = await world.user("ada", "servers:read", "tools:call");
    const own = { name: "mine", scopes: ["servers:read"], expiresAt: inDays(1) };
    const make = (fields: object, token: string) => send("POST", "/api/v1/api-keys", { ...own, ...fields }, token);
    const made = await make({}, ada.token);
    expect(made.status).toBe(201);
    const { key, id } = (await made.json()) as { key: string; id: string };
    expect((await make({ scopes: ["admin"] }, ada.token)).status).toBe(422);
    expect((await make({}, key)).status).toBe(403);
    expect((await make({ user: "robot" }, ada.token)).status).toBe(404);
    expect((await make({ user: "ada" }, admin)).status).toBe(403);
    const narrowToken = (await (await world.login("ada", ada.password, "tools:call")).json()) as { access_token: string };
    expect((await make({}, narrowToken.access_token)).status).toBe(422);
    expect((await make({ scopes: ["admin"], servers: ["one"] }, admin)).status).toBe(422);
    const bob = await world.user("bob", "servers:read");
    expect((await send("DELETE", `/api/v1/api-keys/${id}`, undefined, bob.token)).status).toBe(404);
    expect((await send("GET", "/api/v1/api-keys?user=ada", undefined, bob.token)).status).toBe(404);
    expect((await send("GET", "/api/v1/api-keys?all=true", undefined, bob.token)).status).toBe(403);
    expect((await send("GET", "/api/v1/api-keys?user=ada")).status).toBe(200);
    expect((await send("DELETE", `/api/v1/api-keys/${id}`, undefined, ada.token)).status).toBe(204);
  });

  it("demands an expiry within the limit", async () => {
    const make = (expiresAt?: string) => send("POST", "/api/v1/api-keys", { name: "k", user: "robot", scopes: [], ...(expiresAt === undefined ? {} : { expiresAt }) });
    for (const bad of [undefined, inDays(-1), inDays(366), "tomorrow"]) expect((await make(bad)).status, bad).toBe(422);
    expect((await make(inDays(365))).status).toBe(201);
  });

  it("notes the last use, coarsely", async () => {
    const { key, id } = await newKey({});
    for (let count = 0; count < 5; count++) await call(key, "one");
    await new Promise((resolve) => setTimeout(resolve, 50));
    const first = await world.storage.db.selectFrom("api_keys").select("last_used_at").where("id", "=", id).executeTakeFirstOrThrow();
    expect(first.last_used_at).toBeGreaterThan(Date.now() - 10_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await call(key, "one");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await world.storage.db.selectFrom("api_keys").select("last_used_at").where("id", "=", id).executeTakeFirstOrThrow()).toEqual(first);
  });

  it("lets a service account have no password", async () => {
    expect((await world.login("robot", "")).status).toBe(400);
    expect((await send("PATCH", "/api/v1/users/robot", { password: "a long enough password" })).status).toBe(422);
  });

  it("leaves an event for every change", async () => {
    for (const type of ["service-account.created", "user.deprovisioned", "api-key.created", "api-key.revoked"]) {
      const { items } = (await (await send("GET", `/api/v1/audit/events?type=${type}`)).json()) as { items: unknown[] };
      expect(items.length, type).toBeGreaterThan(0);
    }
  });
});

describe("API keys", () => {
  it("outlive the rotation of the root key while the previous one is configured", async () => {
    const world = await startWorld();
    const token = await world.admin();
    const { key } = (await (await world.fetch("/api/v1/api-keys", { token, json: { name: "k", scopes: ["servers:read"], expiresAt: inDays(1) } })).json()) as { key: string };
    await world.stop();
    const { SALLYPORT_ENCRYPTION_KEY: old } = world.config;
    const { Secret } = await import("../src/kernel/secret.ts");
    const next = new Secret(randomBytes(32).toString("base64url"));
    const use = async (settings: object) => {
      const running = await startServer({ config: { ...world.config, ...settings }, profile: "production", log: createLog({ level: "silent" }) });
      const { status } = await fetch(`${running.url}/api/v1/servers`, { headers: { authorization: `Bearer ${key}` } });
      await running.stop();
      return status;
    };
    expect(await use({ SALLYPORT_ENCRYPTION_KEY: next, SALLYPORT_ENCRYPTION_KEY_PREVIOUS: old })).toBe(200);
    expect(await use({ SALLYPORT_ENCRYPTION_KEY: next, SALLYPORT_ENCRYPTION_KEY_PREVIOUS: old })).toBe(200);
    rmSync(world.config.SALLYPORT_DATA_DIR, { recursive: true });
  });
});

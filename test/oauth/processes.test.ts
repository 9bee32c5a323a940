/** Several processes on one PostgreSQL: what one revokes, the other refuses within a second; and keys that rotate under load refuse nobody. */
import { spawn, type ChildProcess } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { decodeProtectedHeader } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEverything } from "../peers/everything.ts";
import type { World } from "../world.ts";
import { registerClient, startOAuthWorld, tokenRequest, type RegisteredClient } from "./flow.ts";

const basic = ({ clientId, clientSecret }: RegisteredClient) => ({ authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}` });
const machine = (world: World) => registerClient(world, { authMethod: "client_secret_basic", grantTypes: ["client_credentials"], redirectUris: [], scopes: ["servers:read"], actsAs: "robot" });
const own = async (world: World, client: RegisteredClient) => ((await (await tokenRequest(world, { grant_type: "client_credentials" }, basic(client))).json()) as { access_token: string }).access_token;

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

describe("two processes", () => {
  let world: World;
  let other: ChildProcess;
  let otherUrl = "";
  beforeAll(async () => {
    // One name for both, as behind a load balancer.
    world = await startOAuthWorld({ database: "postgres", settings: { SALLYPORT_PUBLIC_URL: "http://localhost:8420" } });
    await world.user("robot", "servers:read");
    const { config } = world;
    const port = await freePort();
    otherUrl = `http://127.0.0.1:${port}`;
    other = spawn(process.execPath, ["src/main.ts", "serve"], { env: { PATH: process.env["PATH"], SALLYPORT_PORT: String(port), SALLYPORT_PUBLIC_URL: "http://localhost:8420", SALLYPORT_DATA_DIR: config.SALLYPORT_DATA_DIR, SALLYPORT_DATABASE_URL: config.SALLYPORT_DATABASE_URL?.reveal(), SALLYPORT_ENCRYPTION_KEY: config.SALLYPORT_ENCRYPTION_KEY.reveal(), SALLYPORT_LOG_LEVEL: "error", SALLYPORT_UPSTREAM_ALLOW: "127.0.0.1" }, stdio: ["ignore", "ignore", "inherit"] });
    for (let attempt = 0; attempt < 300 && !(await fetch(`${otherUrl}/healthz`).then(({ ok }) => ok, () => false)); attempt++) await new Promise((resolve) => setTimeout(resolve, 100));
  }, 60_000);
  afterAll(async () => {
    other.kill();
    await world.end();
  });

  const there = async (token: string) => (await fetch(`${otherUrl}/api/v1/servers`, { headers: { authorization: `Bearer ${token}` } })).status;
  const refusedWithin = async (token: string, milliseconds: number) => {
    const began = performance.now();
    while ((await there(token)) !== 401) if (performance.now() - began > milliseconds) return false;
    return true;
  };

  it("refuse within a second what the other has revoked: a token, a client, an account", async () => {
    const client = await machine(world);
    const token = await own(world, client);
    expect(await there(token)).toBe(200);
    expect((await world.fetch("/revoke", { method: "POST", headers: basic(client), body: new URLSearchParams({ token }) })).status).toBe(200);
    expect(await refusedWithin(token, 1000)).toBe(true);
    const second = await own(world, client);
    expect(await there(second)).toBe(200);
    await world.fetch(`/api/v1/clients/${client.clientId}`, { token: await world.admin(), method: "DELETE" });
    expect(await refusedWithin(second, 1000)).toBe(true);
    const third = await own(world, await machine(world));
    expect(await there(third)).toBe(200);
    await world.fetch("/api/v1/users/robot", { token: await world.admin(), method: "PATCH", json: { disabled: true } });
    expect(await refusedWithin(third, 1000)).toBe(true);
  }, 30_000);

  it("cut what still streams at one when the other disables the account", async () => {
    const upstream = await startEverything({ era: "modern" });
    const { token } = await world.user("listener", "tools:call");
    expect((await world.fetch("/api/v1/servers", { token: await world.admin(), json: { name: "streams", url: upstream.url } })).status).toBe(201);
    await world.fetch("/api/v1/servers/streams/grants/listener", { token: await world.admin(), method: "PUT" });
    const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} };
    const listen = await fetch(`${otherUrl}/servers/streams/mcp`, {
      method: "POST",
      headers: { authorization: `Bearer ${await world.tokenAt("/servers/streams/mcp", token)}`, "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "subscriptions/listen", params: { notifications: { toolsListChanged: true }, _meta: meta } }),
    });
    expect(listen.status).toBe(200);
    const reader = (listen.body ?? new ReadableStream()).getReader();
    expect(Buffer.from((await reader.read()).value as Uint8Array).toString()).toContain("acknowledged");
    const began = performance.now();
    await world.fetch("/api/v1/users/listener", { token: await world.admin(), method: "PATCH", json: { disabled: true } });
    await expect((async () => {
      while (!(await reader.read()).done);
    })()).rejects.toThrow();
    expect(performance.now() - began).toBeLessThan(5000);
    await upstream.close();
  }, 30_000);

  it("remember a revocation over a restart", async () => {
    await world.fetch("/api/v1/users/robot", { token: await world.admin(), method: "PATCH", json: { disabled: false } });
    const client = await machine(world);
    const token = await own(world, client);
    await world.fetch("/revoke", { method: "POST", headers: basic(client), body: new URLSearchParams({ token }) });
    await world.restart();
    expect((await world.fetch("/api/v1/servers", { headers: { authorization: `Bearer ${token}` } })).status).toBe(401);
  }, 30_000);
});

describe("signing keys", () => {
  it("rotate under load without a 401 for a token that is good, and the authorization server signs by the new one", async () => {
    let skew = 0;
    const world = await startOAuthWorld({ settings: { SALLYPORT_SIGNING_KEY_LIFETIME: "3600", SALLYPORT_TOKEN_LIFETIME: "86400" }, now: () => Date.now() + skew });
    await world.user("robot", "servers:read");
    const client = await machine(world);
    const tokens: string[] = [await own(world, client)];
    const refused: number[] = [];
    let done = false;
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!done) {
          const token = tokens[Math.floor(tokens.length / 2)] ?? "";
          const { status } = await world.fetch("/api/v1/servers", { headers: { authorization: `Bearer ${token}` } });
          if (status !== 200) refused.push(status);
        }
      }),
    );
    for (let rotation = 0; rotation < 3; rotation++) {
      skew += 3601_000;
      tokens.push(await own(world, client), await own(world, client));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    done = true;
    await load;
    expect(refused).toEqual([]);
    expect(new Set(tokens.map((token) => decodeProtectedHeader(token).kid)).size).toBe(4);
    const { keys } = (await (await world.fetch("/.well-known/jwks.json")).json()) as { keys: { kid: string }[] };
    for (const token of tokens) expect(keys.map(({ kid }) => kid)).toContain(decodeProtectedHeader(token).kid);
    await world.end();
  }, 60_000);
});

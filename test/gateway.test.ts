/** The second door on real servers: the official everything-server behind the gateway, driven by the official SDK clients, v1 and v2. */
import { spawn, type ChildProcess } from "node:child_process";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startWorld, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld({ settings: { SALLYPORT_UPSTREAM_TIMEOUT: "1", SALLYPORT_STREAM_IDLE_TIMEOUT: "1", SALLYPORT_RESPONSE_LIMIT: "100000", SALLYPORT_STREAM_KEEP_ALIVE: "1", SALLYPORT_APPROVAL: "off" } });
});
afterAll(() => world.end());

async function register(name: string, url: string, extra: object = {}): Promise<void> {
  const response = await world.fetch("/api/v1/servers", { token: await world.admin(), json: { name, url, ...extra } });
  if (response.status !== 201) throw new Error(await response.text());
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("with the official everything-server behind it", () => {
  let everything: ChildProcess;
  beforeAll(async () => {
    const port = await freePort();
    everything = spawn(process.execPath, ["node_modules/@modelcontextprotocol/server-everything/dist/index.js", "streamableHttp"], { env: { PATH: process.env["PATH"], PORT: String(port) }, stdio: "ignore" });
    for (let attempt = 0; attempt < 100; attempt++) {
      if (await fetch(`http://127.0.0.1:${port}/mcp`).then(() => true, () => false)) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await register("everything", `http://127.0.0.1:${port}/mcp`);
  });
  afterAll(() => void everything.kill());

  const endpoint = () => new URL("/servers/everything/mcp", world.url);
  const options = (token: string) => ({ requestInit: { headers: { authorization: `Bearer ${token}` } } });

  it("lists and calls tools for the SDK v1 client", async () => {
    const client = new ClientV1({ name: "test", version: "1" });
    await client.connect(new TransportV1(endpoint(), options(await world.tokenAt(endpoint().pathname, await world.admin()))));
    expect((await client.listTools()).tools.map((tool) => tool.name)).toContain("echo");
    expect(await client.callTool({ name: "echo", arguments: { message: "through both doors" } })).toMatchObject({ content: [{ type: "text", text: "Echo: through both doors" }] });
    await client.close();
  });

  it("lists and calls tools for the SDK v2 client, negotiating by itself", async () => {
    const client = new ClientV2({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
    await client.connect(new TransportV2(endpoint(), options(await world.tokenAt(endpoint().pathname, await world.admin()))));
    expect((await client.listTools()).tools.map((tool) => tool.name)).toContain("echo");
    expect(await client.callTool({ name: "echo", arguments: { message: "through both doors" } })).toMatchObject({ content: [{ type: "text", text: "Echo: through both doors" }] });
    await client.close();
  });

  it("shows the tools it saw in the registry, and finds the server by them", async () => {
    const token = await world.admin();
    expect(await (await world.fetch("/api/v1/servers/everything", { token })).json()).toMatchObject({ state: { status: "reachable" }, tools: expect.arrayContaining(["echo"]) as unknown });
    const page = (await (await world.fetch("/api/v1/servers?q=echo", { token })).json()) as { items: { name: string }[] };
    expect(page.items.map((item) => item.name)).toContain("everything");
  });

  it("leaves an audit event of each call", async () => {
    const { items } = (await (await world.fetch("/api/v1/audit/events?type=call.completed", { token: await world.admin() })).json()) as { items: { detail: Record<string, unknown> }[] };
    expect(items.some(({ detail }) => detail["method"] === "tools/call" && detail["tool"] === "echo")).toBe(true);
  });

  it("does not let one user use another's session", async () => {
    const token = await world.admin();
    const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } } };
    const accept = { accept: "application/json, text/event-stream" };
    const opened = await world.fetch("/servers/everything/mcp", { token, json: initialize, headers: accept });
    const session = opened.headers.get("mcp-session-id") ?? "";
    await opened.text();
    const list = { jsonrpc: "2.0", id: 2, method: "tools/list" };
    const own = await world.fetch("/servers/everything/mcp", { token, json: list, headers: { ...accept, "mcp-session-id": session } });
    expect(own.status).toBe(200);
    await own.text();
    const thief = await world.user("thief", "tools:call");
    await world.fetch("/api/v1/servers/everything/grants/thief", { token, method: "PUT" });
    const stolen = await world.fetch("/servers/everything/mcp", { token: thief.token, json: list, headers: { ...accept, "mcp-session-id": session } });
    expect(stolen.status).toBe(404);
    expect(await stolen.json()).toMatchObject({ id: 2, error: { message: "Session not found" } });
    // As the upstream minted it, without the mark of whom it is for.
    const raw = session.slice(0, session.lastIndexOf("."));
    expect((await world.fetch("/servers/everything/mcp", { token, json: list, headers: { ...accept, "mcp-session-id": raw } })).status).toBe(404);
  });
});

describe("with an upstream of the tests behind it", () => {
  let upstream: Server;
  let handler: (request: IncomingMessage, response: ServerResponse, body: string) => void = () => undefined;
  const seen: { headers: IncomingMessage["rawHeaders"]; body: string }[] = [];
  const json = (response: ServerResponse, value: unknown, status = 200) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  /** What the gateway asks on its own account: which eras the server speaks, and which tools it has. */
  const introduce = (response: ServerResponse, body: string) => {
    const { id, method } = JSON.parse(body) as { id?: number; method: string };
    const answers: Record<string, object> = { "server/discover": { supportedVersions: ["2026-07-28"], capabilities: { tools: {} } }, initialize: { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "probe", version: "1" } }, "tools/list": { tools: [] } };
    if (id === undefined) return void response.writeHead(202).end();
    json(response, { jsonrpc: "2.0", id, result: answers[method] ?? {} });
  };
  const call = (id: unknown = 1, name = "echo") => ({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: {} } });
  const secret = `upstream-credential-${process.pid}`;

  beforeAll(async () => {
    upstream = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        if (body.includes('"name":"sallyport"') || body.includes('"notifications/initialized"')) return introduce(response, body);
        seen.push({ headers: request.rawHeaders, body });
        handler(request, response, body);
      });
    });
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", () => resolve()));
    handler = (_request, response) => json(response, { jsonrpc: "2.0", id: 1, result: {} });
    await register("probe", `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/mcp?fixed=1`, { headers: { "x-upstream-key": secret, authorization: "Bearer of-the-upstream" } });
  });
  afterAll(() => {
    upstream.closeAllConnections();
    upstream.close();
  });

  const post = async (json: unknown, token?: string, init: RequestInit = {}) => world.fetch("/servers/probe/mcp", { token: token ?? (await world.admin()), json, ...init, headers: { accept: "application/json, text/event-stream", ...(init.headers as Record<string, string>) } });

  it("sends the upstream's credentials, and nothing of the caller's", async () => {
    const token = await world.admin();
    seen.length = 0;
    await (await post(call(), token, { headers: { cookie: "session=canary-cookie", "x-forwarded-for": "203.0.113.9", "proxy-authorization": "Basic canary", dpop: "canary-dpop", "x-custom": "canary-custom", "mcp-param-city": "Oslo" } })).text();
    const text = seen.map(({ headers, body }) => headers.join("\n") + body).join("\n");
    expect(text).toContain(secret);
    expect(text).toContain("Bearer of-the-upstream");
    expect(text).toContain("Oslo");
    expect(text).not.toContain(token);
    expect(text).not.toMatch(/canary|203\.0\.113\.9/);
  });

  it("carries the body byte for byte", async () => {
    const body = '{"jsonrpc":"2.0",  "id":1,"method":"tools/call","params":{"name":"echo","arguments":{"n":9007199254740993123,"u":"\\u00e9é"}},"unknown":1.10}';
    seen.length = 0;
    await (await world.fetch("/servers/probe/mcp", { token: await world.admin(), method: "POST", body, headers: { "content-type": "application/json" } })).text();
    expect(seen[0]?.body).toBe(body);
  });

  it("passes nothing of the upstream's cookies, challenges and CORS answers on", async () => {
    handler = (_request, response) => response.writeHead(200, { "content-type": "application/json", "set-cookie": "a=b", "access-control-allow-origin": "*", server: "secret-banner", "x-internal": "1", "content-security-policy": "none" }).end('{"jsonrpc":"2.0","id":1,"result":{}}');
    const response = await post(call());
    expect(response.headers.get("set-cookie")).toBeNull();
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.headers.get("server")).toBeNull();
    expect(response.headers.get("x-internal")).toBeNull();
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
  });

  it("streams events as they come", async () => {
    let finish = () => undefined as void;
    handler = (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write('data: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n');
      finish = () => void response.end('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n');
    };
    const response = await post(call());
    const reader = (response.body ?? new ReadableStream()).getReader();
    const first = await reader.read();
    expect(Buffer.from(first.value as Uint8Array).toString()).toContain("notifications/progress");
    finish();
    const second = await reader.read();
    expect(Buffer.from(second.value as Uint8Array).toString()).toContain('"result"');
  });

  it("cuts a long answer within a second when its holder is disabled", async () => {
    const holder = await world.user("holder", "tools:call");
    const token = await world.admin();
    await world.fetch("/api/v1/servers/probe/grants/holder", { token, method: "PUT" });
    handler = (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(": still here\n\n");
    };
    const response = await post(call(), holder.token);
    expect(response.status).toBe(200);
    const began = performance.now();
    await world.fetch("/api/v1/users/holder", { token, method: "PATCH", json: { disabled: true } });
    await expect(response.text()).rejects.toThrow();
    expect(performance.now() - began).toBeLessThan(1000);
  });

  it("ends a stream when its holder's grant is gone, and frees the upstream's", async () => {
    const listener = await world.user("listener", "tools:call");
    const token = await world.admin();
    await world.fetch("/api/v1/servers/probe/grants/listener", { token, method: "PUT" });
    const freed = new Promise<void>((resolve) => {
      handler = (request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        const pulse = setInterval(() => response.write(": still here\n\n"), 200);
        request.socket.once("close", () => {
          clearInterval(pulse);
          resolve();
        });
      };
    });
    const response = await world.fetch("/servers/probe/mcp", { token: listener.token, headers: { accept: "text/event-stream" } });
    expect(response.status).toBe(200);
    await world.fetch("/api/v1/servers/probe/grants/listener", { token, method: "DELETE" });
    await expect(response.text()).rejects.toThrow();
    await freed;
    expect((await world.fetch("/servers/probe/mcp", { token: listener.token, headers: { accept: "text/event-stream" } })).status).toBe(404);
  });

  it("cancels the upstream within a second when the client leaves", async () => {
    const cancelled = new Promise<number>((resolve) => {
      handler = (request, response) => {
        const began = performance.now();
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write(": hello\n\n");
        request.socket.on("close", () => resolve(performance.now() - began));
      };
    });
    const controller = new AbortController();
    const response = await post(call(), undefined, { signal: controller.signal });
    await response.body?.getReader().read();
    controller.abort();
    expect(await cancelled).toBeLessThan(1000);
  });

  it("names the deadline when an upstream never answers", async () => {
    handler = () => undefined;
    const began = performance.now();
    const response = await post(call("late"));
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ jsonrpc: "2.0", id: "late", error: { code: -32603 } });
    expect(performance.now() - began).toBeLessThan(3000);
  });

  it.each<[string, (request: IncomingMessage, response: ServerResponse) => void]>([
    ["redirects to instance metadata", (_request, response) => response.writeHead(302, { location: "http://169.254.169.254/" }).end()],
    ["answers HTML", (_request, response) => response.writeHead(200, { "content-type": "text/html" }).end("<script>alert(1)</script>")],
    ["refuses the credentials", (_request, response) => response.writeHead(401, { "www-authenticate": 'Bearer realm="internal"' }).end()],
    ["fails", (_request, response) => response.writeHead(500, { "content-type": "application/json" }).end('{"stack":"secret"}')],
    ["hangs up", (request) => request.socket.destroy()],
  ])("answers with an error of its own when the upstream %s", async (_what, misbehave) => {
    handler = misbehave;
    const response = await post(call());
    expect(response.status).toBe(502);
    expect(response.headers.get("location")).toBeNull();
    expect(response.headers.get("www-authenticate")).toBeNull();
  });

  it("cuts an answer beyond the limit", async () => {
    handler = (_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write("x".repeat(90_000));
      setTimeout(() => response.write("x".repeat(90_000)), 20);
    };
    await expect(post(call()).then((response) => response.text())).rejects.toThrow();
  });

  it.each([
    ["a batch", [call()], 400, -32600],
    ["no JSON-RPC version", { id: 1, method: "x" }, 400, -32600],
    ["an id of null", { jsonrpc: "2.0", id: null, method: "x" }, 400, -32600],
    ["a method that is no string", { jsonrpc: "2.0", id: 1, method: 7 }, 400, -32600],
    ["params that are no object", { jsonrpc: "2.0", id: 1, method: "x", params: [1] }, 400, -32602],
  ])("answers %s in JSON-RPC terms", async (_what, message, status, code) => {
    const response = await post(message);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ jsonrpc: "2.0", error: { code } });
  });

  it.each([['{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}'], ['{"jsonrpc":"2.0","id":1,"method":"x","__proto__":{}}'], ["{"], [""], ['{"jsonrpc":"2.0","id":1,"method":"x","params":{"n":1e999}}'], ["[".repeat(70) + "]".repeat(70)]])("refuses the body %j before anything else sees it", async (body) => {
    seen.length = 0;
    const response = await world.fetch("/servers/probe/mcp", { token: await world.admin(), method: "POST", body, headers: { "content-type": "application/json" } });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: -32700 } });
    expect(seen).toHaveLength(0);
  });

  it("refuses headers that disagree with a 2026-07-28 body", async () => {
    const modern = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo", arguments: {}, _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} } } };
    handler = (_request, response) => json(response, { jsonrpc: "2.0", id: 1, result: {} });
    const agreeing = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "echo" };
    expect((await post(modern, undefined, { headers: agreeing })).status).toBe(200);
    for (const wrong of [{ "mcp-name": "delete" }, { "mcp-method": "tools/list" }, { "mcp-protocol-version": "2025-11-25" }]) {
      const response = await post(modern, undefined, { headers: { ...agreeing, ...wrong } });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ id: 1, error: { code: -32020 } });
    }
  });

  it("needs the scope, and shows an ungranted, a disabled and an unknown server as the same", async () => {
    const reader = await world.user("reader", "servers:read");
    expect((await post(call(), reader.token)).status).toBe(403);
    const caller = await world.user("caller", "tools:call");
    const answers = [await post(call(), caller.token), await world.fetch("/servers/no-such-server/mcp", { token: caller.token, json: call() })];
    const token = await world.admin();
    await world.fetch("/api/v1/servers/probe/disable", { token, method: "POST" });
    answers.push(await post(call(), token));
    await world.fetch("/api/v1/servers/probe/enable", { token, method: "POST" });
    const bodies = await Promise.all(answers.map(async (response) => ({ status: response.status, ...((await response.json()) as object), reference: "" })));
    expect(bodies[0]).toMatchObject({ status: 404, detail: "No such server" });
    expect(bodies[1]).toEqual(bodies[0]);
    expect(bodies[2]).toEqual(bodies[0]);
    handler = (_request, response) => json(response, { jsonrpc: "2.0", id: 1, result: {} });
    await world.fetch("/api/v1/servers/probe/grants/caller", { token, method: "PUT" });
    expect((await post(call(), caller.token)).status).toBe(200);
    await world.fetch("/api/v1/servers/probe/grants/caller", { token, method: "DELETE" });
    expect((await post(call(), caller.token)).status).toBe(404);
  });

  it("does no database query and checks no signature on a warm call", async () => {
    const token = await world.admin();
    handler = (_request, response) => json(response, { jsonrpc: "2.0", id: 1, result: {} });
    await (await post(call(), token)).text();
    const checks = world.tokens.signatureChecks;
    let queries = 0;
    const executor = world.storage.db.getExecutor();
    const original = executor.executeQuery.bind(executor);
    executor.executeQuery = ((...args: Parameters<typeof original>) => {
      if (!args[0].sql.includes("audit_")) queries++;
      return original(...args);
    }) as typeof executor.executeQuery;
    // The server misbehaved in the tests before: it may still be looked at in the background.
    for (let attempt = 0; attempt === 0 || (queries > 0 && attempt < 3); attempt++) {
      queries = 0;
      for (let index = 0; index < 50; index++) await (await post(call(), token)).text();
    }
    expect(queries).toBe(0);
    await world.storage.db.selectFrom("users").select("id").execute();
    expect(queries, "the counter counts").toBe(1);
    executor.executeQuery = original;
    expect(world.tokens.signatureChecks).toBe(checks);
  });

  it("keeps every secret out of the log", async () => {
    const token = await world.admin();
    await (await post(call(), token)).text();
    const log = world.logLines.join("");
    expect(log).toContain('"route":"/servers/{name}/mcp"');
    for (const canary of [secret, token, "of-the-upstream", "canary", world.config.SALLYPORT_ADMIN_PASSWORD?.reveal() ?? "-"]) expect(log).not.toContain(canary);
  });
});

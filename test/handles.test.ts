/**
 * The two-user replay matrix: every handle that a server mints (session, requestState, cursor, task, event) comes back through the gateway in
 * the hands that it was given to, and is unknown in any other, though both users may use the server, and though the server itself, which sees
 * one and the same gateway, would take it from anybody.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startWorld, type World } from "./world.ts";

interface Rpc {
  id?: unknown;
  method: string;
  params?: Record<string, unknown>;
}

const raw = { session: "session-of-the-upstream", state: 'a state "with" quotes.and.dots', cursor: "page-2", task: "task-7", event: "event-41" };
const seen: { headers: IncomingMessage["headers"]; rpc: Rpc | undefined }[] = [];

/** A server that trusts whoever knows a handle. */
function answer(request: IncomingMessage, response: ServerResponse, body: string): void {
  const rpc = body === "" ? undefined : (JSON.parse(body) as Rpc);
  seen.push({ headers: request.headers, rpc });
  const { id, method = "", params = {} } = rpc ?? {};
  const json = (result: object, headers: object = {}) => response.writeHead(200, { "content-type": "application/json", ...headers }).end(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"n":9007199254740993,"result":${JSON.stringify(result)}}`);
  if (request.method === "GET") {
    response.writeHead(200, { "content-type": "text/event-stream" });
    return void response.end(`id: ${raw.event}\ndata: {"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"${raw.task}","status":"working"}}\n\n`);
  }
  switch (method) {
    case "server/discover":
    case "initialize":
      return void json({ protocolVersion: "2025-11-25", supportedVersions: ["2026-07-28"], capabilities: { tools: {} }, serverInfo: { name: "trusting", version: "1" }, resultType: "complete", ttlMs: 0, cacheScope: "private" }, method === "initialize" ? { "mcp-session-id": raw.session } : {});
    case "tools/list":
      return void json({ tools: [{ name: "ask", inputSchema: { type: "object" } }, { name: "slow", inputSchema: { type: "object" } }], ...(params["cursor"] === undefined ? { nextCursor: raw.cursor } : {}), resultType: "complete", ttlMs: 0, cacheScope: "private" });
    case "tools/call":
      if (params["name"] === "slow") return void json({ resultType: "task", taskId: raw.task, task: { taskId: raw.task }, nextCursor: "its own word" });
      return void json(params["requestState"] === raw.state ? { resultType: "complete", content: [] } : { resultType: "input_required", inputRequests: {}, requestState: raw.state });
    case "tasks/get":
      return void (params["taskId"] === raw.task ? json({ taskId: raw.task, status: "completed", resultType: "complete" }) : response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32602, message: "No such task" } })));
    default:
      return void response.writeHead(202).end();
  }
}

let world: World;
const tokens: Record<"ann" | "ben", string> = { ann: "", ben: "" };
const upstream = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => (body += chunk.toString()));
  request.on("end", () => answer(request, response, body));
});

beforeAll(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", () => resolve()));
  world = await startWorld({ settings: { SALLYPORT_APPROVAL: "off" } });
  const admin = await world.admin();
  const registered = await world.fetch("/api/v1/servers", { token: admin, json: { name: "trusting", url: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/mcp` } });
  if (registered.status !== 201) throw new Error(await registered.text());
  for (const name of ["ann", "ben"] as const) {
    tokens[name] = (await world.user(name, "tools:call")).token;
    await world.fetch(`/api/v1/servers/trusting/grants/${name}`, { token: admin, method: "PUT" });
  }
});
afterAll(async () => {
  await world.end();
  upstream.closeAllConnections();
  upstream.close();
});

const path = "/servers/trusting/mcp";
type Who = keyof typeof tokens;

async function post(who: Who, rpc: Rpc, headers: Record<string, string> = {}): Promise<{ status: number; headers: Headers; text: string; result: Record<string, unknown>; code: number | undefined }> {
  const response = await world.fetch(path, { token: tokens[who], json: { jsonrpc: "2.0", id: 1, ...rpc }, headers: { accept: "application/json, text/event-stream", ...headers } });
  const text = await response.text();
  const message = text.startsWith("{") ? (JSON.parse(text) as { result?: Record<string, unknown>; error?: { code: number } }) : {};
  return { status: response.status, headers: response.headers, text, result: message.result ?? {}, code: message.error?.code };
}

function modern(who: Who, method: string, params: Record<string, unknown> = {}) {
  const name = params["name"] ?? params["taskId"];
  const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} };
  return post(who, { method, params: { ...params, _meta } }, { "mcp-protocol-version": "2026-07-28", "mcp-method": method, ...(typeof name === "string" ? { "mcp-name": name } : {}) });
}

const lastParams = () => seen.at(-1)?.rpc?.params ?? {};

describe("for its holder", () => {
  it("requestState comes back to the server as it was, and nothing else changes on the way", async () => {
    const { text, result } = await modern("ann", "tools/call", { name: "ask" });
    expect(text.replace(JSON.stringify(result["requestState"]), JSON.stringify(raw.state))).toBe(`{"jsonrpc":"2.0","id":1,"n":9007199254740993,"result":${JSON.stringify({ resultType: "input_required", inputRequests: {}, requestState: raw.state })}}`);
    expect(result["requestState"]).not.toBe(raw.state);
    expect((await modern("ann", "tools/call", { name: "ask", requestState: result["requestState"], inputResponses: {} })).result["resultType"]).toBe("complete");
    expect(lastParams()["requestState"]).toBe(raw.state);
  });

  it.each(["2026-07-28", "2025-11-25"])("a cursor of %s comes back as it was", async (version) => {
    const list = (cursor?: unknown) => (version === "2026-07-28" ? modern("ann", "tools/list", cursor === undefined ? {} : { cursor }) : post("ann", { method: "tools/list", params: cursor === undefined ? {} : { cursor } }));
    const { result } = await list();
    expect(result["nextCursor"]).toMatch(/^page-2\../);
    await list(result["nextCursor"]);
    expect(lastParams()["cursor"]).toBe(raw.cursor);
  });

  it("a task comes back as it was, in the header too; what a tool says for itself stays", async () => {
    const { result } = await modern("ann", "tools/call", { name: "slow" });
    expect(result["nextCursor"]).toBe("its own word");
    expect(result["task"]).toEqual({ taskId: result["taskId"] });
    const got = await modern("ann", "tasks/get", { taskId: result["taskId"] });
    expect(got.result).toMatchObject({ status: "completed", taskId: result["taskId"] });
    expect(seen.at(-1)).toMatchObject({ headers: { "mcp-name": raw.task }, rpc: { params: { taskId: raw.task } } });
  });

  it("a session and an event come back as they were", async () => {
    const session = (await post("ann", { method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } } })).headers.get("mcp-session-id") ?? "";
    expect(session).not.toBe(raw.session);
    const get = (headers: object) => world.fetch(path, { token: tokens.ann, headers: { accept: "text/event-stream", "mcp-session-id": session, ...headers } }).then((response) => response.text());
    const [, event = "", task = ""] = /id: (\S+)\n.*"taskId":"([^"]+)"/.exec(await get({})) ?? [];
    expect([event, task]).toEqual([expect.stringMatching(/^event-41\../), expect.stringMatching(/^task-7\../)]);
    await get({ "last-event-id": event });
    expect(seen.at(-1)?.headers).toMatchObject({ "mcp-session-id": raw.session, "last-event-id": raw.event });
  });
});

describe("in another's hands", () => {
  /** What Ann was given, and what the server itself minted. */
  const forms = { "as Ann holds it": (bound: string) => bound, "as the server minted it": (_bound: string, minted: string) => minted };
  const neverSaw = (needle: string, from: number) => expect(JSON.stringify(seen.slice(from))).not.toContain(JSON.stringify(needle).slice(1, -1).replaceAll("\\", "\\\\") + '"');

  describe.each(Object.entries(forms))("%s", (_form, form) => {
    it("requestState is unknown", async () => {
      const { result } = await modern("ann", "tools/call", { name: "ask" });
      const from = seen.length;
      expect((await modern("ben", "tools/call", { name: "ask", requestState: form(String(result["requestState"]), raw.state), inputResponses: {} })).code).toBe(-32602);
      expect(seen).toHaveLength(from);
    });

    it("a cursor is unknown", async () => {
      const { result } = await modern("ann", "tools/list");
      const from = seen.length;
      expect((await modern("ben", "tools/list", { cursor: form(String(result["nextCursor"]), raw.cursor) })).code).toBe(-32602);
      expect((await post("ben", { method: "tools/list", params: { cursor: form(String(result["nextCursor"]), raw.cursor) } })).code).toBe(-32602);
      expect(seen).toHaveLength(from);
    });

    it("a task is one that does not exist", async () => {
      const { result } = await modern("ann", "tools/call", { name: "slow" });
      const from = seen.length;
      expect((await modern("ben", "tasks/get", { taskId: form(String(result["taskId"]), raw.task) })).code).toBe(-32602);
      neverSaw(raw.task, from);
    });

    it("a session is unknown", async () => {
      const session = (await post("ann", { method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } } })).headers.get("mcp-session-id") ?? "";
      const from = seen.length;
      for (const method of ["POST", "GET", "DELETE"]) {
        const response = await world.fetch(path, { token: tokens.ben, method, headers: { "mcp-session-id": form(session, raw.session) }, ...(method === "POST" ? { json: { jsonrpc: "2.0", id: 1, method: "tools/list" } } : {}) });
        expect(response.status).toBe(404);
      }
      expect(seen).toHaveLength(from);
    });

    it("an event is unknown", async () => {
      const text = await (await world.fetch(path, { token: tokens.ann, headers: { accept: "text/event-stream" } })).text();
      const event = /id: (\S+)/.exec(text)?.[1] ?? "";
      const from = seen.length;
      expect((await world.fetch(path, { token: tokens.ben, headers: { "last-event-id": form(event, raw.event) } })).status).toBe(400);
      expect(seen).toHaveLength(from);
    });
  });

  it("is one kind of handle no other", async () => {
    const cursor = String((await modern("ann", "tools/list")).result["nextCursor"]);
    expect((await modern("ann", "tools/call", { name: "ask", requestState: cursor })).code).toBe(-32602);
  });
});

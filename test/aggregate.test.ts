/** Everything behind one endpoint, end to end: servers of both eras over Streamable HTTP and HTTP+SSE, clients of all of them. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { connectClient, type ClientKind } from "./peers/clients.ts";
import { startUpstream, type Upstream } from "./peers/upstreams.ts";
import { startWorld, type World } from "./world.ts";

const servers = { modern: "v2-stateless", legacy: "v2-legacy", old: "v1-sse" } as const;
let world: World;
const upstreams: Upstream[] = [];
beforeAll(async () => {
  world = await startWorld({ settings: { SALLYPORT_APPROVAL: "off", SALLYPORT_FANOUT_DEADLINE: "3000" } });
  for (const [name, kind] of Object.entries(servers)) {
    const upstream = await startUpstream(kind);
    upstreams.push(upstream);
    const response = await world.fetch("/api/v1/servers", { token: await world.admin(), json: { name, ...upstream.registration } });
    if (response.status !== 201) throw new Error(await response.text());
  }
});
afterAll(async () => {
  await world.end();
  for (const upstream of upstreams) await upstream.close();
});

const connect = async (kind: ClientKind, path = "/mcp", token?: string) => connectClient(kind, `${world.url}${path}`, { token: await world.tokenAt(path.split("?")[0] ?? "", token ?? (await world.admin())) });

describe.each<ClientKind>(["v1", "v2-legacy", "v2-modern"])("a %s client of /mcp", (kind) => {
  it("has one list of tools, prompts and resources over servers of both eras", async () => {
    const client = await connect(kind);
    try {
      const tools = await client.listTools();
      for (const server of Object.keys(servers)) expect(tools).toContain(`${server}__test_simple_text`);
      expect(tools).toEqual([...tools].sort());
      expect((await client.listPrompts()).some((name) => name.startsWith("modern__"))).toBe(true);
      const resources = await client.listResources();
      expect(new Set(resources.map((uri) => uri.split("/")[2]))).toEqual(new Set(Object.keys(servers)));
      const uri = resources.find((one) => one.startsWith("sallyport://legacy/")) ?? "";
      expect(await client.readResource(uri)).toMatchObject({ contents: [{ uri }] });
    } finally {
      await client.close();
    }
  });

  it.each(Object.keys(servers))("calls a tool of the server %s and hears of its progress", async (server) => {
    const client = await connect(kind);
    try {
      const progress: unknown[] = [];
      expect(await client.call(`${server}__test_simple_text`)).toMatchObject({ content: [{ type: "text" }] });
      await client.call(`${server}__test_tool_with_progress`, {}, { onProgress: (heard) => progress.push(heard) });
      expect(progress.length).toBeGreaterThan(0);
    } finally {
      await client.close();
    }
  });

  it("finds and calls tools without having listed them all", async () => {
    const client = await connect(kind, "/mcp?tools=discover");
    try {
      expect(await client.listTools()).toEqual(["find_tools", "call_tool"]);
      const found = (await client.call("find_tools", { query: "simple text" })) as { structuredContent: { tools: { name: string }[] } };
      expect(found.structuredContent.tools.map(({ name }) => name)).toContain("legacy__test_simple_text");
      expect(await client.call("call_tool", { name: "legacy__test_simple_text" })).toMatchObject({ content: [{ type: "text" }] });
    } finally {
      await client.close();
    }
  });
});

describe("questions of a server", () => {
  it.each<[ClientKind, string]>([["v1", "legacy"], ["v2-modern", "legacy"], ["v1", "old"], ["v2-modern", "old"]])("reach a %s client from the server %s", async (kind, server) => {
    const client = await connect(kind);
    try {
      await client.call(`${server}__test_sampling`, { prompt: "hello" });
      expect(client.asked.map(({ method }) => method)).toContain("sampling/createMessage");
    } finally {
      await client.close();
    }
  });
});

describe("an outsider", () => {
  it("sees of /mcp only what was granted, from the moment it was", async () => {
    const { token } = await world.user("outsider", "tools:call");
    const client = await connect("v2-modern", "/mcp", token);
    try {
      expect(await client.listTools()).toEqual([]);
      await expect(client.call("legacy__test_simple_text")).rejects.toMatchObject({ code: -32602 });
      const stop = await client.subscribe("sallyport://legacy/test://watched-resource");
      await world.fetch("/api/v1/servers/legacy/grants/outsider", { token: await world.admin(), method: "PUT" });
      await vi.waitFor(() => expect(client.toolChanges).toBeGreaterThan(0), { timeout: 3000 });
      expect((await client.listTools()).every((name) => name.startsWith("legacy__"))).toBe(true);
      await stop();
    } finally {
      await client.close();
    }
  });
});

describe("limits", () => {
  it("answer 429 with Retry-After on every endpoint, and come from the API", async () => {
    const admin = await world.admin();
    const { token } = await world.user("hasty", "tools:call");
    await world.fetch("/api/v1/servers/modern/grants/hasty", { token: admin, method: "PUT" });
    const created = await world.fetch("/api/v1/limits", { token: admin, json: { name: "hasty-day", user: "hasty", server: "modern", perDay: 2 } });
    expect(created.status).toBe(201);
    expect(await created.json()).toMatchObject({ user: "hasty", server: "modern", tool: null, perDay: 2 });
    const envelope = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} };
    const call = (path: string, name: string) =>
      world.fetch(path, { token, json: { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {}, _meta: envelope } }, headers: { accept: "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name } });
    expect((await call("/servers/modern/mcp", "test_simple_text")).status).toBe(200);
    expect((await call("/mcp", "modern__test_simple_text")).status).toBe(200);
    for (const [path, name] of [["/servers/modern/mcp", "test_simple_text"], ["/mcp", "modern__test_simple_text"]] as const) {
      const refused = await call(path, name);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(await refused.json()).toMatchObject({ id: 1, error: { code: 429, message: expect.stringContaining("hasty-day (2 per day)") as unknown } });
    }
    const etag = created.headers.get("etag") ?? "";
    expect((await world.fetch("/api/v1/limits/hasty-day", { token: admin, method: "PUT", json: { user: "hasty", perDay: 10 }, headers: { "if-match": '"other"' } })).status).toBe(412);
    expect((await world.fetch("/api/v1/limits/hasty-day", { token: admin, method: "PUT", json: { user: "hasty", perDay: 10 }, headers: { "if-match": etag } })).status).toBe(200);
    expect((await call("/mcp", "modern__test_simple_text")).status).toBe(200);
    expect((await world.fetch("/api/v1/limits", { token: admin, json: { name: "nothing" } })).status).toBe(422);
    expect((await world.fetch("/api/v1/limits", { token: admin, json: { name: "nobody", user: "nobody", perDay: 1 } })).status).toBe(422);
    expect((await world.fetch("/api/v1/limits/hasty-day", { token: admin, method: "DELETE" })).status).toBe(204);
    expect((await world.fetch("/api/v1/limits/hasty-day", { token: admin })).status).toBe(404);
  });
});

describe("a bundle", () => {
  const contents = {
    title: "Desk",
    instructions: "Only what the desk needs.",
    tools: [
      { server: "modern", tool: "test_simple_text", name: "hello", description: "Says hello" },
      { server: "legacy", tool: "test_structured", name: "weather", arguments: { city: { pin: "Oslo" } } },
      { server: "old", tool: "test_simple_text" },
      { server: "nowhere", tool: "gone" },
    ],
    prompts: [{ server: "legacy", item: "test_simple_prompt", name: "ask" }],
    resources: [{ server: "modern", item: "*" }],
  };
  let token: string;
  beforeAll(async () => {
    ({ token } = await world.user("clerk", "tools:call", "servers:read"));
    for (const server of ["modern", "legacy"]) await world.fetch(`/api/v1/servers/${server}/grants/clerk`, { token: await world.admin(), method: "PUT" });
  });

  it("is made once, with names that can be told apart", async () => {
    const admin = await world.admin();
    expect((await world.fetch("/api/v1/bundles", { token: admin, json: { name: "desk", ...contents, tools: [...contents.tools, { server: "modern", tool: "other", name: "hello" }] } })).status).toBe(422);
    expect((await world.fetch("/api/v1/bundles", { token: admin, json: { name: "desk", tools: [{ server: "modern", tool: "x", name: "find_tools" }] } })).status).toBe(422);
    expect((await world.fetch("/api/v1/bundles", { token: admin, json: { name: "desk", tools: [{ server: "modern", tool: "x", arguments: { a: { pin: 1, hide: true } } }] } })).status).toBe(422);
    const made = await world.fetch("/api/v1/bundles", { token: admin, json: { name: "Desk", ...contents } });
    expect([made.status, made.headers.get("location")]).toEqual([201, "/api/v1/bundles/desk"]);
    expect((await world.fetch("/api/v1/bundles", { token: admin, json: { name: "desk" } })).status).toBe(409);
  });

  it("does not exist for whom it was not granted, and grants nothing of the servers behind it", async () => {
    for (const path of ["/api/v1/bundles/desk", "/api/v1/bundles/desk/tools"]) expect((await world.fetch(path, { token })).status).toBe(404);
    await expect(connect("v2-modern", "/bundles/desk/mcp", token)).rejects.toThrow();
    await world.fetch("/api/v1/bundles/desk/grants/clerk", { token: await world.admin(), method: "PUT" });
    expect((await world.fetch("/api/v1/bundles/desk", { token, method: "DELETE" })).status).toBe(403);
    const client = await connect("v2-modern", "/bundles/desk/mcp", token);
    try {
      expect(await client.listTools()).toEqual(["hello", "weather"]);
      await expect(client.call("test_simple_text")).rejects.toMatchObject({ code: -32602 });
    } finally {
      await client.close();
    }
    const { items } = (await (await world.fetch("/api/v1/bundles/desk/tools", { token })).json()) as { items: { name: string; available: boolean }[] };
    expect(items.map(({ name, available }) => [name, available])).toEqual([["hello", true], ["weather", true], ["test_simple_text", false], ["gone", false]]);
  });

  it.each<ClientKind>(["v1", "v2-modern"])("shows a %s client its own names, and keeps what it pinned", async (kind) => {
    const client = await connect(kind, "/bundles/desk/mcp", token);
    try {
      expect(await client.call("hello")).toMatchObject({ content: [{ type: "text" }] });
      expect(await client.call("weather")).toMatchObject({ structuredContent: { city: "Oslo" } });
      await expect(client.call("weather", { city: "Paris" })).rejects.toMatchObject({ code: -32602 });
      expect(await client.listPrompts()).toEqual(["ask"]);
      expect(await client.getPrompt("ask")).toMatchObject({ messages: [{}] });
      const resources = await client.listResources();
      expect(resources.length).toBeGreaterThan(0);
      expect(resources.every((uri) => uri.startsWith("sallyport://modern/"))).toBe(true);
    } finally {
      await client.close();
    }
  });

  it("is changed by whoever read it last, and its listeners hear of it", async () => {
    const admin = await world.admin();
    const client = await connect("v2-modern", "/bundles/desk/mcp", token);
    try {
      await client.listTools();
      const stop = await client.subscribe("sallyport://modern/test://watched-resource");
      const read = await world.fetch("/api/v1/bundles/desk", { token: admin });
      const ifMatch = { "if-match": read.headers.get("etag") ?? "" };
      const patched = await world.fetch("/api/v1/bundles/desk", { token: admin, method: "PATCH", json: { tools: contents.tools.slice(0, 1) }, headers: ifMatch });
      expect(patched.status).toBe(200);
      expect((await world.fetch("/api/v1/bundles/desk", { token: admin, method: "PATCH", json: { title: "Late" }, headers: ifMatch })).status).toBe(412);
      await vi.waitFor(() => expect(client.toolChanges).toBeGreaterThan(0), { timeout: 3000 });
      expect(await client.listTools()).toEqual(["hello"]);
      await stop().catch(() => undefined);
    } finally {
      await client.close();
    }
    await world.fetch("/api/v1/bundles/desk/grants/clerk", { token: admin, method: "DELETE" });
    await expect(connect("v2-modern", "/bundles/desk/mcp", token)).rejects.toThrow();
    expect((await world.fetch("/api/v1/bundles/desk", { token: admin, method: "DELETE" })).status).toBe(204);
  });
});

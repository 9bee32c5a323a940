import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { fakePeer, type FakePeer, type Offer } from "../../../test/peers/targets.ts";
import type { Principal } from "../../kernel/principal.ts";
import { Secret } from "../../kernel/secret.ts";
import type { ServerState, Snapshot } from "../../snapshot/index.ts";
import { createVault } from "../../storage/envelope.ts";
import type { Gate } from "../../trust/index.ts";
import type { Exchange, JsonObject, Target } from "../exchange.ts";
import { createToolGate } from "../gate.ts";
import type { Permission } from "../permission.ts";
import { createEndpoints } from "./endpoints.ts";

const vault = createVault(new Secret(randomBytes(32).toString("base64url")));
const principals = new Map<string, Principal>();
const principalOf = (userId: string): Principal => {
  let principal = principals.get(userId);
  if (!principal) principals.set(userId, (principal = { userId, scopes: new Set(["tools:call"]), audience: [], tokenId: `token of ${userId}`, expiresAt: 4e9 }));
  return principal;
};

/** Servers by name, a snapshot of them, and the endpoints over them. Every user is granted everything that is not withheld. */
function worldOf(offers: Record<string, Offer>, { deadline = 50, refresh = 1000, pageSize = 1000, mostServers = 100, now = () => Date.now(), discover = false } = {}) {
  const peers = new Map<string, FakePeer>();
  const servers = new Map<string, ServerState>();
  const withheld = new Set<string>();
  const serverListeners: ((name: string, state: ServerState | undefined) => void)[] = [];
  const reloadListeners: (() => void)[] = [];
  const announced: string[] = [];
  const events: { type: string; detail?: object | undefined }[] = [];
  const add = (name: string, offer: Offer): void => {
    peers.set(name, fakePeer(offer));
    const state = { id: `id-${name}`, name, url: `http://${name}.example/mcp`, enabled: true, transport: "streamable-http", authMode: "none", sealedHeaders: undefined } as unknown as ServerState;
    servers.set(name, state);
    for (const listener of serverListeners) listener(name, state);
    for (const listener of reloadListeners) listener();
  };
  const snapshot = {
    servers,
    isGranted: (userId: string, serverId: string) => !withheld.has(`${userId} ${serverId.slice(3)}`),
    onServer: (listener: (typeof serverListeners)[number]) => void serverListeners.push(listener),
    onReload: (listener: () => void) => void reloadListeners.push(listener),
  } as unknown as Snapshot;
  for (const [name, offer] of Object.entries(offers)) add(name, offer);
  const trust: Gate = {
    admit: (_server, _kind, name) => (name.startsWith("withheld") ? { open: false, standing: "held" } : { open: true, name: name === "alias" ? "renamed" : name }),
    shown: (_server, _kind, items) => (items as JsonObject[]).flatMap((item) => (String(item["name"]).startsWith("withheld") ? [] : [item["name"] === "renamed" ? { ...item, name: "alias" } : item])),
    introduces: (_server, { instructions }) => instructions !== "not reviewed",
    changed: (_server, kinds) => void announced.push(...kinds),
  };
  const peerOf = (name: string): FakePeer => {
    const peer = peers.get(name);
    if (!peer) throw new Error(name);
    return peer;
  };
  const permission: Permission = { require: () => [], lists: () => true, through: (gate) => gate, view: () => "" };
  const pinListeners: ((serverId: string) => void)[] = [];
  const pins = { of: () => undefined, onChange: (listener: (serverId: string) => void) => void pinListeners.push(listener) };
  const endpoints = createEndpoints({
    snapshot,
    storage: { vault },
    audit: { record: (event) => void events.push(event) },
    gate: createToolGate({ access: snapshot, permission, pins, now }),
    pins,
    permission,
    results: { mode: "off", concerns: () => false, judge: async (_context, result) => result, report: async () => undefined },
    trust,
    limits: { take: () => () => undefined },
    peer: (server) => peerOf(server.name),
    version: "0",
    now,
    discover,
    deadline,
    refresh,
    keep: 100_000,
    timeout: 5000,
    pageSize,
    mostServers,
  });
  const target = (userId = "anna", mode?: boolean): Target => endpoints.target("all", "", principalOf(userId), mode) ?? expect.fail("no target");
  const exchange = (method: string, params: JsonObject | undefined, userId: string, capabilities: JsonObject = {}): Exchange => ({
    caller: principalOf(userId),
    client: { era: "modern", protocolVersion: "2026-07-28", capabilities, info: undefined },
    session: undefined,
    requestId: "r",
    method,
    params,
    logLevel: undefined,
    signal: new AbortController().signal,
    notify: () => undefined,
    ask: () => Promise.reject(new Error("not asked")),
  });
  return {
    peerOf,
    events,
    announced,
    /** As if somebody had decided about a definition of the server's. */
    decide: (server: string) => pinListeners.forEach((listener) => listener(`id-${server}`)),
    add,
    target,
    exchange,
    withhold(userId: string, server: string) {
      withheld.add(`${userId} ${server}`);
      for (const listener of reloadListeners) listener();
    },
    ask: (method: string, params?: JsonObject, userId = "anna", capabilities: JsonObject = {}, mode?: boolean) => target(userId, mode).request(exchange(method, params, userId, capabilities)),
    async names(userId = "anna", capabilities: JsonObject = {}) {
      const { tools } = (await this.ask("tools/list", undefined, userId, capabilities)) as { tools: { name: string }[] };
      return tools.map((tool) => tool.name);
    },
  };
}

const tool = (name: string, extra: JsonObject = {}): JsonObject => ({ name, inputSchema: { type: "object" }, ...extra });
const text = (value: string) => ({ content: [{ type: "text", text: value }] });

describe("everything behind one endpoint", () => {
  const offers = {
    beta: { era: "legacy", tools: () => [tool("run"), tool("read")], answer: (exchange: Exchange) => text(`beta ${String(exchange.params?.["name"])}`), instructions: "Be careful with beta." } satisfies Offer,
    alpha: { tools: () => [tool("run", { unknown: { kept: [1] } })], answer: ({ params }: Exchange) => text(`alpha ${JSON.stringify(params)}`), instructions: "Alpha first.", resources: [{ uri: "test://one", name: "one" }], resourceTemplates: [{ uriTemplate: "test://{id}/x", name: "t" }], prompts: [{ name: "greet" }] } satisfies Offer,
  };

  it("is one list over servers of both eras, in order of names, with unknown members kept", async () => {
    const world = worldOf(offers);
    const list = await world.ask("tools/list");
    expect(list["tools"]).toEqual([tool("alpha__run", { unknown: { kept: [1] } }), tool("beta__read"), tool("beta__run")]);
    expect(list).toMatchObject({ ttlMs: 0, cacheScope: "private" });
    expect(list).not.toHaveProperty("_meta");
    expect(list).not.toHaveProperty("nextCursor");
  });

  it("carries a call to its server under the server's own name, with everything else of it", async () => {
    const world = worldOf(offers);
    expect(await world.ask("tools/call", { name: "alpha__run", arguments: { a: 1 }, requestState: "x" })).toEqual(text('alpha {"name":"run","arguments":{"a":1},"requestState":"x"}'));
    expect(await world.ask("tools/call", { name: "beta__read" })).toEqual(text("beta read"));
    expect(world.events).toMatchObject([{ type: "call.completed", detail: { tool: "run" } }, { type: "call.completed", detail: { tool: "read" } }]);
  });

  it.each(["gamma__run", "run", "", "alpha__", "__run"])("knows no tool %j", async (name) => {
    await expect(worldOf(offers).ask("tools/call", { name })).rejects.toMatchObject({ code: -32602, message: `Unknown tool: ${name}` });
  });

  it("calls a tool by a name that only the list can tell", async () => {
    const world = worldOf({ a__b: { tools: () => [tool("does it")], answer: ({ params }) => text(String(params?.["name"])) } });
    const [name = ""] = await world.names();
    expect(name).toMatch(/^a_b-X[A-Z2-7]{20}__does-it$/);
    expect(await world.ask("tools/call", { name })).toEqual(text("does it"));
  });

  it("names resources so that each leads back to its server, also in results", async () => {
    const world = worldOf({
      one: { resources: [{ uri: "test://same?q=1#f", name: "same" }], answer: ({ params }) => ({ contents: [{ uri: params?.["uri"], text: "of one" }] }) },
      two: { resources: [{ uri: "test://same?q=1#f", name: "same" }], tools: () => [tool("link", { _meta: { ui: { resourceUri: "ui://w" }, other: 1 } })], answer: ({ method, params }) => (method === "resources/read" ? { contents: [{ uri: params?.["uri"], text: "of two" }] } : { content: [{ type: "resource_link", uri: "test://r", name: "r" }, { type: "resource", resource: { uri: "test://r", text: "t" } }, { type: "text", text: "test://r" }] }) },
    });
    const { resources } = (await world.ask("resources/list")) as { resources: { uri: string }[] };
    expect(resources.map(({ uri }) => uri)).toEqual(["sallyport://one/test://same?q=1#f", "sallyport://two/test://same?q=1#f"]);
    for (const [index, name] of ["one", "two"].entries()) expect(await world.ask("resources/read", { uri: resources[index]?.uri })).toEqual({ contents: [{ uri: resources[index]?.uri, text: `of ${name}` }] });
    const { content } = await world.ask("tools/call", { name: "two__link" });
    expect(content).toEqual([{ type: "resource_link", uri: "sallyport://two/test://r", name: "r" }, { type: "resource", resource: { uri: "sallyport://two/test://r", text: "t" } }, { type: "text", text: "test://r" }]);
    expect(((await world.ask("tools/list")) as { tools: JsonObject[] }).tools[0]).toMatchObject({ _meta: { ui: { resourceUri: "sallyport://two/ui://w" }, other: 1 } });
    await expect(world.ask("resources/read", { uri: "test://same?q=1#f" })).rejects.toMatchObject({ code: -32602, data: { uri: "test://same?q=1#f" } });
  });

  it("gets prompts, lists templates and completes both", async () => {
    const seen: JsonObject[] = [];
    const world = worldOf({ alpha: { ...offers.alpha, answer: ({ method, params }) => (seen.push({ method, ...params }), { messages: [{ role: "user", content: { type: "resource_link", uri: "a:b" } }] }) } });
    expect(await world.ask("prompts/list")).toMatchObject({ prompts: [{ name: "alpha__greet" }] });
    expect(await world.ask("resources/templates/list")).toMatchObject({ resourceTemplates: [{ uriTemplate: "sallyport://alpha/test://{id}/x" }] });
    expect(await world.ask("prompts/get", { name: "alpha__greet", arguments: { a: "b" } })).toEqual({ messages: [{ role: "user", content: { type: "resource_link", uri: "sallyport://alpha/a:b" } }] });
    await world.ask("completion/complete", { ref: { type: "ref/prompt", name: "alpha__greet" }, argument: { name: "a", value: "" } });
    await world.ask("completion/complete", { ref: { type: "ref/resource", uri: "sallyport://alpha/test://{id}/x" }, argument: { name: "id", value: "" } });
    expect(seen).toMatchObject([{ method: "prompts/get", name: "greet" }, { ref: { name: "greet" } }, { ref: { uri: "test://{id}/x" } }]);
  });

  it("joins instructions under the servers' names, bounded", async () => {
    const world = worldOf({ ...offers, long: { tools: () => [], instructions: "x".repeat(9000) } });
    const { instructions, capabilities, protocolVersions } = await world.target().discover(world.exchange("server/discover", undefined, "anna"));
    expect(instructions).toContain("# alpha\n\nAlpha first.\n\n# beta\n\nBe careful with beta.\n\n# long\n\nxxx");
    expect(instructions?.length).toBeLessThan(2200);
    expect(capabilities).toMatchObject({ tools: { listChanged: true }, resources: { subscribe: true }, prompts: { listChanged: true } });
    expect(protocolVersions[0]).toBe("2026-07-28");
  });

  it("shows and reaches only servers that the caller may use", async () => {
    const world = worldOf(offers);
    expect(await world.names("eve")).toHaveLength(3);
    world.withhold("eve", "alpha");
    expect(await world.names("eve")).toEqual(["beta__read", "beta__run"]);
    expect(await world.names("anna")).toHaveLength(3);
    await expect(world.ask("tools/call", { name: "alpha__run" }, "eve")).rejects.toMatchObject({ code: -32602, message: "Unknown tool: alpha__run" });
    await expect(world.ask("resources/read", { uri: "sallyport://alpha/test://one" }, "eve")).rejects.toMatchObject({ code: -32602 });
    await expect(world.ask("prompts/get", { name: "alpha__greet" }, "eve")).rejects.toMatchObject({ code: -32602 });
    expect((await world.target("eve").discover(world.exchange("", undefined, "eve"))).instructions).not.toContain("Alpha");
  });

  it("shows and reaches nothing that is not approved, and what goes by another name under that", async () => {
    const world = worldOf({ alpha: { tools: () => [tool("withheld"), tool("renamed"), tool("plain")], prompts: [{ name: "withheld" }], answer: ({ params }) => text(String(params?.["name"])), instructions: "not reviewed" } });
    expect(await world.names()).toEqual(["alpha__alias", "alpha__plain"]);
    expect(await world.ask("tools/call", { name: "alpha__alias" })).toEqual(text("renamed"));
    await expect(world.ask("tools/call", { name: "alpha__withheld" })).rejects.toMatchObject({ code: -32602 });
    await expect(world.ask("prompts/get", { name: "alpha__withheld" })).rejects.toMatchObject({ code: -32602 });
    await expect(world.ask("resources/read", { uri: "sallyport://alpha/withheld:x" })).rejects.toMatchObject({ code: -32602 });
    expect((await world.target().discover(world.exchange("", undefined, "anna"))).instructions).toBeUndefined();
  });

  it("shows and reaches nothing that an API key does not cover", async () => {
    const world = worldOf({ alpha: { tools: () => [tool("run"), tool("remove")], prompts: [{ name: "greet" }], resources: [{ uri: "a:b", name: "b" }], answer: () => text("done") }, beta: { tools: () => [tool("run")] } });
    principals.set("key", { ...principalOf("anna"), restrictions: { servers: ["alpha"], tools: ["ru*"] } });
    expect(await world.names("anna")).toHaveLength(3);
    expect(await world.names("key")).toEqual(["alpha__run"]);
    expect(await world.ask("prompts/list", undefined, "key")).toMatchObject({ prompts: [] });
    expect(await world.ask("resources/list", undefined, "key")).toMatchObject({ resources: [] });
    expect(await world.ask("tools/call", { name: "alpha__run" }, "key")).toEqual(text("done"));
    for (const [method, params] of [["tools/call", { name: "alpha__remove" }], ["tools/call", { name: "beta__run" }], ["prompts/get", { name: "alpha__greet" }], ["resources/read", { uri: "sallyport://alpha/a:b" }]] as const) await expect(world.ask(method, params, "key")).rejects.toMatchObject({ code: -32602 });
  });

  it("pages through any number of tools without repeating, with cursors that are nobody else's", async () => {
    const world = worldOf({ alpha: { tools: () => Array.from({ length: 7 }, (_, index) => tool(`t${index}`)), pageSize: 3 }, beta: { tools: () => [tool("z")] } }, { pageSize: 3 });
    const seen: string[] = [];
    let cursor: unknown;
    do {
      const page = await world.ask("tools/list", cursor === undefined ? undefined : { cursor });
      seen.push(...(page["tools"] as { name: string }[]).map(({ name }) => name));
      if (cursor !== undefined) await expect(world.ask("tools/list", { cursor }, "eve")).rejects.toMatchObject({ code: -32602 });
      ({ nextCursor: cursor } = page);
    } while (cursor !== undefined);
    expect(seen).toEqual([...Array.from({ length: 7 }, (_, index) => `alpha__t${index}`), "beta__z"]);
    const { nextCursor } = await world.ask("tools/list");
    await expect(world.ask("prompts/list", { cursor: nextCursor })).rejects.toMatchObject({ code: -32602 });
    await expect(world.ask("tools/list", { cursor: "anything" })).rejects.toMatchObject({ code: -32602 });
  });

  it("shows what several clients asked for alike only once, and answers what it does not have", async () => {
    const world = worldOf({ alpha: { tools: () => [tool("twice", { title: "first" }), tool("twice", { title: "second" }), { noName: true }] } });
    expect((await world.ask("tools/list"))["tools"]).toMatchObject([{ title: "first" }]);
    await expect(world.ask("tasks/get", { taskId: "1" })).rejects.toMatchObject({ code: -32601 });
  });
});

describe("lists from memory", () => {
  it("ask each upstream once, not per request", async () => {
    const world = worldOf({ alpha: { tools: () => [tool("run")] }, beta: { tools: () => [tool("run")] } });
    for (let turn = 0; turn < 5; turn++) expect(await world.names()).toHaveLength(2);
    expect(world.peerOf("alpha").asked.filter(({ method }) => method === "tools/list")).toHaveLength(1);
  });

  it("share a public list between principals, and ask for private ones per principal", async () => {
    const world = worldOf({ open: { tools: () => [tool("run")], cacheScope: "public", ttlMs: 60_000 }, own: { tools: () => [tool("run")], cacheScope: "private", ttlMs: 60_000 } });
    for (const user of ["anna", "ben", "cleo"]) await world.names(user);
    const askers = (name: string) => world.peerOf(name).asked.filter(({ method }) => method === "tools/list").map(({ caller }) => caller);
    expect(askers("open")).toEqual(["anna"]);
    expect(askers("own")).toEqual(["anna", "ben", "cleo"]);
  });

  it("tell the least of what upstreams allow, and always that it is private", async () => {
    const world = worldOf({ a: { tools: () => [], cacheScope: "public", ttlMs: 90_000 }, b: { tools: () => [], cacheScope: "public", ttlMs: 30_000 } }, { now: () => 1000 });
    expect(await world.ask("tools/list")).toMatchObject({ ttlMs: 30_000, cacheScope: "private" });
  });

  it("differ by declared capabilities", async () => {
    const world = worldOf({ legacy: { era: "legacy", tools: ({ client }) => [tool("run"), ...(client.capabilities["sampling"] ? [tool("sample")] : [])] } });
    expect(await world.names("anna")).toEqual(["legacy__run"]);
    expect(await world.names("anna", { sampling: {} })).toEqual(["legacy__run", "legacy__sample"]);
    expect(await world.names("anna")).toEqual(["legacy__run"]);
  });

  it("never show one principal what an upstream told another, whatever the order, ages and scopes", async () => {
    const step = fc.record({ user: fc.constantFrom("anna", "ben", "cleo"), action: fc.constantFrom("list", "list", "list", "wait", "changed", "public", "private"), server: fc.constantFrom("one", "two"), together: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        let at = 1_000_000;
        const isPublic = { one: false, two: true };
        const offer = (name: "one" | "two"): Offer => ({ ttlMs: 3000, tools: ({ caller }) => [tool(isPublic[name] ? "for-all" : `for-${caller.userId}`)] });
        const world = worldOf({ one: offer("one"), two: offer("two") }, { now: () => at });
        const listener = world.target("watcher").listen({ ...world.exchange("", undefined, "watcher"), filter: { toolsListChanged: true } });
        const running: Promise<void>[] = [];
        for (const { user, action, server, together } of steps) {
          if (action === "wait") at += 5000;
          if (action === "changed") {
            await listener;
            world.peerOf(server).notify("notifications/tools/list_changed");
          }
          if (action === "public" || action === "private") isPublic[server] = action === "public";
          // What a server says and the scope it gives for it change in one step.
          for (const name of ["one", "two"] as const) world.peerOf(name).offer.cacheScope = isPublic[name] ? "public" : "private";
          if (action !== "list") continue;
          const check = world.names(user).then((names) => {
            for (const name of names) if (!name.endsWith("for-all")) expect(name).toMatch(new RegExp(`__for-${user}$`));
          });
          if (together) running.push(check);
          else await check;
        }
        await Promise.all(running);
      }),
      { numRuns: 150 },
    );
  });
});

describe("an upstream that fails", () => {
  it("is named as missing, and holds up nobody", async () => {
    const world = worldOf({ good: { tools: () => [tool("run")] }, dead: { tools: () => [tool("run")] } }, { deadline: 30 });
    world.peerOf("dead").state = "stall";
    const began = performance.now();
    expect(await world.ask("tools/list")).toMatchObject({ tools: [{ name: "good__run" }], ttlMs: 0, _meta: { "sallyport/missingServers": ["dead"] } });
    expect(performance.now() - began).toBeLessThan(300);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const again = performance.now();
    for (let turn = 0; turn < 10; turn++) await world.names();
    expect(performance.now() - again).toBeLessThan(30);
  });

  it("is shown as last known, and asked again less and less", async () => {
    let at = 1_000_000;
    const world = worldOf({ flaky: { tools: () => [tool("run")], ttlMs: 1000 } }, { now: () => at, refresh: 1000 });
    await world.names();
    world.peerOf("flaky").state = "fail";
    at += 50_000;
    expect(await world.ask("tools/list")).toMatchObject({ tools: [{ name: "flaky__run" }], ttlMs: 0, _meta: { "sallyport/outdatedServers": ["flaky"] } });
    const asked = () => world.peerOf("flaky").asked.length;
    const before = asked();
    for (let turn = 0; turn < 20; turn++) await world.names();
    expect(asked()).toBe(before);
    at += 100_000;
    expect(await world.ask("tools/list")).toMatchObject({ tools: [], _meta: { "sallyport/missingServers": ["flaky"] } });
    world.peerOf("flaky").state = "up";
    await vi.waitFor(async () => {
      at += 60_000;
      expect(await world.ask("tools/list")).not.toHaveProperty("_meta");
    });
  });
});

describe("a decision about a definition", () => {
  it("counts in the list at once, and is told to who listens", async () => {
    const world = worldOf({ alpha: { tools: () => [tool("old")], ttlMs: 60_000 }, beta: { tools: () => [], ttlMs: 60_000 } });
    const heard: string[] = [];
    await world.target().listen({ ...world.exchange("", undefined, "anna"), filter: { toolsListChanged: true }, notify: ({ method }) => void heard.push(method) });
    expect(await world.names()).toEqual(["alpha__old"]);
    world.peerOf("alpha").offer.tools = () => [tool("new")];
    expect(await world.names()).toEqual(["alpha__old"]);
    world.decide("alpha");
    expect(await world.names()).toEqual(["alpha__new"]);
    await vi.waitFor(() => expect(heard).toEqual(["notifications/tools/list_changed"]));
  });
});

describe("too many servers", () => {
  it("are asked up to the limit, and the others named", async () => {
    const world = worldOf({ a: { tools: () => [tool("run")] }, b: { tools: () => [tool("run")] }, c: { tools: () => [tool("run")] } }, { mostServers: 2 });
    expect(await world.ask("tools/list")).toMatchObject({ tools: [{ name: "a__run" }, { name: "b__run" }], _meta: { "sallyport/missingServers": ["c"] } });
    expect(world.peerOf("c").asked).toEqual([]);
  });
});

describe("listening to everything", () => {
  it("tells a change once, drops the old list, and hears servers that come later", async () => {
    const world = worldOf({ alpha: { tools: () => [tool("old")], ttlMs: 60_000 }, dead: { tools: () => [] } });
    world.peerOf("dead").state = "stall";
    const heard: string[] = [];
    const stop = new AbortController();
    const listened = await world.target().listen({ ...world.exchange("", undefined, "anna"), signal: stop.signal, filter: { toolsListChanged: true, resourceSubscriptions: ["sallyport://alpha/test://one", "sallyport://nobody/x", "test://one"] }, notify: ({ method, params }) => void heard.push(method + (params ? JSON.stringify(params) : "")) });
    expect(listened.filter).toEqual({ toolsListChanged: true, resourceSubscriptions: ["sallyport://alpha/test://one"] });
    expect(await world.names()).toEqual(["alpha__old"]);
    const { peerOf } = world;
    peerOf("alpha").offer.tools = () => [tool("new")];
    for (let turn = 0; turn < 5; turn++) peerOf("alpha").notify("notifications/tools/list_changed");
    peerOf("alpha").notify("notifications/prompts/list_changed");
    peerOf("alpha").notify("notifications/resources/updated", { uri: "test://one" });
    expect(await world.names()).toEqual(["alpha__new"]);
    expect(world.announced).toContain("tool");
    await vi.waitFor(() => expect(heard).toEqual(['notifications/resources/updated{"uri":"sallyport://alpha/test://one"}', "notifications/tools/list_changed"]));
    world.add("gamma", { tools: () => [tool("run")] });
    await vi.waitFor(() => expect(heard).toHaveLength(3));
    peerOf("gamma").notify("notifications/tools/list_changed");
    await vi.waitFor(() => expect(heard).toHaveLength(4));
    world.withhold("anna", "gamma");
    await vi.waitFor(() => expect(peerOf("gamma").listeners.size).toBe(0));
    stop.abort();
    await listened.ended;
    await vi.waitFor(() => expect(peerOf("alpha").listeners.size).toBe(0));
  });
});

describe("progressive discovery", () => {
  const offers = { mail: { tools: () => [tool("send_message", { description: "Sends an e-mail" }), tool("archive")], answer: ({ params }: Exchange) => text(JSON.stringify(params)) }, calendar: { tools: () => [tool("create_event", { description: "Creates an appointment" })] } };

  it("lists two tools, finds the others by what they do, and calls them as themselves", async () => {
    const world = worldOf(offers);
    const meta = (method: string, params?: JsonObject, user?: string) => world.ask(method, params, user, {}, true);
    expect(((await meta("tools/list"))["tools"] as { name: string }[]).map(({ name }) => name)).toEqual(["find_tools", "call_tool"]);
    const { structuredContent } = (await meta("tools/call", { name: "find_tools", arguments: { query: "send email message" } })) as { structuredContent: { tools: { name: string }[] } };
    expect(structuredContent.tools[0]?.name).toBe("mail__send_message");
    expect(await meta("tools/call", { name: "call_tool", arguments: { name: "mail__send_message", arguments: { to: "x" } }, _meta: { progressToken: 1 } })).toEqual(text('{"name":"send_message","arguments":{"to":"x"},"_meta":{"progressToken":1}}'));
    expect(world.events.at(-1)).toMatchObject({ type: "call.completed", detail: { tool: "send_message" } });
    expect(await meta("tools/call", { name: "mail__archive" })).toMatchObject({ content: [{}] });
  });

  it("finds and calls nothing that the caller may not use", async () => {
    const world = worldOf(offers);
    world.withhold("eve", "mail");
    const { structuredContent } = (await world.ask("tools/call", { name: "find_tools", arguments: { query: "send message" } }, "eve", {}, true)) as { structuredContent: { tools: unknown[] } };
    expect(structuredContent.tools).toEqual([]);
    await expect(world.ask("tools/call", { name: "call_tool", arguments: { name: "mail__archive" } }, "eve", {}, true)).rejects.toMatchObject({ code: -32602 });
  });

  it.each([
    [{ name: "find_tools" }], [{ name: "find_tools", arguments: { query: "" } }], [{ name: "find_tools", arguments: { query: "x", limit: 0 } }], [{ name: "find_tools", arguments: { query: "x", more: 1 } }],
    [{ name: "call_tool", arguments: { name: "call_tool" } }], [{ name: "call_tool", arguments: { name: "mail__archive", arguments: [] } }], [{ name: "call_tool", arguments: { name: "mail__archive", extra: 1 } }],
  ])("refuses %j", async (params) => {
    await expect(worldOf(offers).ask("tools/call", params, "anna", {}, true)).rejects.toMatchObject({ code: -32602 });
  });
});

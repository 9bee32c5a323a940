/** The fronts of 2025 and 2024, message by message. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Secret } from "../../src/kernel/secret.ts";
import { openStorage } from "../../src/storage/index.ts";
import { createDatabase, databases } from "../world.ts";
import { initialize, openDoor, type Door, type Message } from "./harness.ts";
import { vocabularyTarget, type VocabularyTarget } from "./vocabulary-target.ts";

let door: Door;
let target: VocabularyTarget;
let clock: number;
beforeEach(async () => {
  clock = Date.now();
  target = vocabularyTarget("modern");
  door = await openDoor(target, { now: () => clock, settings: { SALLYPORT_SESSIONS_PER_USER: "3", SALLYPORT_BATCH_LIMIT: "3", SALLYPORT_REPLAY_PER_SESSION: "4000", SALLYPORT_CALLS_PER_SESSION: "2", SALLYPORT_SUBSCRIPTIONS: "1", SALLYPORT_INPUT_TIMEOUT: "1" } });
});
afterEach(() => door.close());

const path = "/servers/x/mcp";
async function openSession(version = "2025-11-25", capabilities: object = {}, { as = "alice", at = door, endpoint = path } = {}) {
  const { headers, messages, status } = await at.post(endpoint, initialize(version, capabilities), { as });
  const id = headers.get("mcp-session-id") ?? "";
  let ids = 0;
  return {
    id,
    status,
    result: messages[0]?.result,
    send: (message: object, also: Record<string, string> = {}, options: object = {}) => at.post(endpoint, message, { as, headers: { "mcp-session-id": id, ...also }, ...options }),
    request: (method: string, params?: object, also: Record<string, string> = {}) => at.post(endpoint, { jsonrpc: "2.0", id: ++ids, method, ...(params ? { params } : {}) }, { as, headers: { "mcp-session-id": id, ...also } }),
    stream: (also: Record<string, string> = {}, whose = as) => openStream(at.url + endpoint, { "mcp-session-id": id, ...also }, whose),
  };
}

interface Event {
  id?: string;
  event?: string;
  message?: Message;
  data?: string;
}

async function openStream(url: string, headers: Record<string, string>, as = "alice", init: RequestInit = {}) {
  const stop = new AbortController();
  const response = await fetch(url, { ...init, headers: { accept: "text/event-stream", authorization: `Bearer ${as}`, ...headers }, signal: stop.signal });
  const events: Event[] = [];
  const ended = (async () => {
    let buffer = "";
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      buffer += Buffer.from(chunk).toString();
      const blocks = buffer.split("\n\n");
      buffer = blocks.pop() ?? "";
      for (const block of blocks) {
        const field = (name: string) => block.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        const [id, event, data] = [field("id"), field("event"), field("data")];
        if (block.startsWith(":")) continue;
        events.push({ ...(id === undefined ? {} : { id }), ...(event === undefined ? {} : { event }), ...(data?.startsWith("{") ? { message: JSON.parse(data) as Message } : data === undefined ? {} : { data }) });
      }
    }
  })().catch(() => undefined);
  return { response, events, ended, stop };
}

/** POSTs and reads the stream as it comes. */
const postStream = (id: string, message: object) => openStream(door.url + path, { "mcp-session-id": id, "content-type": "application/json" }, "alice", { method: "POST", body: JSON.stringify(message) });

describe("initialize", () => {
  it.each([
    ["2025-11-25", "2025-11-25"],
    ["2025-06-18", "2025-06-18"],
    ["2025-03-26", "2025-03-26"],
    ["1999-01-01", "2025-11-25"],
    ["2026-07-28", "2025-11-25"],
  ])("answers %s with %s", async (asked, answered) => {
    const { id, result } = await openSession(asked);
    expect(result).toMatchObject({ protocolVersion: answered, serverInfo: { name: "vocabulary" }, instructions: "Call test_simple_text first." });
    expect(id).toMatch(/^[\x21-\x7e]{60,}$/);
  });

  it("promises no tasks of another era, and all else", async () => {
    const { result } = await openSession();
    expect(result?.["capabilities"]).toEqual({ tools: { listChanged: true }, prompts: { listChanged: true }, resources: { subscribe: true, listChanged: true }, logging: {}, completions: {}, extensions: {} });
  });

  it("refuses one that is incomplete", async () => {
    expect(await door.post(path, { jsonrpc: "2.0", id: 1, method: "initialize", params: {} })).toMatchObject({ status: 400, messages: [{ error: { code: -32602 } }] });
  });
});

describe("a session", () => {
  it("is needed, and must be a known one", async () => {
    const list = { jsonrpc: "2.0", id: 3, method: "tools/list" };
    expect(await door.post(path, list)).toMatchObject({ status: 400, messages: [{ id: 3 }] });
    expect(await door.post(path, list, { headers: { "mcp-session-id": "nonsense" } })).toMatchObject({ status: 404, messages: [{ id: 3, error: { message: "Session not found" } }] });
  });

  it("is its principal's and its endpoint's alone", async () => {
    const session = await openSession();
    const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
    const headers = { "mcp-session-id": session.id };
    expect((await door.post(path, list, { headers })).status).toBe(200);
    expect((await door.post(path, list, { headers, as: "bob" })).status).toBe(404);
    expect((await door.post("/mcp", list, { headers })).status).toBe(404);
    expect((await session.stream({}, "bob")).response.status).toBe(404);
    expect((await fetch(door.url + path, { method: "DELETE", headers: { ...headers, authorization: "Bearer bob" } })).status).toBe(404);
    expect((await door.post(path, list, { headers })).status).toBe(200);
  });

  it("ends when the client says so, and its target hears of it", async () => {
    const { id, request } = await openSession();
    await request("tools/list");
    expect((await fetch(door.url + path, { method: "DELETE", headers: { "mcp-session-id": id, authorization: "Bearer alice" } })).status).toBe(204);
    expect((await request("tools/list")).status).toBe(404);
    expect(target.released).toEqual([target.exchanges[0]?.session]);
    expect(target.released[0]).toBeTypeOf("string");
  });

  it("refuses a version that nobody speaks", async () => {
    const { request } = await openSession();
    expect((await request("tools/list", {}, { "mcp-protocol-version": "2025-11-25" })).status).toBe(200);
    expect((await request("tools/list", {}, { "mcp-protocol-version": "1999-01-01" })).status).toBe(400);
  });

  it("makes room for a newer one when its user has too many, the longest idle first", async () => {
    const [first, second] = [await openSession(), await openSession(), await openSession()];
    await first.request("ping");
    await openSession();
    expect((await second.request("ping")).status).toBe(404);
    expect((await first.request("ping")).status).toBe(200);
    expect(door.gateway.counters.sessionsPerUser).toBe(1);
    expect((await openSession("2025-11-25", {}, { as: "bob" })).status).toBe(200);
  });

  it("is refused, by the setting's name, when all of its user's others are busy", async () => {
    const sessions = [await openSession(), await openSession(), await openSession()];
    const open = await Promise.all(sessions.map(({ stream }) => stream()));
    const refused = await door.post(path, initialize());
    expect(refused).toMatchObject({ status: 429, messages: [{ error: { code: 429, message: expect.stringContaining("SALLYPORT_SESSIONS_PER_USER") as string } }] });
    for (const { stop } of open) stop.abort();
  });

  it("runs only so many requests at once, each id once", async () => {
    const { send } = await openSession();
    const slow = (id: number) => send({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "test_slow", arguments: { milliseconds: 300 } } });
    const answers = [slow(1), slow(2)];
    await vi.waitFor(() => expect(target.exchanges).toHaveLength(2));
    expect((await slow(1)).messages[0]).toMatchObject({ id: 1, error: { code: -32600 } });
    expect((await slow(3)).messages[0]).toMatchObject({ id: 3, error: { code: 429, message: expect.stringContaining("SALLYPORT_CALLS_PER_SESSION") as string } });
    expect((await Promise.all(answers)).map(({ messages }) => messages.at(-1)?.id)).toEqual([1, 2]);
  });
});

describe("requests", () => {
  it("answer without what earlier revisions do not know", async () => {
    target.respond = async () => ({ resultType: "complete", ttlMs: 5, cacheScope: "public", tools: [], "x-kept": { a: [1] } });
    const { request } = await openSession();
    expect((await request("tools/list")).messages[0]?.result).toEqual({ tools: [], "x-kept": { a: [1] } });
  });

  it("word an unknown resource as earlier revisions do", async () => {
    const { request } = await openSession();
    expect((await request("resources/read", { uri: "test://none" })).messages[0]).toMatchObject({ error: { code: -32002 } });
  });

  it("are pinged here", async () => {
    const { request } = await openSession();
    expect((await request("ping")).messages[0]).toMatchObject({ result: {} });
    expect(target.exchanges).toEqual([]);
  });

  it("are refused tasks of the other era, and run without them", async () => {
    const { request } = await openSession("2025-11-25", { tasks: { list: {} } });
    expect((await request("tasks/list")).messages[0]).toMatchObject({ error: { code: -32601 } });
    expect((await request("tools/call", { name: "test_simple_text", task: { ttl: 1000 } })).messages[0]?.result).toHaveProperty("content");
    expect(target.exchanges[0]?.params).toEqual({ name: "test_simple_text" });
    expect(target.exchanges[0]?.client.capabilities).toEqual({});
  });

  it("in batches are of 2025-03-26 alone, and bounded", async () => {
    const batch = (size: number) => [{ jsonrpc: "2.0", method: "notifications/initialized" }, ...Array.from({ length: size - 1 }, (_, index) => ({ jsonrpc: "2.0", id: index, method: "ping" }))];
    const old = await openSession("2025-03-26");
    expect((await old.send(batch(3))).messages).toEqual([{ jsonrpc: "2.0", id: 0, result: {} }, { jsonrpc: "2.0", id: 1, result: {} }]);
    expect(await old.send(batch(4))).toMatchObject({ status: 429, messages: [{ error: { message: expect.stringContaining("SALLYPORT_BATCH_LIMIT") as string } }] });
    expect(await old.send([initialize()])).toMatchObject({ status: 400 });
    expect(await (await openSession("2025-06-18")).send(batch(2))).toMatchObject({ status: 400, messages: [{ error: { code: -32600 } }] });
    expect((await old.send([{ jsonrpc: "2.0", method: "notifications/initialized" }])).status).toBe(202);
  });

  it("may be cancelled, and then are not answered", async () => {
    const { id, send } = await openSession();
    const { ended, events } = await postStream(id, { jsonrpc: "2.0", id: "slow", method: "tools/call", params: { name: "test_slow", arguments: { milliseconds: 20_000 }, _meta: { progressToken: 1 } } });
    await vi.waitFor(() => expect(events).toHaveLength(2));
    expect((await send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "slow" } })).status).toBe(202);
    await ended;
    expect(events.map(({ message }) => message?.method)).toEqual([undefined, "notifications/progress"]);
    expect(target.exchanges[0]?.signal.aborted).toBe(true);
  });

  it("ask the client over their own stream, and are answered by a POST", async () => {
    const { id, send } = await openSession("2025-11-25", { elicitation: {} });
    const { events } = await postStream(id, { jsonrpc: "2.0", id: 9, method: "tools/call", params: { name: "test_elicitation", arguments: { message: "Who?" } } });
    await vi.waitFor(() => expect(events).toHaveLength(2));
    const question = events[1]?.message;
    expect(question).toMatchObject({ method: "elicitation/create", params: { message: "Who?" } });
    expect((await send({ jsonrpc: "2.0", id: question?.id, result: { action: "decline" } })).status).toBe(202);
    await vi.waitFor(() => expect(events).toHaveLength(3));
    expect(events[2]?.message).toMatchObject({ id: 9, result: { content: [{ text: expect.stringContaining("action=decline") as string }] } });
  });

  it("fail honestly when the client cannot be asked, refuses, or never answers", async () => {
    const call = { jsonrpc: "2.0", id: 9, method: "tools/call", params: { name: "test_elicitation", arguments: { message: "Who?" } } };
    expect((await (await openSession()).send(call)).messages[0]).toMatchObject({ error: { code: -32602, data: { requiredCapabilities: { elicitation: {} } } } });
    const { id, send } = await openSession("2025-11-25", { elicitation: {} });
    const { events } = await postStream(id, call);
    await vi.waitFor(() => expect(events).toHaveLength(2));
    await send({ jsonrpc: "2.0", id: events[1]?.message?.id, error: { code: -1, message: "No" } });
    await vi.waitFor(() => expect(events[2]?.message).toMatchObject({ error: { code: -1, message: "No" } }));
    const silent = await postStream(id, call);
    await vi.waitFor(() => expect(silent.events[2]?.message).toMatchObject({ error: { message: expect.stringContaining("SALLYPORT_INPUT_TIMEOUT") as string } }), 3000);
  });

  it("cannot be answered from another session", async () => {
    const { id } = await openSession("2025-11-25", { elicitation: {} });
    const bob = await openSession("2025-11-25", { elicitation: {} }, { as: "bob" });
    const { events } = await postStream(id, { jsonrpc: "2.0", id: 9, method: "tools/call", params: { name: "test_elicitation", arguments: { message: "Who?" } } });
    await vi.waitFor(() => expect(events).toHaveLength(2));
    expect((await bob.send({ jsonrpc: "2.0", id: events[1]?.message?.id, result: { action: "accept", content: {} } })).status).toBe(202);
    await sleep(50);
    expect(events).toHaveLength(2);
  });
});

describe("the stream of a session", () => {
  it("is one at a time and hears what changed", async () => {
    const session = await openSession();
    const { events, stop } = await session.stream();
    await vi.waitFor(() => expect(target.listeners()).toBe(1));
    expect((await session.stream()).response.status).toBe(409);
    target.publish({ kind: "tools_list_changed" });
    await vi.waitFor(() => expect(events.map(({ message }) => message?.method)).toEqual(["notifications/tools/list_changed"]));
    stop.abort();
    await vi.waitFor(async () => {
      const again = await session.stream();
      expect(again.response.status).toBe(200);
      again.stop.abort();
    });
  });

  it("hears of the resources that the session follows, one listener for all", async () => {
    const session = await openSession();
    const { events } = await session.stream();
    expect((await session.request("resources/subscribe", { uri: "test://a" })).messages[0]).toMatchObject({ result: {} });
    expect((await session.request("resources/subscribe", { uri: "test://b" })).messages[0]).toMatchObject({ error: { message: expect.stringContaining("SALLYPORT_SUBSCRIPTIONS") as string } });
    await vi.waitFor(() => expect(target.listeners()).toBe(1));
    target.publish({ kind: "resource_updated", uri: "test://a" });
    await vi.waitFor(() => expect(events).toHaveLength(1));
    await session.request("resources/unsubscribe", { uri: "test://a" });
    target.publish({ kind: "resource_updated", uri: "test://a" });
    target.publish({ kind: "tools_list_changed" });
    await vi.waitFor(() => expect(events.map(({ message }) => message?.method)).toEqual(["notifications/resources/updated", "notifications/tools/list_changed"]));
  });

  it("keeps what happened before it was opened", async () => {
    const session = await openSession();
    await session.request("resources/subscribe", { uri: "test://a" });
    target.publish({ kind: "resource_updated", uri: "test://a" });
    const { events } = await session.stream();
    await vi.waitFor(() => expect(events).toHaveLength(1));
  });

  it("ends when its holder may no longer come in", async () => {
    const quick = await openDoor(target, { settings: { SALLYPORT_STREAM_KEEP_ALIVE: "1" } });
    const session = await openSession("2025-11-25", {}, { at: quick });
    const { ended } = await session.stream();
    quick.expelled.add("alice");
    await ended;
    expect((await session.stream()).response.status).toBe(401);
    await quick.close();
  });

  it("ends after its lifetime", async () => {
    const quick = await openDoor(target, { settings: { SALLYPORT_STREAM_LIFETIME: "1" } });
    const session = await openSession("2025-11-25", {}, { at: quick });
    await (await session.stream()).ended;
    expect((await session.stream()).response.status).toBe(200);
    await quick.close();
  });
});

describe("a broken stream", () => {
  const slow = { jsonrpc: "2.0", id: "slow", method: "tools/call", params: { name: "test_slow", arguments: { milliseconds: 400 }, _meta: { progressToken: 1 } } };

  it("can be resumed where it broke, and the call was not cancelled", async () => {
    const session = await openSession();
    const broken = await postStream(session.id, slow);
    await vi.waitFor(() => expect(broken.events).toHaveLength(2));
    // The first event only gives an id to come back to.
    expect(broken.events[0]).toEqual({ id: expect.any(String) as string, data: "" });
    broken.stop.abort();
    await broken.ended;
    const resumed = await session.stream({ "last-event-id": broken.events[0]?.id ?? "" });
    await resumed.ended;
    expect(resumed.events.map(({ message }) => message?.method ?? message?.id)).toEqual(["notifications/progress", "slow"]);
    expect(target.exchanges[0]?.signal.aborted).toBe(false);
  });

  it("gives the answer to who comes back late", async () => {
    const session = await openSession();
    const broken = await postStream(session.id, slow);
    await vi.waitFor(() => expect(broken.events).toHaveLength(2));
    broken.stop.abort();
    await sleep(600);
    const resumed = await session.stream({ "last-event-id": broken.events[1]?.id ?? "" });
    await resumed.ended;
    expect(resumed.events.map(({ message }) => message?.id)).toEqual(["slow"]);
  });

  it("is nobody else's to resume", async () => {
    const session = await openSession();
    const broken = await postStream(session.id, slow);
    await vi.waitFor(() => expect(broken.events).toHaveLength(2));
    broken.stop.abort();
    const bob = await openSession("2025-11-25", {}, { as: "bob" });
    expect((await bob.stream({ "last-event-id": broken.events[0]?.id ?? "" })).response.status).toBe(400);
    expect((await (await openSession()).stream({ "last-event-id": broken.events[0]?.id ?? "" })).response.status).toBe(400);
  });

  it("is kept only up to the limit", async () => {
    const session = await openSession();
    target.respond = async ({ notify }) => {
      for (let index = 0; index < 100; index++) notify({ method: "notifications/message", params: { level: "info", data: "x".repeat(100) } });
      return { content: [] };
    };
    await (await postStream(session.id, slow)).ended;
    expect(door.gateway.gauges().replayBytes).toBeLessThan(4000);
    expect(door.gateway.counters.replayPerSession).toBeGreaterThan(50);
    await fetch(door.url + path, { method: "DELETE", headers: { "mcp-session-id": session.id, authorization: "Bearer alice" } });
    expect(door.gateway.gauges().replayBytes).toBe(0);
  });
});

describe("processes behind one address", () => {
  const key = randomBytes(32).toString("base64url");

  it("go on with each other's sessions, but not with another user's or an ended one", async () => {
    const [first, second] = [await openDoor(target, { key }), await openDoor(target, { key })];
    const session = await openSession("2025-06-18", { sampling: {} }, { at: first });
    const ask = (at: Door, as = "alice") => at.post(path, { jsonrpc: "2.0", id: 1, method: "tools/list" }, { as, headers: { "mcp-session-id": session.id } });
    expect((await ask(second)).status).toBe(200);
    expect(target.exchanges.at(-1)?.client).toMatchObject({ era: "legacy", protocolVersion: "2025-06-18", capabilities: { sampling: {} }, info: { name: "test" } });
    expect((await ask(second, "bob")).status).toBe(404);
    expect((await ask(first)).status).toBe(200);
    await fetch(second.url + path, { method: "DELETE", headers: { "mcp-session-id": session.id, authorization: "Bearer alice" } });
    expect((await ask(second)).status).toBe(404);
    await Promise.all([first.close(), second.close()]);
  });

  it.each(databases)("bring an answer to the one that asked, over %s", async (kind) => {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-relay-"));
    const config = { SALLYPORT_DATA_DIR: folder, SALLYPORT_DATABASE_URL: kind === "postgres" ? new Secret(await createDatabase()) : undefined, SALLYPORT_ENCRYPTION_KEY: new Secret(key), SALLYPORT_ENCRYPTION_KEY_PREVIOUS: undefined };
    const storages = [await openStorage({ config, onError: () => undefined }), await openStorage({ config, onError: () => undefined }), await openStorage({ config, onError: () => undefined })] as const;
    const doors = await Promise.all(storages.map((storage) => openDoor(target, { key, storage }))) as [Door, Door, Door];
    const session = await openSession("2025-11-25", { elicitation: {} }, { at: doors[0] });
    const call = await openStream(doors[1].url + path, { "mcp-session-id": session.id, "content-type": "application/json" }, "alice", { method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id: 9, method: "tools/call", params: { name: "test_elicitation", arguments: { message: "Who?" } } }) });
    await vi.waitFor(() => expect(call.events).toHaveLength(2));
    const answer = { jsonrpc: "2.0", id: call.events[1]?.message?.id, result: { action: "decline" } };
    // Neither another user nor an invented answer leaves anything behind.
    expect((await doors[2].post(path, answer, { as: "bob", headers: { "mcp-session-id": session.id } })).status).toBe(404);
    expect((await doors[2].post(path, { ...answer, id: "invented.1" }, { headers: { "mcp-session-id": session.id } })).status).toBe(202);
    expect(await storages[2].db.selectFrom("relayed_answers").select("id").execute()).toEqual([]);
    expect((await doors[2].post(path, answer, { headers: { "mcp-session-id": session.id } })).status).toBe(202);
    await vi.waitFor(() => expect(call.events[2]?.message).toMatchObject({ id: 9, result: { content: [{ text: expect.stringContaining("action=decline") as string }] } }), 3000);
    expect(await storages[2].db.selectFrom("relayed_answers").select("id").execute()).toEqual([]);
    await Promise.all(doors.map((one) => one.close()));
    await Promise.all(storages.map((storage) => storage.close()));
    rmSync(folder, { recursive: true, force: true });
  });

  it("do not know sessions made under another key", async () => {
    const other = await openDoor(target);
    const session = await openSession("2025-11-25", {}, { at: other });
    expect((await door.post(path, { jsonrpc: "2.0", id: 1, method: "tools/list" }, { headers: { "mcp-session-id": session.id } })).status).toBe(404);
    await other.close();
  });
});

describe("HTTP+SSE of 2024-11-05", () => {
  const open = async (as = "alice") => {
    const stream = await openStream(`${door.url}/servers/x/sse`, {}, as);
    await vi.waitFor(() => expect(stream.events).toHaveLength(1));
    return { ...stream, address: stream.events[0]?.data ?? "" };
  };

  it("names the address to post to, and answers on the stream", async () => {
    const { events, address } = await open();
    expect(events[0]?.event).toBe("endpoint");
    expect(address).toMatch(/^\/servers\/x\/messages\?sessionId=/);
    expect(await door.post(address, initialize("2024-11-05"))).toMatchObject({ status: 202 });
    await vi.waitFor(() => expect(events[1]).toMatchObject({ event: "message", message: { id: 0, result: { protocolVersion: "2024-11-05" } } }));
  });

  it("wants initialize first", async () => {
    const { events, address } = await open();
    await door.post(address, { jsonrpc: "2.0", id: 1, method: "tools/list" });
    await vi.waitFor(() => expect(events[1]?.message).toMatchObject({ id: 1, error: { code: -32600 } }));
  });

  it("is its principal's and its endpoint's alone, and gone with its stream", async () => {
    const { address, stop } = await open();
    const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
    expect((await door.post(address, ping, { as: "bob" })).status).toBe(404);
    expect((await door.post(address.replace("/servers/x", ""), ping)).status).toBe(404);
    expect((await door.post("/servers/x/messages", ping)).status).toBe(404);
    stop.abort();
    await vi.waitFor(() => expect(door.gateway.gauges()).toMatchObject({ sessions: 0, streams: 0 }));
    expect((await door.post(address, ping)).status).toBe(404);
  });

  it("serves everything at once, too", async () => {
    const stream = await openStream(`${door.url}/sse`, {});
    await vi.waitFor(() => expect(stream.events[0]?.data).toMatch(/^\/messages\?sessionId=/));
    stream.stop.abort();
  });
});

describe("what is abandoned", () => {
  it("leaves nothing: neither sessions nor listeners nor events", async () => {
    vi.useFakeTimers({ toFake: ["setInterval"], shouldAdvanceTime: true });
    const swept = await openDoor(target, { now: () => clock, settings: { SALLYPORT_SESSION_IDLE: "60", SALLYPORT_SESSIONS: "1000", SALLYPORT_SESSIONS_PER_USER: "1000" } });
    for (let index = 0; index < 300; index++) await openSession("2025-11-25", {}, { at: swept });
    expect(swept.gateway.gauges().sessions).toBe(300);
    clock += 61_000;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(swept.gateway.gauges()).toEqual({ sessions: 0, streams: 0, parkedCalls: 0, replayBytes: 0 });
    expect(target.released).toHaveLength(300);
    expect(target.listeners()).toBe(0);
    expect(swept.gateway.counters.sessionIdle).toBe(300);
    vi.useRealTimers();
    await swept.close();
  });
});

/** The front of 2026-07-28, message by message. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { modern, openDoor, type Door, type Message } from "./harness.ts";
import { vocabularyTarget, type VocabularyTarget } from "./vocabulary-target.ts";

let door: Door;
let target: VocabularyTarget;
beforeEach(async () => {
  target = vocabularyTarget("legacy");
  door = await openDoor(target, { settings: { SALLYPORT_PARKED_CALLS_PER_USER: "2", SALLYPORT_INPUT_TIMEOUT: "1", SALLYPORT_STREAMS_PER_USER: "2", SALLYPORT_SUBSCRIPTIONS: "2" } });
});
afterEach(() => door.close());

const path = "/servers/x/mcp";
const send = (method: string, params?: Record<string, unknown>, options: Parameters<typeof modern>[2] & { as?: string; also?: Record<string, string> } = {}) => {
  const { message, headers } = modern(method, params, options);
  return door.post(path, message, { headers: { ...headers, ...options.also }, ...(options.as ? { as: options.as } : {}) });
};
const call = (name: string, args: object = {}, options: Parameters<typeof send>[2] & { params?: object } = {}) => send("tools/call", { name, arguments: args, ...options.params }, options);
const elicitation = { capabilities: { elicitation: { form: {} } } };
const accepted = { action: "accept", content: { username: "ada", email: "ada@example.org" } };

describe("what every request must be", () => {
  it.each([
    ["another version in the header", { "mcp-protocol-version": "2025-11-25" }],
    ["another method in the header", { "mcp-method": "tools/list" }],
    ["another name in the header", { "mcp-name": "other" }],
    ["the name in other letters", { "mcp-name": "TEST_SIMPLE_TEXT" }],
    ["a name that is no Base64", { "mcp-name": "=?base64?x?=" }],
  ])("refuses %s", async (_what, also) => {
    const answer = await call("test_simple_text", {}, { also });
    expect(answer.status).toBe(400);
    expect(answer.messages[0]).toMatchObject({ id: 1, error: { code: -32020 } });
    expect(target.exchanges).toEqual([]);
  });

  it.each(["mcp-protocol-version", "mcp-method", "mcp-name"])("refuses a request without %s", async (name) => {
    const { message, headers } = modern("tools/call", { name: "test_simple_text" });
    delete headers[name];
    expect(await door.post(path, message, { headers })).toMatchObject({ status: 400, messages: [{ error: { code: -32020 } }] });
  });

  it("takes a name in Base64 and white space around a header", async () => {
    const encoded = `=?base64?${Buffer.from("test_simple_text").toString("base64")}?=`;
    expect(await call("test_simple_text", {}, { also: { "mcp-name": encoded, "mcp-method": "  tools/call " } })).toMatchObject({ status: 200 });
  });

  it("compares mirrored arguments with what the tool's schema says", async () => {
    const args = { region: "us-west1" };
    expect(await call("test_x_mcp_header", args)).toMatchObject({ status: 400, messages: [{ error: { code: -32020 } }] });
    expect(await call("test_x_mcp_header", args, { also: { "mcp-param-region": "us-east1" } })).toMatchObject({ status: 400, messages: [{ error: { code: -32020 } }] });
    expect(await call("test_x_mcp_header", args, { also: { "mcp-param-region": "us-west1" } })).toMatchObject({ status: 200 });
    expect(await call("test_x_mcp_header", {}, { also: { "mcp-param-unknown": "x" } })).toMatchObject({ status: 200 });
  });

  it.each([
    ["no capabilities", { "io.modelcontextprotocol/clientCapabilities": undefined }],
    ["capabilities that are no object", { "io.modelcontextprotocol/clientCapabilities": [] }],
    ["an unknown log level", { "io.modelcontextprotocol/logLevel": "loud" }],
    ["client information without a name", { "io.modelcontextprotocol/clientInfo": {} }],
  ])("refuses an envelope with %s", async (_what, meta) => {
    expect(await send("tools/list", {}, { meta })).toMatchObject({ status: 400, messages: [{ error: { code: -32602 } }] });
  });

  it("refuses the header of a modern revision without the envelope", async () => {
    expect(await door.post(path, { jsonrpc: "2.0", id: 7, method: "tools/list" }, { headers: { "mcp-protocol-version": "2026-07-28" } })).toMatchObject({ status: 400, messages: [{ id: 7, error: { code: -32602 } }] });
  });

  it("names what it supports to a version that it does not", async () => {
    const { message, headers } = modern("tools/list", {}, { meta: { "io.modelcontextprotocol/protocolVersion": "2031-01-01" } });
    expect(await door.post(path, message, { headers: { ...headers, "mcp-protocol-version": "2031-01-01" } })).toMatchObject({ status: 400, messages: [{ error: { code: -32022, data: { supported: ["2026-07-28"], requested: "2031-01-01" } } }] });
  });

  it.each(["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "no/such/method"])("does not know %s", async (method) => {
    expect(await send(method)).toMatchObject({ status: 404, messages: [{ error: { code: -32601 } }] });
    expect(target.exchanges.filter((exchange) => exchange.method === method && method !== "no/such/method")).toEqual([]);
  });

  it("has no stream and no session to end", async () => {
    for (const method of ["GET", "DELETE"]) expect((await fetch(door.url + path, { method, headers: { authorization: "Bearer alice" } })).status).toBe(405);
  });

  it("mints no session and ignores the one that it is sent", async () => {
    const answer = await send("tools/list", {}, { also: { "mcp-session-id": "anything" } });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("mcp-session-id")).toBeNull();
  });

  it("takes a notification and says nothing", async () => {
    const { message, headers } = modern("notifications/whatever");
    const { id: _id, ...notification } = message;
    expect(await door.post(path, notification, { headers })).toMatchObject({ status: 202, messages: [] });
  });
});

describe("answers", () => {
  it("say that they are complete, and how long they hold where the upstream said nothing", async () => {
    const [message] = (await send("tools/list")).messages;
    expect(message?.result).toMatchObject({ resultType: "complete", ttlMs: 0, cacheScope: "private", _meta: { "io.modelcontextprotocol/serverInfo": { name: "vocabulary" } } });
  });

  it("discover without promising a legacy server's tasks", async () => {
    const [message] = (await send("server/discover")).messages;
    expect(message?.result).toMatchObject({ resultType: "complete", supportedVersions: ["2026-07-28"], instructions: "Call test_simple_text first." });
    expect(message?.result?.["capabilities"]).not.toHaveProperty("tasks");
    expect(await send("tasks/get", { taskId: "t" })).toMatchObject({ status: 404, messages: [{ error: { code: -32601 } }] });
  });

  it("keep numbers, unknown members and large ids", async () => {
    const id = "900719925474099312345";
    const { message, headers } = modern("tools/call", { name: "test_echo", arguments: { n: "N" }, unknown: "U" });
    target.respond = async ({ params }) => ({ content: [], echoed: params?.["arguments"], unknown: params?.["unknown"] });
    const body = JSON.stringify(message).replace('"N"', "12345678901234567890").replace('"U"', "0.1000000000000000055511151231257827").replace('"id":1', `"id":${id}`);
    const response = await fetch(door.url + path, { method: "POST", body, headers: { ...headers, authorization: "Bearer alice", "content-type": "application/json" } });
    const text = await response.text();
    expect(text).toContain(`"id":${id}`);
    expect(text).toContain('"echoed":{"n":12345678901234567890}');
    expect(text).toContain('"unknown":0.1000000000000000055511151231257827');
  });

  it("tell an unknown resource by its address", async () => {
    expect((await send("resources/read", { uri: "test://none" })).messages[0]).toMatchObject({ error: { code: -32602, data: { uri: "test://none" } } });
  });

  it("send log messages only when they were asked for", async () => {
    const silent = await call("test_logging_tool");
    expect(silent.messages).toHaveLength(1);
    const wanted = await call("test_logging_tool", {}, { meta: { "io.modelcontextprotocol/logLevel": "info" } });
    expect(wanted.messages.map(({ method }) => method)).toEqual(["notifications/message", undefined]);
    expect(wanted.headers.get("x-accel-buffering")).toBe("no");
    expect((await call("test_logging_tool", {}, { meta: { "io.modelcontextprotocol/logLevel": "error" } })).messages).toHaveLength(1);
  });

  it("never carry the envelope on, nor lose the rest of _meta", async () => {
    await send("tools/list", {}, { meta: { traceparent: "00-1-2-01", "io.modelcontextprotocol/logLevel": "info" } });
    expect(target.exchanges[0]).toMatchObject({ params: { _meta: { traceparent: "00-1-2-01" } }, logLevel: "info", client: { era: "modern", info: { name: "test" } }, session: undefined });
    expect(Object.keys(target.exchanges[0]?.params?.["_meta"] as object)).toEqual(["traceparent"]);
  });

  it("turn addresses that must be visited first into questions", async () => {
    const { WireError } = await import("../../src/gateway/wire/message.ts");
    target.respond = () => Promise.reject(new WireError(200, -32042, "Visit first", undefined, { elicitations: [{ mode: "url", elicitationId: "e1", url: "https://example.org/", message: "Log in" }] }));
    const able = await call("test_simple_text", {}, { capabilities: { elicitation: { url: {} } } });
    expect(able.messages[0]?.result).toEqual(expect.objectContaining({ resultType: "input_required", inputRequests: { e1: { method: "elicitation/create", params: { mode: "url", url: "https://example.org/", message: "Log in" } } } }));
    expect(await call("test_simple_text")).toMatchObject({ status: 400, messages: [{ error: { code: -32021, data: { requiredCapabilities: { elicitation: { url: {} } } } } }] });
  });
});

describe("a client that leaves", () => {
  it("has cancelled", async () => {
    const { message, headers } = modern("tools/call", { name: "test_slow", arguments: { milliseconds: 20_000 } });
    const stop = new AbortController();
    const gone = door.post(path, message, { headers, signal: stop.signal }).catch(() => undefined);
    await vi.waitFor(() => expect(target.exchanges).toHaveLength(1));
    stop.abort();
    await gone;
    await vi.waitFor(() => expect(target.exchanges[0]?.signal.aborted).toBe(true));
  });
});

describe("a question of a legacy upstream", () => {
  const ask = async (options: Parameters<typeof call>[2] = {}) => {
    const { messages } = await call("test_elicitation", { message: "Who?" }, { ...elicitation, ...options });
    return messages[0]?.result as { inputRequests: Record<string, unknown>; requestState: string; resultType: string };
  };
  const retry = (requestState: string, inputResponses: object, options: Parameters<typeof call>[2] = {}, args: object = { message: "Who?" }) => call("test_elicitation", args, { ...elicitation, params: { requestState, inputResponses }, ...options });
  const invalid = { messages: [{ error: { code: -32602 } }] };

  it("becomes a result that asks, and the retry gets the answer", async () => {
    const { resultType, inputRequests, requestState } = await ask();
    expect(resultType).toBe("input_required");
    expect(Object.values(inputRequests)).toMatchObject([{ method: "elicitation/create" }]);
    expect(door.gateway.gauges().parkedCalls).toBe(1);
    const [key = ""] = Object.keys(inputRequests);
    expect((await retry(requestState, { [key]: accepted, unasked: {} })).messages[0]?.result).toMatchObject({ resultType: "complete", content: [{ text: expect.stringContaining("action=accept") as string }] });
    expect(door.gateway.gauges().parkedCalls).toBe(0);
  });

  it("is asked again while an answer is missing", async () => {
    const { inputRequests, requestState } = await ask();
    const again = (await retry(requestState, {})).messages[0]?.result as { inputRequests: object; requestState: string };
    expect(again).toMatchObject({ resultType: "input_required", inputRequests });
    expect(again.requestState).not.toBe(requestState);
    const [key = ""] = Object.keys(inputRequests);
    expect((await retry(again.requestState, { [key]: accepted })).messages[0]?.result).toMatchObject({ resultType: "complete" });
  });

  it.each<[string, (state: string) => ReturnType<typeof retry>]>([
    ["another principal", (state) => retry(state, {}, { as: "bob" })],
    ["another endpoint", (state) => {
      const { message, headers } = modern("tools/call", { name: "test_elicitation", arguments: { message: "Who?" }, requestState: state, inputResponses: {} }, elicitation);
      return door.post("/mcp", message, { headers });
    }],
    ["other arguments", (state) => retry(state, {}, {}, { message: "Another" })],
    ["another method", (state) => send("prompts/get", { name: "test_elicitation", arguments: { message: "Who?" }, requestState: state, inputResponses: {} }, elicitation)],
    ["an altered handle", (state) => retry(`${state.slice(0, -2)}xx`, {})],
    ["no handle at all", () => retry("nothing", {})],
  ])("cannot be answered by %s", async (_who, attempt) => {
    const { requestState } = await ask();
    expect(await attempt(requestState)).toMatchObject(invalid);
    expect(door.gateway.gauges().parkedCalls).toBe(1);
  });

  it("is answered once", async () => {
    const { inputRequests, requestState } = await ask();
    const [key = ""] = Object.keys(inputRequests);
    const [first, second] = await Promise.all([retry(requestState, { [key]: accepted }), retry(requestState, { [key]: accepted })]);
    const codes = [first, second].map(({ messages }) => messages[0]?.error?.code);
    expect(codes.sort()).toEqual([-32602, undefined]);
  });

  it("expires, and the upstream's call with it", async () => {
    const { requestState } = await ask();
    await vi.waitFor(() => expect(door.gateway.gauges().parkedCalls).toBe(0), 3000);
    expect(target.exchanges[0]?.signal.aborted).toBe(true);
    expect(await retry(requestState, {})).toMatchObject(invalid);
    expect(door.gateway.counters.inputTimeout).toBe(1);
  });

  it("is refused beyond the limit, by name", async () => {
    await ask();
    await ask();
    const third = await call("test_elicitation", { message: "Who?" }, elicitation);
    expect(third).toMatchObject({ status: 429, messages: [{ error: { code: 429, message: expect.stringContaining("SALLYPORT_PARKED_CALLS_PER_USER") as string } }] });
    expect((await ask({ as: "bob" })).resultType).toBe("input_required");
    expect(door.gateway.counters.parkedPerUser).toBe(1);
  });

  it("is not put to a client that cannot answer it", async () => {
    target.respond = (exchange) => (exchange.method === "tools/call" ? exchange.ask({ a: { method: "sampling/createMessage" } }).then(() => ({})) : undefined);
    expect(await call("test_sampling", {}, elicitation)).toMatchObject({ status: 400, messages: [{ error: { code: -32021, data: { requiredCapabilities: { sampling: {} } } } }] });
  });
});

describe("a subscription", () => {
  async function listen(notifications: object, as = "alice") {
    const { message, headers } = modern("subscriptions/listen", { notifications }, { id: "sub-1" });
    const stop = new AbortController();
    const response = await fetch(door.url + path, { method: "POST", body: JSON.stringify(message), headers: { ...headers, authorization: `Bearer ${as}`, "content-type": "application/json" }, signal: stop.signal });
    const heard: Message[] = [];
    const ended = (async () => {
      let buffer = "";
      for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
        buffer += Buffer.from(chunk).toString();
        const blocks = buffer.split("\n\n");
        buffer = blocks.pop() ?? "";
        for (const block of blocks) if (block.startsWith("data: ")) heard.push(JSON.parse(block.slice(6)) as Message);
      }
    })().catch(() => undefined);
    return { response, heard, ended, stop };
  }

  it("is acknowledged first and hears just what it asked for, under its own id", async () => {
    const { heard, stop } = await listen({ toolsListChanged: true, resourceSubscriptions: ["test://a"] });
    await vi.waitFor(() => expect(heard).toHaveLength(1));
    expect(heard[0]).toMatchObject({ method: "notifications/subscriptions/acknowledged", params: { notifications: { toolsListChanged: true, resourceSubscriptions: ["test://a"] }, _meta: { "io.modelcontextprotocol/subscriptionId": "sub-1" } } });
    target.publish({ kind: "prompts_list_changed" });
    target.publish({ kind: "resource_updated", uri: "test://b" });
    target.publish({ kind: "resource_updated", uri: "test://a" });
    await vi.waitFor(() => expect(heard).toHaveLength(2));
    expect(heard[1]).toMatchObject({ method: "notifications/resources/updated", params: { uri: "test://a", _meta: { "io.modelcontextprotocol/subscriptionId": "sub-1" } } });
    stop.abort();
    await vi.waitFor(() => expect(target.listeners()).toBe(0));
    expect(door.gateway.gauges().streams).toBe(0);
  });

  it("ends with an empty result when the upstream or the gateway ends it", async () => {
    for (const end of [() => target.hangUp(), () => door.gateway.stop()]) {
      const { heard, ended } = await listen({ toolsListChanged: true });
      await vi.waitFor(() => expect(heard).toHaveLength(1));
      end();
      await ended;
      expect(heard[1]).toMatchObject({ id: "sub-1", result: { resultType: "complete", _meta: { "io.modelcontextprotocol/subscriptionId": "sub-1" } } });
    }
  });

  it("is bounded by name", async () => {
    expect((await listen({ resourceSubscriptions: ["a", "b", "c"] })).response.status).toBe(429);
    const open = [await listen({ toolsListChanged: true }), await listen({ toolsListChanged: true })];
    const third = await listen({ toolsListChanged: true });
    expect(third.response.status).toBe(429);
    expect(third.response.headers.get("retry-after")).toBe("5");
    expect((await listen({ toolsListChanged: true }, "bob")).response.status).toBe(200);
    for (const { stop } of open) stop.abort();
  });

  it("refuses what is no filter", async () => {
    expect(await send("subscriptions/listen", { notifications: { toolsListChanged: "yes" } })).toMatchObject({ status: 200, messages: [{ error: { code: -32602 } }] });
  });
});

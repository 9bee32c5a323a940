/** Every kind of upstream through a peer, whatever era the client is of: what the upstream can do, the peer can. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startEverything } from "../peers/everything.ts";
import type { Peer as TestServer } from "../peers/listener.ts";
import { startSseServer, startV1Server } from "../peers/v1.ts";
import type { ServerEventBus } from "@modelcontextprotocol/server";
import type { ServerPeer } from "../../src/gateway/upstream/peers.ts";
import { clientOf, openUpstreams, soon, type Upstreams } from "./harness.ts";

type Server = TestServer & { bus: ServerEventBus; sessions(): number };
const kinds: Record<string, { start: () => Promise<Server>; transport?: "sse"; eras: readonly string[]; sessions?: boolean }> = {
  "v2 of both eras": { start: () => startEverything(), eras: ["modern", "legacy"] },
  "v2 of 2026": { start: () => startEverything({ era: "modern" }), eras: ["modern"] },
  "v2 of 2025": { start: () => startEverything({ era: "legacy" }), eras: ["legacy"] },
  "v1 over Streamable HTTP": { start: () => startV1Server(), eras: ["legacy"] },
  "v1 with JSON only": { start: () => startV1Server({ jsonOnly: true }), eras: ["legacy"] },
  "v1 over HTTP+SSE": { start: () => startSseServer(), transport: "sse", eras: ["legacy"] },
};

describe.each(Object.keys(kinds))("an upstream: %s", (kind) => {
  const { start, transport, eras } = kinds[kind] as (typeof kinds)[string];
  const jsonOnly = kind === "v1 with JSON only";
  let server: Server;
  let upstreams: Upstreams;
  let peer: ServerPeer;
  beforeAll(async () => {
    server = await start();
    upstreams = openUpstreams();
    peer = upstreams.peer(server.url, transport);
  });
  afterAll(async () => {
    await upstreams.close();
    await server.close();
  });

  it("is known by its eras", async () => {
    if (eras.includes("modern")) expect(await peer.eras("modern")).toEqual(["modern"]);
    expect(await peer.eras("legacy")).toEqual(eras);
    expect(await soon(() => server.sessions() === 0)).toBe(true);
  });

  describe.each([["modern"], ["legacy"]] as const)("for a client of the %s era", (era) => {
    const client = clientOf(era);
    const asked = era === "legacy" ? { client, session: "gateway-session" } : { client };
    afterEach(() => peer.release("gateway-session"));

    it("introduces itself", async () => {
      const discovery = await peer.discover(upstreams.exchange("server/discover", undefined, asked));
      expect(discovery.era).toBe(eras.includes(era) ? era : eras[0]);
      expect(discovery.capabilities).toMatchObject({ tools: { listChanged: true }, prompts: {}, resources: {} });
      expect(discovery.serverInfo["name"]).toMatch(/^everything-peer/);
      expect(discovery.instructions).toBe("Call test_simple_text first.");
    });

    it("lists, reads and completes", async () => {
      const { result } = await upstreams.call(peer, "tools/list", undefined, asked);
      expect((result["tools"] as { name: string }[]).map(({ name }) => name)).toContain("test_simple_text");
      expect((await upstreams.call(peer, "resources/read", { uri: "test://static-text" }, asked)).result["contents"]).toBeDefined();
      expect((await upstreams.call(peer, "prompts/get", { name: "test_simple_prompt" }, asked)).result["messages"]).toBeDefined();
      const { result: completed } = await upstreams.call(peer, "completion/complete", { ref: { type: "ref/prompt", name: "test_prompt_with_arguments" }, argument: { name: "arg1", value: "par" } }, asked);
      expect(completed["completion"]).toMatchObject({ values: ["paris", "park", "party"] });
    });

    it("answers calls, and tells errors apart from results", async () => {
      expect((await upstreams.tool(peer, "test_simple_text", {}, asked)).text).toBe("This is a simple text response for testing.");
      expect((await upstreams.tool(peer, "test_error_handling", {}, asked)).result["isError"]).toBe(true);
      await expect(upstreams.tool(peer, "no_such_tool", {}, asked)).rejects.toMatchObject({ name: "WireError", code: -32602 });
      await expect(upstreams.call(peer, "resources/read", { uri: "test://nothing" }, asked)).rejects.toMatchObject({ name: "WireError" });
    });

    it("mirrors arguments into headers where its era wants them", async () => {
      expect((await upstreams.tool(peer, "test_x_mcp_header", { region: "eu — nord" }, asked)).text).toBe("region=eu — nord");
      expect((await peer.inputSchema("test_x_mcp_header", upstreams.exchange("tools/list", undefined, asked)))?.["properties"]).toBeDefined();
      expect(await peer.inputSchema("no_such_tool", upstreams.exchange("tools/list", undefined, asked))).toBeUndefined();
    });

    it.skipIf(jsonOnly)("reports progress under the client's own token", async () => {
      const { notified } = await upstreams.tool(peer, "test_tool_with_progress", {}, asked);
      expect(notified.filter(({ method }) => method === "notifications/progress").map(({ params }) => [params?.["progressToken"], params?.["progress"]])).toEqual([["client-token", 0], ["client-token", 50], ["client-token", 100]]);
    });

    it.skipIf(jsonOnly)("logs what the client wants to hear, and nothing else", async () => {
      const heard = async (logLevel: string | undefined) => (await upstreams.tool(peer, "test_logging_tool", {}, { ...asked, logLevel })).notified.filter(({ method }) => method === "notifications/message").length;
      expect(await heard(undefined)).toBe(0);
      expect(await heard("error")).toBe(0);
      expect(await heard("info")).toBe(1);
    });

    it.skipIf(jsonOnly)("asks in the midst of a call", async () => {
      if (eras.includes(era) ? era === "legacy" : eras[0] === "legacy") {
        const elicited = await upstreams.tool(peer, "test_elicitation", { message: "Who are you?" }, asked);
        expect(elicited.text).toBe('User response: action=accept, content={"username":"ada","email":"ada@example.org","name":"Ada"}');
        expect(elicited.questions).toEqual([expect.objectContaining({ method: "elicitation/create" })]);
        expect((await upstreams.tool(peer, "test_sampling", { prompt: "Say" }, asked)).text).toBe("LLM response: an answer of the model");
        expect((await upstreams.tool(peer, "test_input_required_result_list_roots", {}, asked)).text).toBe("Roots: file:///srv/test");
      } else {
        const first = await upstreams.call(peer, "tools/call", { name: "test_input_required_result_request_state", arguments: {} }, asked);
        expect(first.result).toMatchObject({ resultType: "input_required", inputRequests: { confirm: { method: "elicitation/create" } } });
        const again = await upstreams.call(peer, "tools/call", { name: "test_input_required_result_request_state", arguments: {}, inputResponses: { confirm: { action: "accept", content: { ok: true } } }, requestState: first.result["requestState"] }, asked);
        expect(again.result["content"]).toEqual([{ type: "text", text: "state-ok" }]);
      }
    });

    it.skipIf(jsonOnly)("stops the server's work when the client no longer waits", async () => {
      const cancellations = async () => Number((await upstreams.tool(peer, "test_cancellations", {}, asked)).text);
      const before = await cancellations();
      const stop = new AbortController();
      const began = performance.now();
      const exchange = upstreams.exchange("tools/call", { name: "test_slow", arguments: { milliseconds: 5000 }, _meta: { progressToken: 1 } }, { ...asked, signal: stop.signal });
      await expect(peer.request({ ...exchange, notify: () => stop.abort(new Error("no longer wanted")) })).rejects.toMatchObject({ reason: "client-left" });
      expect(performance.now() - began).toBeLessThan(1500);
      let count = before;
      for (let attempt = 0; attempt < 40 && count === before; attempt++) {
        await new Promise((resolve) => setTimeout(resolve, 25));
        count = await cancellations();
      }
      expect(count).toBe(before + 1);
    });

    it.skipIf(jsonOnly)("announces what is listened to, to those who listen, until they stop", async () => {
      const listening = upstreams.listening({ toolsListChanged: true, resourceSubscriptions: ["test://watched-resource"] }, asked);
      const { filter } = await peer.listen(listening);
      expect(filter).toEqual({ toolsListChanged: true, resourceSubscriptions: ["test://watched-resource"] });
      server.bus.publish({ kind: "resource_updated", uri: "test://watched-resource" });
      server.bus.publish({ kind: "resource_updated", uri: "test://static-text" });
      server.bus.publish({ kind: "prompts_list_changed" });
      server.bus.publish({ kind: "tools_list_changed" });
      expect(await soon(() => listening.heard.length >= 2)).toBe(true);
      expect(listening.heard.map(({ method }) => method).sort()).toEqual(["notifications/resources/updated", "notifications/tools/list_changed"]);
      expect(listening.heard.every(({ params }) => (params?.["_meta"] as Record<string, unknown> | undefined)?.["io.modelcontextprotocol/subscriptionId"] === undefined)).toBe(true);
      listening.stop.abort();
      await new Promise((resolve) => setTimeout(resolve, 100));
      server.bus.publish({ kind: "resource_updated", uri: "test://watched-resource" });
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(listening.heard).toHaveLength(2);
    });

    it("keeps every digit and unknown member", async () => {
      const params = { name: "test_echo", arguments: { id: JSON.rawJSON("12345678901234567890"), "x-unknown": { deep: [1, null] } } };
      const { result } = await upstreams.call(peer, "tools/call", params, asked);
      expect(JSON.parse(server.requests.at(-1)?.method === "POST" ? server.requests.findLast(({ body }) => body.includes("test_echo"))?.body ?? "{}" : "{}")).toBeDefined();
      expect(server.requests.findLast(({ body }) => body.includes("test_echo"))?.body).toContain("12345678901234567890");
      expect(result["content"]).toBeDefined();
    });
  });
});

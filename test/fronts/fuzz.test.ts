/** Whatever arrives at the fronts, they answer with an error of the protocol: never a fault of ours, never silence. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { initialize, modern, openDoor, type Door } from "./harness.ts";
import { vocabularyTarget } from "./vocabulary-target.ts";

const doors: Door[] = [];
beforeAll(async () => {
  for (const era of ["legacy", "modern"] as const) doors.push(await openDoor(vocabularyTarget(era), { settings: { SALLYPORT_INPUT_TIMEOUT: "1", SALLYPORT_STREAM_LIFETIME: "1" } }));
});
afterAll(() => Promise.all(doors.map((door) => door.close())));

const methods = ["tools/list", "tools/call", "prompts/get", "resources/read", "resources/subscribe", "completion/complete", "logging/setLevel", "ping", "initialize", "server/discover", "tasks/get", "subscriptions/listen", "notifications/cancelled", "notifications/initialized", "x/y", ""];
const odd = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom("test_simple_text", "test_elicitation", "test://static-text", 12345678901234567890n.toString(), "__proto__"));
const params = fc.dictionary(fc.constantFrom("name", "uri", "arguments", "cursor", "requestState", "inputResponses", "taskId", "task", "level", "_meta", "notifications", "ref", "argument", "protocolVersion", "capabilities", "clientInfo", "requestId"), odd, { maxKeys: 6 });
const message = fc.record({ jsonrpc: fc.constantFrom("2.0", "2.0", "2.0", "1.0"), id: fc.oneof(fc.nat(), fc.string(), fc.constantFrom(null, 1.5, {})), method: fc.oneof(fc.constantFrom(...methods), odd), params: fc.oneof(params, params, odd), result: odd }, { requiredKeys: ["jsonrpc"] });

const sound = (door: Door) => door.logLines.filter((line) => line.startsWith("error") || line.includes("front.failed"));

it("in sessions", async () => {
  for (const door of doors) {
    const session = (await door.post("/servers/x/mcp", initialize("2025-03-26", { elicitation: {}, sampling: {}, roots: {} }))).headers.get("mcp-session-id") ?? "";
    await fc.assert(
      fc.asyncProperty(fc.oneof(message, message, fc.array(message, { maxLength: 3 }), odd), async (body) => {
        const { status } = await door.post("/servers/x/mcp", body, { headers: { "mcp-session-id": session } });
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 300 },
    );
    expect(sound(door)).toEqual([]);
  }
}, 60_000);

it("in requests of 2026-07-28, whose headers say the same", async () => {
  for (const door of doors) {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...methods.filter((method) => method !== "" && method !== "subscriptions/listen")), params, fc.dictionary(fc.constantFrom("progressToken", "traceparent", "io.modelcontextprotocol/logLevel", "io.modelcontextprotocol/clientInfo"), odd, { maxKeys: 3 }), async (method, given, meta) => {
        const { name, uri } = given;
        const { message: body, headers } = modern(method, given, { capabilities: { elicitation: {}, sampling: {}, roots: {} }, meta });
        const mirrored = method === "resources/read" ? uri : name;
        headers["mcp-name"] = typeof mirrored === "string" ? `=?base64?${Buffer.from(mirrored).toString("base64")}?=` : "none";
        const { status } = await door.post("/servers/x/mcp", body, { headers });
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 300 },
    );
    expect(sound(door)).toEqual([]);
  }
}, 60_000);

it("in subscriptions", async () => {
  for (const door of doors) {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom("toolsListChanged", "resourceSubscriptions", "promptsListChanged", "x"), odd, { maxKeys: 3 }), async (notifications) => {
        const { message: body, headers } = modern("subscriptions/listen", { notifications });
        const stop = AbortSignal.timeout(30);
        const status = await door.post("/servers/x/mcp", body, { headers, signal: stop }).then((answer) => answer.status, () => 200);
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 60 },
    );
    expect(sound(door)).toEqual([]);
    expect(door.gateway.gauges().streams).toBeLessThanOrEqual(1);
  }
}, 60_000);

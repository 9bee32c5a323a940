/** The tools of the conformance suite's vocabulary that answer without asking, and a few of ours for what the suite does not reach. */
import { setTimeout as sleep } from "node:timers/promises";
import { png, wav } from "./content.ts";
import { text, type Tool } from "./types.ts";

const none = { type: "object", properties: {}, additionalProperties: false };

const plain: Tool[] = [
  // The suite calls the first tool of the list without arguments: it must need none.
  { name: "test_simple_text", description: "Answers with text", inputSchema: none, run: () => text("This is a simple text response for testing.") },
  { name: "test_image_content", description: "Answers with an image", inputSchema: none, run: () => ({ content: [{ type: "image", data: png, mimeType: "image/png" }] }) },
  { name: "test_audio_content", description: "Answers with audio", inputSchema: none, run: () => ({ content: [{ type: "audio", data: wav, mimeType: "audio/wav" }] }) },
  {
    name: "test_embedded_resource",
    description: "Answers with an embedded resource",
    inputSchema: none,
    run: () => ({ content: [{ type: "resource", resource: { uri: "test://embedded-resource", mimeType: "text/plain", text: "This is an embedded resource content." } }] }),
  },
  {
    name: "test_multiple_content_types",
    description: "Answers with text, an image and a resource",
    inputSchema: none,
    run: () => ({
      content: [
        { type: "text", text: "Multiple content types test:" },
        { type: "image", data: png, mimeType: "image/png" },
        { type: "resource", resource: { uri: "test://mixed-content-resource", mimeType: "application/json", text: '{"test":"data","value":123}' } },
      ],
    }),
  },
  {
    name: "test_tool_with_logging",
    description: "Logs three times while it runs",
    inputSchema: none,
    async run(_args, call) {
      await call.log("info", "Tool execution started");
      await sleep(50);
      await call.log("info", "Tool processing data");
      await sleep(50);
      await call.log("info", "Tool execution completed");
      return text("Logged three times");
    },
  },
  {
    name: "test_tool_with_progress",
    description: "Reports progress three times while it runs",
    inputSchema: none,
    async run(_args, call) {
      for (const done of [0, 50, 100]) {
        if (done > 0) await sleep(50);
        await call.progress(done, 100);
      }
      return text("Progress reported");
    },
  },
  {
    name: "test_error_handling",
    description: "Always fails",
    inputSchema: none,
    run() {
      throw new Error("This tool intentionally returns an error for testing");
    },
  },
  {
    name: "test_reconnection",
    description: "Drops its stream before it answers, so that the client must resume",
    inputSchema: none,
    async run(_args, call) {
      await sleep(20);
      call.dropStream();
      await sleep(100);
      return text("Answered after the stream was dropped");
    },
  },
  { name: "test_streaming_elicitation", description: "Answers on a stream without requests of the server's own", inputSchema: none, run: () => text("No request was sent on this stream") },
  {
    name: "test_logging_tool",
    description: "Logs once, if the client wants to hear it",
    inputSchema: none,
    async run(_args, call) {
      await call.log("info", "test_logging_tool ran");
      return text("Logged, if it was wanted");
    },
  },
];

const triggers: Tool[] = [
  {
    name: "test_trigger_tool_change",
    description: "Announces that the list of tools changed",
    inputSchema: none,
    run(_args, call) {
      call.publish({ kind: "tools_list_changed" });
      return text("Announced a change of tools");
    },
  },
  {
    name: "test_trigger_prompt_change",
    description: "Announces that the list of prompts changed",
    inputSchema: none,
    run(_args, call) {
      call.publish({ kind: "prompts_list_changed" });
      return text("Announced a change of prompts");
    },
  },
  {
    name: "test_trigger_resource_update",
    description: "Announces that a resource was updated",
    inputSchema: { type: "object", properties: { uri: { type: "string" } }, required: ["uri"] },
    run(args, call) {
      call.publish({ kind: "resource_updated", uri: String(args["uri"]) });
      return text(`Announced an update of ${String(args["uri"])}`);
    },
  },
];

const schemas: Tool[] = [
  {
    name: "test_x_mcp_header",
    description: "Mirrors an argument into a header (SEP-2243)",
    // Nothing is required: the suite sends only the argument under test.
    inputSchema: { type: "object", properties: { region: { type: "string", "x-mcp-header": "Region" }, level: { type: "integer" } } },
    run: (args) => text(`region=${typeof args["region"] === "string" ? args["region"] : ""}`),
  },
  {
    name: "json_schema_2020_12_tool",
    description: "Has a schema with the keywords of JSON Schema 2020-12 (SEP-1613, SEP-2106)",
    inputSchema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      $defs: { address: { $anchor: "addressDef", type: "object", properties: { street: { type: "string" }, city: { type: "string" } } } },
      properties: { name: { type: "string" }, address: { $ref: "#/$defs/address" }, contactMethod: { type: "string", enum: ["phone", "email"] }, phone: { type: "string" }, email: { type: "string" } },
      allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
      if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
      // oxlint-disable-next-line unicorn/no-thenable -- "then" is a keyword of JSON Schema; the object is data and is never awaited
      then: { required: ["phone"] },
      else: { required: ["email"] },
      additionalProperties: false,
    },
    run: (args) => text(JSON.stringify(args)),
  },
  {
    name: "test_structured",
    title: "Structured answer",
    description: "Answers with structured content of its output schema",
    inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    outputSchema: { type: "object", properties: { city: { type: "string" }, degrees: { type: "number" } }, required: ["city", "degrees"] },
    annotations: { readOnlyHint: true, openWorldHint: false },
    run(args) {
      const structuredContent = { city: String(args["city"]), degrees: 12.5 };
      return { ...text(JSON.stringify(structuredContent)), structuredContent };
    },
  },
];

let cancelled = 0;

const loads: Tool[] = [
  { name: "test_echo", description: "Answers with its arguments", inputSchema: { type: "object" }, run: (args) => text(JSON.stringify(args)) },
  {
    name: "test_slow",
    description: "Answers after a while, or stops when it is cancelled",
    inputSchema: { type: "object", properties: { milliseconds: { type: "integer", minimum: 0 } }, required: ["milliseconds"] },
    async run(args, call) {
      call.signal.addEventListener("abort", () => void (cancelled += 1));
      await call.progress(0, 1, "started");
      await sleep(Number(args["milliseconds"]), undefined, { signal: call.signal });
      return text("Finished");
    },
  },
  { name: "test_cancellations", description: "Says how many calls of test_slow were cancelled in this process", inputSchema: none, run: () => text(String(cancelled)) },
  {
    name: "test_large",
    description: "Answers with so many bytes of text",
    inputSchema: { type: "object", properties: { bytes: { type: "integer", minimum: 0, maximum: 33_554_432 } }, required: ["bytes"] },
    run: (args) => text("x".repeat(Number(args["bytes"]))),
  },
];

export const plainTools: readonly Tool[] = [...plain, ...triggers, ...schemas, ...loads];

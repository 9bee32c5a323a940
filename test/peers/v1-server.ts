/** The fixture's vocabulary on the SDK v1, as most servers of 2025 are written: a question goes out as a request while the call waits. */
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js";
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  ErrorCode,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  ResultSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
  type ServerNotification,
  type ServerRequest,
} from "@modelcontextprotocol/sdk/types.js";
import type { ServerEventBus } from "@modelcontextprotocol/server";
import { complete, describePrompt, isAsk, prompts, readResource, resources, templates, tools, type Ask, type Call, type Question, type Result } from "./vocabulary/index.ts";

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

const levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
const needed: Record<Question["method"], string> = { "elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots" };
/** What servers of 2025 answer for a resource that they do not have. */
const resourceNotFound = -32002;

export function createV1FixtureServer(bus: ServerEventBus): Server {
  const server = new Server(
    { name: "everything-peer-v1", version: "1.0.0" },
    { capabilities: { tools: { listChanged: true }, prompts: { listChanged: true }, resources: { subscribe: true, listChanged: true }, logging: {}, completions: {} }, instructions: "Call test_simple_text first." },
  );
  let level = 0;
  const subscribed = new Set<string>();

  const callOf = (extra: Extra, answers: Record<string, unknown>, state: Record<string, unknown> | undefined): Call => ({
    capabilities: server.getClientCapabilities() ?? {},
    answers,
    state,
    signal: extra.signal,
    async progress(progress, total, message) {
      const token = extra._meta?.progressToken;
      if (token !== undefined) await extra.sendNotification({ method: "notifications/progress", params: { progressToken: token, progress, total, ...(message === undefined ? {} : { message }) } });
    },
    async log(severity, data) {
      if (levels.indexOf(severity) >= level) await extra.sendNotification({ method: "notifications/message", params: { level: severity, data, logger: "everything-peer" } });
    },
    publish: (event) => bus.publish(event),
    dropStream: () => extra.closeSSEStream?.(),
  });

  /** Asks the client whatever the handler wants to know, until it answers. */
  async function answer(run: (call: Call) => Result | Ask | Promise<Result | Ask>, extra: Extra): Promise<Result> {
    let outcome = await run(callOf(extra, {}, undefined));
    for (let round = 0; isAsk(outcome) && round < 8; round++) {
      const answered = Object.entries(outcome.ask).map(async ([key, { method, params }]) => {
        if (!(server.getClientCapabilities() as Record<string, unknown> | undefined)?.[needed[method]]) throw new McpError(ErrorCode.InvalidRequest, `The client does not support ${needed[method]}`);
        return [key, await extra.sendRequest({ method, params } as ServerRequest, ResultSchema)] as const;
      });
      const answers = Object.fromEntries(await Promise.all(answered)) as Record<string, unknown>;
      outcome = await run(callOf(extra, answers, outcome.state));
    }
    if (isAsk(outcome)) throw new McpError(ErrorCode.InternalError, "Too many questions");
    return outcome;
  }

  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: tools.map(({ run: _run, ...definition }) => definition) as never }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const tool = tools.find(({ name }) => name === params.name);
    if (!tool) throw new McpError(ErrorCode.InvalidParams, `Tool ${params.name} not found`);
    return answer((call) => tool.run(params.arguments ?? {}, call), extra).catch((error: Error) => ({ content: [{ type: "text", text: error.message }], isError: true }));
  });
  server.setRequestHandler(ListPromptsRequestSchema, () => ({ prompts: prompts.map(describePrompt) }));
  server.setRequestHandler(GetPromptRequestSchema, ({ params }, extra) => {
    const prompt = prompts.find(({ name }) => name === params.name);
    if (!prompt) throw new McpError(ErrorCode.InvalidParams, `Prompt ${params.name} not found`);
    return answer((call) => prompt.get(params.arguments ?? {}, call), extra);
  });
  server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources: resources.map(({ read: _read, ...definition }) => definition) }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: templates.map(({ read: _read, values: _values, ...definition }) => definition) }));
  server.setRequestHandler(ReadResourceRequestSchema, ({ params: { uri } }) => {
    const found = readResource(uri);
    if (!found) throw new McpError(resourceNotFound, "Resource not found", { uri });
    return found;
  });
  server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    subscribed.add(params.uri);
    return {};
  });
  server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => {
    subscribed.delete(params.uri);
    return {};
  });
  server.setRequestHandler(SetLevelRequestSchema, ({ params }) => {
    level = levels.indexOf(params.level);
    return {};
  });
  server.setRequestHandler(CompleteRequestSchema, ({ params: { ref, argument } }) => complete(ref, argument));

  const unsubscribe = bus.subscribe((event) => {
    const sent =
      event.kind === "tools_list_changed"
        ? server.sendToolListChanged()
        : event.kind === "prompts_list_changed"
          ? server.sendPromptListChanged()
          : event.kind === "resources_list_changed"
            ? server.sendResourceListChanged()
            : subscribed.has(event.uri)
              ? server.sendResourceUpdated({ uri: event.uri })
              : Promise.resolve();
    sent.catch(() => undefined);
  });
  server.onclose = unsubscribe;
  return server;
}

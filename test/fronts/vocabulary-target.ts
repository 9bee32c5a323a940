/** A target in this process that serves the fixture's vocabulary the way an upstream of either era would: the fronts alone are under test. */
import type { Era, Exchange, JsonObject, Listening, ListenFilter, Target } from "../../src/gateway/exchange.ts";
import { WireError } from "../../src/gateway/wire/message.ts";
import { complete, describePrompt, isAsk, prompts, readResource, resources, templates, tools, type Ask, type Call, type Result } from "../peers/vocabulary/index.ts";
import type { Event } from "../peers/vocabulary/types.ts";

export interface VocabularyTarget extends Target {
  /** Every request that arrived, as the target saw it. */
  exchanges: Exchange[];
  /** Open listeners. */
  listeners(): number;
  released: string[];
  publish(event: Event): void;
  /** Ends all listeners as an upstream does that goes away. */
  hangUp(): void;
  /** Replaces what is answered, for tests of what fronts do with odd answers. */
  respond: ((exchange: Exchange) => Promise<JsonObject> | undefined) | undefined;
}

const isOf = ({ toolsListChanged, promptsListChanged, resourcesListChanged, resourceSubscriptions }: ListenFilter, event: Event) =>
  event.kind === "tools_list_changed" ? toolsListChanged : event.kind === "prompts_list_changed" ? promptsListChanged : event.kind === "resources_list_changed" ? resourcesListChanged : resourceSubscriptions?.includes(event.uri);

const methods = { tools_list_changed: "notifications/tools/list_changed", prompts_list_changed: "notifications/prompts/list_changed", resources_list_changed: "notifications/resources/list_changed", resource_updated: "notifications/resources/updated" };

export function vocabularyTarget(era: Era): VocabularyTarget {
  const listening = new Map<Listening, () => void>();
  const publish = (event: Event) => {
    for (const [{ filter, notify }] of [...listening]) if (isOf(filter, event)) notify({ method: methods[event.kind], params: event.kind === "resource_updated" ? { uri: event.uri } : {} });
  };

  const callOf = ({ client, params, signal, notify }: Exchange, answers: Record<string, unknown>, state: Call["state"]): Call => ({
    capabilities: client.capabilities,
    answers,
    state,
    signal,
    async progress(progress, total, message) {
      const token = (params?.["_meta"] as JsonObject | undefined)?.["progressToken"];
      if (token !== undefined) notify({ method: "notifications/progress", params: { progressToken: token, progress, total, ...(message === undefined ? {} : { message }) } });
    },
    async log(level, data) {
      notify({ method: "notifications/message", params: { level, data, logger: "vocabulary" } });
    },
    publish,
    dropStream: () => undefined,
  });

  /** An upstream of 2025 asks in the midst of the call; one of 2026 gives the questions back and is called again. */
  async function settle(exchange: Exchange, run: (call: Call) => Result | Ask | Promise<Result | Ask>): Promise<JsonObject> {
    let answers = (exchange.params?.["inputResponses"] ?? {}) as Record<string, unknown>;
    const given = exchange.params?.["requestState"];
    let state = typeof given === "string" ? (JSON.parse(given) as Record<string, unknown>) : undefined;
    for (;;) {
      const outcome = await run(callOf(exchange, answers, state));
      if (!isAsk(outcome)) return outcome;
      if (era === "modern") return { resultType: "input_required", inputRequests: outcome.ask, ...(outcome.state ? { requestState: JSON.stringify(outcome.state) } : {}) };
      answers = { ...answers, ...(await exchange.ask(outcome.ask)) };
      state = outcome.state;
    }
  }

  const target: VocabularyTarget = {
    exchanges: [],
    released: [],
    respond: undefined,
    listeners: () => listening.size,
    publish,
    hangUp() {
      for (const end of listening.values()) end();
    },
    discover: async () => ({
      era,
      serverInfo: { name: "vocabulary", version: "1.0.0" },
      capabilities: { tools: { listChanged: true }, prompts: { listChanged: true }, resources: { subscribe: true, listChanged: true }, logging: {}, completions: {}, ...(era === "legacy" ? { tasks: { list: {} } } : { extensions: { "io.modelcontextprotocol/tasks": {} } }) },
      instructions: "Call test_simple_text first.",
      protocolVersions: era === "modern" ? ["2026-07-28"] : ["2025-11-25"],
      ttlMs: 0,
      cacheScope: "private",
    }),
    async request(exchange) {
      target.exchanges.push(exchange);
      const given = target.respond?.(exchange);
      if (given) return given;
      const { method, params = {} } = exchange;
      switch (method) {
        case "tools/list":
          return { tools: tools.map(({ run: _run, ...definition }) => definition) };
        case "tools/call": {
          const tool = tools.find(({ name }) => name === params["name"]);
          if (!tool) throw new WireError(200, -32602, `Tool ${String(params["name"])} not found`);
          return settle(exchange, async (call) => {
            try {
              return await tool.run((params["arguments"] ?? {}) as Record<string, unknown>, call);
            } catch (error) {
              return { content: [{ type: "text", text: (error as Error).message }], isError: true };
            }
          });
        }
        case "prompts/list":
          return { prompts: prompts.map(describePrompt) };
        case "prompts/get": {
          const prompt = prompts.find(({ name }) => name === params["name"]);
          if (!prompt) throw new WireError(200, -32602, "No such prompt");
          return settle(exchange, (call) => prompt.get((params["arguments"] ?? {}) as Record<string, string>, call));
        }
        case "resources/list":
          return { resources: resources.map(({ read: _read, ...definition }) => definition) };
        case "resources/templates/list":
          return { resourceTemplates: templates.map(({ read: _read, values: _values, ...definition }) => definition) };
        case "resources/read": {
          const found = readResource(String(params["uri"]));
          if (!found) throw new WireError(200, era === "modern" ? -32602 : -32002, "Resource not found", undefined, { uri: params["uri"] });
          return found;
        }
        case "completion/complete":
          return complete(params["ref"] as never, params["argument"] as never);
        default:
          throw new WireError(200, -32601, "Method not found");
      }
    },
    async listen(one) {
      const ended = Promise.withResolvers<void>();
      listening.set(one, () => {
        listening.delete(one);
        ended.resolve();
      });
      one.signal.addEventListener("abort", () => void listening.delete(one));
      return { filter: one.filter, ended: ended.promise };
    },
    inputSchema: async (name) => tools.find((tool) => tool.name === name)?.inputSchema,
    release: (session) => void target.released.push(session),
  };
  return target;
}

/**
 * One MCP server of the fixture's vocabulary on the SDK v2. The same handlers serve both eras: a question is returned to a 2026-07-28 client
 * (SEP-2322) and sent as a request to an older one, by the SDK's own bridge.
 */
import { randomBytes } from "node:crypto";
import { createRequestStateCodec, fromJsonSchema, inputRequired, McpServer, ProtocolError, ProtocolErrorCode, ResourceNotFoundError, type InputRequests, type Server, type ServerContext, type ServerEventBus } from "@modelcontextprotocol/server";
import { complete, describePrompt, isAsk, prompts, readResource, resources, templates, tools as vocabulary, type Ask, type Call, type Result, type Tool } from "./vocabulary/index.ts";

export interface FixtureOptions {
  era: "legacy" | "modern";
  bus: ServerEventBus;
  /** Whether this server object itself tells its client of changes; at 2026-07-28 over HTTP the handler's own subscriptions do. */
  announce?: boolean;
  /** Served besides the vocabulary; listed after it. */
  extraTools?: readonly Tool[];
  /** Further capabilities to announce. */
  extensions?: Record<string, object>;
  /** Entries per page of every list; one page by default. */
  pageSize?: number | undefined;
  /** What lists and reads say of their freshness; 0 and private by default (SEP-2549). */
  cache?: { ttlMs: number; cacheScope: "public" | "private" } | undefined;
}

// One key for the process: state minted by one server object is read by the next.
const codec = createRequestStateCodec<Record<string, unknown>>({ key: randomBytes(32) });
const cacheable = ["tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read", "server/discover"] as const;

export function createFixtureServer({ era, bus, announce = era === "legacy", extraTools = [], extensions, pageSize, cache }: FixtureOptions): McpServer {
  const tools = [...vocabulary, ...extraTools];
  const mcp = new McpServer(
    { name: "everything-peer", title: "Everything peer", version: "1.0.0" },
    {
      capabilities: { tools: { listChanged: true }, prompts: { listChanged: true }, resources: { subscribe: true, listChanged: true }, logging: {}, completions: {}, ...(extensions ? { extensions: extensions as Record<string, never> } : {}) },
      instructions: "Call test_simple_text first.",
      requestState: { verify: codec.verify },
      ...(cache ? { cacheHints: Object.fromEntries(cacheable.map((method) => [method, cache])) } : {}),
    },
  );
  const { server } = mcp;
  if (era === "modern") announceHeaders(mcp, tools);

  server.setRequestHandler("tools/list", ({ params }) => {
    const { items, nextCursor } = page(tools, params?.cursor, pageSize);
    return { tools: items.map(({ run: _run, ...definition }) => definition) as never, ...nextCursor };
  });
  server.setRequestHandler("tools/call", async ({ params }, context) => {
    const tool = tools.find(({ name }) => name === params.name);
    if (!tool) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Tool ${params.name} not found`);
    try {
      return await wire(await tool.run(params.arguments ?? {}, callOf(server, context, bus)));
    } catch (error) {
      return { content: [{ type: "text", text: error instanceof Error ? error.message : String(error) }], isError: true };
    }
  });

  server.setRequestHandler("prompts/list", ({ params }) => {
    const { items, nextCursor } = page(prompts, params?.cursor, pageSize);
    return { prompts: items.map(describePrompt), ...nextCursor };
  });
  server.setRequestHandler("prompts/get", ({ params }, context) => {
    const prompt = prompts.find(({ name }) => name === params.name);
    if (!prompt) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Prompt ${params.name} not found`);
    return wire(prompt.get(params.arguments ?? {}, callOf(server, context, bus)));
  });

  server.setRequestHandler("resources/list", ({ params }) => {
    const { items, nextCursor } = page(resources, params?.cursor, pageSize);
    return { resources: items.map(({ read: _read, ...definition }) => definition), ...nextCursor };
  });
  server.setRequestHandler("resources/templates/list", () => ({ resourceTemplates: templates.map(({ read: _read, values: _values, ...definition }) => definition) }));
  server.setRequestHandler("resources/read", ({ params: { uri } }) => {
    const found = readResource(uri);
    if (!found) throw new ResourceNotFoundError(uri);
    return found as never;
  });

  server.setRequestHandler("completion/complete", ({ params: { ref, argument } }) => complete(ref, argument));

  if (announce) announceChanges(server, bus, era);
  return mcp;
}

/** The SDK's HTTP entry checks `Mcp-Param-*` against the tools it knows (SEP-2243), so those with mirrored arguments are registered as well. */
function announceHeaders(mcp: McpServer, tools: readonly Tool[]): void {
  for (const { name, description, inputSchema } of tools) {
    if (!JSON.stringify(inputSchema).includes('"x-mcp-header"')) continue;
    mcp.registerTool(name, { description, inputSchema: fromJsonSchema(inputSchema) }, () => ({ content: [] }));
  }
}

/** Sessions hear of changes, and of the resources that they subscribed to; at 2026-07-28 the SDK picks out what its subscriptions asked for. */
function announceChanges(server: Server, bus: ServerEventBus, era: FixtureOptions["era"]): void {
  const subscribed = new Set<string>();
  server.setRequestHandler("resources/subscribe", ({ params }) => {
    subscribed.add(params.uri);
    return {};
  });
  server.setRequestHandler("resources/unsubscribe", ({ params }) => {
    subscribed.delete(params.uri);
    return {};
  });
  const unsubscribe = bus.subscribe((event) => {
    const sent =
      event.kind === "tools_list_changed"
        ? server.sendToolListChanged()
        : event.kind === "prompts_list_changed"
          ? server.sendPromptListChanged()
          : event.kind === "resources_list_changed"
            ? server.sendResourceListChanged()
            : era === "modern" || subscribed.has(event.uri)
              ? server.sendResourceUpdated({ uri: event.uri })
              : Promise.resolve();
    sent.catch(() => undefined);
  });
  const closed = server.onclose;
  server.onclose = () => {
    unsubscribe();
    closed?.();
  };
}

async function wire(outcome: Result | Ask): Promise<never> {
  if (!isAsk(outcome)) return outcome as never;
  return inputRequired({ inputRequests: outcome.ask as unknown as InputRequests, ...(outcome.state ? { requestState: await codec.mint(outcome.state) } : {}) }) as never;
}

function callOf(server: Server, { mcpReq, http }: ServerContext, bus: ServerEventBus): Call {
  const token = mcpReq._meta?.progressToken;
  const state = mcpReq.requestState<Record<string, unknown>>();
  return {
    capabilities: ((mcpReq.envelope as Record<string, unknown> | undefined)?.["io.modelcontextprotocol/clientCapabilities"] ?? server.getClientCapabilities() ?? {}) as Record<string, unknown>,
    answers: mcpReq.inputResponses ?? {},
    state: typeof state === "object" ? state : undefined,
    signal: mcpReq.signal,
    async progress(progress, total, message) {
      if (token !== undefined) await mcpReq.notify({ method: "notifications/progress", params: { progressToken: token, progress, total, ...(message === undefined ? {} : { message }) } });
    },
    log: (level, data) => mcpReq.log(level, data, "everything-peer"),
    publish: (event) => bus.publish(event),
    dropStream: () => http?.closeSSE?.(),
  };
}

function page<T>(all: readonly T[], cursor: string | undefined, size: number | undefined): { items: readonly T[]; nextCursor: { nextCursor?: string } } {
  if (size === undefined) return { items: all, nextCursor: {} };
  const from = cursor === undefined ? 0 : Number(cursor.replace(/^after-/, ""));
  if (!Number.isInteger(from) || from < 0 || from >= Math.max(all.length, 1)) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "No such cursor");
  return { items: all.slice(from, from + size), nextCursor: from + size < all.length ? { nextCursor: `after-${from + size}` } : {} };
}

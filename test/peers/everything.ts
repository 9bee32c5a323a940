/**
 * The everything-peer: the conformance suite's vocabulary over Streamable HTTP in both eras, 2025 with sessions, GET stream and resumption,
 * 2026-07-28 without any. Runs alone as `node test/peers/everything.ts --port 3000 --era both`.
 */
import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { classifyInboundRequest, createMcpHandler, hostHeaderValidationResponse, InMemoryServerEventBus, isInitializeRequest, localhostAllowedHostnames, localhostAllowedOrigins, originValidationResponse, WebStandardStreamableHTTPServerTransport, type ServerEventBus } from "@modelcontextprotocol/server";
import { createEventStore } from "./event-store.ts";
import { listen, parseJson, readBody, record, serveWeb, type Peer, type RecordedRequest } from "./listener.ts";
import { createTasks, tasksExtension, taskTools } from "./tasks.ts";
import { createFixtureServer, type FixtureOptions } from "./v2-server.ts";

export interface EverythingOptions extends Pick<FixtureOptions, "pageSize" | "cache"> {
  era?: "both" | "legacy" | "modern";
  /** False makes a peer that believes the body and never looks at the mirrored headers, as many do. */
  validateHeaders?: boolean;
  port?: number;
}

export interface EverythingPeer extends Peer {
  /** Publishes changes to every session and subscription. */
  bus: ServerEventBus;
  /** Open 2025 sessions. */
  sessions(): number;
}

export async function startEverything({ era = "both", validateHeaders = true, port = 0, pageSize, cache }: EverythingOptions = {}): Promise<EverythingPeer> {
  const bus = new InMemoryServerEventBus();
  const requests: RecordedRequest[] = [];
  const tasks = createTasks();
  const legacy = createSessions(() => createFixtureServer({ era: "legacy", bus, pageSize, cache }));
  const modern = createMcpHandler(() => createFixtureServer({ era: "modern", bus, pageSize, cache, extraTools: taskTools, extensions: tasksExtension }), { legacy: "reject", bus });

  async function handle(request: Request, text: string): Promise<Response> {
    const refused = hostHeaderValidationResponse(request, localhostAllowedHostnames()) ?? originValidationResponse(request, localhostAllowedOrigins());
    if (refused) return refused;
    if (new URL(request.url).pathname !== "/mcp") return new Response("No such path", { status: 404 });
    const body = parseJson(text);
    if (!validateHeaders && body !== undefined) repairHeaders(request.headers, body);
    const inbound = classify(request, body);
    // A peer of 2025 does not know the envelope of 2026 and takes every request for its own.
    if (era === "legacy" || (era === "both" && inbound.kind === "legacy")) return legacy.handle(request, body);
    return (inbound.kind === "modern" ? tasks.answer(body, request.headers) : undefined) ?? modern.fetch(request, body === undefined ? {} : { parsedBody: body });
  }

  const listening = await listen(async (request, response) => {
    const body = await readBody(request).catch(() => undefined);
    if (body === undefined) return;
    record(requests, request, body);
    await serveWeb(request, response, body, handle).catch(() => response.destroy());
  }, port);

  return {
    url: `http://127.0.0.1:${listening.port}/mcp`,
    requests,
    bus,
    sessions: legacy.count,
    async close() {
      tasks.close();
      await Promise.all([modern.close(), legacy.close()]);
      await listening.close();
    },
  };
}

function classify({ method, headers }: Request, body: unknown) {
  const mirrored = { protocolVersionHeader: headers.get("mcp-protocol-version"), mcpMethodHeader: headers.get("mcp-method"), mcpNameHeader: headers.get("mcp-name") };
  const present = Object.fromEntries(Object.entries(mirrored).filter((entry): entry is [string, string] => entry[1] !== null));
  return classifyInboundRequest({ httpMethod: method, body, ...present });
}

/** 2025's Streamable HTTP with sessions, which the SDK leaves to the application. */
function createSessions(createServer: () => ReturnType<typeof createFixtureServer>) {
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
  const refuse = (status: number, code: number, message: string) => Response.json({ jsonrpc: "2.0", id: null, error: { code, message } }, { status });

  async function open(): Promise<WebStandardStreamableHTTPServerTransport> {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: createEventStore(),
      retryInterval: 200,
      onsessioninitialized: (id) => void sessions.set(id, transport),
    });
    await createServer().connect(transport);
    const closed = transport.onclose;
    transport.onclose = () => {
      if (transport.sessionId !== undefined) sessions.delete(transport.sessionId);
      closed?.();
    };
    return transport;
  }

  return {
    count: () => sessions.size,
    async handle(request: Request, body: unknown): Promise<Response> {
      const id = request.headers.get("mcp-session-id");
      const known = id === null ? undefined : sessions.get(id);
      const options = body === undefined ? {} : { parsedBody: body };
      if (known) return known.handleRequest(request, options);
      if (id !== null) return refuse(404, -32001, "Session not found");
      if (isInitializeRequest(body)) return (await open()).handleRequest(request, options);
      return refuse(400, -32000, "Bad Request: Mcp-Session-Id header is required");
    },
    async close() {
      await Promise.all([...sessions.values()].map((transport) => transport.close()));
    },
  };
}

/** Makes the mirrored headers say what the body says, so that nothing is left to check. */
function repairHeaders(headers: Headers, body: unknown): void {
  const { method, params } = body as { method?: unknown; params?: { name?: unknown; uri?: unknown; taskId?: unknown; arguments?: Record<string, unknown>; _meta?: Record<string, unknown> } };
  const version = params?._meta?.["io.modelcontextprotocol/protocolVersion"];
  if (typeof version !== "string") return;
  headers.set("mcp-protocol-version", version);
  const mirror = (name: string, value: unknown) => (typeof value === "string" ? headers.set(name, `=?base64?${Buffer.from(value).toString("base64")}?=`) : headers.delete(name));
  if (typeof method === "string") headers.set("mcp-method", method);
  mirror("mcp-name", params?.name ?? params?.uri ?? params?.taskId);
  mirror("mcp-param-region", params?.arguments?.["region"]);
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "0" }, era: { type: "string", default: "both" }, "trust-headers": { type: "boolean", default: false } } });
  const peer = await startEverything({ port: Number(values.port), era: values.era as "both" | "legacy" | "modern", validateHeaders: !values["trust-headers"] });
  process.stdout.write(`${peer.url}\n`);
}

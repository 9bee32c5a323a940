/** Peers on the SDK v1: Streamable HTTP with sessions as it is served today, and the HTTP+SSE of 2024-11-05 that it replaced. */
import { randomUUID } from "node:crypto";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { isInitializeRequest } from "@modelcontextprotocol/sdk/types.js";
import { InMemoryServerEventBus, type ServerEventBus } from "@modelcontextprotocol/server";
import { createEventStore } from "./event-store.ts";
import { listen, parseJson, readBody, record, type Peer, type RecordedRequest } from "./listener.ts";
import { createV1FixtureServer } from "./v1-server.ts";

export interface V1Peer extends Peer {
  bus: ServerEventBus;
  /** Open sessions. */
  sessions(): number;
}

/** Sessions, GET stream and resumption; `jsonOnly` answers without streams, as simple servers do, and then refuses GET with 405. */
export async function startV1Server({ jsonOnly = false }: { jsonOnly?: boolean } = {}): Promise<V1Peer> {
  const bus = new InMemoryServerEventBus();
  const requests: RecordedRequest[] = [];
  const sessions = new Map<string, StreamableHTTPServerTransport>();

  async function open(): Promise<StreamableHTTPServerTransport> {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      ...(jsonOnly ? { enableJsonResponse: true } : { eventStore: createEventStore(), retryInterval: 200 }),
    });
    await createV1FixtureServer(bus).connect(transport);
    const closed = transport.onclose;
    transport.onclose = () => {
      if (transport.sessionId !== undefined) sessions.delete(transport.sessionId);
      closed?.();
    };
    return transport;
  }

  const { port, close } = await listen(async (request, response) => {
    const text = await readBody(request).catch(() => undefined);
    if (text === undefined) return;
    record(requests, request, text);
    if (jsonOnly && request.method === "GET") return void response.writeHead(405, { allow: "POST, DELETE" }).end();
    const body = parseJson(text);
    const id = request.headers["mcp-session-id"];
    const known = typeof id === "string" ? sessions.get(id) : undefined;
    if (known) return known.handleRequest(request, response, body);
    if (id === undefined && isInitializeRequest(body)) return (await open()).handleRequest(request, response, body);
    const [status, code, message] = id === undefined ? ([400, -32000, "Bad Request: Server not initialized"] as const) : ([404, -32001, "Session not found"] as const);
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code, message } }));
  });
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    requests,
    bus,
    sessions: () => sessions.size,
    async close() {
      await Promise.all([...sessions.values()].map((transport) => transport.close()));
      await close();
    },
  };
}

/** GET /sse opens the session's only stream, whose first event names the address for its POSTs. */
export async function startSseServer(): Promise<V1Peer> {
  const bus = new InMemoryServerEventBus();
  const requests: RecordedRequest[] = [];
  const sessions = new Map<string, SSEServerTransport>();
  const { port, close } = await listen(async (request, response) => {
    const text = await readBody(request).catch(() => undefined);
    if (text === undefined) return;
    record(requests, request, text);
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://127.0.0.1");
    if (request.method === "GET" && pathname === "/sse") {
      const transport = new SSEServerTransport("/messages", response);
      sessions.set(transport.sessionId, transport);
      transport.onclose = () => void sessions.delete(transport.sessionId);
      return createV1FixtureServer(bus).connect(transport);
    }
    const transport = request.method === "POST" && pathname === "/messages" ? sessions.get(searchParams.get("sessionId") ?? "") : undefined;
    if (!transport) return void response.writeHead(pathname === "/sse" ? 405 : 404).end();
    return transport.handlePostMessage(request, response, parseJson(text));
  });
  return {
    url: `http://127.0.0.1:${port}/sse`,
    requests,
    bus,
    sessions: () => sessions.size,
    async close() {
      await Promise.all([...sessions.values()].map((transport) => transport.close()));
      await close();
    },
  };
}

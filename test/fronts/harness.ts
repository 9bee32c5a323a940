/** The second door by itself, before one target at /servers/x/mcp and /mcp: "Bearer alice" is Alice. */
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readConfig } from "../../src/config/index.ts";
import type { Era, Peer, Target } from "../../src/gateway/exchange.ts";
import { createGateway, frontLimits, type Gateway } from "../../src/gateway/index.ts";
import { createResources, type Tokens } from "../../src/identity/index.ts";
import { problem } from "../../src/kernel/problem.ts";
import { Secret } from "../../src/kernel/secret.ts";
import type { ServerState, Snapshot } from "../../src/snapshot/index.ts";
import type { Storage } from "../../src/storage/index.ts";
import { createVault } from "../../src/storage/envelope.ts";
import type { Gate } from "../../src/trust/index.ts";

export interface Door {
  url: string;
  gateway: Gateway;
  /** Users who may come in no more. */
  expelled: Set<string>;
  logLines: string[];
  /** A POST of JSON; the answer's messages whether it was JSON or a stream. */
  post(path: string, message: unknown, options?: { as?: string; headers?: Record<string, string>; signal?: AbortSignal }): Promise<Answer>;
  close(): Promise<void>;
}

export interface Answer {
  status: number;
  headers: Headers;
  messages: Message[];
}

export interface Message {
  jsonrpc: "2.0";
  id?: unknown;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { code: number; message: string; data?: Record<string, unknown> };
}

export interface DoorOptions {
  settings?: Record<string, string>;
  now?: () => number;
  /** Shared by processes behind one address. */
  key?: string;
  /** Shared by processes on one database; without it nothing is stored. */
  storage?: Storage;
  /** What the peer says of itself; by default nothing passes and every request reaches the target. */
  eras?: readonly Era[];
}

export async function openDoor(target: Target, { settings = {}, now = Date.now, key = randomBytes(32).toString("base64url"), eras = [], storage }: DoorOptions = {}): Promise<Door> {
  const config = readConfig({ SALLYPORT_ENCRYPTION_KEY: key, ...settings });
  const server = { id: "id-x", name: "x", url: "http://x.example/mcp", enabled: true, transport: "streamable-http", authMode: "none" } as unknown as ServerState;
  const snapshot = { servers: new Map([["x", server]]), isGranted: () => true, users: new Map(), onServer: () => undefined, onReload: () => undefined } as unknown as Snapshot;
  const expelled = new Set<string>();
  const logLines: string[] = [];
  const gate: Gate = { admit: (_server, _kind, name) => ({ open: true, name }), shown: (_server, _kind, items) => items, introduces: () => true, changed: () => undefined };
  const log = (level: string) => (event: string, detail?: object) => void logLines.push(`${level} ${event} ${JSON.stringify(detail)}`);
  const gateway = createGateway({
    snapshot,
    access: snapshot,
    permission: { require: () => [], lists: () => true, through: (given) => given, view: () => "" },
    limiter: { take: () => () => undefined },
    results: { mode: "off", concerns: () => false, judge: async (_context, result) => result, report: async () => undefined },
    gate,
    now,
    tokens: {
      async verify(authorization: string | undefined) {
        const name = authorization?.replace("Bearer ", "");
        if (name === undefined || expelled.has(name)) throw problem("unauthorized");
        return { userId: name, scopes: new Set(["tools:call"]), audience: [], tokenId: name, expiresAt: 4e9 };
      },
    } as unknown as Tokens,
    resources: createResources("http://door.example"),
    storage: storage ?? ({ vault: createVault(new Secret(key)), onChange: () => () => undefined } as never),
    audit: { record: () => undefined } as never,
    outbound: {} as never,
    log: { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error"), flush: () => undefined },
    bodyLimit: config.SALLYPORT_BODY_LIMIT,
    responseLimit: config.SALLYPORT_RESPONSE_LIMIT,
    upstreamTimeout: 30_000,
    idleTimeout: 30_000,
    limits: frontLimits(config),
    peer: () => ({ ...target, transport: "streamable-http", eras: async () => eras }) satisfies Peer,
    target: (kind) => (kind === "all" ? target : undefined),
  });
  const listener = createServer((request, response) => {
    if (!gateway.handle(request, response, { requestId: randomBytes(4).toString("hex"), address: "127.0.0.1", headers: ["x-request-id", "1"] })) response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", () => resolve()));
  const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  return {
    url,
    gateway,
    expelled,
    logLines,
    async post(path, message, { as = "alice", headers = {}, signal } = {}) {
      const response = await fetch(url + path, { method: "POST", body: typeof message === "string" ? message : JSON.stringify(message), headers: { authorization: `Bearer ${as}`, "content-type": "application/json", accept: "application/json, text/event-stream", ...headers }, ...(signal ? { signal } : {}) });
      return { status: response.status, headers: response.headers, messages: messagesOf(await response.text(), response.headers.get("content-type") ?? "") };
    },
    async close() {
      gateway.stop();
      listener.closeAllConnections();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

function messagesOf(text: string, type: string): Message[] {
  if (type.includes("text/event-stream")) return [...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => JSON.parse(data ?? "") as Message);
  if (!type.includes("json")) return [];
  const value = JSON.parse(text) as Message | Message[];
  return Array.isArray(value) ? value : [value];
}

/** A request of 2026-07-28 with the headers that mirror it. */
export function modern(method: string, params: Record<string, unknown> = {}, { id = 1, capabilities = {}, meta = {} }: { id?: unknown; capabilities?: object; meta?: object } = {}) {
  const name = params["name"] ?? params["uri"] ?? (method.startsWith("tasks/") ? params["taskId"] : undefined);
  return {
    message: { jsonrpc: "2.0", id, method, params: { ...params, _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": capabilities, "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" }, ...meta } } },
    headers: { "mcp-protocol-version": "2026-07-28", "mcp-method": method, ...(typeof name === "string" ? { "mcp-name": name } : {}) } as Record<string, string>,
  };
}

export const initialize = (protocolVersion = "2025-11-25", capabilities: object = {}) => ({ jsonrpc: "2.0", id: 0, method: "initialize", params: { protocolVersion, capabilities, clientInfo: { name: "test", version: "1" } } });

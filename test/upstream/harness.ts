/** Peers of the gateway as a test drives them: without fronts, storage or network beyond loopback. */
import { createGuard } from "../../src/net/guard.ts";
import { parseAllowList } from "../../src/net/address.ts";
import { createOutbound } from "../../src/net/outbound.ts";
import { createLog } from "../../src/ops/index.ts";
import { createPeers, type PeersOptions, type ServerPeer } from "../../src/gateway/upstream/peers.ts";
import type { PeerLimits } from "../../src/gateway/upstream/limits.ts";
import type { ClientFacts, Exchange, InputRequest, JsonObject, Listening, ListenFilter, Notification } from "../../src/gateway/exchange.ts";
import type { ServerState } from "../../src/snapshot/index.ts";

export const testLimits: PeerLimits = { start: 2000, idle: 2000, total: 10_000, message: 4_194_304, stream: 16_777_216, concurrency: 16, queue: 16, sessions: 64, sessionsPerPrincipal: 16, sessionIdle: 60_000, sessionLifetime: 600_000, questions: 8, failures: 5, cooldown: 400, eras: 60_000 };

/** What a client of the era with every capability says of itself. */
export const clientOf = (era: "modern" | "legacy", capabilities: JsonObject = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} }): ClientFacts => ({ era, protocolVersion: era === "modern" ? "2026-07-28" : "2025-11-25", capabilities, info: { name: "test-client", version: "1.0.0" } });

export interface Asked extends Partial<Pick<Exchange, "session" | "logLevel" | "signal" | "client">> {
  user?: string;
  /** Answers the server's questions. */
  answer?: (question: InputRequest) => JsonObject | Promise<JsonObject>;
}

export interface Called {
  result: JsonObject;
  notified: Notification[];
  questions: InputRequest[];
}

export interface Upstreams {
  peer(url: string, transport?: ServerPeer["transport"], name?: string): ServerPeer;
  exchange(method: string, params?: JsonObject, asked?: Asked): Exchange & { notified: Notification[]; questions: InputRequest[] };
  call(peer: ServerPeer, method: string, params?: JsonObject, asked?: Asked): Promise<Called>;
  tool(peer: ServerPeer, name: string, args?: JsonObject, asked?: Asked): Promise<Called & { text: string }>;
  listening(filter: ListenFilter, asked?: Asked): Listening & { heard: Notification[]; stop: AbortController };
  logLines: string[];
  troubles: string[];
  /** As if the server had been changed or removed. */
  changed(name: string, state: ServerState | undefined): void;
  server(url: string, transport?: string, name?: string): ServerState;
  close(): Promise<void>;
}

export function openUpstreams(limits: Partial<PeerLimits> = {}, further: Partial<PeersOptions> = {}): Upstreams {
  const logLines: string[] = [];
  const troubles: string[] = [];
  const listeners: ((name: string, state: ServerState | undefined) => void)[] = [];
  const outbound = createOutbound({ guard: createGuard({ allow: parseAllowList(["127.0.0.1", "localhost"]) }) });
  const peers = createPeers({
    outbound,
    snapshot: { onServer: (listener) => void listeners.push(listener) },
    credentials: () => ({ headers: [], key: "none" }),
    version: "0.0.0",
    log: createLog({ level: "debug", write: (line) => void logLines.push(line) }),
    now: Date.now,
    limits: { ...testLimits, ...limits },
    onTrouble: ({ name }) => void troubles.push(name),
    ...further,
  });
  const server = (url: string, transport = "streamable-http", name = "upstream"): ServerState => ({ id: `${name}-${url}`, name, url, title: undefined, description: undefined, tags: [], transport, authMode: "none", sealedHeaders: undefined, ownerId: "owner", enabled: true, state: "unknown", stateDetail: undefined, checkedAt: undefined, toolNames: [], revision: 1, createdAt: 0, updatedAt: 0 });
  const callerOf = (userId = "ada") => ({ userId, scopes: new Set<string>(), audience: [], tokenId: "token", expiresAt: 0 });

  const upstreams: Upstreams = {
    logLines,
    troubles,
    server,
    peer: (url, transport, name) => peers.of(server(url, transport, name)),
    changed: (name, state) => listeners.forEach((listener) => listener(name, state)),
    exchange(method, params, { user, session, logLevel, signal = new AbortController().signal, client = clientOf("modern"), answer } = {}) {
      const notified: Notification[] = [];
      const questions: InputRequest[] = [];
      return {
        caller: callerOf(user),
        client,
        session,
        requestId: "request",
        method,
        params,
        logLevel,
        signal,
        notified,
        questions,
        notify: (notification) => void notified.push(notification),
        async ask(asked) {
          questions.push(...Object.values(asked));
          return Object.fromEntries(await Promise.all(Object.entries(asked).map(async ([key, question]) => [key, await (answer ?? answerOf)(question)] as const)));
        },
      };
    },
    async call(peer, method, params, asked) {
      const exchange = upstreams.exchange(method, params, asked);
      return { result: await peer.request(exchange), notified: exchange.notified, questions: exchange.questions };
    },
    async tool(peer, name, args = {}, asked = {}) {
      const called = await upstreams.call(peer, "tools/call", { name, arguments: args, _meta: { progressToken: "client-token" } }, asked);
      const [first] = (called.result["content"] ?? []) as { text?: string }[];
      return { ...called, text: first?.text ?? "" };
    },
    listening(filter, { user, session, client = clientOf("modern") } = {}) {
      const stop = new AbortController();
      const heard: Notification[] = [];
      return { caller: callerOf(user), client, session, requestId: "request", filter, signal: stop.signal, stop, heard, notify: (notification) => void heard.push(notification) };
    },
    async close() {
      await peers.close();
      await outbound.close();
    },
  };
  return upstreams;
}

/** What a person, a model and a client with one root answer. */
export function answerOf({ method }: InputRequest): JsonObject {
  if (method === "elicitation/create") return { action: "accept", content: { username: "ada", email: "ada@example.org", name: "Ada" } };
  if (method === "roots/list") return { roots: [{ uri: "file:///srv/test" }] };
  return { role: "assistant", model: "test", content: { type: "text", text: "an answer of the model" } };
}

export async function soon(holds: () => boolean, milliseconds = 3000): Promise<boolean> {
  const end = performance.now() + milliseconds;
  while (!holds()) {
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

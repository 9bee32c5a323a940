/**
 * The second door: MCP for clients of every era, at one server, a bundle or everything. Authenticate, authorize, read, and either let the
 * bytes pass (same era on both sides over HTTP) or hand the request to the front that speaks the client's era.
 * A warm call needs no database query, no signature check and no key derivation.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Audit } from "../audit/index.ts";
import { challengeHints, type Resources, type Tokens } from "../identity/index.ts";
import type { Log } from "../kernel/log.ts";
import { problem } from "../kernel/problem.ts";
import type { Principal } from "../kernel/principal.ts";
import type { RawHandler, RawInfo } from "../net/inbound.ts";
import { authorize, denial, type Access } from "../policy/index.ts";
import type { ServerState, Snapshot } from "../snapshot/index.ts";
import type { Storage } from "../storage/index.ts";
import type { Gate } from "../trust/index.ts";
import { cutEndedCallers } from "./ended-callers.ts";
import { messagesPath, parseEndpoint, type Endpoint } from "./endpoints.ts";
import type { Era, Peer, Target } from "./exchange.ts";
import { answerFailure, failureOf } from "./failure.ts";
import type { Call, FrontOptions, Outcome } from "./fronts/call.ts";
import { createDiscoveries } from "./fronts/discoveries.ts";
import { createLimits, limitSettings, type FrontLimits, type LimitCounters } from "./fronts/limits.ts";
import { createModernFront, factsOf } from "./fronts/modern.ts";
import { createRelay } from "./fronts/relay.ts";
import { createSseFront } from "./fronts/sse.ts";
import { createStreamableFront } from "./fronts/streamable.ts";
import { createHandles } from "./handles.ts";
import { createPassthrough, type Passing, type PassthroughOptions } from "./passthrough.ts";
import { takeOrThrow, type Limiter, type Release } from "./limits/refusal.ts";
import { rememberSchemas } from "./schemas.ts";
import { vettedTarget } from "./vetting.ts";
import { readJsonBody } from "./wire/body.ts";
import { eraOf } from "./wire/era.ts";
import { errorCodes, readMessages, WireError, type Message } from "./wire/message.ts";
import { checkParamHeaders } from "./wire/param-headers.ts";

export type { Peer } from "./exchange.ts";
export { createEndpoints } from "./aggregate/endpoints.ts";
export { createBundles } from "./bundles/bundles.ts";
export { bundleRoutes } from "./bundles/routes.ts";
export { frontLimits } from "./fronts/limits.ts";
export { createPermission } from "./permission.ts";
export { createToolGate } from "./gate.ts";
export { createLocalLedger, createSharedLedger } from "./limits/ledger.ts";
export { createLimits } from "./limits/limiter.ts";
export { limitRoutes } from "./limits/routes.ts";
export { createLimitRules } from "./limits/rules.ts";
export { createResults } from "./results.ts";
export { createStoredCredentials } from "./upstream/credentials.ts";
export { peerLimits } from "./upstream/limits.ts";
export { createPeers } from "./upstream/peers.ts";
export { createVisit } from "./upstream/visit.ts";
export { readForRegistration } from "./upstream/openapi/registration.ts";
export { createOpenApi } from "./upstream/openapi/target.ts";
export { createAllowList } from "./upstream/stdio/allow.ts";
export { detectConfinement } from "./upstream/stdio/sandbox.ts";
export { createStdio, stdioLimits } from "./upstream/stdio/supervisor.ts";

export interface GatewayOptions extends Omit<PassthroughOptions, "handles" | "vault"> {
  snapshot: Snapshot;
  access: Access;
  tokens: Tokens;
  resources: Resources;
  storage: Storage;
  audit: Audit;
  gate: Gate;
  /** A server as a target. */
  peer(server: ServerState): Peer;
  /**
   * What stands at the endpoints beyond single servers; undefined: nothing that this caller may know of.
   * @param discover whether the client wants to search instead of being given every tool (`?tools=discover`, `?tools=all`).
   */
  target(kind: "bundle" | "all", name: string, caller: Principal, discover?: boolean): Target | undefined;
  log: Log;
  bodyLimit: number;
  limits: FrontLimits;
  /** Rates, concurrency and quotas. Endpoints of several servers count by themselves, under the server that a request goes to. */
  limiter: Limiter;
  now: () => number;
}

export interface Gateway {
  handle: RawHandler;
  /** For metrics. */
  readonly counters: LimitCounters;
  /** The same by the setting that sets each limit. */
  limitsReached(): Record<string, number>;
  gauges(): { sessions: number; streams: number; parkedCalls: number; replayBytes: number };
  /** Ends what is open, with a last word where there is one. */
  stop(): void;
}

/** An open stream: whoever holds it is looked at again and again. */
interface Open {
  since: number;
  response: ServerResponse;
  recheck(): Promise<void>;
}

/** One request, as far as it has been understood, for log and audit. */
interface Account {
  endpoint: Endpoint;
  caller: Principal | undefined;
  server: ServerState | undefined;
  message: Message | undefined;
}

export function createGateway(options: GatewayOptions): Gateway {
  const { snapshot, access, tokens, resources, storage, audit, gate, permission, log, now } = options;
  const handles = createHandles(storage.vault);
  const limits = createLimits(options.limits);
  const streams = limits.quota("streamsPerUser", "streams", "open streams");
  const relay = createRelay({ storage, lifetime: limits.inputTimeout, now });
  const fronts: FrontOptions = { handles, limits, streams, discoveries: createDiscoveries(now), relay, log, now };
  const modern = createModernFront(fronts);
  const streamable = createStreamableFront(fronts);
  const sse = createSseFront(fronts);
  const pass = createPassthrough({ ...options, handles, vault: storage.vault });

  const targets = new WeakMap<ServerState, { peer: Peer; target: Target }>();
  const targetOf = (server: ServerState): { peer: Peer; target: Target } => {
    const known = targets.get(server);
    if (known) return known;
    const peer = options.peer(server);
    const made = { peer, target: vettedTarget({ gate, permission, results: options.results }, server, rememberSchemas(peer, now)) };
    targets.set(server, made);
    return made;
  };

  const watchCaller = cutEndedCallers(snapshot);
  const open = new Set<Open>();
  const watch = setInterval(() => {
    const at = performance.now();
    // The token may have expired and the grant may be gone while a stream is open: then it ends, and the client must ask anew.
    for (const { since, response, recheck } of open) {
      if (at - since > limits.streamLifetime + limits.keepAlive) response.destroy();
      else if (at - since > limits.keepAlive) recheck().catch(() => response.destroy());
    }
  }, limits.keepAlive);
  watch.unref();

  /** @throws Problem when the caller is nobody or may not use the endpoint. */
  async function admitCaller(account: Account, resource: NonNullable<ReturnType<Resources["at"]>>, request: IncomingMessage, requestId: string, again = false): Promise<Principal> {
    const { endpoint } = account;
    const { authorization, dpop } = request.headers;
    const caller = await tokens.verify(authorization, [resource.uri], challengeHints(resource), { proof: typeof dpop === "string" ? dpop : undefined, method: request.method ?? "", url: resource.uri.slice(0, -endpoint.path.length) + (request.url ?? "").split("?", 1)[0], again });
    account.caller = caller;
    const decision = authorize(access, caller, endpoint.kind === "server" ? { kind: "call-server", server: snapshot.servers.get(endpoint.name) } : { kind: "route", scopes: ["tools:call"] });
    if (!decision.allowed) {
      const [subject, action] = endpoint.kind === "server" ? [`server-name:${endpoint.name}`, "call-server"] : [`endpoint:${endpoint.path}`, "call-endpoint"];
      audit.record({ type: "authorization.denied", actorId: caller.userId, requestId, subject, detail: { action, needs: decision.needs } });
      throw denial(decision, resource.metadataUrl);
    }
    return caller;
  }

  async function serve(account: Account, request: IncomingMessage, response: ServerResponse, info: RawInfo): Promise<Outcome> {
    const { endpoint } = account;
    const method = request.method ?? "";
    const allow = { mcp: ["GET", "POST", "DELETE"], sse: ["GET"], messages: ["POST"] }[endpoint.way];
    if (!allow.includes(method)) throw problem("method-not-allowed", { headers: { allow: allow.join(", ") } });
    const resource = resources.at(endpoint.path);
    if (!resource) throw problem("not-found");
    const caller = await admitCaller(account, resource, request, info.requestId);
    const watched: Open = { since: performance.now(), response, recheck: async () => void (await admitCaller({ ...account }, resource, request, info.requestId, true)) };
    if (method === "GET") open.add(watched);
    const unwatch = watchCaller(caller.userId, response);
    const releases: Release[] = [];
    try {
      account.server = endpoint.kind === "server" ? snapshot.servers.get(endpoint.name) : undefined;
      const behind = account.server ? targetOf(account.server) : undefined;
      const target = behind?.target ?? (endpoint.kind === "server" ? undefined : options.target(endpoint.kind, endpoint.name, caller, discoverOf(request)));
      if (!target) throw problem("not-found", { detail: endpoint.kind === "server" ? "No such server" : "No such endpoint" });
      const call: Call = { endpoint: endpoint.path, target, caller, request, response, info };
      if (endpoint.way === "sse") return await sse.open(call, messagesPath(endpoint));
      const body = method === "POST" ? await readJsonBody(request, options.bodyLimit) : undefined;
      const messages = body && readMessages(body, options.bodyLimit);
      account.message = Array.isArray(messages) ? messages[0] : messages;
      if (account.message?.method === "subscriptions/listen") open.add(watched);
      if (account.server && messages) for (const message of Array.isArray(messages) ? messages : [messages]) {
          requireItem(account.server, caller, message, info.requestId);
          if (isCounted(message)) releases.push(await takeOrThrow(options.limiter, caller, account.server, message.method === "tools/call" ? message.name : undefined));
        }
      if (endpoint.way === "messages" && messages) return await sse.post(call, queryOf(request).get("sessionId"), messages);
      const isModern = messages !== undefined && eraOfAll(messages, request) === "modern";
      if (account.server && behind && (await passes(behind.peer, call, messages, isModern))) {
        if (Array.isArray(messages)) throw new WireError(400, errorCodes.invalidRequest, "Batches are not accepted");
        if (isModern && messages?.method === "tools/call" && messages.name !== undefined) {
          // A peer has its own deadline for what it does not have at hand.
          const schema = await target.inputSchema(messages.name, { caller, client: factsOf(messages), session: undefined, requestId: info.requestId, signal: new AbortController().signal });
          checkParamHeaders(messages, schema, request.headers);
        }
        if (method === "GET" || messages?.method === "subscriptions/listen") releases.push(streams.take(caller.userId));
        return await pass({ server: account.server, caller, method: method as Passing["method"], request, response, info, message: messages, body, isModern });
      }
      if (isModern) return await modern.serve(call, messages as Message);
      if (messages) return await streamable.post(call, messages);
      if (request.headers["mcp-session-id"] === undefined) throw problem("method-not-allowed", { detail: "There is no stream without a session", headers: { allow: "POST" } });
      return await (method === "GET" ? streamable.get(call) : streamable.remove(call));
    } finally {
      open.delete(watched);
      unwatch();
      for (const release of releases) release();
    }
  }

  /** What an API key does not cover does not exist for it. Of merged endpoints the tool gate says the same. */
  function requireItem(server: ServerState, caller: Principal, message: Message, requestId: string): void {
    const item = itemOf(message);
    if (item === undefined) return;
    const decision = authorize(access, caller, { kind: "use-item", server, item, name: message.name ?? "" });
    if (decision.allowed) return;
    audit.record({ type: "authorization.denied", actorId: caller.userId, requestId, subject: `server:${server.id}`, detail: { action: "use-item", needs: decision.needs } });
    throw new WireError(403, errorCodes.invalidParams, `Unknown ${item}: ${message.name ?? ""}`, message.id);
  }

  /** Whether the bytes may pass: the upstream speaks the client's era over the same transport, and no session of a front's own is meant. */
  async function passes(peer: Peer, call: Call, messages: Message | Message[] | undefined, isModern: boolean): Promise<boolean> {
    // Results that may have to be changed or refused are looked at one by one, not in a stream that passes.
    if (peer.transport !== "streamable-http" || !["off", "report"].includes(options.results.mode)) return false;
    const handle = call.request.headers["mcp-session-id"];
    if (!isModern && typeof handle === "string" && streamable.knows(call, handle)) return false;
    const era = isModern ? "modern" : "legacy";
    return (await peer.eras(era)).includes(era);
  }

  async function handle(endpoint: Endpoint, request: IncomingMessage, response: ServerResponse, info: RawInfo): Promise<void> {
    const started = performance.now();
    const account: Account = { endpoint, caller: undefined, server: undefined, message: undefined };
    let outcome: Outcome;
    try {
      outcome = await serve(account, request, response, info);
    } catch (error) {
      outcome = { status: answerFailure(error, account.message?.id, response, info, log), bytes: 0, failure: failureOf(error) };
    }
    const { status, bytes, failure } = outcome;
    const { caller, server, message } = account;
    const { requestId } = info;
    const milliseconds = Math.round((performance.now() - started) * 100) / 100;
    log.info("request", { requestId, method: request.method, route: endpoint.route, status, milliseconds, bytes, actorId: caller?.userId, server: server?.name });
    if (!caller) return audit.record({ type: "authentication.token.refused", requestId, detail: { reason: failure } });
    const subject = server ? `server:${server.id}` : endpoint.kind === "server" ? undefined : `endpoint:${endpoint.path}`;
    if (subject === undefined) return;
    const detail = { method: message?.method ?? request.method ?? "", tool: message?.name, milliseconds };
    const kept = audit.keepsBodies && message?.method === "tools/call" ? { body: { request: JSON.stringify(message.params?.["arguments"]) } } : undefined;
    if (failure !== undefined) audit.record({ type: "call.failed", actorId: caller.userId, requestId, subject, detail: { ...detail, reason: failure }, ...kept });
    else audit.record({ type: "call.completed", outcome: status < 400 ? "success" : "failure", actorId: caller.userId, requestId, subject, detail: { ...detail, status, bytes }, ...kept });
  }

  return {
    handle(request, response, info) {
      const endpoint = parseEndpoint(request.url ?? "");
      if (!endpoint) return false;
      void handle(endpoint, request, response, info);
      return true;
    },
    counters: limits.counters,
    limitsReached: () => Object.fromEntries(Object.entries(limitSettings).map(([name, setting]) => [setting, limits.counters[name as keyof LimitCounters]])),
    gauges: () => ({ sessions: streamable.sessions + sse.sessions, streams: streams.held, parkedCalls: modern.parked, replayBytes: streamable.replayBytes }),
    stop() {
      clearInterval(watch);
      modern.stop();
      streamable.stop();
      sse.stop();
      relay.close();
    },
  };
}

/** Streams are bounded by their number, and a ping costs nobody anything. */
function isCounted({ kind, method }: Message): boolean {
  return kind === "request" && method !== "ping" && method !== "subscriptions/listen";
}

/** What a request is about to use, where that is one thing of the server's. */
function itemOf({ method }: Message): "tool" | "prompt" | "resource" | undefined {
  if (method === "tools/call") return "tool";
  if (method === "prompts/get" || method === "completion/complete") return "prompt";
  return method === "resources/read" || method === "resources/subscribe" ? "resource" : undefined;
}

function queryOf({ url = "" }: IncomingMessage): URLSearchParams {
  return new URLSearchParams(url.includes("?") ? url.slice(url.indexOf("?")) : "");
}

function discoverOf(request: IncomingMessage): boolean | undefined {
  const tools = queryOf(request).get("tools");
  return tools === "discover" ? true : tools === "all" ? false : undefined;
}

/** A batch is of 2025-03-26; nothing modern may hide in one. */
function eraOfAll(messages: Message | Message[], { headers }: IncomingMessage): Era {
  if (!Array.isArray(messages)) return eraOf(messages, headers);
  if (messages.some(({ hasEnvelope }) => hasEnvelope)) throw new WireError(400, errorCodes.invalidRequest, "Batches are not accepted");
  return "legacy";
}

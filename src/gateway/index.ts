/**
 * The second door: MCP at /servers/{name}/mcp. Authenticate, authorize, check the message, add the upstream's own credentials, carry.
 * A warm call needs no database query, no signature check and no key derivation.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Audit } from "../audit/index.ts";
import { challengeHints, type Resources, type Tokens } from "../identity/index.ts";
import type { Log } from "../kernel/log.ts";
import { Problem, problem } from "../kernel/problem.ts";
import type { Principal } from "../kernel/principal.ts";
import { parseUpstreamUrl } from "../net/guard.ts";
import { sendProblem, type RawHandler, type RawInfo } from "../net/inbound.ts";
import { refuseMarkup } from "../net/body.ts";
import type { Outbound } from "../net/outbound.ts";
import { decodeUtf8, memberSpan, replaceSpan } from "../kernel/json.ts";
import { authorize, denial } from "../policy/index.ts";
import type { ServerState, Snapshot } from "../snapshot/index.ts";
import type { Storage } from "../storage/index.ts";
import type { Gate } from "../trust/index.ts";
import { createSessionBinding, type SessionBinding } from "./sessions.ts";
import { forward, UpstreamError } from "./upstream/http.ts";
import { announcedKinds, isVetted, itemKinds, vetBody } from "./vetting.ts";
import { clientHeaders, upstreamHeaders } from "./wire/headers.ts";
import { checkMirroredHeaders, encodeName, errorCodes, readMessage, WireError, type Message, type RequestId } from "./wire/message.ts";

export interface GatewayOptions {
  snapshot: Snapshot;
  tokens: Tokens;
  resources: Resources;
  storage: Storage;
  audit: Audit;
  outbound: Outbound;
  gate: Gate;
  log: Log;
  bodyLimit: number;
  responseLimit: number;
  /** Milliseconds. */
  upstreamTimeout: number;
  idleTimeout: number;
}

/** What a warm call needs of a server, made once per revision. */
interface Compiled {
  state: ServerState;
  origin: string;
  path: string;
  /** Flat list of the upstream's credentials. */
  credentials: readonly string[];
}

const route = "/servers/{name}/mcp";
const endpoint = /^\/servers\/([A-Za-z0-9_-]{1,100})\/mcp$/;

export function createGateway(options: GatewayOptions): RawHandler {
  const { snapshot, storage, audit } = options;
  const sessions = createSessionBinding(storage.vault);
  const compiled = new Map<string, Compiled>();
  snapshot.onServer((name) => compiled.delete(name));

  const compile = (state: ServerState): Compiled => {
    const known = compiled.get(state.name);
    if (known?.state === state) return known;
    const url = new URL(parseUpstreamUrl(state.url));
    let credentials: string[] = [];
    if (state.authMode === "headers" && state.sealedHeaders !== undefined) {
      const opened = JSON.parse(storage.vault.open({ table: "servers", column: "headers", row: state.id }, state.sealedHeaders)) as Record<string, string>;
      credentials = Object.entries(opened).flatMap(([name, value]) => [name.toLowerCase(), value]);
      audit.record({ type: "secret.accessed", subject: `server:${state.id}`, detail: { name: state.name } });
    }
    const entry = { state, origin: url.origin, path: url.pathname + url.search, credentials };
    compiled.set(state.name, entry);
    return entry;
  };

  return (request, response, info) => {
    const url = request.url ?? "";
    const query = url.indexOf("?");
    const match = endpoint.exec(query === -1 ? url : url.slice(0, query));
    if (!match) return false;
    void serve(options, compile, sessions, match[1]?.toLowerCase() ?? "", request, response, info);
    return true;
  };
}

async function serve(options: GatewayOptions, compile: (state: ServerState) => Compiled, sessions: SessionBinding, name: string, request: IncomingMessage, response: ServerResponse, info: RawInfo): Promise<void> {
  const { snapshot, tokens, audit, log } = options;
  const started = performance.now();
  let principal: Principal | undefined;
  let server: ServerState | undefined;
  let message: Message | undefined;
  let status = 0;
  let bytes = 0;
  let failure: string | undefined;
  try {
    const method = request.method;
    if (method !== "POST" && method !== "GET" && method !== "DELETE") throw problem("method-not-allowed", { headers: { allow: "GET, POST, DELETE" } });
    const resource = options.resources.at(`/servers/${name}/mcp`);
    if (!resource) throw problem("not-found");
    principal = await tokens.verify(request.headers.authorization, [resource.uri], challengeHints(resource));
    const decision = authorize(snapshot, principal, { kind: "call-server", server: snapshot.servers.get(name) });
    if (!decision.allowed) {
      audit.record({ type: "authorization.denied", actorId: principal.userId, requestId: info.requestId, subject: `server-name:${name}`, detail: { action: "call-server", needs: decision.needs } });
      throw denial(decision, resource.metadataUrl);
    }
    server = snapshot.servers.get(name);
    if (!server) throw problem("not-found", { detail: "No such server" });
    const target = compile(server);
    let body: Buffer | undefined;
    if (method === "POST") {
      requireJson(request);
      body = await readBody(request, options.bodyLimit);
      refuseMarkup(body);
      message = readMessage(body, options.bodyLimit);
      checkMirroredHeaders(message, request.headers);
    }
    const vetted = message?.method;
    const renamed = message === undefined ? undefined : await admit(options.gate, server, message);
    const headers = request.headers;
    if (body && renamed !== undefined) {
      body = rename(body, renamed);
      if (headers["mcp-name"] !== undefined) headers["mcp-name"] = encodeName(renamed);
    }
    const state = server;
    const sessionId = openSession(sessions, request, principal, server, message);
    const { id: serverId } = server;
    const { userId } = principal;
    const carried = await forward({
      dispatcher: options.outbound.dispatcher,
      origin: target.origin,
      path: target.path,
      method,
      headers: upstreamHeaders(headers, target.credentials, sessionId),
      body,
      response,
      headersTimeout: options.upstreamTimeout,
      idleTimeout: options.idleTimeout,
      jsonLimit: options.responseLimit,
      rewrite: isVetted(vetted) ? (answer, contentType) => vetBody(options.gate, state, vetted, answer, contentType, options.responseLimit) : undefined,
      watch(chunk) {
        const kinds = announcedKinds(chunk);
        if (kinds.length > 0) options.gate.changed(state, kinds);
      },
      translate(upstreamStatus, headers) {
        const answer = acceptable(method, upstreamStatus, headers, info.headers);
        const minted = headers["mcp-session-id"];
        if (typeof minted === "string") answer.headers.push("mcp-session-id", sessions.bind(minted, userId, serverId));
        return answer;
      },
    });
    ({ status, bytes } = carried);
  } catch (error) {
    failure = failureOf(error);
    status = fail(error, message?.id, response, info, options);
  }
  const milliseconds = Math.round((performance.now() - started) * 100) / 100;
  log.info("request", { requestId: info.requestId, method: request.method, route, status, milliseconds, bytes, actorId: principal?.userId, server: server?.name });
  if (!principal) audit.record({ type: "authentication.token.refused", requestId: info.requestId, detail: { reason: failure } });
  else if (server && failure) audit.record({ type: "call.failed", actorId: principal.userId, requestId: info.requestId, subject: `server:${server.id}`, detail: { method: message?.method ?? request.method, tool: message?.name, reason: failure, milliseconds } });
  else if (server) audit.record({ type: "call.completed", outcome: status < 400 ? "success" : "failure", actorId: principal.userId, requestId: info.requestId, subject: `server:${server.id}`, detail: { method: message?.method ?? request.method ?? "", tool: message?.name, status, milliseconds, bytes } });
}

/** @returns the upstream's own name when it goes by another here. @throws WireError for what is withheld, as if it did not exist. */
async function admit(gate: Gate, server: ServerState, message: Message): Promise<string | undefined> {
  const kind = message.method === undefined ? undefined : itemKinds[message.method];
  if (kind === undefined || message.name === undefined) return undefined;
  const admission = gate.admit(server, kind, message.name);
  const { open, ...rest } = admission instanceof Promise ? await admission : admission;
  if (!open) throw new WireError(200, errorCodes.invalidParams, kind === "resource" ? "Resource not found" : `Unknown ${kind}`, message.id, kind === "resource" ? { uri: message.name } : undefined);
  const { name } = rest as { name: string };
  return name === message.name ? undefined : name;
}

function rename(body: Buffer, name: string): Buffer {
  const text = decodeUtf8(body);
  const span = memberSpan(text, ["params", "name"]);
  return span ? Buffer.from(replaceSpan(text, span, JSON.stringify(name))) : body;
}

function requireJson(request: IncomingMessage): void {
  const type = request.headers["content-type"] ?? "";
  if (!/^application\/json\s*(?:;|$)/i.test(type)) throw problem("unsupported-media-type", { detail: "Send application/json", headers: { accept: "application/json" } });
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") throw problem("unsupported-media-type", { detail: "Compressed bodies are not accepted" });
}

function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tooLarge = () => problem("too-large", { detail: `The body is larger than ${limit} bytes (SALLYPORT_BODY_LIMIT)`, headers: { connection: "close" } });
    if (Number(request.headers["content-length"] ?? 0) > limit) return reject(tooLarge());
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        request.removeAllListeners("data");
        request.pause();
        reject(tooLarge());
      } else chunks.push(chunk);
    });
    request.once("end", () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    request.once("error", (cause) => reject(problem("bad-request", { detail: "The body did not arrive completely", cause })));
    request.once("aborted", () => reject(new UpstreamError("client-left", "The client left")));
  });
}

/** A session handle that is not this principal's is an unknown session: 404, upon which clients start anew. */
function openSession(sessions: SessionBinding, request: IncomingMessage, principal: Principal, server: ServerState, message: Message | undefined): string | undefined {
  const handle = request.headers["mcp-session-id"];
  // From 2026-07-28 on there are no sessions: the header is ignored.
  if (handle === undefined || message?.envelopeVersion !== undefined) return undefined;
  const id = typeof handle === "string" ? sessions.open(handle, principal.userId, server.id) : undefined;
  if (id === undefined) throw new WireError(404, -32001, "Session not found", message?.id);
  return id;
}

/** What of an upstream's answer may reach a client. */
function acceptable(method: string, status: number, headers: Record<string, string | string[] | undefined>, always: readonly string[]): { status: number; headers: string[] } {
  if (status >= 300 && status < 400) throw new UpstreamError("refused", "The upstream redirects, which is not followed");
  if (status === 401 || status === 403 || status === 407) throw new UpstreamError("refused", "The upstream refused the stored credentials");
  const type = String(headers["content-type"] ?? "");
  const mayBeEmpty = method === "DELETE" || status === 202 || status === 204 || headers["content-length"] === "0";
  if (status < 300 && !(mayBeEmpty && type === "") && !/^(?:application\/json|text\/event-stream)\b/i.test(type)) throw new UpstreamError("broken", "The upstream answered with something other than JSON or an event stream");
  const isText = /^(?:application\/json|text\/event-stream|text\/plain)\b/i.test(type);
  const passed = clientHeaders(isText ? headers : { ...headers, "content-type": undefined }, always);
  if (/^text\/event-stream\b/i.test(type)) passed.push("x-accel-buffering", "no");
  return { status: status >= 500 ? 502 : status, headers: passed };
}

const upstreamStatus: Record<UpstreamError["reason"], number> = { timeout: 504, unreachable: 502, refused: 502, "too-large": 502, broken: 502, "client-left": 499 };

function failureOf(error: unknown): string {
  if (error instanceof UpstreamError) return error.reason;
  if (error instanceof Problem) return typeof error.extras.cause === "string" ? error.extras.cause : error.code;
  return error instanceof WireError ? `json-rpc ${error.code}` : "internal";
}

/** Answers with the error, if there is still somebody to answer. @returns the status for the log. */
function fail(error: unknown, id: RequestId | undefined, response: ServerResponse, info: RawInfo, { log }: GatewayOptions): number {
  const { requestId } = info;
  if (error instanceof UpstreamError && error.reason === "client-left") return upstreamStatus["client-left"];
  if (response.headersSent) {
    response.destroy();
    return 502;
  }
  if (error instanceof Problem && error.code !== "upstream-refused") {
    sendProblem(response, error, info);
    return error.status;
  }
  if (error instanceof WireError) return sendJsonRpcError(response, info, error.status, error.code, error.message, error.id ?? id, error.data);
  if (error instanceof Problem) return sendJsonRpcError(response, info, 502, errorCodes.internal, "The upstream's address is not allowed", id);
  if (error instanceof UpstreamError) return sendJsonRpcError(response, info, upstreamStatus[error.reason], errorCodes.internal, error.message, id);
  log.error("request.failed", { requestId, route, status: 500, error });
  return sendJsonRpcError(response, info, 500, errorCodes.internal, "Something failed on our side", id);
}

function sendJsonRpcError(response: ServerResponse, { headers }: RawInfo, status: number, code: number, message: string, id: RequestId | undefined, data?: unknown): number {
  response.writeHead(status, [...headers, "content-type", "application/json", "cache-control", "no-store"]);
  response.end(JSON.stringify({ jsonrpc: "2.0", id: id ?? null, error: { code, message, ...(data === undefined ? {} : { data }) } }));
  return status;
}

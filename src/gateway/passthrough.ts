/**
 * Where client and upstream speak the same era over Streamable HTTP, bytes pass: checked, but not built anew. Only the handles that a client
 * brings back later are exchanged for ones that are bound to it, each in its place; of a warm call not a byte changes.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Audit } from "../audit/index.ts";
import { decodeUtf8, memberSpan, replaceSpan } from "../kernel/json.ts";
import type { Principal } from "../kernel/principal.ts";
import { parseUpstreamUrl } from "../net/guard.ts";
import type { RawInfo } from "../net/inbound.ts";
import type { Outbound } from "../net/outbound.ts";
import type { ServerState, Snapshot } from "../snapshot/index.ts";
import type { Vault } from "../storage/index.ts";
import type { Gate } from "../trust/index.ts";
import { openHandle } from "./fronts/binding.ts";
import type { HandleKind, Handles, Holder } from "./handles.ts";
import type { Permission } from "./permission.ts";
import { keepBeginning, type Results } from "./results.ts";
import { forward, UpstreamError, type Carried } from "./upstream/http.ts";
import { admit, announcedKinds, isVetted, itemKinds, redactBody, vetBody } from "./vetting.ts";
import { encodeMirrored } from "./wire/era.ts";
import { clientHeaders, upstreamHeaders } from "./wire/headers.ts";
import { errorCodes, isObject, metaKeys, WireError, type Message } from "./wire/message.ts";
import { createEventRewriter, createJsonRewriter, type Rewriter, type Wanted } from "./wire/rewrite.ts";

export interface PassthroughOptions {
  handles: Handles;
  gate: Gate;
  permission: Permission;
  results: Results;
  outbound: Outbound;
  vault: Vault;
  audit: Audit;
  snapshot: Snapshot;
  responseLimit: number;
  /** Milliseconds. */
  upstreamTimeout: number;
  idleTimeout: number;
}

export interface Passing {
  server: ServerState;
  caller: Principal;
  method: "GET" | "POST" | "DELETE";
  request: IncomingMessage;
  response: ServerResponse;
  info: RawInfo;
  /** Of a POST. */
  message: Message | undefined;
  body: Buffer | undefined;
  isModern: boolean;
}

export type Passthrough = (passing: Passing) => Promise<Carried>;

/** What a warm call needs of a server, made once per revision. */
interface Compiled {
  state: ServerState;
  origin: string;
  path: string;
  /** Flat list of the upstream's credentials. */
  credentials: readonly string[];
}

export function createPassthrough(options: PassthroughOptions): Passthrough {
  const { handles, gate, permission, results, snapshot, vault, audit } = options;
  const compiled = new Map<string, Compiled>();
  snapshot.onServer((name) => compiled.delete(name));

  const compile = (state: ServerState): Compiled => {
    const known = compiled.get(state.name);
    if (known?.state === state) return known;
    const url = new URL(parseUpstreamUrl(state.url));
    let credentials: string[] = [];
    if (state.authMode === "headers" && state.sealedHeaders !== undefined) {
      const opened = JSON.parse(vault.open({ table: "servers", column: "headers", row: state.id }, state.sealedHeaders)) as Record<string, string>;
      credentials = Object.entries(opened).flatMap(([name, value]) => [name.toLowerCase(), value]);
      audit.record({ type: "secret.accessed", subject: `server:${state.id}`, detail: { name: state.name } });
    }
    const entry = { state, origin: url.origin, path: url.pathname + url.search, credentials };
    compiled.set(state.name, entry);
    return entry;
  };

  return async ({ server, caller, method, request, response, info, message, body, isModern }) => {
    const { origin, path, credentials } = compile(server);
    const holder: Holder = { principalId: caller.userId, place: server.id };
    const headers = { ...request.headers };
    let sent = body;
    let fields: readonly string[] = [];
    if (sent && message?.method !== undefined && message.name !== undefined) {
      const name = await admit(gate, server, message.method, message.name, message.id);
      if (name !== message.name) {
        sent = replaceMember(sent, ["params", "name"], name);
        if (headers["mcp-name"] !== undefined) headers["mcp-name"] = encodeMirrored(name);
      }
      if (message.method in itemKinds) {
        const duties = permission.require({ caller, server, method: message.method, name, arguments: message.params?.["arguments"], requestId: info.requestId, address: info.address });
        fields = duties instanceof Promise ? await duties : duties;
      }
    }
    if (sent && message?.kind === "request") sent = openHandles(handles, holder, message, sent, headers);
    const sessionId = isModern ? undefined : openSession(handles, holder, request, message);
    const lastEventId = headers["last-event-id"];
    if (isModern) delete headers["last-event-id"];
    else if (typeof lastEventId === "string") {
      const opened = handles.open("event", lastEventId, holder);
      if (opened === undefined) throw new WireError(400, errorCodes.invalidParams, "The Last-Event-ID is not known", message?.id);
      headers["last-event-id"] = opened;
    }
    const vetted = message?.method;
    const kept = results.concerns(vetted) ? keepBeginning() : undefined;
    const carried = await forward({
      dispatcher: options.outbound.dispatcher,
      origin,
      path,
      method,
      headers: upstreamHeaders(headers, credentials, sessionId),
      body: sent,
      response,
      headersTimeout: options.upstreamTimeout,
      idleTimeout: options.idleTimeout,
      jsonLimit: options.responseLimit,
      rewrite: isVetted(vetted)
        ? (answer, contentType) => vetBody(permission.through(gate, caller), server, vetted, answer, contentType, options.responseLimit)
        : fields.length > 0
          ? (answer, contentType) => redactBody(fields, answer, contentType, options.responseLimit)
          : undefined,
      seen: kept?.push,
      transform: (contentType) => binder(handles, holder, message?.method, contentType),
      watch(chunk) {
        const kinds = announcedKinds(chunk);
        if (kinds.length > 0) gate.changed(server, kinds);
      },
      translate(upstreamStatus, received) {
        const answer = acceptable(method, upstreamStatus, received, info.headers);
        const minted = received["mcp-session-id"];
        if (typeof minted === "string" && !isModern) answer.headers.push("mcp-session-id", handles.bind("session", minted, holder));
        return answer;
      },
    });
    // The client has its answer: it does not wait for this.
    if (kept) setImmediate(() => void results.report({ caller, server, method: vetted ?? "", name: message?.name ?? "", requestId: info.requestId }, kept.body()));
    return carried;
  };
}

/** A session handle that is not this principal's is an unknown session: 404, upon which clients start anew. */
function openSession(handles: Handles, holder: Holder, { headers }: IncomingMessage, message: Message | undefined): string | undefined {
  const handle = headers["mcp-session-id"];
  if (handle === undefined) return undefined;
  const id = typeof handle === "string" ? handles.open("session", handle, holder) : undefined;
  if (id === undefined) throw new WireError(404, errorCodes.sessionNotFound, "Session not found", message?.id);
  return id;
}

const handleParameters: readonly (readonly [HandleKind, ...string[]])[] = [
  ["request-state", "requestState"],
  ["cursor", "cursor"],
  ["task", "taskId"],
  ["task", "_meta", metaKeys.relatedTask, "taskId"],
];

/** @throws WireError -32602 when one of the handles is not this holder's. */
function openHandles(handles: Handles, holder: Holder, { params, method, id }: Message, body: Buffer, headers: Record<string, unknown>): Buffer {
  let sent = body;
  for (const [kind, ...path] of handleParameters) {
    const bound = path.reduce<unknown>((node, name) => (isObject(node) ? node[name] : undefined), params);
    if (typeof bound !== "string") continue;
    const raw = openHandle(handles, kind, bound, holder, id);
    sent = replaceMember(sent, ["params", ...path], raw);
    if (path[0] === "taskId" && method?.startsWith("tasks/") && headers["mcp-name"] !== undefined) headers["mcp-name"] = encodeMirrored(raw);
  }
  return sent;
}

function replaceMember(body: Buffer, path: readonly string[], value: string): Buffer {
  const text = decodeUtf8(body);
  const span = memberSpan(text, path);
  return span ? Buffer.from(replaceSpan(text, span, JSON.stringify(value))) : body;
}

const taskId: Wanted = { taskId: "task" };
const related: Wanted = { ...taskId, _meta: { [metaKeys.relatedTask]: taskId } };
/** What these answer is the server's own words, in which a `nextCursor` is no cursor. */
const itsOwn: Wanted = { method: "method", params: related, result: { requestState: "request-state", ...related, task: taskId } };
const others: Wanted = { method: "method", params: related, result: { requestState: "request-state", nextCursor: "cursor", ...related, task: taskId, tasks: { "[]": taskId } } };

/** Binds the handles of an answer as it streams. */
function binder(handles: Handles, holder: Holder, method: string | undefined, contentType: string): Rewriter | undefined {
  const streams = /^text\/event-stream\b/i.test(contentType);
  if (!streams && !/^application\/json\b/i.test(contentType)) return undefined;
  let heard: string | undefined;
  const replace = (what: string, text: string): string | undefined => {
    if (what !== "method") return heard === undefined || heard.startsWith("notifications/") ? handles.bind(what as HandleKind, text, holder) : undefined;
    // A server that asks about a task means one of the client's.
    heard = text;
    return undefined;
  };
  const wanted = method === "tools/call" || method === "prompts/get" || method === "resources/read" ? itsOwn : others;
  if (!streams) return createJsonRewriter(wanted, replace);
  const rewriter = createEventRewriter(wanted, replace, (id) => handles.bind("event", id, holder), () => (heard = undefined));
  return rewriter;
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

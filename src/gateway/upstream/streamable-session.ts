/**
 * A session over Streamable HTTP (2025-03-26 to 2025-11-25): POST for what we say, its stream for what belongs to the call, a GET stream for
 * the rest. A stream that breaks is gone on with where the server gave event ids; a session that it forgot is told as such.
 */
import type { JsonObject, Notification } from "../exchange.ts";
import { backoff, pauseFor } from "./backoff.ts";
import { createConversation, type Inquiry } from "./conversation.ts";
import { createDeadline, type Deadline } from "./deadline.ts";
import type { Cut, Endpoint } from "./endpoint.ts";
import { UpstreamError } from "./http.ts";
import { EraChanged, type Credential } from "./leg.ts";
import type { PeerLimits } from "./limits.ts";
import { wireError, type Incoming } from "./rpc.ts";
import { initializeParams, initializeRefused, readInitialized, SessionLost, type LegacySession } from "./session.ts";

export interface StreamableOptions {
  endpoint: Endpoint;
  credential: Credential;
  capabilities: JsonObject;
  /** Name and version that the server is told. */
  info: JsonObject;
  limits: PeerLimits;
  deadline: Deadline;
  onNotification(notification: Notification): void;
}

/** Milliseconds that ending a session, or cancelling a call, may take. */
const goodbye = 2000;
const mostResumptions = 16;
const longestRetry = 30_000;
/** Milliseconds after which a GET that was not refused counts as open: many servers send nothing, not even headers, before the first event. */
const unrefused = 1000;
/** Milliseconds that the GET stream of a session stays open when nobody uses the session: a connection each is much for an upstream. */
const lingering = 3000;

export async function openStreamableSession({ endpoint, credential, capabilities, info, limits, deadline, onNotification }: StreamableOptions): Promise<LegacySession> {
  let headers: readonly string[] = credential.headers;
  const over = new AbortController();
  const lost = new AbortController();
  /** Waits for the GET stream's first answer; undefined before it was wanted. */
  let hearing: Promise<boolean> | undefined;
  let deaf = new AbortController();
  let lingers: NodeJS.Timeout | undefined;
  let level: string | undefined;

  /** Sends what wants no answer. */
  const tell = async (message: JsonObject): Promise<void> => {
    const short = createDeadline({ start: limits.start, idle: limits.start, total: limits.start });
    try {
      await endpoint.post({ body: JSON.stringify(message), headers, id: undefined, deadline: short, onMessage: () => undefined });
    } finally {
      short.end();
    }
  };
  const conversation = createConversation({ reply: (message) => void tell(message).catch(() => undefined), onNotification, mostQuestions: limits.questions });
  const hear = (id?: number) => (message: Incoming) => {
    if (message.kind === "request" || message.kind === "notification") conversation.hear(message, id);
  };

  /** Goes on where a stream broke, as long as the server gave its events ids. */
  const resume = async (id: number, cut: Cut, call: Deadline): Promise<Extract<Incoming, { kind: "result" | "error" }>> => {
    let { lastId, retry } = cut;
    for (let attempt = 0; attempt < mostResumptions && lastId !== undefined; attempt++) {
      if (!(await pauseFor(Math.min(retry ?? backoff(attempt), longestRetry), call.signal))) throw call.signal.reason;
      const next = await endpoint.listen({ headers: [...headers, "last-event-id", lastId], id, deadline: call, onMessage: hear(id) });
      if (next.kind === "answer") return next.message;
      if (next.kind === "status") break;
      lastId = next.lastId ?? lastId;
      retry = next.retry ?? retry;
    }
    throw new UpstreamError("broken", "The upstream's stream ended before the answer", cut.cause);
  };

  const request = async (inquiry: Inquiry): Promise<{ result: JsonObject; sessionId: string | undefined }> => {
    const { id, request: message } = conversation.begin(inquiry);
    const hasSession = headers.includes("mcp-session-id");
    try {
      // What is between may route by it; servers of before do not look.
      const named = [...headers, "mcp-method", inquiry.method];
      const posted = await endpoint.post({ body: JSON.stringify(message), headers: named, id, deadline: inquiry.deadline, onMessage: hear(id) });
      if (posted.kind === "accepted") throw new UpstreamError("broken", "The upstream accepted a request without answering it");
      if (posted.kind === "refused" || (posted.kind === "answer" && posted.message.kind === "error" && isLoss(posted.status, posted.message.error.code))) {
        if (inquiry.method === "initialize") throw posted.kind === "answer" && posted.message.kind === "error" ? initializeRefused(posted.message.error) : new EraChanged(`The upstream refused to initialize (HTTP ${posted.status})`);
        if (posted.status === 404 || posted.status === 400) throw hasSession ? new SessionLost() : new EraChanged("The upstream refused a request without the envelope of 2026-07-28");
        throw new UpstreamError("broken", `The upstream refused the request (HTTP ${posted.status})`);
      }
      const answer = posted.kind === "answer" ? posted.message : await resume(id, posted, inquiry.deadline);
      if (answer.kind === "result") return { result: answer.result, sessionId: posted.sessionId };
      throw inquiry.method === "initialize" ? initializeRefused(answer.error) : wireError(answer.error);
    } catch (error) {
      if (error instanceof SessionLost) end();
      // Leaving is not cancelling here: it must be said.
      if (inquiry.deadline.signal.aborted && inquiry.method !== "initialize") void tell({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id, reason: "The client no longer waits" } }).catch(() => undefined);
      throw error;
    } finally {
      conversation.end(id);
    }
  };
  const end = () => {
    over.abort();
    lost.abort();
  };

  /** The GET stream, opened again and again until the session is over. */
  const keepHearing = async (onFirst: (isOpen: boolean) => void, ending: AbortSignal): Promise<void> => {
    let lastId: string | undefined;
    let failures = 0;
    while (!ending.aborted) {
      // A silent stream is opened anew: its other end may be long gone.
      const clock = createDeadline({ start: limits.idle, idle: limits.idle, total: Number.POSITIVE_INFINITY }, ending);
      const began = performance.now();
      const onOpen = () => onFirst(true);
      const outcome = await endpoint.listen({ headers: [...headers, ...(lastId === undefined ? [] : ["last-event-id", lastId])], deadline: clock, onMessage: hear(), onOpen }).catch(() => undefined);
      clock.end();
      if (outcome?.kind === "status") {
        if (outcome.status === 404 && headers.includes("mcp-session-id")) end();
        // 405: it has none, and says so for good.
        return onFirst(false);
      }
      if (outcome?.kind === "cut") lastId = outcome.lastId ?? lastId;
      if (outcome === undefined && failures === 0) onFirst(false);
      failures = performance.now() - began > Math.min(longestRetry, limits.idle * 0.9) ? 0 : failures + 1;
      const wait = outcome?.kind === "cut" && outcome.retry !== undefined ? Math.min(Math.max(outcome.retry, 100), longestRetry) : 0;
      if (!(await pauseFor(Math.max(wait, failures > 1 ? backoff(failures) : 100), ending))) return;
    }
  };

  const { result, sessionId } = await request({ method: "initialize", params: initializeParams(capabilities, info), logLevel: undefined, deadline, notify: () => undefined, ask: unasked });
  const initialized = readInitialized(result);
  // Visible ASCII (2025-11-25, session management): anything else is no header value.
  if (sessionId !== undefined && !/^[\x21-\x7e]{1,1024}$/.test(sessionId)) throw new UpstreamError("broken", "The upstream's session id is malformed");
  headers = [...credential.headers, ...(sessionId === undefined ? [] : ["mcp-session-id", sessionId]), ...(initialized.protocolVersion >= "2025-06-18" ? ["mcp-protocol-version", initialized.protocolVersion] : [])];

  const session: LegacySession = {
    initialized,
    get isAlive() {
      return !over.signal.aborted;
    },
    lost: lost.signal,
    async request(inquiry) {
      const { logLevel, method, params } = inquiry;
      if (logLevel !== undefined && logLevel !== level && initialized.capabilities["logging"] !== undefined && method !== "logging/setLevel") {
        level = logLevel;
        await request({ method: "logging/setLevel", params: { level: logLevel }, logLevel: undefined, deadline: inquiry.deadline, notify: () => undefined, ask: unasked });
      }
      const { result: answer } = await request(inquiry);
      if (method === "logging/setLevel" && typeof params?.["level"] === "string") level = params["level"];
      return answer;
    },
    hear() {
      hearing ??= new Promise<boolean>((resolve) => {
        setTimeout(resolve, unrefused, true).unref();
        void keepHearing(resolve, AbortSignal.any([over.signal, deaf.signal])).finally(() => resolve(false));
      });
      return hearing;
    },
    rest(isResting) {
      clearTimeout(lingers);
      if (!isResting || hearing === undefined) return;
      lingers = setTimeout(() => {
        deaf.abort();
        deaf = new AbortController();
        hearing = undefined;
      }, lingering);
      lingers.unref();
    },
    async close() {
      const wasAlive = !over.signal.aborted;
      over.abort();
      if (!wasAlive || sessionId === undefined) return;
      const short = createDeadline({ start: goodbye, idle: goodbye, total: goodbye });
      await endpoint.bare("DELETE", { headers, deadline: short }).catch(() => undefined);
      short.end();
    },
  };
  await tell({ jsonrpc: "2.0", method: "notifications/initialized" }).catch(async (error: unknown) => {
    await session.close();
    throw error;
  });
  return session;
}

/** Whether an error says that the server does not know the session, or no such thing as a session any more. */
function isLoss(status: number, code: number): boolean {
  return (status === 404 || status === 400) && [-32000, -32001, -32020, -32022, -32600].includes(code);
}

async function unasked(): Promise<never> {
  throw new UpstreamError("broken", "The upstream asked before it was asked");
}

/**
 * The one HTTP client for every outbound URL: bounded requests, a fetch for libraries, and dispatchers for the gateway's hot path,
 * all over connections that the guard has judged. A credential goes to the origin that it was meant for and nowhere else.
 */
import { fetch as undiciFetch, type Dispatcher } from "undici";
import { Problem, problem } from "../kernel/problem.ts";
import type { UpstreamUrl } from "./guard.ts";
import { cappedStream, readBody } from "./outbound-body.ts";
import { GuardedPools, isTlsFailure, OriginDispatcher, type PoolOptions } from "./outbound-pool.ts";

export interface Outbound {
  /** A guarded dispatcher for any origin: pools per origin, judges every new connection. */
  readonly dispatcher: Dispatcher;
  /** The same for one upstream; it refuses every other origin. Cheap to make, may be kept, needs no closing. */
  dispatcherFor(url: UpstreamUrl): Dispatcher;
  /**
   * A bounded request with a buffered answer; redirects are followed only when asked for, each hop judged anew.
   * @throws Problem `upstream-refused`, `upstream-failed` or `upstream-timeout`; the signal's reason when the caller gave up.
   */
  request(url: string, options?: OutboundRequest): Promise<OutboundResponse>;
  /**
   * WHATWG fetch behind the guard, for libraries. Never follows a redirect (the answer with its Location is returned, or refused with
   * `redirect: "error"`), asks for no compression unless told to, and cuts every body but an event stream at `fetchMaxBytes`.
   */
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

export interface OutboundRequest {
  method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  signal?: AbortSignal;
  /** Bytes of the answer, after decompression; more is an error. Default 1 MiB. */
  maxBytes?: number;
  /** Accept gzip and Brotli. Default false: nothing that unpacks to more than it was. */
  compressed?: boolean;
  /** Milliseconds until the answer begins, to about half a second. Default: as the total. */
  headersTimeoutMs?: number;
  /** Milliseconds of silence within the answer, to about half a second. Default: as the total. */
  bodyTimeoutMs?: number;
  /** Milliseconds for everything, redirects included. Default 10,000. */
  totalTimeoutMs?: number;
  /** Hops to follow. Default 0. */
  redirects?: 0 | 1 | 2 | 3 | 4 | 5;
}

export interface OutboundResponse {
  /** Of the last hop. */
  url: UpstreamUrl;
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: Uint8Array;
}

export interface OutboundOptions extends PoolOptions {
  /** Bytes of a body that `fetch` returns. Default 16 MiB. */
  fetchMaxBytes?: number;
}

/** What may follow a redirect to another origin. A list of what must not would miss the credential header of the day. */
const harmlessHeaders = new Set(["accept", "accept-encoding", "accept-language", "user-agent", "mcp-protocol-version"]);
const redirectStatus = new Set([301, 302, 303, 307, 308]);
const nullBodyStatus = new Set([204, 205, 304]);

export function createOutbound(options: OutboundOptions): Outbound {
  const { guard, onEvent, fetchMaxBytes = 16 * 1_048_576 } = options;
  const pools = new GuardedPools(options);

  return {
    dispatcher: pools,
    dispatcherFor: (url) => new OriginDispatcher(pools, url, onEvent),
    async request(text, first = {}) {
      const total = first.totalTimeoutMs ?? 10_000;
      const deadline = AbortSignal.timeout(total);
      const signal = first.signal ? AbortSignal.any([deadline, first.signal]) : deadline;
      let request = first;
      let url = guard.checkLiteral(text);
      for (let hop = 0; ; hop++) {
        const answer = await once(pools, url, request, signal).catch((error: unknown) => {
          throw first.signal?.aborted && !deadline.aborted ? error : failureOf(error, deadline.aborted);
        });
        const { location } = answer.headers;
        if (!first.redirects || location === undefined || !redirectStatus.has(answer.status)) return answer;
        if (hop >= first.redirects) throw problem("upstream-failed", { detail: "Too many redirects" });
        const target = URL.parse(location, url);
        if (target === null) throw problem("upstream-failed", { detail: "A redirect that cannot be read" });
        request = redirected(request, answer.status, new URL(url), target, onEvent);
        url = guard.checkLiteral(withoutFragment(target));
      }
    },
    async fetch(input, init = {}) {
      const request = input instanceof Request ? input : undefined;
      const url = guard.checkLiteral(withoutFragment(new URL(request?.url ?? (input as string | URL))));
      const headers = new Headers(init.headers ?? request?.headers);
      headers.delete("host");
      if (!headers.has("accept-encoding")) headers.set("accept-encoding", "identity");
      const body = init.body === undefined ? request?.body : init.body;
      const answer = await undiciFetch(url, {
        method: init.method ?? request?.method ?? "GET",
        headers: [...headers],
        body: body ?? null,
        // A stream is sent while the answer may already come; harmless for all other bodies.
        duplex: "half",
        signal: init.signal === undefined ? (request?.signal ?? null) : init.signal,
        redirect: "manual",
        dispatcher: pools,
      });
      if (redirectStatus.has(answer.status) && (init.redirect ?? request?.redirect) === "error") {
        await answer.body?.cancel();
        throw new TypeError("fetch failed", { cause: problem("upstream-failed", { detail: "The answer is a redirect, which is not followed" }) });
      }
      return platformResponse(answer, url, fetchMaxBytes);
    },
    close: () => pools.end(),
  };
}

async function once(dispatcher: Dispatcher, url: UpstreamUrl, { method = "GET", headers = {}, body, maxBytes = 1_048_576, compressed = false, headersTimeoutMs, bodyTimeoutMs, totalTimeoutMs = 10_000 }: OutboundRequest, signal: AbortSignal): Promise<OutboundResponse> {
  const { origin, pathname, search } = new URL(url);
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  if (own["host"] !== undefined) throw problem("upstream-refused", { detail: "A Host header of one's own is not allowed" });
  const answer = await dispatcher.request({
    origin,
    path: pathname + search,
    method,
    headers: { "user-agent": "sallyport", "accept-encoding": compressed ? "gzip, br" : "identity", ...own },
    body: body ?? null,
    signal,
    headersTimeout: headersTimeoutMs ?? totalTimeoutMs,
    bodyTimeout: bodyTimeoutMs ?? totalTimeoutMs,
  });
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(answer.headers)) if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(", ") : value;
  return { url, status: answer.statusCode, headers: flat, body: await readBody(answer.body, method === "HEAD" ? {} : flat, { maxBytes, compressed }) };
}

/**
 * What of a request follows a redirect (RFC 9110 section 15.4, WHATWG fetch, HTTP-redirect fetch): to another origin no credential, neither
 * as a header nor within a body, and nothing from https down to http.
 */
function redirected(request: OutboundRequest, status: number, from: URL, to: URL, onEvent: OutboundOptions["onEvent"]): OutboundRequest {
  const { body, method = "GET", headers = {}, ...rest } = request;
  const refuse = (rule: "redirect-to-http" | "redirect-with-body", detail: string): Problem => {
    onEvent?.({ type: "outbound.blocked", host: to.hostname, rule });
    return problem("upstream-refused", { detail });
  };
  if (from.protocol === "https:" && to.protocol === "http:") throw refuse("redirect-to-http", "A redirect from https to http is not followed");
  const becomesGet = status === 303 ? method !== "HEAD" : (status === 301 || status === 302) && method === "POST";
  const sameOrigin = from.origin === to.origin;
  if (!sameOrigin && !becomesGet && body !== undefined) throw refuse("redirect-with-body", "A redirect that takes the body to another origin is not followed");
  const follows = (name: string) => (sameOrigin || harmlessHeaders.has(name)) && !(becomesGet && name.startsWith("content-"));
  const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => follows(name.toLowerCase())));
  return { ...rest, headers: kept, ...(becomesGet ? { method: "GET" } : { method, ...(body === undefined ? {} : { body }) }) };
}

/** A fragment is the reader's own and never sent. */
function withoutFragment(url: URL): string {
  const bare = new URL(url);
  bare.hash = "";
  return bare.href;
}

/** As the platform's own class, which libraries test for; with the limit on its body. */
function platformResponse(answer: Awaited<ReturnType<typeof undiciFetch>>, url: UpstreamUrl, maxBytes: number): Response {
  const streams = /^text\/event-stream\b/i.test(answer.headers.get("content-type") ?? "");
  const body = answer.body as ReadableStream<Uint8Array> | null;
  const response = new Response(nullBodyStatus.has(answer.status) || body === null ? null : streams ? body : body.pipeThrough(cappedStream(maxBytes)), { status: answer.status, statusText: answer.statusText, headers: [...answer.headers] });
  return Object.defineProperty(response, "url", { value: url });
}

const failures: Record<string, string> = { ECONNREFUSED: "The connection was refused", ENOTFOUND: "The host name does not resolve", EAI_AGAIN: "The host name does not resolve", ETIMEOUT: "The host name does not resolve in time", ECONNRESET: "The connection broke", UND_ERR_SOCKET: "The connection broke" };
const lateness = new Set(["UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT", "ETIMEDOUT"]);

/** What a caller may be told of a failed request; the error itself is the cause. */
function failureOf(error: unknown, late: boolean): Problem {
  if (error instanceof Problem) return error;
  const code = String((error as { code?: unknown } | null)?.code);
  if (late || lateness.has(code)) return problem("upstream-timeout", { detail: "No complete answer in time", cause: error });
  return problem("upstream-failed", { detail: failures[code] ?? (isTlsFailure(code) ? "The TLS certificate or protocol is not acceptable" : "The server cannot be reached"), cause: error });
}

/**
 * The one HTTP client for every outbound URL. Each new connection is resolved and judged by the guard and made to exactly the judged
 * address (TLS still verifies the name), so a warm, pooled call costs nothing extra and DNS rebinding has no moment to act in.
 */
import { isIP } from "node:net";
import { Agent, buildConnector, fetch as undiciFetch, type Dispatcher } from "undici";
import { problem } from "../kernel/problem.ts";
import { parseUpstreamUrl, type Guard, type Resolved, type UpstreamUrl } from "./guard.ts";

export interface Outbound {
  /** The guarded dispatcher: pools per origin, judges every new connection. For the gateway's hot path. */
  readonly dispatcher: Dispatcher;
  /** A bounded request with a buffered answer; redirects are followed only when asked for, each hop judged anew. */
  request(url: string, options?: OutboundRequest): Promise<OutboundResponse>;
  /** WHATWG fetch behind the guard, for libraries: never follows redirects. */
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>;
  close(): Promise<void>;
}

export interface OutboundRequest {
  method?: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  signal?: AbortSignal;
  /** Bytes of the answer; more is an error. Default 1 MiB. */
  maxBytes?: number;
  /** Milliseconds for everything. Default 10,000. */
  timeout?: number;
  /** Hops to follow. Default 0. */
  redirects?: number;
}

export interface OutboundResponse {
  url: UpstreamUrl;
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
}

export interface OutboundOptions {
  guard: Guard;
  /** Further certificate authorities, PEM. */
  ca?: string;
  /** Milliseconds to connect. */
  connectTimeout?: number;
}

/** Headers that must not follow a redirect to another origin (WHATWG fetch, HTTP-redirect fetch, step 14). */
const credentialHeaders = new Set(["authorization", "cookie", "proxy-authorization", "x-api-key"]);

export function createOutbound({ guard, ca, connectTimeout = 5000 }: OutboundOptions): Outbound {
  const connector = buildConnector({ timeout: connectTimeout, ...(ca === undefined ? {} : { ca }), rejectUnauthorized: true });
  const connect: buildConnector.connector = (options, callback) => {
    const { hostname, protocol, port } = options;
    const number = Number(port) || (protocol === "https:" ? 443 : 80);
    // undici connects to `hostname` and verifies `servername`: the first becomes the judged address, the second stays the name.
    const servername = options.servername ?? (isIP(hostname.replace(/^\[|\]$/g, "")) ? undefined : hostname.replace(/\.$/, ""));
    const attempt = (addresses: readonly Resolved[], index: number) => {
      const pinned = { ...options, hostname: addresses[index]?.address ?? "", ...(servername ? { servername } : {}) };
      connector(pinned, (error, socket) => {
        if (error && index + 1 < addresses.length) attempt(addresses, index + 1);
        else if (error) callback(error, null);
        else callback(null, socket);
      });
    };
    guard.resolve(hostname, number, protocol).then(
      (addresses) => attempt(addresses, 0),
      (error: Error) => callback(error, null),
    );
  };
  const agent = new Agent({ connect, connections: 128, pipelining: 1, keepAliveTimeout: 30_000, keepAliveMaxTimeout: 300_000, maxHeaderSize: 32_768, maxRedirections: 0 } as Agent.Options);

  const once = async (url: UpstreamUrl, { method = "GET", headers = {}, body, maxBytes = 1_048_576 }: OutboundRequest, signal: AbortSignal): Promise<OutboundResponse> => {
    const { origin, pathname, search } = new URL(url);
    const answer = await agent.request({ origin, path: pathname + search, method, headers: { "accept-encoding": "identity", "user-agent": "sallyport", ...headers }, body: body ?? null, signal });
    // A body that is given up reports that as an error of its own; whoever gives it up has already said why.
    answer.body.on("error", () => undefined);
    const flat: Record<string, string> = {};
    for (const [name, value] of Object.entries(answer.headers)) if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(", ") : value;
    if (flat["content-encoding"] !== undefined && flat["content-encoding"] !== "identity") {
      answer.body.destroy();
      throw problem("upstream-failed", { detail: "The answer is compressed although that was not asked for" });
    }
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) {
        answer.body.destroy();
        throw problem("upstream-failed", { detail: `The answer is larger than ${maxBytes} bytes` });
      }
      chunks.push(chunk);
    }
    return { url, status: answer.statusCode, headers: flat, body: Buffer.concat(chunks) };
  };

  return {
    dispatcher: agent,
    async request(text, options = {}) {
      const deadline = AbortSignal.timeout(options.timeout ?? 10_000);
      const signal = options.signal ? AbortSignal.any([deadline, options.signal]) : deadline;
      let url = parseUpstreamUrl(text);
      let current = options;
      for (let hop = 0; ; hop++) {
        guard.checkLiteral(url);
        const answer = await once(url, current, signal).catch((error: unknown) => {
          throw deadline.aborted ? problem("upstream-timeout", { detail: "No complete answer in time", cause: error }) : error;
        });
        const location = answer.headers["location"];
        if (answer.status < 300 || answer.status >= 400 || location === undefined || (options.redirects ?? 0) === 0) return answer;
        if (hop >= (options.redirects ?? 0)) throw problem("upstream-failed", { detail: "Too many redirects" });
        const target = URL.parse(location, url);
        if (target === null) throw problem("upstream-failed", { detail: "A redirect that cannot be read" });
        const next = parseUpstreamUrl(target.href);
        current = redirected(current, answer.status, new URL(url).origin === target.origin);
        url = next;
      }
    },
    fetch: async (input, init) => {
      const url = new URL(input instanceof Request ? input.url : input);
      guard.checkLiteral(url.href);
      // undici's fetch is the platform's own implementation; only the dispatcher differs.
      return undiciFetch(url, { ...init, redirect: "manual", dispatcher: agent });
    },
    close: () => agent.destroy(),
  };
}

/** What of a request follows a redirect: the body only on 307 and 308, credentials only within the origin (RFC 9110 section 15.4). */
function redirected(request: OutboundRequest, status: number, sameOrigin: boolean): OutboundRequest {
  const { body, method, headers = {}, ...rest } = request;
  const kept = sameOrigin ? headers : Object.fromEntries(Object.entries(headers).filter(([name]) => !credentialHeaders.has(name.toLowerCase())));
  return status === 307 || status === 308 ? { ...rest, headers: kept, ...(method ? { method } : {}), ...(body === undefined ? {} : { body }) } : { ...rest, headers: kept, method: method === "HEAD" ? "HEAD" : "GET" };
}


/**
 * Connections to upstreams, pooled by origin. Each new one is resolved and judged by the guard and made to exactly the judged addresses,
 * with TLS for the name; so a warm call costs nothing extra, and DNS rebinding has no moment to act in.
 */
import { isIP } from "node:net";
import { createSecureContext, getCACertificates } from "node:tls";
import { buildConnector, Dispatcher, Pool } from "undici";
import { problem, type Problem } from "../kernel/problem.ts";
import type { Guard, Resolved, UpstreamUrl } from "./guard.ts";

/** What this end decides by itself; refusals by the guard are told by the guard (`onBlocked`). */
export type OutboundEvent =
  | { type: "outbound.blocked"; host: string; rule: "foreign-origin" | "redirect-to-http" | "redirect-with-body" }
  /** A certificate or protocol that was not accepted (ASVS 5.0 V16.3.4); the reason is an error code of Node.js or OpenSSL. */
  | { type: "outbound.tls-refused"; host: string; reason: string };

export interface PoolOptions {
  guard: Guard;
  /** Further certificate authorities, PEM, beside those of the platform. */
  ca?: string;
  /** Milliseconds to connect, TLS included. Default 5,000. */
  connectTimeout?: number;
  /** Connections to one origin; calls beyond them wait. Default 128. */
  connections?: number;
  /** Calls that may wait for one origin; more are refused with 503. Default 1,024. */
  waiting?: number;
  /** Origins with open pools; the one that was used longest ago makes room. Default 256. */
  origins?: number;
  onEvent?: (event: OutboundEvent) => void;
}

interface Entry {
  pool: Pool;
  used: number;
  /** More calls than connections: only then is the queue worth counting. */
  busy: boolean;
}

/** A dispatcher for any origin; each connection is guarded. */
export class GuardedPools extends Dispatcher {
  readonly #options: PoolOptions;
  readonly #entries = new Map<string, Entry>();
  /** Pools that made room while calls were still running in them. */
  readonly #leaving = new Set<Pool>();
  readonly #connector: (onTlsFailure: (host: string, reason: string) => void) => buildConnector.connector;
  #clock = 0;
  #closed = false;

  constructor(options: PoolOptions) {
    super();
    this.#options = options;
    this.#connector = guardedConnector(options);
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { origin } = options;
    if (origin === undefined) throw new TypeError("A request without an origin");
    if (this.#closed) return refuse(handler, problem("unavailable", { detail: "The server is stopping" }));
    const key = typeof origin === "string" ? origin : origin.origin;
    const entry = this.#entries.get(key) ?? this.#open(key);
    entry.used = ++this.#clock;
    if (entry.busy && entry.pool.stats.queued >= (this.#options.waiting ?? 1024)) return refuse(handler, problem("unavailable", { detail: "Too many calls are waiting for this upstream" }));
    const ready = entry.pool.dispatch(options, handler);
    if (!ready) entry.busy = true;
    return ready;
  }

  /** How many origins have a pool. */
  get size(): number {
    return this.#entries.size;
  }

  #open(origin: string): Entry {
    if (this.#entries.size >= (this.#options.origins ?? 256)) this.#makeRoom();
    const pool = new Pool(origin, {
      connect: this.#connector((host, reason) => this.#options.onEvent?.({ type: "outbound.tls-refused", host, reason })),
      connections: this.#options.connections ?? 128,
      pipelining: 1,
      // HTTP/1.1: one answer that misbehaves takes no other calls down with it.
      allowH2: false,
      // Many servers close after 5 s and do not say so; a call must not meet the closing. Who says more with Keep-Alive is believed.
      keepAliveTimeout: 4000,
      keepAliveMaxTimeout: 300_000,
      headersTimeout: 30_000,
      maxHeaderSize: 32_768,
    });
    const entry: Entry = { pool, used: 0, busy: false };
    pool.on("drain", () => {
      entry.busy = false;
    });
    this.#entries.set(origin, entry);
    return entry;
  }

  #makeRoom(): void {
    const [oldest] = [...this.#entries].sort(([, a], [, b]) => a.used - b.used);
    if (!oldest) return;
    const [origin, { pool }] = oldest;
    this.#entries.delete(origin);
    this.#leaving.add(pool);
    void pool.close().then(() => this.#leaving.delete(pool));
  }

  /** Ends all connections at once, and refuses what comes later. */
  async end(): Promise<void> {
    this.#closed = true;
    const pools = [...[...this.#entries.values()].map(({ pool }) => pool), ...this.#leaving];
    this.#entries.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }
}

/** A dispatcher for one origin and no other: who holds it cannot send that upstream's credentials elsewhere. */
export class OriginDispatcher extends Dispatcher {
  readonly #pools: GuardedPools;
  readonly #origin: string;
  readonly #onEvent: PoolOptions["onEvent"];

  constructor(pools: GuardedPools, url: UpstreamUrl, onEvent: PoolOptions["onEvent"]) {
    super();
    this.#pools = pools;
    this.#origin = new URL(url).origin;
    this.#onEvent = onEvent;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (options.origin === undefined) return this.#pools.dispatch({ ...options, origin: this.#origin }, handler);
    if (options.origin === this.#origin || new URL(options.origin).origin === this.#origin) return this.#pools.dispatch(options, handler);
    this.#onEvent?.({ type: "outbound.blocked", host: new URL(options.origin).hostname, rule: "foreign-origin" });
    return refuse(handler, problem("upstream-refused", { detail: "The request is for another origin than the one it was prepared for" }));
  }
}

/** Tells a request's handler the way undici does for errors before there is a controller. */
function refuse(handler: Dispatcher.DispatchHandler, why: Problem): false {
  handler.onResponseError?.(null as unknown as Dispatcher.DispatchController, why);
  return false;
}

/** @returns a maker of connectors, one per origin, that resolve, judge and connect. */
function guardedConnector({ guard, ca, connectTimeout = 5000 }: PoolOptions): (onTlsFailure: (host: string, reason: string) => void) => buildConnector.connector {
  const trust = ca === undefined ? { minVersion: "TLSv1.2" as const } : { secureContext: createSecureContext({ ca: [...getCACertificates("default"), ca], minVersion: "TLSv1.2" }) };
  return (onTlsFailure) => {
    let judged: readonly Resolved[] = [];
    const connector = buildConnector({
      ...trust,
      timeout: connectTimeout,
      allowH2: false,
      // Whatever NODE_TLS_REJECT_UNAUTHORIZED says.
      rejectUnauthorized: true,
      // Asked synchronously by the connect below, so that it answers with what was judged for it; nothing else resolves the name.
      lookup(_host, { all }, callback) {
        const [first] = judged;
        if (!first) callback(Object.assign(new Error("No address was judged"), { code: "ENOTFOUND" }), []);
        else if (all) callback(null, [...judged]);
        else callback(null, first.address, first.family);
      },
      autoSelectFamily: true,
    });
    return ({ hostname, protocol, port }, callback) => {
      const host = hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
      const connect = (addresses: readonly Resolved[]) => {
        judged = addresses;
        // The name that TLS verifies is the URL's, never one that a Host header suggests.
        connector({ hostname: host, protocol, port, ...(isIP(host) ? {} : { servername: host }) }, (...result) => {
          const code = (result[0] as { code?: unknown } | null)?.code;
          if (protocol === "https:" && typeof code === "string" && isTlsFailure(code)) onTlsFailure(host, code);
          callback(...result);
        });
      };
      guard
        .resolve(hostname, Number(port) || (protocol === "https:" ? 443 : 80), protocol)
        .then(connect)
        .catch((error: unknown) => callback(error as Error, null));
    };
  };
}

/** Codes of node:tls and OpenSSL for a peer that was not accepted. */
export function isTlsFailure(code: string): boolean {
  return /^(?:CERT_|CRL_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_|PATH_LENGTH_|EPROTO$)/.test(code);
}

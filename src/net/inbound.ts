/**
 * The listener: HTTP/1.1 or TLS 1.2+, hardened from the first byte. Decides which requests are answered at all (Host, Origin, form of the
 * target, media types), puts the security headers on every response, and stops gracefully.
 */
import { readFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { isIP, type AddressInfo, type Socket } from "node:net";
import { lookup } from "node:dns/promises";
import { getRequestListener } from "@hono/node-server";
import { newId } from "../kernel/ids.ts";
import type { Log } from "../kernel/log.ts";
import { problem, type Problem } from "../kernel/problem.ts";
import { classifyAddress } from "./address.ts";
import type { Api, Bindings } from "./api.ts";
import { corsOf } from "./cors.ts";

export interface InboundOptions {
  host: string;
  port: number;
  allowAllInterfaces: boolean;
  publicUrl: string | undefined;
  allowedHosts: readonly string[];
  allowedOrigins: readonly string[];
  tls: { certFile: string; keyFile: string } | undefined;
  trustedProxyHops: number;
  maxConnections: number;
  log: Log;
  onRefused(reason: string, requestId: string): void;
}

/** A handler that sees the raw request first; returns false to leave it to the API. */
export type RawHandler = (request: IncomingMessage, response: ServerResponse, info: RawInfo) => boolean;

export interface RawInfo {
  requestId: string;
  address: string;
  /** Flat list of the headers that every response carries; a raw handler writes them first. */
  headers: readonly string[];
}

export interface Inbound {
  /** http(s)://host:port as bound. */
  readonly url: string;
  readonly isLoopback: boolean;
  /** Starts answering. Until then connections wait in the backlog. */
  serve(api: Api, raw: RawHandler): void;
  /** No new connections; open requests get `graceMilliseconds`, then are cut. */
  stop(graceMilliseconds: number): Promise<void>;
}

/** Flat, as node:http takes them fastest. */
const securityHeaders: readonly string[] = [
  ...["content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"],
  ...["x-content-type-options", "nosniff"],
  ...["x-frame-options", "DENY"],
  ...["referrer-policy", "no-referrer"],
  ...["cross-origin-opener-policy", "same-origin"],
  ...["cross-origin-resource-policy", "same-origin"],
  ...["permissions-policy", "accelerometer=(), camera=(), geolocation=(), microphone=(), payment=(), usb=()"],
];
const hsts = ["strict-transport-security", "max-age=31536000"];
const loopbackNames = ["localhost", "127.0.0.1", "[::1]"];

/** @throws Error when the address is not allowed: all interfaces and public addresses need the explicit acknowledgement. */
export async function openInbound(options: InboundOptions): Promise<Inbound> {
  const address = await bindAddress(options.host, options.allowAllInterfaces);
  const isLoopback = classifyAddress(address).class === "loopback";
  const server = createListener(options);
  let active = 0;
  let handle: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  const early: [IncomingMessage, ServerResponse][] = [];
  server.on("request", (request, response) => {
    active++;
    response.once("close", () => active--);
    if (handle) handle(request, response);
    else early.push([request, response]);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: address, port: options.port, backlog: 1024 }, () => resolve());
  });
  const { port } = server.address() as AddressInfo;
  const url = `${options.tls ? "https" : "http"}://${isIP(address) === 6 ? `[${address}]` : address}:${port}`;
  const admitted = createAdmission(options, url, port);

  return {
    url,
    isLoopback,
    serve(api, raw) {
      const listener = getRequestListener((request, env) => api.fetch(request, bindingsOf((env as { incoming: IncomingMessage }).incoming)), { overrideGlobalObjects: false });
      const infos = new WeakMap<IncomingMessage, Bindings>();
      const bindingsOf = (incoming: IncomingMessage) => infos.get(incoming) ?? { requestId: newId(), address: "" };
      const otherOrigins = new Set(options.allowedOrigins);
      const always = options.tls ? [...securityHeaders, ...hsts] : securityHeaders;
      handle = (request, response) => {
        const requestId = newId();
        const cors = corsOf(request, otherOrigins);
        const info: RawInfo = { requestId, address: clientAddress(request, options.trustedProxyHops), headers: [...always, "x-request-id", requestId, ...(cors?.headers ?? [])] };
        const refused = admitted(request);
        if (refused) return refuse(response, refused, info, options);
        if (cors?.preflight) return void response.writeHead(204, [...info.headers]).end();
        if (raw(request, response, info)) return;
        infos.set(request, info);
        for (let index = 0; index < info.headers.length; index += 2) response.setHeader(info.headers[index] ?? "", info.headers[index + 1] ?? "");
        void listener(request, response);
      };
      for (const [request, response] of early.splice(0)) handle(request, response);
    },
    async stop(graceMilliseconds) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const deadline = performance.now() + graceMilliseconds;
      while (active > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
      server.closeAllConnections();
      await closed;
    },
  };
}

function createListener({ tls, maxConnections }: InboundOptions): Server {
  const limits = { maxHeaderSize: 16_384, headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 30_000, connectionsCheckingInterval: 1000, insecureHTTPParser: false, requireHostHeader: true, keepAlive: true, keepAliveInitialDelay: 30_000, noDelay: true };
  const server = tls
    ? createHttpsServer({ ...limits, minVersion: "TLSv1.2", honorCipherOrder: true, cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) })
    : createHttpServer(limits);
  server.maxConnections = maxConnections;
  server.maxHeadersCount = 100;
  server.timeout = 0;
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    if (!socket.writable) return void socket.destroy();
    const status = error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? "408 Request Timeout" : "400 Bad Request";
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  });
  return server;
}

/** Resolves the host to one address and decides whether it may be listened on. */
async function bindAddress(host: string, allowAll: boolean): Promise<string> {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  const address = bare === "*" ? "::" : isIP(bare) ? bare : (await lookup(bare)).address;
  const { class: kind } = classifyAddress(address);
  if (!allowAll && (bare === "*" || kind === "unspecified")) throw new Error(`SALLYPORT_HOST=${host} would listen on every network interface. Name one address, or acknowledge it with SALLYPORT_ALLOW_ALL_INTERFACES=yes`);
  if (!allowAll && kind === "public") throw new Error(`SALLYPORT_HOST=${host} is a public address. Listen on loopback or a private address behind a reverse proxy, or acknowledge it with SALLYPORT_ALLOW_ALL_INTERFACES=yes`);
  return address;
}

/** Which requests are looked at: returns the problem of those that are not. */
function createAdmission(options: InboundOptions, url: string, port: number): (request: IncomingMessage) => Problem | undefined {
  const publicUrl = options.publicUrl ? new URL(options.publicUrl) : undefined;
  const hosts = new Set([new URL(url).host, ...loopbackNames.flatMap((name) => [name, `${name}:${port}`]), ...(publicUrl ? [publicUrl.host] : []), ...options.allowedHosts.map((host) => host.toLowerCase())]);
  const origins = new Set([...loopbackNames.flatMap((name) => [`http://${name}:${port}`, `https://${name}:${port}`]), url, ...(publicUrl ? [publicUrl.origin] : []), ...options.allowedOrigins]);
  return (request) => {
    const { headers, rawHeaders, url: target = "", method = "" } = request;
    if (!target.startsWith("/") || target.startsWith("//")) return problem("bad-request", { detail: "The request target must be a path" });
    if (method === "TRACE" || method === "TRACK" || method === "CONNECT") return problem("method-not-allowed", { headers: { allow: "GET, POST, PUT, PATCH, DELETE" } });
    let hostHeaders = 0;
    for (let index = 0; index < rawHeaders.length; index += 2) if (rawHeaders[index]?.length === 4 && rawHeaders[index]?.toLowerCase() === "host") hostHeaders++;
    if (hostHeaders !== 1) return problem("bad-request", { detail: "Exactly one Host header is needed" });
    if (!hosts.has(headers.host?.toLowerCase() ?? "")) return problem("misdirected-request");
    if (headers.origin !== undefined && !origins.has(headers.origin)) return problem("foreign-origin");
    const type = headers["content-type"];
    if (type !== undefined && /[/+]xml\b/i.test(type)) return problem("unsupported-media-type", { detail: "XML is not accepted" });
    return undefined;
  };
}

function refuse(response: ServerResponse, refused: Problem, info: RawInfo, { log, onRefused }: InboundOptions): void {
  const { requestId } = info;
  log.info("request", { requestId, status: refused.status, reason: refused.code });
  onRefused(refused.code, requestId);
  sendProblem(response, refused, info, true);
}

/** Writes a problem on a raw response. @param close also ends the connection: the rest of the request is not wanted. */
export function sendProblem(response: ServerResponse, refused: Problem, { requestId, headers }: RawInfo, close = false): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(refused.status, [...headers, "content-type", "application/problem+json", "cache-control", "no-store", ...Object.entries({ ...refused.extras.headers, ...(close ? { connection: "close" } : {}) }).flat()]);
  response.end(JSON.stringify(refused.body(requestId)));
}


/** The peer, or the entry of X-Forwarded-For that the nearest trusted proxies vouch for, counted from the right. */
function clientAddress(request: IncomingMessage, hops: number): string {
  const peer = request.socket.remoteAddress ?? "";
  if (hops === 0) return peer;
  const forwarded = String(request.headers["x-forwarded-for"] ?? "").split(",").map((entry) => entry.trim()).filter((entry) => isIP(entry) !== 0);
  return forwarded.at(-hops) ?? peer;
}

/**
 * What pages of other origins may read (Fetch, CORS protocol): metadata, tokens and MCP, for the origins that SALLYPORT_ALLOWED_ORIGINS names,
 * and never with cookies. The authorization endpoint and every page are for navigation only (RFC 9700 section 2.6).
 */
import type { IncomingMessage } from "node:http";

const readable = /^\/(?:\.well-known\/[\w./-]+|token|revoke|par|device_authorization|register|(?:(?:servers|bundles)\/[A-Za-z0-9_-]{1,100}\/)?mcp)$/;
const exposed = "dpop-nonce, mcp-protocol-version, mcp-session-id, retry-after, www-authenticate";
const sendable = /^(?:accept|authorization|content-type|dpop|last-event-id|mcp-[a-z0-9-]{1,60})$/;

export interface Cors {
  /** Flat list, for every answer to this request. */
  headers: readonly string[];
  /** A preflight is answered with these and nothing else. */
  preflight: boolean;
}

/** @returns undefined when the request is not of an allowed other origin, or is for what no other origin may read. */
export function corsOf({ method, url = "", headers }: IncomingMessage, allowedOrigins: ReadonlySet<string>): Cors | undefined {
  const { origin } = headers;
  if (origin === undefined || !allowedOrigins.has(origin) || !readable.test(url.split("?", 1)[0] ?? "")) return undefined;
  const base = ["access-control-allow-origin", origin, "vary", "origin"];
  const preflight = method === "OPTIONS" && headers["access-control-request-method"] !== undefined;
  if (!preflight) return { preflight, headers: [...base, "access-control-expose-headers", exposed] };
  const wanted = String(headers["access-control-request-headers"] ?? "").split(",").map((name) => name.trim().toLowerCase()).filter((name) => sendable.test(name));
  return { preflight, headers: [...base, "access-control-allow-methods", "GET, POST, DELETE", "access-control-allow-headers", wanted.join(", "), "access-control-max-age", "600"] };
}

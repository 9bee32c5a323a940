/**
 * Which headers cross the gateway. Everything not named here stays behind: the client's Authorization, cookies and addresses never
 * reach an upstream (no token passthrough), and an upstream's cookies, challenges and CORS answers never reach a client.
 */
import type { IncomingHttpHeaders } from "node:http";

const inward = ["accept", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name", "last-event-id", "traceparent", "tracestate"] as const;

/** Flat name/value list for the upstream request; the session id and the credentials are added by the caller. */
export function upstreamHeaders(received: IncomingHttpHeaders, credentials: readonly string[], sessionId: string | undefined): string[] {
  const headers: string[] = ["user-agent", "sallyport"];
  for (const name of inward) {
    const value = received[name];
    if (typeof value === "string") headers.push(name, value);
  }
  for (const name in received) {
    if (!name.startsWith("mcp-param-")) continue;
    const value = received[name];
    if (typeof value === "string") headers.push(name, value);
  }
  if (sessionId !== undefined) headers.push("mcp-session-id", sessionId);
  headers.push(...credentials);
  return headers;
}

const outward = ["content-type", "cache-control", "mcp-protocol-version", "retry-after", "allow"] as const;

/** Flat name/value list for the client's response, after the headers that every response of ours carries. */
export function clientHeaders(received: Record<string, string | string[] | undefined>, always: readonly string[]): string[] {
  const headers = [...always];
  for (const name of outward) {
    const value = received[name];
    if (typeof value === "string") headers.push(name, value);
    else if (name === "cache-control") headers.push(name, "no-store");
  }
  return headers;
}

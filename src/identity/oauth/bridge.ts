/**
 * Calls oidc-provider from a route of ours: what it sees is a request made here from parsed input, what it answers is taken apart here.
 * Nothing of the network reaches it but what a route passes on, and nothing of its answer gets out but the headers named below.
 */
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Provider } from "oidc-provider";

export interface ProviderRequest {
  method: "GET" | "POST";
  /** Path and query. */
  target: string;
  /** Sent on as they are, when present. */
  headers: Record<string, string | undefined>;
  body?: { type: "form" | "json"; text: string };
  /** By oidc-provider's own names. */
  cookies?: Record<string, string | undefined>;
}

export interface ProviderAnswer {
  status: number;
  headers: Record<string, string>;
  cookies: readonly string[];
  body: Record<string, unknown> | undefined;
}

const passed = ["location", "www-authenticate", "dpop-nonce", "retry-after"];
const types = { form: "application/x-www-form-urlencoded", json: "application/json" };

/** The cookies of an authorization under way. `__Secure-`, since each holds for one path only, which `__Host-` would not allow. */
export const cookiePrefix = "__Secure-sallyport-oauth-";

export async function callProvider(provider: Provider, { method, target, headers, body, cookies = {} }: ProviderRequest): Promise<ProviderAnswer> {
  const issuer = new URL(provider.issuer);
  const socket = new Socket();
  Object.defineProperty(socket, "encrypted", { value: issuer.protocol === "https:" });
  const request = new IncomingMessage(socket);
  const cookie = Object.entries(cookies).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  request.method = method;
  request.url = target;
  request.headers = {
    ...Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)),
    host: issuer.host,
    accept: "application/json",
    ...(cookie.length > 0 ? { cookie: cookie.join("; ") } : {}),
    ...(body ? { "content-type": types[body.type], "content-length": String(Buffer.byteLength(body.text)) } : {}),
  };
  if (body) request.push(body.text);
  request.push(null);
  const response = new ServerResponse(request);
  const text = await new Promise<string>((resolve) => {
    response.end = ((chunk?: unknown) => {
      resolve(typeof chunk === "string" || chunk instanceof Uint8Array ? Buffer.from(chunk as Uint8Array).toString() : "");
      response.emit("finish");
      return response;
    }) as typeof response.end;
    void provider.callback()(request, response);
  });
  socket.destroy();
  const kept = Object.fromEntries(passed.flatMap((name) => (response.hasHeader(name) ? [[name, String(response.getHeader(name))]] : [])));
  const set = response.getHeader("set-cookie");
  return {
    status: response.statusCode === 302 ? 303 : response.statusCode,
    headers: kept,
    cookies: (Array.isArray(set) ? set : set === undefined ? [] : [String(set)]).flatMap(ours),
    body: parsed(text),
  };
}

/** Its session is for one redirect and never leaves; the others get our prefix and `Secure`. */
function ours(cookie: string): string[] {
  return /^(?:interaction|resume)=/.test(cookie) ? [`${cookiePrefix}${cookie.replace(/; secure\b/i, "")}; secure`] : [];
}

function parsed(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith("{")) return undefined;
  return JSON.parse(text) as Record<string, unknown>;
}

/** @param header Cookie as received. @returns the value of the cookie of that name, if it stands there exactly once. */
export function cookieOf(header: string | null, name: string): string | undefined {
  const values = (header ?? "").split(/; */).flatMap((pair) => (pair.startsWith(`${name}=`) ? [pair.slice(name.length + 1)] : []));
  return values.length === 1 ? values[0] : undefined;
}

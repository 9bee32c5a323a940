/**
 * Calls oidc-provider from a route of ours: what it sees is a request made here from parsed input, what it answers is taken apart here.
 * Nothing of the network reaches it but what a route passes on, and nothing of its answer gets out but the headers named below.
 */
import type { Provider } from "oidc-provider";
import { parseUntrustedJson } from "../../kernel/json.ts";
import { callInProcess } from "../../net/in-process.ts";

export interface ProviderRequest {
  method: "GET" | "POST";
  /** Path and query. */
  target: string;
  /** Sent on as they are, when present. */
  headers?: Record<string, string | undefined>;
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

export async function callProvider(provider: Provider, { method, target, headers = {}, body, cookies = {} }: ProviderRequest): Promise<ProviderAnswer> {
  const issuer = new URL(provider.issuer);
  const cookie = Object.entries(cookies).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  const answer = await callInProcess(provider.callback(), {
    method,
    target,
    secure: issuer.protocol === "https:",
    headers: {
      ...Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined)),
      // Its own addresses follow from these: the public URL's, whatever the request said.
      host: issuer.host,
      accept: "application/json",
      ...(cookie.length > 0 ? { cookie: cookie.join("; ") } : {}),
      ...(body ? { "content-type": types[body.type] } : {}),
    },
    body: body?.text,
  });
  const set = answer.headers["set-cookie"];
  return {
    status: answer.status === 302 ? 303 : answer.status,
    headers: Object.fromEntries(passed.flatMap((name) => (answer.headers[name] === undefined ? [] : [[name, String(answer.headers[name])]]))),
    cookies: (Array.isArray(set) ? set : set === undefined ? [] : [String(set)]).flatMap(ours),
    body: answer.text.startsWith("{") ? (parseUntrustedJson(answer.text) as Record<string, unknown>) : undefined,
  };
}

/** Its session is for one redirect and never leaves; the others get our prefix and `Secure`. */
function ours(cookie: string): string[] {
  return /^(?:interaction|resume)=/.test(cookie) ? [`${cookiePrefix}${cookie.replace(/; secure\b/i, "")}; secure`] : [];
}

/** @param header Cookie as received. @returns the value of the cookie of that name, if it stands there exactly once. */
export function cookieOf(header: string | null, name: string): string | undefined {
  const values = (header ?? "").split(/; */).flatMap((pair) => (pair.startsWith(`${name}=`) ? [pair.slice(name.length + 1)] : []));
  return values.length === 1 ? values[0] : undefined;
}

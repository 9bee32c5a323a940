/**
 * The one gate for addresses we connect to (SSRF; OWASP A10:2021, API7:2023). URLs are judged after parsing, never as text; every address
 * a name resolves to must be acceptable; the caller then connects to exactly the address that was judged.
 */
import { lookup as dnsLookup } from "node:dns/promises";
import { isIP } from "node:net";
import { problem, type Problem } from "../kernel/problem.ts";
import { classifyAddress, type AllowList } from "./address.ts";

declare const checked: unique symbol;
/** An absolute http(s) URL without credentials, normalised by the WHATWG parser. */
export type UpstreamUrl = string & { readonly [checked]: true };

export interface Resolved {
  address: string;
  family: 4 | 6;
}

export interface Guard {
  /** Judges what can be judged without asking DNS. @throws Problem `upstream-refused`. */
  checkLiteral(url: string): UpstreamUrl;
  /** Resolves and judges. @returns the addresses to connect to. @throws Problem `upstream-refused`, or the resolver's error. */
  resolve(host: string, port: number, protocol: string): Promise<Resolved[]>;
}

export type Lookup = (host: string) => Promise<Resolved[]>;

export interface Blocked {
  host: string;
  rule: string;
}

export interface GuardOptions {
  allow: AllowList;
  lookup?: Lookup;
  onBlocked?: (blocked: Blocked) => void;
}

const systemLookup: Lookup = async (host) => (await dnsLookup(host, { all: true, verbatim: true })).map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));

/** @throws Problem `upstream-refused` (422) saying which rule of form was broken. */
export function parseUpstreamUrl(text: string): UpstreamUrl {
  const url = URL.parse(text);
  if (url === null || !/^https?:\/\/[^/]/i.test(text) || /[\s\\]/.test(text)) throw refused("The URL cannot be read: write it as https://host/path");
  if (url.protocol !== "https:" && url.protocol !== "http:") throw refused("Only http and https URLs are allowed");
  if (url.username !== "" || url.password !== "") throw refused("The URL must not carry credentials; store them as headers");
  if (url.hash !== "") throw refused("The URL must not carry a fragment");
  if (url.hostname === "" || url.hostname === ".") throw refused("The URL has no host");
  if (url.port === "0") throw refused("The port is not usable");
  return url.href as UpstreamUrl;
}

/** The URL's host as DNS and address checks want it: no brackets, no trailing dot, lower-case. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "").toLowerCase();
}

export function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
}

export function createGuard({ allow, lookup = systemLookup, onBlocked }: GuardOptions): Guard {
  const block = (host: string, rule: string, detail: string, cause?: unknown): Problem => {
    onBlocked?.({ host, rule });
    return refused(detail, cause);
  };
  const judge = (host: string, port: number, address: string): void => {
    const { class: kind, effective } = classifyAddress(address);
    const byName = isIP(host) === 0 && kind !== "metadata" && allow.allowsHost(host, port);
    if (kind === "public" || byName || allow.allowsAddress(address, port)) return;
    throw block(host, kind, isIP(host) ? `The address is not public (${kind}) and SALLYPORT_UPSTREAM_ALLOW does not name it` : "The host resolves to an address that is not public and SALLYPORT_UPSTREAM_ALLOW does not name it", effective);
  };
  /** Plain http is only for hosts that were allowed explicitly: everything public is reached over TLS. */
  const judgeProtocol = (host: string, port: number, protocol: string): void => {
    if (protocol === "https:" || allow.allowsHost(host, port) || (isIP(host) !== 0 && allow.allowsAddress(host, port))) return;
    if (isIP(host) !== 0 && classifyAddress(host).class !== "public") return;
    throw block(host, "plain-http", "Plain http is only allowed to hosts that SALLYPORT_UPSTREAM_ALLOW names: use https");
  };
  const localName = (host: string, port: number): void => {
    if (isIP(host) !== 0 || allow.allowsHost(host, port)) return;
    if (host === "localhost" || host.endsWith(".localhost") || host.endsWith(".local") || host.endsWith(".internal") || !host.includes(".")) throw block(host, "local-name", "The host is a local name and SALLYPORT_UPSTREAM_ALLOW does not name it");
  };
  return {
    checkLiteral(text) {
      const href = parseUpstreamUrl(text);
      const url = new URL(href);
      const host = hostOf(url);
      const port = portOf(url);
      localName(host, port);
      if (isIP(host) !== 0) judge(host, port, host);
      judgeProtocol(host, port, url.protocol);
      return href;
    },
    async resolve(host, port, protocol) {
      const bare = host.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "").toLowerCase();
      localName(bare, port);
      judgeProtocol(bare, port, protocol);
      const family = isIP(bare);
      const addresses: Resolved[] = family === 0 ? await lookup(bare) : [{ address: bare, family: family === 6 ? 6 : 4 }];
      if (addresses.length === 0) throw Object.assign(new Error("The host name has no address"), { code: "ENOTFOUND" });
      // One forbidden address condemns them all: a resolver that mixes them is rebinding.
      for (const { address } of addresses) judge(bare, port, address);
      return addresses;
    },
  };
}

function refused(detail: string, cause?: unknown): Problem {
  return problem("upstream-refused", { detail, errors: [{ field: "url", message: detail }], ...(cause === undefined ? {} : { cause }) });
}

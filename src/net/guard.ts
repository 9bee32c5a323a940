/**
 * The one gate for addresses we connect to (SSRF; OWASP A10:2021, API7:2023). URLs are judged after parsing, never as text; every address
 * a name resolves to must be acceptable; the caller then connects to exactly the address that was judged.
 */
import { isIP } from "node:net";
import { Problem, problem } from "../kernel/problem.ts";
import { classifyAddress, type AddressClass, type AllowList } from "./address.ts";
import { systemLookup, type Lookup, type Resolved } from "./outbound-lookup.ts";

export type { Lookup, Resolved } from "./outbound-lookup.ts";

declare const checked: unique symbol;
/** An absolute http(s) URL without credentials, normalised by the WHATWG parser. */
export type UpstreamUrl = string & { readonly [checked]: true };

/** Why an address is refused: the class of the address, or the rule of form that was broken. */
export type Rule = Exclude<AddressClass, "public"> | "plain-http" | "local-name" | "form";

export interface Blocked {
  /** As written, after parsing; empty when there is none. Never what it resolved to. */
  host: string;
  rule: Rule;
}

export interface Guard {
  /** Judges a URL by all that it resolves to now. @throws Problem `upstream-refused`, or `upstream-failed` when the name does not resolve. */
  check(url: string): Promise<UpstreamUrl>;
  /** Judges what can be judged without asking DNS: for a server that may be registered before it answers. @throws Problem `upstream-refused`. */
  checkLiteral(url: string): UpstreamUrl;
  /** Resolves and judges, for whoever connects. @returns all addresses, each good to connect to. @throws Problem `upstream-refused`, or the resolver's error. */
  resolve(host: string, port: number, protocol: string): Promise<Resolved[]>;
}

export interface GuardOptions {
  allow: AllowList;
  lookup?: Lookup;
  onBlocked?: (blocked: Blocked) => void;
}

/** Judges the form alone. @throws Problem `upstream-refused` (422) saying which rule of form was broken. */
export function parseUpstreamUrl(text: string): UpstreamUrl {
  const url = URL.parse(text);
  // The parser forgives what other parsers read differently: backslashes, missing slashes, inner white space.
  if (url === null || !/^https?:\/\/[^/]/i.test(text) || /[\s\\\p{Cc}]/u.test(text)) throw refused("The URL cannot be read: write it as https://host/path");
  if (url.username !== "" || url.password !== "" || /^https?:\/\/[^/?#]*@/i.test(text)) throw refused("The URL must not carry credentials; store them as headers");
  if (url.hash !== "") throw refused("The URL must not carry a fragment");
  if (hostOf(url) === "") throw refused("The URL has no host");
  if (url.port === "0") throw refused("The port is not usable");
  return url.href as UpstreamUrl;
}

/** The URL's host as DNS and address checks want it: no brackets, no trailing dot, lower-case. */
export function hostOf(url: URL): string {
  return bareHost(url.hostname);
}

function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "").toLowerCase();
}

export function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
}

/** Names that mean something else in every network (RFC 6761, RFC 6762, RFC 8375, and the private-use name .internal). */
const localSuffix = /(?:^|\.)(?:localhost|localdomain|local|internal|intranet|private|corp|home|lan|home\.arpa)$/;

export function createGuard({ allow, lookup = systemLookup(), onBlocked }: GuardOptions): Guard {
  const block = (host: string, rule: Rule, detail: string, cause?: unknown): Problem => {
    onBlocked?.({ host, rule });
    return refused(detail, cause);
  };
  const parse = (text: string): UpstreamUrl => {
    try {
      return parseUpstreamUrl(text);
    } catch (error) {
      onBlocked?.({ host: URL.parse(text)?.hostname ?? "", rule: "form" });
      throw error;
    }
  };
  /** A metadata service is reached neither by a name that was allowed nor by a network, only by its own address. */
  const judgeAddress = (host: string, port: number, address: string): void => {
    const { class: kind, effective } = classifyAddress(address);
    const literal = isIP(host) !== 0;
    if (kind === "public" || allow.allowsAddress(address, port) || (!literal && kind !== "metadata" && allow.allowsHost(host, port))) return;
    throw block(host, kind, literal ? `The address is not public (${kind}) and SALLYPORT_UPSTREAM_ALLOW does not name it` : "The host resolves to an address that is not public and SALLYPORT_UPSTREAM_ALLOW does not name it", effective);
  };
  const judgeLiteral = (host: string, port: number, protocol: string): void => {
    const literal = isIP(host) !== 0;
    if (literal) judgeAddress(host, port, host);
    const named = literal ? allow.allowsAddress(host, port) : allow.allowsHost(host, port);
    if (named) return;
    if (!literal && (localSuffix.test(host) || !host.includes("."))) throw block(host, "local-name", "The host is a local name and SALLYPORT_UPSTREAM_ALLOW does not name it");
    // Everything public is reached over TLS.
    if (protocol !== "https:") throw block(host, "plain-http", "Plain http is only allowed to hosts that SALLYPORT_UPSTREAM_ALLOW names: use https");
  };
  const resolve = async (written: string, port: number, protocol: string): Promise<Resolved[]> => {
    const host = bareHost(written);
    judgeLiteral(host, port, protocol);
    const family = isIP(host);
    if (family !== 0) return [{ address: host, family: family === 6 ? 6 : 4 }];
    const addresses = await lookup(host);
    if (addresses.length === 0) throw Object.assign(new Error("The host name has no address"), { code: "ENOTFOUND" });
    // One forbidden address condemns them all: a resolver that mixes them is rebinding.
    for (const { address } of addresses) judgeAddress(host, port, address);
    return addresses;
  };
  return {
    resolve,
    checkLiteral(text) {
      const href = parse(text);
      const url = new URL(href);
      judgeLiteral(hostOf(url), portOf(url), url.protocol);
      return href;
    },
    async check(text) {
      const href = parse(text);
      const url = new URL(href);
      try {
        await resolve(url.hostname, portOf(url), url.protocol);
      } catch (error) {
        if (error instanceof Problem) throw error;
        throw problem("upstream-failed", { detail: "The host name does not resolve", cause: error });
      }
      return href;
    },
  };
}

function refused(detail: string, cause?: unknown): Problem {
  return problem("upstream-refused", { detail, errors: [{ field: "url", message: detail }], ...(cause === undefined ? {} : { cause }) });
}

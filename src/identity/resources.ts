/**
 * What a token can be for (RFC 8707): the management API, or exactly one endpoint of the gateway. Each has its protected-resource
 * metadata (RFC 9728), which is the same for servers that exist and for those that do not: it tells nobody what is registered.
 */
import type { ChallengeHints } from "../kernel/challenge.ts";
import { allScopes, type Scope } from "../kernel/scopes.ts";

export interface Resource {
  kind: "api" | "aggregate" | "server" | "bundle";
  /** The audience of its tokens, letter for letter. */
  uri: string;
  /** Scopes that mean something there. */
  scopes: readonly Scope[];
  metadataUrl: string;
}

export interface Resources {
  /** The management API. */
  readonly api: Resource;
  /** @param path of an endpoint: "/mcp", "/servers/{name}/mcp" or "/bundles/{name}/mcp", names in lower case. */
  at(path: string): Resource | undefined;
  /** @returns undefined for whatever is not written exactly as one of ours. */
  parse(uri: string): Resource | undefined;
}

const endpoint = /^\/(?:mcp|(servers|bundles)\/[a-z0-9_-]{1,100}\/mcp)$/;
const wellKnown = "/.well-known/oauth-protected-resource";

export function createResources(publicUrl: string): Resources {
  const api: Resource = { kind: "api", uri: publicUrl, scopes: allScopes, metadataUrl: `${publicUrl}${wellKnown}` };
  const at = (path: string): Resource | undefined => {
    const match = endpoint.exec(path);
    if (!match) return undefined;
    const kind = match[1] === undefined ? "aggregate" : match[1] === "servers" ? "server" : "bundle";
    return { kind, uri: `${publicUrl}${path}`, scopes: ["tools:call"], metadataUrl: `${publicUrl}${wellKnown}${path}` };
  };
  return {
    api,
    at,
    parse: (uri) => (uri === publicUrl ? api : uri.startsWith(`${publicUrl}/`) ? at(uri.slice(publicUrl.length)) : undefined),
  };
}

/** What the resource's refusals say (RFC 9728 section 5.1): scopes are the least that a call needs. */
export function challengeHints({ metadataUrl, scopes }: Resource): ChallengeHints {
  return { resourceMetadata: metadataUrl, scope: scopes };
}

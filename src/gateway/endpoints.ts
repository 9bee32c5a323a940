/** The addresses of the second door: `/servers/{name}`, `/bundles/{name}` and everything at the root, each with its three ways in. */

export interface Endpoint {
  kind: "server" | "bundle" | "all";
  /** Lower case; empty for "all". */
  name: string;
  /** Streamable HTTP of both eras at `mcp`; HTTP+SSE of 2024-11-05 at `sse`, whose clients post to `messages`. */
  way: "mcp" | "sse" | "messages";
  /** Where it all belongs to: what tokens and handles are for. */
  path: string;
  /** For the log, without names. */
  route: string;
}

const address = /^(?:\/(servers|bundles)\/([A-Za-z0-9_-]{1,100}))?\/(mcp|sse|messages)$/;

/** @param url path and query as received. */
export function parseEndpoint(url: string): Endpoint | undefined {
  const query = url.indexOf("?");
  const match = address.exec(query === -1 ? url : url.slice(0, query));
  if (!match) return undefined;
  const [, collection, given = "", way] = match as unknown as [string, "servers" | "bundles" | undefined, string | undefined, Endpoint["way"]];
  const name = given.toLowerCase();
  if (collection === undefined) return { kind: "all", name: "", way, path: "/mcp", route: `/${way}` };
  return { kind: collection === "servers" ? "server" : "bundle", name, way, path: `/${collection}/${name}/mcp`, route: `/${collection}/{name}/${way}` };
}

/** Where clients of the `sse` way post to. */
export function messagesPath({ path }: Endpoint): string {
  return path.replace(/mcp$/, "messages");
}

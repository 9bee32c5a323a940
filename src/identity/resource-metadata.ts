/** OAuth 2.0 Protected Resource Metadata (RFC 9728) of the management API and of every endpoint of the gateway. */
import { z } from "zod";
import { problem } from "../kernel/problem.ts";
import { route, type Route, type RouteOutput } from "../net/route.ts";
import { dpopAlgorithms } from "./dpop.ts";
import type { Resource, Resources } from "./resources.ts";

const metadata = z.object({
  resource: z.string(),
  resource_name: z.string(),
  authorization_servers: z.array(z.string()),
  scopes_supported: z.array(z.string()),
  bearer_methods_supported: z.array(z.literal("header")),
  dpop_signing_alg_values_supported: z.array(z.string()),
});

const names: Record<Resource["kind"], string> = { api: "Sallyport management API", aggregate: "Sallyport gateway", server: "MCP server at the Sallyport gateway", bundle: "MCP bundle at the Sallyport gateway" };

export function resourceMetadataRoutes({ resources, issuer }: { resources: Resources; issuer: string }): Route[] {
  const describe = (resource: Resource | undefined): RouteOutput => {
    if (!resource) throw problem("not-found", { detail: "There is nothing at this address" });
    const { uri, kind, scopes } = resource;
    return {
      status: 200,
      body: { resource: uri, resource_name: names[kind], authorization_servers: [issuer], scopes_supported: scopes, bearer_methods_supported: ["header"], dpop_signing_alg_values_supported: dpopAlgorithms },
      headers: { "cache-control": "public, max-age=300" },
    };
  };
  const responses = { 200: { description: "Metadata", schema: metadata } };
  const base = { method: "get", tag: "Tokens", access: "anyone", responses } as const;
  const named = z.strictObject({ name: z.string().regex(/^[A-Za-z0-9_-]{1,100}$/) });
  return [
    route({ ...base, path: "/.well-known/oauth-protected-resource", operationId: "apiResourceMetadata", summary: "Protected-resource metadata of this API (RFC 9728)", handler: () => describe(resources.api) }),
    route({ ...base, path: "/.well-known/oauth-protected-resource/mcp", operationId: "gatewayResourceMetadata", summary: "Protected-resource metadata of the aggregated endpoint", handler: () => describe(resources.at("/mcp")) }),
    route({
      ...base,
      path: "/.well-known/oauth-protected-resource/servers/{name}/mcp",
      operationId: "serverResourceMetadata",
      summary: "Protected-resource metadata of one server at the gateway, whether it exists or not",
      params: named,
      handler: ({ params }) => describe(resources.at(`/servers/${params.name.toLowerCase()}/mcp`)),
    }),
    route({
      ...base,
      path: "/.well-known/oauth-protected-resource/bundles/{name}/mcp",
      operationId: "bundleResourceMetadata",
      summary: "Protected-resource metadata of one bundle at the gateway, whether it exists or not",
      params: named,
      handler: ({ params }) => describe(resources.at(`/bundles/${params.name.toLowerCase()}/mcp`)),
    }),
  ];
}

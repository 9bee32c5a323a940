/** Administration of pre-registered OAuth clients. */
import { z } from "zod";
import { scopes, type Scope } from "../../kernel/scopes.ts";
import { route, type Route } from "../../net/route.ts";
import { exchangeGrantType } from "../exchange.ts";
import type { Clients, OAuthClient } from "./clients.ts";
import { deviceGrantType, isSafeRedirect } from "./engine.ts";

const grantTypes = ["authorization_code", "refresh_token", "client_credentials", deviceGrantType, exchangeGrantType, "urn:ietf:params:oauth:grant-type:jwt-bearer"] as const;
const scopeList = z.array(z.enum(Object.keys(scopes) as [Scope, ...Scope[]])).max(20);
const id = z.strictObject({ clientId: z.string().min(1).max(100) });

const newClient = z
  .strictObject({
    name: z.string().min(1).max(100),
    authMethod: z.enum(["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]),
    grantTypes: z.array(z.enum(grantTypes)).min(1).max(grantTypes.length),
    redirectUris: z.array(z.string().max(2048).refine(isSafeRedirect, "must be https, http on loopback, or a private-use scheme with a dot; no fragment, no credentials")).max(20).default([]),
    jwks: z.strictObject({ keys: z.array(z.record(z.string(), z.unknown())).min(1).max(10) }).optional().describe("Public keys of private_key_jwt"),
    jwksUri: z.string().max(2048).regex(/^https:\/\//, "must be https").optional(),
    scopes: scopeList.default([]).describe("The most that its own tokens may hold"),
    actsAs: z.string().max(100).optional().describe("User name of the account that it acts as with client_credentials"),
    requireDpop: z.boolean().default(false),
  })
  .superRefine((client, context) => {
    const refuse = (field: string, message: string) => context.addIssue({ code: "custom", path: [field], message });
    if (client.grantTypes.includes("authorization_code") !== client.redirectUris.length > 0) refuse("redirectUris", "go with authorization_code, and only with that");
    if (client.authMethod === "private_key_jwt" ? (client.jwks === undefined) === (client.jwksUri === undefined) : client.jwks !== undefined || client.jwksUri !== undefined) refuse("jwks", "private_key_jwt needs either jwks or jwksUri; no other method takes them");
    if (client.grantTypes.includes("client_credentials") && (client.authMethod === "none" || client.actsAs === undefined)) refuse("actsAs", "client_credentials needs a client that authenticates, and the account that it acts as");
    if (client.grantTypes.includes(exchangeGrantType) && (client.authMethod === "none" || client.actsAs === undefined)) refuse("actsAs", "token exchange needs a client that authenticates, and the account that acts");
    if (client.jwks?.keys.some((key) => "d" in key || "k" in key || "p" in key)) refuse("jwks", "must hold public keys only");
  });

const clientSchema = z.object({
  clientId: z.string(),
  name: z.string(),
  authMethod: z.string(),
  grantTypes: z.array(z.string()),
  redirectUris: z.array(z.string()),
  scopes: z.array(z.string()),
  actsAs: z.string().nullable(),
  requireDpop: z.boolean(),
  createdAt: z.string(),
});

export function clientRoutes({ clients }: { clients: Clients }): Route[] {
  const base = { tag: "OAuth clients", access: { scopes: ["admin"] } } as const;
  const unknown = { 404: { description: "No such client" } };
  return [
    route({ ...base, method: "get", path: "/api/v1/clients", operationId: "listClients", summary: "List pre-registered OAuth clients", responses: { 200: { description: "All of them", schema: z.object({ items: z.array(clientSchema) }) } }, handler: async () => ({ status: 200, body: { items: (await clients.list()).map(present) } }) }),
    route({
      ...base,
      method: "post",
      path: "/api/v1/clients",
      operationId: "createClient",
      stepUp: true,
      summary: "Register an OAuth client; a secret is shown this once",
      body: { type: "json", schema: newClient },
      responses: { 201: { description: "Registered", schema: clientSchema.extend({ clientSecret: z.string().optional() }) } },
      async handler({ body, principal, request }) {
        const { client, secret } = await clients.create(body, { actorId: principal.userId, requestId: request.id });
        return { status: 201, body: { ...present(client), ...(secret === undefined ? {} : { clientSecret: secret }) }, headers: { location: `/api/v1/clients/${client.clientId}` } };
      },
    }),
    route({ ...base, method: "get", path: "/api/v1/clients/{clientId}", operationId: "getClient", summary: "Read an OAuth client", params: id, responses: { 200: { description: "The client", schema: clientSchema }, ...unknown }, handler: async ({ params }) => ({ status: 200, body: present(await clients.get(params.clientId)) }) }),
    route({
      ...base,
      method: "post",
      path: "/api/v1/clients/{clientId}/secret",
      operationId: "renewClientSecret",
      stepUp: true,
      summary: "Give a client a new secret; the old one ends at once",
      params: id,
      responses: { 200: { description: "Shown this once", schema: z.object({ clientSecret: z.string() }) }, ...unknown, 409: { description: "It has no secret" } },
      handler: async ({ params, principal, request }) => ({ status: 200, body: { clientSecret: await clients.renewSecret(params.clientId, { actorId: principal.userId, requestId: request.id }) } }),
    }),
    route({
      ...base,
      method: "delete",
      path: "/api/v1/clients/{clientId}",
      operationId: "removeClient",
      stepUp: true,
      summary: "Remove an OAuth client; its tokens end at once",
      params: id,
      responses: { 204: { description: "Removed" }, ...unknown },
      async handler({ params, principal, request }) {
        await clients.remove(params.clientId, { actorId: principal.userId, requestId: request.id });
        return { status: 204 };
      },
    }),
  ];
}

function present({ createdAt, actsAs, ...client }: OAuthClient) {
  return { ...client, actsAs: actsAs ?? null, createdAt: new Date(createdAt).toISOString() };
}

/** HTTP of the authorization server: metadata (RFC 8414), authorize, PAR, device, revocation, introspection, consent, and what a person has allowed. */
import { z } from "zod";
import { problem } from "../../kernel/problem.ts";
import { route, type ResponseSpec, type Route } from "../../net/route.ts";
import type { AllowedClients } from "./allowed.ts";
import type { Authorize } from "./authorize.ts";
import type { Device } from "./device.ts";
import type { Metadata } from "./metadata.ts";
import { routes as paths } from "./engine.ts";
import type { Form, TokenEndpoint } from "./token.ts";

export interface OAuthRoutes {
  metadata: Metadata;
  token: TokenEndpoint;
  authorize: Authorize;
  device: Device;
  allowed: AllowedClients;
  /** Dynamic registration (RFC 7591), where switched on. */
  register: ((metadata: unknown, request: Parameters<TokenEndpoint["issue"]>[1]) => ReturnType<TokenEndpoint["issue"]>) | undefined;
}

const tag = "OAuth";
const value = z.string().max(8192);
/** Parameters that nobody knows are ignored (RFC 6749 section 3.1). */
const parameters = z.object({ client_id: value.optional(), scope: value.optional(), resource: value.optional().describe("RFC 8707") }).catchall(value);
const uid = z.strictObject({ uid: z.string().regex(/^[A-Za-z0-9_-]{10,100}$/) });
const decision = z.strictObject({ token: z.string().max(200), decision: z.enum(["allow", "deny"]) });
const json = z.record(z.string(), z.unknown());
const failure: ResponseSpec = { description: "OAuth error (RFC 6749 section 5.2); a page for a browser", schema: json };
const page: ResponseSpec = { description: "A page", schema: z.string(), contentType: "text/html; charset=utf-8" };
const onward: ResponseSpec = { description: "Go on there" };
const failures = { 400: failure, 401: failure, 403: failure, 404: failure, 429: failure, 500: failure };

export function oauthRoutes({ metadata, token, authorize, device, allowed, register }: OAuthRoutes): Route[] {
  const described = { method: "get", tag, access: "anyone", responses: { 200: { description: "Metadata", schema: json } } } as const;
  return [
    route({ ...described, path: "/.well-known/oauth-authorization-server", operationId: "authorizationServerMetadata", summary: "Authorization server metadata (RFC 8414)", handler: () => metadata.describe() }),
    route({ ...described, path: "/.well-known/openid-configuration", operationId: "openidConfiguration", summary: "The same, as OpenID Connect Discovery has it", handler: () => metadata.describe() }),
    route({
      method: "get",
      path: paths.authorization,
      operationId: "authorize",
      summary: "Begin an authorization (OAuth 2.1, authorization code with PKCE)",
      tag,
      access: "anyone",
      query: parameters.extend({ response_type: value.optional(), redirect_uri: value.optional(), state: value.optional(), code_challenge: value.optional(), code_challenge_method: value.optional(), request_uri: value.optional() }),
      responses: { 303: onward, ...failures },
      handler: ({ query, request }) => authorize.begin(query as Form, request),
    }),
    route({ method: "get", path: `${paths.authorization}/{uid}`, operationId: "resumeAuthorization", summary: "Go on after consent", tag, access: "anyone", params: uid, responses: { 303: onward, ...failures }, handler: ({ params, request }) => authorize.resume(params.uid, request) }),
    route({ method: "get", path: "/interaction/{uid}", operationId: "consentPage", summary: "Ask the person for consent", tag, access: "anyone", params: uid, responses: { 200: page, 303: onward, 400: page }, handler: ({ params, request }) => authorize.show(params.uid, request) }),
    route({ method: "post", path: "/interaction/{uid}", operationId: "consent", summary: "The person's answer", tag, access: "anyone", params: uid, body: { type: "form", schema: decision }, responses: { 303: onward, 400: page }, handler: ({ params, body, request }) => authorize.decide(params.uid, body, request) }),
    posted(paths.pushed_authorization_request, "pushAuthorizationRequest", "Push an authorization request (RFC 9126)", { 201: { description: "Its reference", schema: json } }, (form, request) => token.pass(paths.pushed_authorization_request, form, request)),
    posted(paths.device_authorization, "authorizeDevice", "Begin the device flow (RFC 8628)", { 200: { description: "Codes", schema: json } }, (form, request) => token.pass(paths.device_authorization, form, request)),
    posted(paths.revocation, "revokeToken", "Revoke a token (RFC 7009)", { 200: { description: "Revoked, or unknown", schema: json } }, token.revoke),
    posted(paths.introspection, "introspectToken", "Ask about a token (RFC 7662)", { 200: { description: "What it is", schema: json } }, token.introspect),
    route({
      method: "post",
      path: paths.registration,
      operationId: "registerClient",
      summary: "Dynamic client registration (RFC 7591): deprecated by MCP, off unless switched on; use a client metadata document",
      tag,
      access: "anyone",
      body: { type: "json", schema: z.record(z.string().max(100), z.unknown()) },
      responses: { 201: { description: "Registered", schema: json }, ...failures },
      handler({ body, request }) {
        if (!register) throw problem("not-found", { detail: "Dynamic registration is off; use a client metadata document, or ask an administrator to register the client" });
        return register(body, request);
      },
    }),
    route({ method: "get", path: "/device", operationId: "devicePage", summary: "Enter or confirm a device's code", tag, access: "anyone", query: z.strictObject({ user_code: z.string().max(40).optional() }), responses: { 200: page, 303: onward, 422: page }, handler: ({ query, request }) => device.show(query.user_code, request) }),
    route({ method: "post", path: "/device", operationId: "device", summary: "The person's answer", tag, access: "anyone", body: { type: "form", schema: decision.extend({ user_code: z.string().max(40) }) }, responses: { 200: page, 303: onward, 422: page }, handler: ({ body, request }) => device.decide(body, request) }),
    route({ method: "get", path: "/account/clients", operationId: "allowedClientsPage", summary: "Programs that the person has allowed to act for them", tag, access: "anyone", responses: { 200: page, 303: onward }, handler: ({ request }) => allowed.show(request) }),
    route({ method: "post", path: "/account/clients", operationId: "endClientAccess", summary: "End a program's access", tag, access: "anyone", body: { type: "form", schema: z.strictObject({ token: z.string().max(200), grant: z.string().max(200) }) }, responses: { 303: onward }, handler: ({ body, request }) => allowed.end(body, request) }),
  ];
}

function posted(path: string, operationId: string, summary: string, success: Record<number, ResponseSpec>, handle: TokenEndpoint["issue"]): Route {
  return route({ method: "post", path, operationId, summary, tag, access: "anyone", body: { type: "form", schema: parameters }, responses: { ...success, ...failures }, handler: ({ body, request }) => handle(body as Form, request) });
}

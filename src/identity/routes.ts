/** HTTP of identity: the token endpoint, published keys, first set-up, and the administration of users. */
import { z } from "zod";
import type { Audit } from "../audit/index.ts";
import { Problem, problem } from "../kernel/problem.ts";
import { isScope, scopes, type Scope } from "../kernel/scopes.ts";
import { route, type RequestInfo, type Route, type RouteOutput } from "../net/route.ts";
import type { Snapshot, UserState } from "../snapshot/index.ts";
import { accessTokenType, exchangeGrantType, exchangeToken } from "./exchange.ts";
import { jwtBearerGrantType, type ExchangeWorkloadToken } from "./machines/workload.ts";
import type { Keys } from "./keys.ts";
import { html, page, pageHeaders } from "../net/html.ts";
import type { OAuth } from "./oauth/index.ts";
import { hasFactor, type Enrolled, type Factors } from "./mfa/factors.ts";
import { isEnoughAlone } from "./password-rules.ts";
import type { Resources } from "./resources.ts";
import type { Setup } from "./setup.ts";
import type { Factor, Sessions } from "./sessions.ts";
import type { SignIn } from "./sign-in.ts";
import { authenticationClaims, issuable } from "./step-up.ts";
import type { Tokens } from "./tokens.ts";
import type { Users } from "./users.ts";

export interface IdentityRoutes {
  tokens: Tokens;
  keys: Keys;
  users: Users;
  setup: Setup;
  signIn: SignIn;
  sessions: Sessions;
  factors: Factors;
  audit: Audit;
  snapshot: Pick<Snapshot, "users">;
  resources: Resources;
  /** The authorization server's grants. */
  oauth: Pick<OAuth, "issue">;
  exchangeWorkloadToken: ExchangeWorkloadToken;
  /** Whether the password grant answers here (SALLYPORT_PASSWORD_GRANT and the address listened on). */
  passwordGrant: boolean;
  now: () => number;
}

/** Told after the right password: clients ask for the code and come again. */
const oneTimeCodeNeeded = "A one-time code is needed";

const username = z.string().min(1).max(100).regex(/^[\p{L}\p{N}._@+-]+$/u, "must be letters, digits and . _ @ + -");
const password = z.string().min(1).max(1024);
const scopeList = z.array(z.enum(Object.keys(scopes) as [Scope, ...Scope[]])).max(20).transform((list) => [...new Set(list)]);
const userSchema = z.object({ id: z.string(), username: z.string(), kind: z.enum(["person", "service"]), scopes: z.array(z.string()).describe("The user's own"), effectiveScopes: z.array(z.string()).describe("With those of the user's groups"), groups: z.array(z.string()), disabled: z.boolean(), factors: z.object({ totp: z.boolean(), passkeys: z.number(), recoveryCodes: z.number() }).describe("Second factors"), createdAt: z.string() });
const named = z.strictObject({ username });

export function identityRoutes(deps: IdentityRoutes): Route[] {
  const { users } = deps;
  return [
    route({
      method: "post",
      path: "/token",
      operationId: "token",
      summary: "Get an access token: with user name and password (OAuth2 password flow), or by any grant of the authorization server; form-encoded",
      tag: "Tokens",
      access: "anyone",
      body: {
        type: "form",
        schema: z.object({
          grant_type: z.string().max(200).optional().describe("password, authorization_code, refresh_token, client_credentials, device_code, token-exchange or jwt-bearer"),
          username: z.string().max(200).optional(),
          password: z.string().max(4096).optional(),
          otp: z.string().max(64).optional().describe("Password: one-time code or recovery code, once the account has a second factor"),
          scope: z.string().max(1000).optional().describe("Space-separated scopes; all that the user holds when absent"),
          client_id: z.string().max(2048).optional(),
          resource: z.string().max(2048).optional().describe("Audience of the token (RFC 8707): an endpoint of the gateway, or this API when absent"),
          subject_token: z.string().max(8192).optional().describe("Exchange: a token of this API"),
          subject_token_type: z.string().max(200).optional().describe(`Exchange: ${accessTokenType}`),
          requested_token_type: z.string().max(200).optional(),
          actor_token: z.string().max(8192).optional(),
          assertion: z.string().max(8192).optional().describe(`${jwtBearerGrantType}: a workload's token of a trusted issuer`),
        }).catchall(z.string().max(16_384)),
      },
      responses: {
        200: { description: "The token", schema: tokenAnswer, headers: { "cache-control": "no-store" } },
        400: { description: "OAuth error (RFC 6749 section 5.2)", schema: oauthError },
        401: { description: "The client is not who it says", schema: oauthError },
        403: { description: "The client may not", schema: oauthError },
        500: { description: "Something failed on our side", schema: oauthError },
        429: { description: "Too many failed attempts", schema: oauthError },
      },
      handler({ body, request }) {
        if (body.grant_type === exchangeGrantType && !namesClient(body, request)) return exchangeGrant(deps, body, request);
        if (body.grant_type === jwtBearerGrantType && !namesClient(body, request)) return workloadGrant(deps, body, request);
        return serverGrants.has(body.grant_type ?? "") ? deps.oauth.issue(body, request) : passwordGrant(deps, body, request);
      },
    }),
    route({
      method: "get",
      path: "/.well-known/jwks.json",
      operationId: "jwks",
      summary: "Public keys that verify access tokens (RFC 7517)",
      tag: "Tokens",
      access: "anyone",
      responses: { 200: { description: "JWK Set", schema: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }) } },
      handler: () => ({ status: 200, body: deps.keys.jwks(), headers: { "cache-control": "public, max-age=300" } }),
    }),
    route({
      method: "get",
      path: "/setup",
      operationId: "setupPage",
      summary: "The page behind the setup link",
      tag: "Set-up",
      access: "anyone",
      query: z.strictObject({ token: z.string().max(100) }),
      responses: { 200: { description: "The form", schema: z.string(), contentType: "text/html; charset=utf-8" } },
      async handler({ query }) {
        if (!(await deps.setup.isOpen(query.token))) throw problem("not-found", { detail: "This setup link is unknown, used or expired" });
        return { status: 200, body: setupForm(query.token), headers: pageHeaders };
      },
    }),
    route({
      method: "post",
      path: "/setup",
      operationId: "setup",
      summary: "Create the first administrator, with the token of the setup link",
      tag: "Set-up",
      access: "anyone",
      body: { type: "form", schema: z.strictObject({ token: z.string().max(100), username, password }) },
      responses: {
        201: { description: "Created", schema: z.string(), contentType: "text/html; charset=utf-8" },
        422: { description: "The form again, saying what to mend", schema: z.string(), contentType: "text/html; charset=utf-8" },
      },
      async handler({ body, request }) {
        try {
          const id = await deps.setup.complete(body.token, body.username, body.password);
          return { status: 201, body: setupDone(), headers: pageHeaders, cookies: [await deps.sessions.start(id, ["password"], request)] };
        } catch (error) {
          if (error instanceof Problem && error.code === "invalid") return { status: 422, body: setupForm(body.token, error.message, body.username), headers: pageHeaders };
          throw error;
        }
      },
    }),
    route({
      method: "get",
      path: "/api/v1/users",
      operationId: "listUsers",
      summary: "List users",
      tag: "Users",
      access: { scopes: ["admin"] },
      responses: { 200: { description: "All users", schema: z.object({ items: z.array(userSchema) }) } },
      async handler() {
        const enrolled = await deps.factors.all();
        return { status: 200, body: { items: users.list().map((user) => present(user, enrolled.get(user.id))) } };
      },
    }),
    route({
      method: "post",
      path: "/api/v1/users",
      operationId: "createUser",
      summary: "Create a user",
      tag: "Users",
      access: { scopes: ["admin"] },
      body: { type: "json", schema: z.strictObject({ username, password, scopes: scopeList.default([]) }) },
      responses: { 201: { description: "Created", schema: userSchema }, 409: { description: "The name is taken" } },
      async handler({ body, principal, request }) {
        const user = await users.create(body, { actorId: principal.userId, requestId: request.id });
        return { status: 201, body: present(user), headers: { location: `/api/v1/users/${encodeURIComponent(user.username)}` } };
      },
    }),
    route({
      method: "get",
      path: "/api/v1/users/{username}",
      operationId: "getUser",
      summary: "Read a user",
      tag: "Users",
      access: { scopes: ["admin"] },
      params: named,
      responses: { 200: { description: "The user", schema: userSchema }, 404: { description: "No such user" } },
      async handler({ params }) {
        const user = users.find(params.username);
        return { status: 200, body: present(user, await deps.factors.of(user.id)) };
      },
    }),
    route({
      method: "patch",
      path: "/api/v1/users/{username}",
      operationId: "changeUser",
      summary: "Change a user's scopes or password, disable or enable; existing tokens end at once",
      tag: "Users",
      access: { scopes: ["admin"] },
      stepUp: true,
      params: named,
      body: { type: "json", schema: z.strictObject({ scopes: scopeList.optional(), disabled: z.boolean().optional(), password: password.optional() }) },
      responses: { 200: { description: "The user as changed", schema: userSchema }, 404: { description: "No such user" }, 409: { description: "It would leave no active administrator" } },
      async handler({ params, body, principal, request }) {
        const { scopes: wanted, disabled, password: secret } = body;
        const change = { ...(wanted ? { scopes: wanted } : {}), ...(disabled === undefined ? {} : { disabled }), ...(secret === undefined ? {} : { password: secret }) };
        if (Object.keys(change).length === 0) throw problem("invalid", { detail: "Nothing to change", errors: [{ field: "body", message: "Give scopes, disabled or password" }] });
        const user = await users.change(params.username, change, { actorId: principal.userId, requestId: request.id });
        return { status: 200, body: present(user, await deps.factors.of(user.id)) };
      },
    }),
    route({
      method: "delete",
      path: "/api/v1/users/{username}/factors",
      operationId: "resetFactors",
      summary: "Remove all second factors of a user who has lost them; existing tokens and sign-ins end at once",
      tag: "Users",
      access: { scopes: ["admin"] },
      stepUp: true,
      params: named,
      responses: { 204: { description: "Removed" }, 404: { description: "No such user" } },
      async handler({ params, principal, request }) {
        await deps.factors.reset(users.find(params.username).id, { actorId: principal.userId, requestId: request.id });
        return { status: 204 };
      },
    }),
  ];
}

const serverGrants = new Set(["authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:jwt-bearer", exchangeGrantType]);

/** An exchange by a client that says who it is, is the authorization server's to judge. */
function namesClient(form: Record<string, string | undefined>, { headers }: RequestInfo): boolean {
  return headers.has("authorization") || form["client_id"] !== undefined || form["client_assertion"] !== undefined;
}

const oauthError = z.object({ error: z.string(), error_description: z.string(), detail: z.string() });
const tokenAnswer = z.object({ access_token: z.string(), token_type: z.literal("Bearer"), expires_in: z.number(), scope: z.string(), issued_token_type: z.string().optional() });

interface PasswordForm {
  grant_type?: string | undefined;
  username?: string | undefined;
  password?: string | undefined;
  scope?: string | undefined;
  otp?: string | undefined;
  client_id?: string | undefined;
  resource?: string | undefined;
}

function refuse(status: number, error: string, description: string, headers: Record<string, string> = {}): RouteOutput {
  return { status, body: { error, error_description: description, detail: description }, headers };
}

async function exchangeGrant(deps: IdentityRoutes, form: Parameters<typeof exchangeToken>[1], request: RequestInfo): Promise<RouteOutput> {
  const exchanged = await exchangeToken(deps, form, request);
  if ("error" in exchanged) return refuse(400, exchanged.error, exchanged.description);
  const { token, expiresIn, scopes: held } = exchanged.issued;
  return { status: 200, body: { access_token: token, issued_token_type: accessTokenType, token_type: "Bearer", expires_in: expiresIn, scope: held.join(" ") }, headers: { pragma: "no-cache" } };
}

async function workloadGrant({ exchangeWorkloadToken }: IdentityRoutes, form: Parameters<ExchangeWorkloadToken>[0], request: RequestInfo): Promise<RouteOutput> {
  const exchanged = await exchangeWorkloadToken(form, request);
  if ("error" in exchanged) return refuse(400, exchanged.error, exchanged.description);
  const { token, expiresIn, scopes: held } = exchanged.issued;
  return { status: 200, body: { access_token: token, token_type: "Bearer", expires_in: expiresIn, scope: held.join(" ") }, headers: { pragma: "no-cache" } };
}

async function passwordGrant({ tokens, signIn, factors, audit, resources, now, passwordGrant: enabled }: IdentityRoutes, form: PasswordForm, request: RequestInfo): Promise<RouteOutput> {
  if (form.grant_type === undefined || form.grant_type === "") return refuse(400, "invalid_request", "grant_type is missing");
  if (form.grant_type !== "password") return refuse(400, "unsupported_grant_type", "This grant type is not supported");
  if (!enabled) return refuse(400, "unauthorized_client", "The password grant is switched off beyond loopback (SALLYPORT_PASSWORD_GRANT)");
  if (!form.username || !form.password) return refuse(400, "invalid_request", "username and password are needed");

  const throttled = (seconds: number) => refuse(429, "slow_down", "Too many failed attempts; try again later", { "retry-after": String(seconds) });
  const shown = await signIn.password(form.username, form.password, request);
  if (!("user" in shown)) return shown.refused === "throttled" ? throttled(shown.seconds) : refuse(400, "invalid_grant", "Incorrect username or password");
  const { user } = shown;
  const account = `${resources.api.uri}/account/factors`;
  let proved: readonly Factor[] = ["password"];
  if (hasFactor(await factors.of(user.id))) {
    if (!form.otp) return refuse(400, "invalid_grant", oneTimeCodeNeeded);
    const code = await signIn.code(user, form.otp, request);
    if ("refused" in code) return code.refused === "throttled" ? throttled(code.seconds) : refuse(400, "invalid_grant", "Incorrect one-time code");
    proved = ["password", code.factor];
  } else if (!isEnoughAlone(form.password)) return refuse(400, "invalid_grant", `This password is too short without a second factor: change it or add one at ${account}`);
  await signIn.succeeded(user);

  const asked = form.scope === undefined || form.scope.trim() === "" ? undefined : [...new Set(form.scope.trim().split(/ +/))];
  const wanted = asked ?? issuable(user.scopes, proved);
  const denied = (description: string) => {
    audit.record({ type: "authentication.password.failed", actorId: user.id, requestId: request.id, detail: { reason: "scope" } });
    return refuse(400, "invalid_scope", description);
  };
  if (!wanted.every((scope) => isScope(scope) && user.scopes.includes(scope))) return denied("A requested scope is unknown or not held by this user");
  if (issuable(wanted, proved).length < wanted.length) return denied(`admin needs a second factor: add one at ${account}`);
  if (form.resource !== undefined && !resources.parse(form.resource)) return refuse(400, "invalid_target", "The resource is not one of this server's");
  const issued = await tokens.issue(user, wanted, { ...(form.resource === undefined ? {} : { audience: form.resource }), authentication: authenticationClaims({ at: now(), factors: proved }) });
  audit.record({ type: "authentication.password.succeeded", actorId: user.id, requestId: request.id, detail: { scopes: wanted } });
  return { status: 200, body: { access_token: issued.token, token_type: "Bearer", expires_in: issued.expiresIn, scope: issued.scopes.join(" ") }, headers: { pragma: "no-cache" } };
}

const none: Enrolled = { totp: false, passkeys: 0, recoveryCodes: 0 };

function present(user: UserState, factors = none) {
  return { id: user.id, username: user.username, kind: user.kind, scopes: [...user.ownScopes], effectiveScopes: [...user.scopes], groups: [...user.groups], disabled: user.disabled, factors, createdAt: new Date(user.createdAt).toISOString() };
}

function setupForm(token: string, error?: string, name = ""): string {
  return page(
    "First administrator",
    html`<h1>Create the first administrator</h1>
<p>This link works once. The account may do everything here: register servers, create users, read the audit trail.</p>
${error ? html`<p role="alert" class="error">${error}</p>` : undefined}
<form method="post" action="/setup">
<input type="hidden" name="token" value="${token}">
<label for="username">User name</label>
<input id="username" name="username" autocomplete="username" required maxlength="100" value="${name}" autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="new-password" required minlength="15" maxlength="1024" aria-describedby="advice">
<p id="advice" class="hint">At least 15 characters; a few unrelated words do well.</p>
<button type="submit">Create administrator</button>
</form>`,
  );
}

function setupDone(): string {
  return page(
    "Ready",
    html`<h1>The administrator exists</h1>
<p>You are signed in here. An administrator needs a second factor: without one there are no tokens with <code>admin</code>, only for servers and calls.</p>
<p><a class="button" href="/account/factors">Add a second factor</a></p>
<p>Then, or first, in a terminal:</p>
<pre>npm run sallyport -- login
npm run sallyport -- servers add everything http://127.0.0.1:3001/mcp</pre>
<p>The API is described at <a href="/docs">/docs</a>.</p>`,
  );
}

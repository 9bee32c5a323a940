/**
 * The token, revocation and introspection endpoints. oidc-provider authenticates the client and judges the grant; what it then issues is an id,
 * in place of which the client gets an access token as RFC 9068 has it, whose `jti` that id is. Presented here again, the JWT is the id.
 */
import type { Audit } from "../../audit/index.ts";
import type { RequestInfo, RouteOutput } from "../../net/route.ts";
import type { Snapshot } from "../../snapshot/index.ts";
import type { Resources } from "../resources.ts";
import type { Storage } from "../../storage/index.ts";
import type { Revocations } from "../revocations.ts";
import { noClient, type Actor, type Tokens } from "../tokens.ts";
import { callProvider, type ProviderAnswer } from "./bridge.ts";
import type { Clients } from "./clients.ts";
import { routes, type Engine } from "./engine.ts";
import type { Records } from "./records.ts";

export interface TokenEndpoint {
  issue(form: Form, request: RequestInfo): Promise<RouteOutput>;
  /** RFC 7009. */
  revoke(form: Form, request: RequestInfo): Promise<RouteOutput>;
  /** RFC 7662. */
  introspect(form: Form, request: RequestInfo): Promise<RouteOutput>;
  /** A POST of oidc-provider's own that needs nothing of ours: PAR, device authorization. */
  pass(target: string, form: Form, request: RequestInfo): Promise<RouteOutput>;
}

export type Form = Record<string, string | undefined>;

export interface TokenEndpointOptions {
  engine: Engine;
  tokens: Tokens;
  records: Records;
  clients: Clients;
  resources: Resources;
  snapshot: Pick<Snapshot, "users">;
  storage: Storage;
  revocations: Revocations;
  audit: Audit;
}

export function createTokenEndpoint({ engine, tokens, records, clients, resources, snapshot, storage, revocations, audit }: TokenEndpointOptions): TokenEndpoint {
  const post = async (target: string, form: Form, { headers }: RequestInfo): Promise<ProviderAnswer> => {
    const fields = Object.entries(form).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return callProvider(await engine.get(), { method: "POST", target, headers: { authorization: headers.get("authorization") ?? undefined, dpop: headers.get("dpop") ?? undefined }, body: { type: "form", text: new URLSearchParams(fields).toString() } });
  };
  /** The id that an access token of ours stands for; any other token as it is. */
  const idOf = async (token: string): Promise<string> => ((token.match(/\./g) ?? []).length === 2 ? ((await tokens.identify(token))?.tokenId ?? token) : token);
  const withoutScope = (form: Form): Form => (form["scope"] === undefined || form["scope"].trim() === "" ? { ...form, scope: resources.parse(form["resource"] ?? resources.api.uri)?.scopes.join(" ") } : form);

  return {
    async issue(form, request) {
      // RFC 6749 section 3.3: without a scope, a client's own token holds all that the client may.
      const answer = await post(routes.token, form["grant_type"] === "client_credentials" ? withoutScope(form) : form, request);
      const { access_token: id } = answer.body ?? {};
      if (answer.status !== 200 || typeof id !== "string") {
        audit.record({ type: "oauth.token.refused", requestId: request.id, detail: { grant: form["grant_type"], client: form["client_id"], reason: String(answer.body?.["error"] ?? answer.status) } });
        return output(answer);
      }
      const token = await engine.findToken(id);
      const accountId = token && "accountId" in token ? token.accountId : undefined;
      const user = token && (accountId === undefined ? await clients.accountOf(token.clientId ?? "") : snapshot.users.get(accountId));
      const extra = (token?.extra ?? {}) as { act?: Actor; gid?: string; auth_time?: number; amr?: string[] };
      const held = (token?.scope ?? "").split(" ").filter((scope) => user?.scopes.includes(scope));
      // A program with an account of its own signs in by its credentials; everybody else needs a second factor for `admin`.
      const scopes = user?.kind === "service" || extra.amr?.includes("mfa") ? held : held.filter((scope) => scope !== "admin");
      if (!token || !user || user.disabled || (accountId === undefined && scopes.length === 0)) {
        await token?.destroy();
        return refusal("invalid_scope", "The client or its account holds none of the requested scopes");
      }
      if (scopes.length === 0 && held.length > 0) {
        await token.destroy();
        return refusal("invalid_scope", "admin needs a second factor: add one on your account page");
      }
      const grantId = extra.gid ?? ("grantId" in token && token.grantId !== undefined ? records.grantHash(token.grantId) : undefined);
      const issued = await tokens.issue(user, scopes, {
        audience: String(token.aud),
        clientId: token.clientId ?? "",
        tokenId: id,
        grantId,
        boundTo: token.jkt,
        notAfter: token.exp,
        act: extra.act,
        authentication: extra.auth_time === undefined ? undefined : { auth_time: extra.auth_time, amr: extra.amr ?? [] },
      });
      audit.record({ type: "oauth.token.issued", actorId: user.id, requestId: request.id, detail: { grant: form["grant_type"], client: token.clientId, resource: String(token.aud), scopes } });
      return output({ ...answer, body: { ...answer.body, access_token: issued.token, expires_in: issued.expiresIn, scope: [...scopes, ...String(answer.body?.["scope"] ?? "").split(" ").filter((scope) => scope === "openid")].join(" ") } });
    },
    async revoke(form, request) {
      const named = form["client_id"] !== undefined || form["client_assertion"] !== undefined || request.headers.has("authorization");
      const own = named || form["token"] === undefined ? undefined : await tokens.identify(form["token"]);
      if (own?.clientId === noClient) {
        // A person's own token, got without a client: who holds it may end it.
        await storage.write((transaction, announce) => revocations.revokeIn(transaction, announce, { tokenId: own.tokenId }));
        audit.record({ type: "oauth.token.revoked", requestId: request.id });
        return { status: 200, text: "{}", headers: { pragma: "no-cache" } };
      }
      const answer = await post(routes.revocation, { ...form, ...(form["token"] === undefined ? {} : { token: await idOf(form["token"]) }) }, request);
      if (answer.status === 200) audit.record({ type: "oauth.token.revoked", requestId: request.id, detail: { client: form["client_id"] } });
      return output(answer);
    },
    async introspect(form, request) {
      return output(await post(routes.introspection, { ...form, ...(form["token"] === undefined ? {} : { token: await idOf(form["token"]) }) }, request));
    },
    async pass(target, form, request) {
      return output(await post(target, form["request_uri"] === undefined ? withDefaultScope(resources, form) : form, request));
    },
  };
}

/** A client that names no scope asks for what a call to the place needs; at the management API, to look. */
export function withDefaultScope(resources: Resources, params: Form): Form {
  if (params["scope"] !== undefined && params["scope"].trim() !== "") return params;
  const resource = resources.parse(params["resource"] ?? resources.api.uri);
  return { ...params, scope: resource === undefined || resource.kind === "api" ? "servers:read" : resource.scopes.join(" ") };
}

/** Errors also say `detail`, as every answer of ours does. */
export function output({ status, headers, body, cookies }: ProviderAnswer): RouteOutput {
  const known = status === 500 ? { error: "server_error", error_description: "Something failed on our side" } : body;
  const all = typeof known?.["error"] === "string" ? { ...known, detail: String(known["error_description"] ?? known["error"]) } : (known ?? {});
  return { status, text: JSON.stringify(all), headers: { pragma: "no-cache", ...headers }, cookies };
}

export function refusal(error: string, description: string): RouteOutput {
  return { status: 400, text: JSON.stringify({ error, error_description: description, detail: description }), headers: { pragma: "no-cache" } };
}

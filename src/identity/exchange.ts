/**
 * Token exchange (RFC 8693) by the token's own holder: a token of the management API becomes one for an endpoint of the gateway, with no
 * more scopes and no longer life. Never the other way round, so what an endpoint's token opens stays at that endpoint.
 */
import type { Audit } from "../audit/index.ts";
import { Problem } from "../kernel/problem.ts";
import type { Principal } from "../kernel/principal.ts";
import type { RequestInfo } from "../net/route.ts";
import type { Snapshot } from "../snapshot/index.ts";
import type { Resources } from "./resources.ts";
import type { IssuedToken, Tokens } from "./tokens.ts";

export const exchangeGrantType = "urn:ietf:params:oauth:grant-type:token-exchange";
export const accessTokenType = "urn:ietf:params:oauth:token-type:access_token";

export interface Exchange {
  tokens: Tokens;
  resources: Resources;
  snapshot: Pick<Snapshot, "users">;
  audit: Audit;
}

export interface ExchangeForm {
  subject_token?: string | undefined;
  subject_token_type?: string | undefined;
  requested_token_type?: string | undefined;
  actor_token?: string | undefined;
  scope?: string | undefined;
  resource?: string | undefined;
}

export type Exchanged = { issued: IssuedToken } | { error: "invalid_request" | "invalid_scope" | "invalid_target"; description: string };

export async function exchangeToken({ tokens, resources, snapshot, audit }: Exchange, form: ExchangeForm, request: RequestInfo): Promise<Exchanged> {
  if (!form.subject_token || form.subject_token_type !== accessTokenType) return { error: "invalid_request", description: `subject_token is needed, with subject_token_type ${accessTokenType}` };
  if (form.requested_token_type !== undefined && form.requested_token_type !== accessTokenType) return { error: "invalid_request", description: `Only ${accessTokenType} is issued` };
  if (form.actor_token !== undefined) return { error: "invalid_request", description: "An actor needs an authenticated client" };
  let subject: Principal;
  try {
    subject = await tokens.verify(`Bearer ${form.subject_token}`, [resources.api.uri]);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    audit.record({ type: "authentication.token.refused", requestId: request.id, detail: { reason: String(error.cause) } });
    return { error: "invalid_request", description: "The subject token is not valid here" };
  }
  // A key is accepted as it is or not at all, and another issuer's token has no more life here than there: neither is turned into one of ours.
  if (subject.keyId !== undefined || subject.issuer !== undefined) return { error: "invalid_request", description: "Only a token of this server can be exchanged" };
  const resource = form.resource === undefined ? undefined : resources.parse(form.resource);
  if (!resource || resource.kind === "api") return { error: "invalid_target", description: "The resource is not an endpoint of this server's gateway" };
  const wanted = form.scope === undefined || form.scope.trim() === "" ? [...subject.scopes] : [...new Set(form.scope.trim().split(/ +/))];
  if (!wanted.every((scope) => subject.scopes.has(scope))) return { error: "invalid_scope", description: "The subject token does not hold a requested scope" };
  const user = snapshot.users.get(subject.userId);
  if (!user) return { error: "invalid_request", description: "The subject token is not valid here" };
  const issued = await tokens.issue(user, wanted, { audience: resource.uri, notAfter: subject.expiresAt, authentication: subject.authenticatedAt === undefined ? undefined : { auth_time: Math.floor(subject.authenticatedAt / 1000), amr: subject.factor ? ["mfa"] : [] } });
  audit.record({ type: "token.exchanged", actorId: user.id, requestId: request.id, detail: { resource: resource.uri, scopes: wanted } });
  return { issued };
}

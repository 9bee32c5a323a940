/**
 * Grant types beyond oidc-provider's: token exchange by an agent on a person's behalf (RFC 8693), and the identity assertion of an enterprise's
 * identity provider (ID-JAG, MCP Enterprise-Managed Authorization). The client has been authenticated before either is asked.
 */
import type { Audit } from "../../audit/index.ts";
import { Problem } from "../../kernel/problem.ts";
import type { Principal } from "../../kernel/principal.ts";
import type { Snapshot, UserState } from "../../snapshot/index.ts";
import { accessTokenType, exchangeGrantType } from "../exchange.ts";
import { jwtBearerGrantType } from "../machines/workload.ts";
import type { Resource, Resources } from "../resources.ts";
import { Refused, type Actor, type Tokens } from "../tokens.ts";
import type { Clients } from "./clients.ts";
import type { ExtraGrant, GrantContext } from "./engine.ts";
import type { Records } from "./records.ts";

/** What an identity provider says in an ID-JAG that was found genuine, for us and for this client. */
export interface IdentityAssertion {
  user: UserState;
  issuer: string;
  tokenId: string;
  /** Seconds since the epoch. */
  expiresAt: number;
  scopes: readonly string[];
  resource: string | undefined;
}

/** @throws Refused, or an error of jose. */
export type VerifyIdentityAssertion = (assertion: string, clientId: string) => Promise<IdentityAssertion>;

export interface GrantsOptions {
  tokens: Tokens;
  records: Records;
  clients: Clients;
  resources: Resources;
  snapshot: Pick<Snapshot, "users">;
  audit: Audit;
  verifyIdentityAssertion: VerifyIdentityAssertion | undefined;
  /** Tells the token endpoint what the saved token is to carry besides. */
  remember(token: object, further: { act?: Actor; gid?: string | undefined }): void;
  tokenLifetime: number;
  now: () => number;
}

/** Delegations of delegations; deeper, nobody could say any more who acts. */
const deepest = 4;

export function createGrants(options: GrantsOptions): ExtraGrant[] {
  const { tokens, records, clients, resources, snapshot, audit, verifyIdentityAssertion, remember, tokenLifetime, now } = options;

  const parse = async (params: GrantContext["oidc"]["params"], named?: string): Promise<Resource> => {
    const resource = resources.parse(params["resource"] ?? named ?? resources.api.uri);
    if (!resource) throw await failure("InvalidTarget", "The resource is not one of this server's");
    return resource;
  };
  const verified = async (token: string, what: string): Promise<Principal> => {
    try {
      return await tokens.verify(`Bearer ${token}`, [resources.api.uri]);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      throw await failure("InvalidRequest", `The ${what} is not valid here`);
    }
  };
  const save: Save = async (provider, context, { user, scopes, resource, notAfter, gty, act, gid }) => {
    const { client } = context.oidc;
    if (client.dpopBoundAccessTokens) throw await failure("InvalidRequest", "This grant issues no bound tokens, and this client takes no others");
    if (scopes.length === 0) throw await failure("InvalidScope", "None of the requested scopes can be granted");
    const token = new provider.AccessToken({ client, accountId: user.id, scope: scopes.join(" "), aud: resource.uri, gty, expiresIn: Math.max(1, Math.min(tokenLifetime, notAfter - Math.floor(now() / 1000))) } as never);
    remember(token, { ...(act ? { act } : {}), gid });
    const id = await token.save();
    context.body = { access_token: id, issued_token_type: accessTokenType, token_type: "Bearer", expires_in: tokenLifetime, scope: scopes.join(" ") };
  };

  const exchange: ExtraGrant = {
    name: exchangeGrantType,
    parameters: ["subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type", "resource", "scope"],
    async handle(provider, context) {
      const { client, params } = context.oidc;
      const { subject_token: subjectToken, actor_token: actorToken } = params;
      if (!subjectToken || params["subject_token_type"] !== accessTokenType) throw await failure("InvalidRequest", `subject_token is needed, with subject_token_type ${accessTokenType}`);
      if (params["requested_token_type"] !== undefined && params["requested_token_type"] !== accessTokenType) throw await failure("InvalidRequest", `Only ${accessTokenType} is issued`);
      if ((actorToken === undefined) !== (params["actor_token_type"] === undefined) || (actorToken !== undefined && params["actor_token_type"] !== accessTokenType)) throw await failure("InvalidRequest", `actor_token goes with actor_token_type ${accessTokenType}`);
      const subject = await verified(subjectToken, "subject token");
      if (subject.keyId !== undefined || subject.issuer !== undefined) throw await failure("InvalidRequest", "Only a token of this server can be exchanged");
      const resource = await parse(params);
      const account = await clients.accountOf(client.clientId);
      const user = snapshot.users.get(subject.userId);
      if (!user || !account || account.disabled) throw await failure("InvalidRequest", "The client acts as nobody");
      // Who acts is the client that asks. Another's token as the actor would let it act under a strange name.
      if (actorToken !== undefined && (await verified(actorToken, "actor token")).clientId !== client.clientId) throw await failure("InvalidRequest", "The actor token was issued to another client");
      const chain = subject.actor ?? [];
      if (chain.length >= deepest) throw await failure("InvalidRequest", "Too many have been acting for each other already");
      const act = [account.id, ...chain].reduceRight<Actor | undefined>((inner, sub) => ({ sub, ...(inner ? { act: inner } : {}) }), undefined);
      const own = await clients.ownScopes(client.clientId);
      const wanted = wantedOf(params["scope"], [...subject.scopes]);
      if (!wanted.every((scope) => subject.scopes.has(scope))) throw await failure("InvalidScope", "The subject token does not hold a requested scope");
      const scopes = wanted.filter((scope) => own.includes(scope) && user.scopes.includes(scope) && (resource.scopes as readonly string[]).includes(scope));
      await save(provider, context, { user, scopes, resource, notAfter: subject.expiresAt, gty: "token_exchange", act: act && { ...act, client_id: client.clientId }, gid: subject.grantId });
      audit.record({ type: "token.exchanged", actorId: user.id, detail: { resource: resource.uri, scopes, client: client.clientId } });
    },
  };

  const assertion: ExtraGrant = {
    name: jwtBearerGrantType,
    parameters: ["assertion", "resource", "scope"],
    async handle(provider, context) {
      const { client, params } = context.oidc;
      if (!params["assertion"]) throw await failure("InvalidRequest", "assertion is needed");
      let said: IdentityAssertion;
      try {
        if (!verifyIdentityAssertion) throw new Refused("no-provider");
        said = await verifyIdentityAssertion(params["assertion"], client.clientId);
      } catch (error) {
        audit.record({ type: "oauth.assertion.refused", detail: { client: client.clientId, reason: error instanceof Refused ? error.message : String((error as { code?: unknown }).code ?? "unreadable") } });
        throw await failure("InvalidGrant", "The assertion is not acceptable");
      }
      // The profile binds the token to the place that the identity provider named.
      if (said.resource !== undefined && params["resource"] !== undefined && params["resource"] !== said.resource) throw await failure("InvalidTarget", "The assertion is for another resource");
      const resource = await parse(params, said.resource);
      if (!(await records.remember("id-jag", `${said.issuer}\n${said.tokenId}`, (said.expiresAt + 60) * 1000))) {
        audit.record({ type: "oauth.assertion.refused", detail: { client: client.clientId, reason: "replayed" } });
        throw await failure("InvalidGrant", "The assertion was used before");
      }
      const wanted = wantedOf(params["scope"], said.scopes);
      const scopes = wanted.filter((scope) => said.scopes.includes(scope) && said.user.scopes.includes(scope) && (resource.scopes as readonly string[]).includes(scope));
      await save(provider, context, { user: said.user, scopes, resource, notAfter: Infinity, gty: "id_jag" });
    },
  };
  return [exchange, assertion];
}

type Save = (provider: Parameters<ExtraGrant["handle"]>[0], context: GrantContext, token: { user: UserState; scopes: readonly string[]; resource: Resource; notAfter: number; gty: string; act?: Actor | undefined; gid?: string | undefined }) => Promise<void>;

function wantedOf(scope: string | undefined, otherwise: readonly string[]): readonly string[] {
  return scope === undefined || scope.trim() === "" ? otherwise : [...new Set(scope.trim().split(/ +/))];
}

/** The error as oidc-provider answers it. The library is there already: it has called us. */
async function failure(kind: "InvalidRequest" | "InvalidTarget" | "InvalidScope" | "InvalidGrant", description: string): Promise<Error> {
  const { errors } = await import("oidc-provider");
  return kind === "InvalidScope" ? new errors.InvalidScope(description, "") : new errors[kind](description);
}

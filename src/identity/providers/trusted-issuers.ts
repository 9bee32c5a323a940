/**
 * Tokens that others have issued, accepted as they are: of configured issuers, for exactly the configured audiences, by signature. People's
 * tokens lead to their account as a sign-in does; a workload's (Kubernetes, CI) lead by rule to a service account (after RFC 7523).
 */
import { z } from "zod";
import { parseUntrustedJson } from "../../kernel/json.ts";
import type { Principal } from "../../kernel/principal.ts";
import { scopes, type Scope } from "../../kernel/scopes.ts";
import { matches } from "../../policy/index.ts";
import type { UserState } from "../../snapshot/index.ts";
import type { ServiceAccounts } from "../machines/service-accounts.ts";
import type { Resources } from "../resources.ts";
import { Refused, type Holder, type Verified, type Verifier } from "../tokens.ts";
import { claimOf, describePerson, peopleSettings, provesFactors, type Claims } from "./claims.ts";
import { algorithms, type IssuerKeys } from "./issuer-keys.ts";
import type { People } from "./people.ts";
import type { Entry, EntryStore } from "./store.ts";

const pattern = z.string().min(1).max(500);

export const trustedIssuerSettings = z.strictObject({
  audiences: z.array(z.string().min(1).max(2048)).min(1).max(20).describe("Audiences that its tokens must name, letter for letter: an endpoint here, or an identifier made for this installation"),
  opens: z.array(z.enum(["gateway", "api"])).min(1).default(["gateway"]).describe("What an audience that is no address of this server opens"),
  algorithms: z.array(z.enum(algorithms)).min(1).default(["RS256", "PS256", "ES256", "EdDSA"]),
  typ: z.string().min(1).max(50).nullable().default("at+jwt").describe("The header's typ (RFC 9068); null where the issuer sets none that tells access tokens apart"),
  jwksUri: z.string().max(2048).optional().describe("Where its keys are, if it publishes no metadata"),
  scopes: z.array(z.enum(Object.keys(scopes) as [Scope, ...Scope[]])).default(["tools:call"]).describe("The most that its tokens carry, of what the account holds"),
  longestLife: z.number().int().min(60).max(604_800).default(86_400).describe("Seconds between iat and exp"),
  people: z.strictObject(peopleSettings).optional().describe("Accept people's tokens; absent: only workloads"),
  workloads: z
    .array(z.strictObject({ account: z.string().min(1).max(100).describe("Service account"), subject: pattern.describe("* stands for any text"), claims: z.record(z.string().min(1).max(200), pattern).default({}) }))
    .max(100)
    .default([]),
});
export type TrustedIssuerSettings = z.output<typeof trustedIssuerSettings>;
export type TrustedIssuer = Entry<TrustedIssuerSettings>;

export interface TrustedIssuersOptions {
  entries: EntryStore<TrustedIssuerSettings>;
  keys: IssuerKeys;
  people: People;
  accounts: Pick<ServiceAccounts, "find">;
  resources: Resources;
  now: () => number;
}

export interface TrustedIssuers {
  /** For `createTokens`. */
  readonly verifier: Verifier;
  /**
   * A workload's token, checked for an exchange.
   * @param audience that it must name besides those configured: the token endpoint. @throws Refused, or an error of jose.
   */
  workload(assertion: string, audience: string): Promise<{ account: UserState; issuer: TrustedIssuer; claims: Claims }>;
}

const leeway = 5;

export function createTrustedIssuers({ entries, keys, people, accounts, resources, now }: TrustedIssuersOptions): TrustedIssuers {
  const trusted = (token: string): TrustedIssuer | undefined => {
    const claims = peek(token);
    return claims && entries.list().find((entry) => entry.enabled && entry.issuer === claims["iss"]);
  };
  const verify = async (token: string, issuer: TrustedIssuer, audiences: string[]): Promise<Claims> => {
    const { settings } = issuer;
    const payload = await keys.verify(
      token,
      issuer.issuer,
      { algorithms: [...settings.algorithms], audience: audiences, requiredClaims: ["iss", "aud", "exp", "iat", "sub"], clockTolerance: leeway, currentDate: new Date(now()), ...(settings.typ === null ? {} : { typ: settings.typ }) },
      settings.jwksUri,
    );
    if ((payload.exp ?? Infinity) - (payload.iat ?? 0) > settings.longestLife) throw new Refused("lifetime");
    // A token that is bound to a key (RFC 7800) is no bearer token: who shows it here does not show the key.
    if (payload["cnf"] !== undefined) throw new Refused("bound");
    return payload;
  };
  const workloadOf = (issuer: TrustedIssuer, claims: Claims): UserState | undefined => {
    const rule = issuer.settings.workloads.find(({ subject, claims: wanted }) => matches(subject, String(claims["sub"])) && Object.entries(wanted).every(([name, value]) => fits(claimOf(claims, name), value)));
    return rule && accounts.find(rule.account);
  };
  return {
    verifier: {
      recognises: (credential) => trusted(credential) !== undefined,
      async check(credential): Promise<Verified> {
        const issuer = trusted(credential);
        if (!issuer) throw new Refused("issuer");
        const { settings, id, revision } = issuer;
        const claims = await verify(credential, issuer, settings.audiences);
        const named = (Array.isArray(claims["aud"]) ? claims["aud"] : [claims["aud"]]).filter((audience): audience is string => typeof audience === "string" && settings.audiences.includes(audience));
        const workload = workloadOf(issuer, claims);
        const person = workload || !settings.people ? undefined : describePerson(issuer.issuer, claims, settings.people);
        const user = workload ?? (person && settings.people ? await people.resolve(person, settings.people, issuer.name, false, {}) : undefined);
        if (!user) throw new Refused("no-rule");
        const expiresAt = Number(claims["exp"]);
        const isForeign = named.some((audience) => resources.parse(audience) === undefined);
        // Administration needs several factors, whoever vouches for them; a program has none to show.
        const mfa = settings.people !== undefined && workload === undefined && provesFactors(claims, settings.people.mfa);
        const cap = new Set<string>(settings.scopes.filter((scope) => scope !== "admin" || mfa));
        return {
          userId: user.id,
          expiresAt,
          principal: (holder: Holder): Principal =>
            Object.freeze({
              userId: user.id,
              scopes: new Set(holder.scopes.filter((scope) => cap.has(scope))),
              audience: named,
              tokenId: typeof claims["jti"] === "string" ? claims["jti"].slice(0, 200) : "",
              expiresAt,
              kind: holder.kind ?? "person",
              groups: holder.groups ?? [],
              issuer: issuer.issuer,
            }),
          isCurrent: () => entries.list().some((entry) => entry.id === id && entry.revision === revision && entry.enabled),
          opens: (audience) => named.includes(audience) || (isForeign && settings.opens.includes(audience === resources.api.uri ? "api" : "gateway")),
        };
      },
    },
    async workload(assertion, audience) {
      const issuer = trusted(assertion);
      if (!issuer) throw new Refused("issuer");
      // RFC 7523 section 3: the audience is the authorization server; the configured ones are accepted as well, since some platforms know only one.
      const claims = await verify(assertion, issuer, [audience, ...issuer.settings.audiences]);
      const account = workloadOf(issuer, claims);
      if (!account) throw new Refused("no-rule");
      if (account.disabled) throw new Refused("disabled");
      return { account, issuer, claims };
    },
  };
}

function fits(value: unknown, wanted: string): boolean {
  if (Array.isArray(value)) return value.some((entry) => typeof entry === "string" && matches(wanted, entry));
  return (typeof value === "string" || typeof value === "number" || typeof value === "boolean") && matches(wanted, String(value));
}

/** The claims of what looks like a JWT, unverified: they only say whose keys are asked. Strict, so that no two parsers read it differently. */
function peek(token: string): Claims | undefined {
  const [header, payload, signature, ...rest] = token.split(".");
  if (!header || !payload || !signature || rest.length > 0) return undefined;
  try {
    parseUntrustedJson(Buffer.from(header, "base64url"));
    const claims = parseUntrustedJson(Buffer.from(payload, "base64url"));
    return typeof claims === "object" && claims !== null ? (claims as Claims) : undefined;
  } catch {
    return undefined;
  }
}

/** Audiences that say nothing: what issuers put in unasked, so that a token for anybody would be one for us. */
const defaultAudiences = new Set(["account", "api://default", "api://azureadtokenexchange", "https://graph.microsoft.com", "https://graph.microsoft.com/", "00000003-0000-0000-c000-000000000000", "https://management.azure.com", "https://management.azure.com/", "https://management.core.windows.net/", "https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local", "kubernetes.default.svc", "sts.amazonaws.com", "sigstore"]);

/**
 * @param clientIds of the identity providers here: an ID token names one as its audience and is no access token.
 * @returns why an audience must not be trusted, or undefined.
 */
export function weakAudience(audience: string, issuer: string, resources: Resources, clientIds: readonly string[]): string | undefined {
  if (defaultAudiences.has(audience.toLowerCase()) || /^https:\/\/github\.com\/[^/]+\/?$/i.test(audience)) return "is a default of identity providers, which tokens for anybody carry";
  if (audience === issuer || audience.startsWith(`${issuer.replace(/\/$/, "")}/`)) return "belongs to the issuer itself";
  if (clientIds.includes(audience)) return "is a client id: ID tokens carry it";
  const url = URL.parse(audience);
  if (url === null || !/^[a-z][a-z0-9+.-]*:\S+$/i.test(audience) || audience.includes("*")) return "must be a URI made for this installation: a bare word or a client id is shared with others";
  const own = new URL(resources.api.uri);
  if (url.origin === own.origin && resources.parse(audience) === undefined) return "is an address of this server, but not of one of its endpoints";
  return undefined;
}

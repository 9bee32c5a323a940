/**
 * Identity assertions for authorization (ID-JAG, draft-ietf-oauth-identity-assertion-authz-grant section 4.4.1; MCP Enterprise-Managed
 * Authorization): an identity provider that was switched on for it says that a client may act for a person here.
 */
import { z } from "zod";
import { parseUntrustedJson } from "../../kernel/json.ts";
import { Refused } from "../tokens.ts";
import type { VerifyIdentityAssertion } from "../oauth/grants.ts";
import { describePerson } from "./claims.ts";
import { algorithms, type IssuerKeys } from "./issuer-keys.ts";
import type { People } from "./people.ts";
import type { ProviderSettings } from "./sign-in.ts";
import type { EntryStore } from "./store.ts";

export interface IdJagOptions {
  entries: EntryStore<ProviderSettings>;
  keys: IssuerKeys;
  people: People;
  /** Our issuer: the audience. */
  publicUrl: string;
  now: () => number;
}

const claimsSchema = z.looseObject({
  iss: z.string(),
  sub: z.string().min(1),
  // Exactly us: one for several would be good at each of them.
  aud: z.string(),
  client_id: z.string().min(1),
  jti: z.string().min(1).max(500),
  exp: z.number(),
  iat: z.number(),
  scope: z.string().max(2000).optional(),
  resource: z.string().max(2048).optional(),
});
/** Seconds between `iat` and `exp`: such an assertion is made to be used at once. */
const longestLife = 600;
const leeway = 5;

export function createIdJag({ entries, keys, people, publicUrl, now }: IdJagOptions): VerifyIdentityAssertion {
  return async (assertion, clientId) => {
    const body = assertion.split(".")[1] ?? "";
    const issuer = z.looseObject({ iss: z.string() }).safeParse(tryParse(body)).data?.iss;
    const provider = entries.list().find((entry) => entry.enabled && entry.settings.idJag && entry.issuer === issuer);
    if (!provider) throw new Refused("issuer");
    const payload = await keys.verify(assertion, provider.issuer, { algorithms: [...algorithms], typ: "oauth-id-jag+jwt", audience: publicUrl, clockTolerance: leeway, currentDate: new Date(now()) });
    const claims = claimsSchema.safeParse(payload);
    if (!claims.success) throw new Refused("claims");
    const { client_id, jti, exp, iat, scope = "", resource } = claims.data;
    if (client_id !== clientId) throw new Refused("client");
    if (iat * 1000 > now() + leeway * 1000) throw new Refused("future");
    if (exp - iat > longestLife) throw new Refused("lifetime");
    if (payload["cnf"] !== undefined) throw new Refused("bound");
    const user = await people.resolve(describePerson(provider.issuer, payload, provider.settings), provider.settings, provider.name, false, {});
    return { user, issuer: provider.issuer, tokenId: jti, expiresAt: exp, scopes: scope.split(" ").filter(Boolean), resource };
  };
}

/** Unverified: it only says whose keys are asked. */
function tryParse(part: string): unknown {
  try {
    return parseUntrustedJson(Buffer.from(part, "base64url"));
  } catch {
    return undefined;
  }
}

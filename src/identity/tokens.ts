/**
 * Access tokens: JWTs as RFC 9068 has them (typ at+jwt, exact iss and aud, strict kid), and their verification, cached by token hash.
 * A warm verification is one SHA-256 and a map look-up; the user's state is compared every time, so revocation is immediate.
 * Other kinds of credential (API keys, tokens of trusted issuers) are further verifiers behind the same cache and the same checks.
 */
import { hash } from "node:crypto";
import { z } from "zod";
import { SignJWT, jwtVerify, errors } from "jose";
import { bearerChallenge, dpopChallenge, type ChallengeHints } from "../kernel/challenge.ts";
import { newId } from "../kernel/ids.ts";
import { problem, type Problem } from "../kernel/problem.ts";
import type { Principal } from "../kernel/principal.ts";
import type { UserState } from "../snapshot/index.ts";
import { createProofs, dpopAlgorithms, type ProvenRequest } from "./dpop.ts";
import type { Keys } from "./keys.ts";

export interface IssuedToken {
  token: string;
  /** Seconds. */
  expiresIn: number;
  scopes: readonly string[];
}

export interface IssueOptions {
  audience?: string;
  clientId?: string;
  /** Seconds since the epoch: the token ends then, if not sooner. */
  notAfter?: number | undefined;
  tokenId?: string;
  grantId?: string | undefined;
  /** JWK thumbprint (RFC 9449 section 6.1). */
  boundTo?: string | undefined;
  /** RFC 8693 section 4.1. */
  act?: Actor | undefined;
  /** How and when the user signed in (RFC 9068 section 2.2.1), seconds since the epoch. */
  authentication?: { auth_time: number; amr: readonly string[] } | undefined;
}

/** The `act` claim: who acts, and for whom that one acts in turn. */
export interface Actor {
  sub: string;
  client_id?: string;
  act?: Actor;
}

export interface Tokens {
  issue(user: { id: string; epoch: number }, scopes: readonly string[], options?: IssueOptions): Promise<IssuedToken>;
  /**
   * @param authorization the Authorization header as received.
   * @param audiences of which the token must carry one, letter for letter (RFC 9068 section 4, RFC 8707): who asks names itself.
   * @param hints what the challenge of a refusal says besides.
   * @param request which a token that is bound to a key must be proven for (RFC 9449); without it, such a token is refused.
   * @throws Problem 401 "Could not validate credentials" with the RFC 6750 challenge; its cause says why, for the audit trail.
   */
  verify(authorization: string | undefined, audiences: readonly string[], hints?: ChallengeHints, request?: ProvenRequest): Promise<Principal>;
  /** What token of ours it is, whoever it is for and whether or not it still holds; undefined when it is none. Nothing may be allowed on it. */
  identify(token: string): Promise<{ tokenId: string; clientId: string } | undefined>;
  /** How often a signature was checked: a warm call must not raise it. */
  readonly signatureChecks: number;
}

/** What of a user matters for credentials. */
export type Holder = Pick<UserState, "disabled" | "epoch" | "scopes"> & Partial<Pick<UserState, "groups" | "kind">>;

/** A credential that was found genuine. */
export interface Verified {
  userId: string;
  /** Seconds since the epoch. */
  expiresAt: number;
  /** Whom it stands for, made anew whenever the user's state changes; undefined: it no longer stands for anybody. */
  principal(user: Holder): Principal | undefined;
  /** Asked at every use: whether it still holds apart from time and user. No database, no cryptography. */
  isCurrent?(): boolean;
  /** For which audiences; those of its principal when absent. */
  opens?(audience: string): boolean;
  /** Told of every use. */
  used?(): void;
}

/** A further kind of credential behind `verify`. */
export interface Verifier {
  /** By form alone. The first verifier that recognises a credential judges it; what none recognises is taken for a token of ours. */
  recognises(credential: string): boolean;
  /** @throws for what is not genuine; an Error's message names the reason for the audit trail. */
  check(credential: string): Promise<Verified>;
}

export interface TokensOptions {
  keys: Keys;
  snapshot: { readonly users: { get(id: string): Holder | undefined } };
  issuer: string;
  /** Seconds. */
  lifetime: number;
  now: () => number;
  verifiers?: readonly Verifier[];
  cacheSize?: number;
  isRevoked?: (principal: Principal) => boolean;
}

const deepestActor = 8;
const actor: z.ZodType<Actor> = z.lazy(() => z.object({ sub: z.string(), client_id: z.string().optional(), act: actor.optional() })) as z.ZodType<Actor>;
const accessTokenClaims = z.object({
  sub: z.string(),
  aud: z.union([z.string(), z.array(z.string()).min(1)]),
  exp: z.number(),
  jti: z.string(),
  scope: z.string(),
  epoch: z.number(),
  client_id: z.string(),
  gid: z.string().optional(),
  // What the token is bound to must be understood, or the binding would be passed over.
  cnf: z.strictObject({ jkt: z.string() }).optional(),
  act: actor.optional(),
  auth_time: z.number().optional(),
  amr: z.array(z.string()).optional(),
});

/** The chain of those who act, the nearest first. */
function actorsOf(act: Actor): readonly string[] {
  const chain: string[] = [];
  for (let one: Actor | undefined = act; one !== undefined && chain.length < deepestActor; one = one.act) chain.push(one.sub);
  return chain;
}

interface Cached {
  verified: Verified;
  /** The state of the user that `principal` was made of. */
  user: Holder;
  principal: Principal;
}

/** The client of tokens that a person got without one, by password or exchange. */
export const noClient = "sallyport";
const longestToken = 8192;
const leeway = 5;

/** Why a credential is refused, for the audit trail. */
export class Refused extends Error {}

export function createTokens({ keys, snapshot, issuer, lifetime, now, verifiers = [], cacheSize = 10_000, isRevoked = () => false }: TokensOptions): Tokens {
  const cache = new Map<string, Cached>();
  const proofs = createProofs({ now });
  let signatureChecks = 0;

  /** The one place that decides whether a genuine credential is good now. */
  const standing = (verified: Verified, known?: Cached): Cached | undefined => {
    const user = snapshot.users.get(verified.userId);
    if (user === undefined || user.disabled || verified.expiresAt * 1000 <= now() || verified.isCurrent?.() === false) return undefined;
    if (known !== undefined && known.user === user) return known;
    const principal = verified.principal(user);
    return principal && { verified, user, principal };
  };

  const checkOwn = async (token: string): Promise<Verified & { tokenId: string; clientId: string }> => {
    signatureChecks++;
    const { payload } = await jwtVerify(
      token,
      (header) => {
        const known = typeof header.kid === "string" ? keys.verification(header.kid) : undefined;
        if (!known || known.algorithm !== header.alg) throw new errors.JWKSNoMatchingKey();
        return known.key;
      },
      { algorithms: ["EdDSA", "ES256"], typ: "at+jwt", issuer, requiredClaims: ["iss", "aud", "sub", "exp", "iat", "nbf", "jti", "scope", "epoch"], clockTolerance: leeway, currentDate: new Date(now()) },
    );
    const claims = accessTokenClaims.safeParse(payload);
    if (!claims.success) throw new errors.JWTInvalid("claims");
    const { sub, aud, exp, jti, scope, epoch, client_id, gid, cnf, act, auth_time, amr } = claims.data;
    const base: Principal = {
      userId: sub,
      scopes: new Set(scope.split(" ").filter(Boolean)),
      audience: typeof aud === "string" ? [aud] : aud,
      tokenId: jti,
      expiresAt: exp,
      clientId: client_id,
      ...(gid === undefined ? {} : { grantId: gid }),
      ...(cnf === undefined ? {} : { boundTo: cnf.jkt }),
      ...(act === undefined ? {} : { actor: actorsOf(act) }),
      ...(auth_time === undefined ? {} : { authenticatedAt: auth_time * 1000 }),
      ...(amr === undefined ? {} : { factor: amr.includes("mfa") }),
    };
    return { userId: sub, tokenId: jti, clientId: client_id, expiresAt: exp, isCurrent: () => !isRevoked(base), principal: (user) => (user.epoch === epoch ? Object.freeze({ ...base, kind: user.kind ?? "person", groups: user.groups ?? [] }) : undefined) };
  };

  return {
    async issue(user, scopes, { audience = issuer, clientId = noClient, notAfter = Infinity, tokenId = newId(), grantId, boundTo, act, authentication } = {}) {
      const { kid, algorithm, privateKey } = await keys.signing();
      const seconds = Math.floor(now() / 1000);
      const expiresAt = Math.min(seconds + lifetime, notAfter);
      const token = await new SignJWT({ scope: scopes.join(" "), scopes, client_id: clientId, epoch: user.epoch, ...(grantId ? { gid: grantId } : {}), ...(boundTo ? { cnf: { jkt: boundTo } } : {}), ...(act ? { act } : {}), ...authentication })
        .setProtectedHeader({ alg: algorithm, kid, typ: "at+jwt" })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(user.id)
        .setIssuedAt(seconds)
        .setNotBefore(seconds)
        .setExpirationTime(expiresAt)
        .setJti(tokenId)
        .sign(privateKey);
      return { token, expiresIn: expiresAt - seconds, scopes };
    },
    async verify(authorization, audiences, hints, request) {
      const unauthorized = (reason?: string) => refusal(reason, hints);
      const isDpop = /^DPoP /i.test(authorization ?? "");
      /** A token for somebody else is no token here, whoever issued it. */
      const admitted = async ({ verified, principal }: Cached, token: string): Promise<Principal> => {
        const opens = verified.opens ?? ((audience: string) => principal.audience.includes(audience));
        if (!audiences.some(opens)) throw unauthorized("audience");
        if (principal.boundTo !== undefined || isDpop) {
          // A bound token without its proof is a stolen one, and a proof of an unbound token proves nothing (RFC 9449 sections 7.1 and 7.2).
          if (principal.boundTo === undefined || !isDpop || request === undefined) throw unauthorized("binding");
          await proofs.check(request, token, principal.boundTo).catch((error: unknown) => {
            throw dpopRefusal(error instanceof errors.JOSEError ? error.code : error instanceof Error && error.message.startsWith("dpop-") ? error.message : "dpop-unreadable", hints);
          });
        }
        verified.used?.();
        return principal;
      };
      if (authorization === undefined) throw unauthorized();
      const token = /^(?:Bearer|DPoP) +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1];
      if (token === undefined || token.length > longestToken) throw unauthorized("malformed");
      const key = hash("sha256", token, "base64");
      const cached = cache.get(key);
      if (cached) {
        const good = standing(cached.verified, cached);
        if (!good) {
          cache.delete(key);
          throw unauthorized("expired-or-revoked");
        }
        if (good !== cached) cache.set(key, good);
        return admitted(good, token);
      }
      let verified: Verified;
      try {
        verified = await (verifiers.find((candidate) => candidate.recognises(token))?.check(token) ?? checkOwn(token));
      } catch (error) {
        throw unauthorized(error instanceof errors.JOSEError ? error.code : error instanceof Refused ? error.message : "unreadable");
      }
      const fresh = standing(verified);
      if (!fresh) throw unauthorized("expired-or-revoked");
      if (cache.size >= cacheSize) cache.delete(cache.keys().next().value ?? "");
      cache.set(key, fresh);
      return admitted(fresh, token);
    },
    async identify(token) {
      if (token.length > longestToken) return undefined;
      return checkOwn(token).then(
        ({ tokenId, clientId }) => ({ tokenId, clientId }),
        () => undefined,
      );
    },
    get signatureChecks() {
      return signatureChecks;
    },
  };
}

/** RFC 6750 section 3: no error code when no credentials were sent. */
function refusal(reason: string | undefined, hints: ChallengeHints = {}): Problem {
  return problem("unauthorized", {
    detail: "Could not validate credentials",
    headers: { "www-authenticate": bearerChallenge({ ...(reason === undefined ? {} : { error: "invalid_token", description: "The access token is not valid" }), ...hints }) },
    cause: reason ?? "none",
  });
}

/** RFC 9449 section 7.1. */
function dpopRefusal(reason: string, hints: ChallengeHints = {}): Problem {
  return problem("unauthorized", {
    detail: "Could not validate credentials",
    headers: { "www-authenticate": dpopChallenge({ error: "invalid_dpop_proof", description: "The proof of possession is not valid", ...hints }, dpopAlgorithms) },
    cause: reason,
  });
}

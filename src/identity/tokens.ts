/**
 * Access tokens: JWTs as RFC 9068 has them (typ at+jwt, exact iss and aud, strict kid), and their verification, cached by token hash.
 * A warm verification is one SHA-256 and a map look-up; the user's epoch is compared every time, so revocation is immediate.
 */
import { hash } from "node:crypto";
import { SignJWT, jwtVerify, errors } from "jose";
import { bearerChallenge, type ChallengeHints } from "../kernel/challenge.ts";
import { newId } from "../kernel/ids.ts";
import { problem, type Problem } from "../kernel/problem.ts";
import type { Principal } from "../kernel/principal.ts";
import type { Snapshot } from "../snapshot/index.ts";
import type { Keys } from "./keys.ts";

export interface IssuedToken {
  token: string;
  /** Seconds. */
  expiresIn: number;
  scopes: readonly string[];
}

export interface Tokens {
  /** @param options.notAfter seconds since the epoch: the token ends then, if not sooner. */
  issue(user: { id: string; epoch: number }, scopes: readonly string[], options?: { audience?: string; clientId?: string; notAfter?: number }): Promise<IssuedToken>;
  /**
   * @param authorization the Authorization header as received.
   * @param audiences of which the token must carry one, letter for letter (RFC 9068 section 4, RFC 8707): who asks names itself.
   * @param hints what the challenge of a refusal says besides.
   * @throws Problem 401 "Could not validate credentials" with the RFC 6750 challenge; its cause says why, for the audit trail.
   */
  verify(authorization: string | undefined, audiences: readonly string[], hints?: ChallengeHints): Promise<Principal>;
  /** How often a signature was checked: a warm call must not raise it. */
  readonly signatureChecks: number;
}

export interface TokensOptions {
  keys: Keys;
  snapshot: Pick<Snapshot, "users">;
  issuer: string;
  /** Seconds. */
  lifetime: number;
  now: () => number;
  cacheSize?: number;
}

interface Cached {
  principal: Principal;
  epoch: number;
}

const longestToken = 8192;
const leeway = 5;

export function createTokens({ keys, snapshot, issuer, lifetime, now, cacheSize = 10_000 }: TokensOptions): Tokens {
  const cache = new Map<string, Cached>();
  let signatureChecks = 0;

  const stillGood = ({ principal, epoch }: Cached): boolean => {
    const user = snapshot.users.get(principal.userId);
    return user !== undefined && !user.disabled && user.epoch === epoch && principal.expiresAt * 1000 > now();
  };

  const check = async (token: string): Promise<Cached> => {
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
    const { sub, aud, exp, jti, scope, epoch } = payload as { sub?: unknown; aud?: unknown; exp?: number; jti?: unknown; scope?: unknown; epoch?: unknown };
    const audience = typeof aud === "string" ? [aud] : Array.isArray(aud) && aud.every((entry) => typeof entry === "string") ? aud : [];
    if (typeof sub !== "string" || typeof scope !== "string" || typeof jti !== "string" || typeof epoch !== "number" || exp === undefined || audience.length === 0) throw new errors.JWTInvalid("claims");
    return { principal: Object.freeze({ userId: sub, scopes: new Set(scope.split(" ").filter(Boolean)), audience, tokenId: jti, expiresAt: exp }), epoch };
  };

  return {
    async issue(user, scopes, { audience = issuer, clientId = "sallyport", notAfter = Infinity } = {}) {
      const { kid, algorithm, privateKey } = await keys.signing();
      const seconds = Math.floor(now() / 1000);
      const expiresAt = Math.min(seconds + lifetime, notAfter);
      const token = await new SignJWT({ scope: scopes.join(" "), scopes, client_id: clientId, epoch: user.epoch })
        .setProtectedHeader({ alg: algorithm, kid, typ: "at+jwt" })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(user.id)
        .setIssuedAt(seconds)
        .setNotBefore(seconds)
        .setExpirationTime(expiresAt)
        .setJti(newId())
        .sign(privateKey);
      return { token, expiresIn: expiresAt - seconds, scopes };
    },
    async verify(authorization, audiences, hints) {
      const unauthorized = (reason?: string) => refusal(reason, hints);
      /** A token for somebody else is no token here, whoever issued it. */
      const meantFor = (principal: Principal): Principal => {
        if (!principal.audience.some((audience) => audiences.includes(audience))) throw unauthorized("audience");
        return principal;
      };
      if (authorization === undefined) throw unauthorized();
      const token = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1];
      if (token === undefined || token.length > longestToken) throw unauthorized("malformed");
      const key = hash("sha256", token, "base64");
      const cached = cache.get(key);
      if (cached) {
        if (stillGood(cached)) return meantFor(cached.principal);
        cache.delete(key);
        throw unauthorized("expired-or-revoked");
      }
      let fresh: Cached;
      try {
        fresh = await check(token);
      } catch (error) {
        throw unauthorized(error instanceof errors.JOSEError ? error.code : "unreadable");
      }
      if (!stillGood(fresh)) throw unauthorized("expired-or-revoked");
      if (cache.size >= cacheSize) cache.delete(cache.keys().next().value ?? "");
      cache.set(key, fresh);
      return meantFor(fresh.principal);
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

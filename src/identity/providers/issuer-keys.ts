/**
 * What other issuers publish: their metadata (OpenID Connect Discovery 1.0) and their keys (RFC 7517), fetched through the guarded client
 * and kept. A token with an unknown `kid` leads to one fetch within the pause at most, whatever the flood; while an issuer is down, keys
 * that were good go on being good for a bounded time.
 */
import type { AuthorizationServer } from "oauth4webapi";
import { createLocalJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyOptions } from "jose";
import { z } from "zod";
import { parseUntrustedJson } from "../../kernel/json.ts";
import type { Outbound } from "../../net/outbound.ts";
import { Refused } from "../tokens.ts";

/** Signatures that are worth something; HMAC never, since whoever verifies could sign, and `none` of course. */
export const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"] as const;

export interface IssuerKeys {
  /** @throws Refused when it cannot be had, or speaks for another issuer. */
  metadata(issuer: string): Promise<AuthorizationServer>;
  /**
   * Checks signature, `iss`, times and what `options` say.
   * @param jwksUri instead of the one that the issuer's metadata name.
   * @throws Refused, or an error of jose.
   */
  verify(token: string, issuer: string, options: JWTVerifyOptions & { algorithms: string[] }, jwksUri?: string): Promise<JWTPayload>;
  /** How often somebody was asked. */
  readonly fetches: number;
}

export interface IssuerKeysOptions {
  outbound: Pick<Outbound, "request">;
  onFailure(issuer: string, reason: string): void;
  now: () => number;
  /** Milliseconds: after which it is fetched anew, how long it stands in while that fails, between fetches for unknown keys and after failures. */
  fresh?: number;
  stale?: number;
  pause?: number;
}

interface Kept<T> {
  value: T | undefined;
  at: number;
  /** Of the last attempt, successful or not. */
  triedAt: number;
  running: Promise<void> | undefined;
}

const minutes = 60_000;
const metadataSchema = z.looseObject({ issuer: z.string(), jwks_uri: z.string().optional() });
const jwksSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) });

export function createIssuerKeys({ outbound, onFailure, now, fresh = 10 * minutes, stale = 24 * 60 * minutes, pause = 30_000 }: IssuerKeysOptions): IssuerKeys {
  const documents = new Map<string, Kept<AuthorizationServer>>();
  const keySets = new Map<string, Kept<ReturnType<typeof createLocalJWKSet>>>();
  let fetches = 0;

  const fetchJson = async <S extends z.ZodType>(url: string, schema: S): Promise<z.output<S>> => {
    fetches++;
    const { status, body } = await outbound.request(url, { headers: { accept: "application/json" }, maxBytes: 512 * 1024, totalTimeoutMs: 5000 });
    if (status !== 200) throw new Error(`status ${status}`);
    return schema.parse(parseUntrustedJson(body));
  };
  /** One attempt at a time; not before the pause is over, unless what is kept has merely aged. */
  const renew = async <T>(kept: Kept<T>, issuer: string, get: () => Promise<T>): Promise<void> => {
    kept.running ??= (async () => {
      kept.triedAt = now();
      try {
        kept.value = await get();
        kept.at = now();
      } catch (error) {
        onFailure(issuer, error instanceof Error ? error.message : "unknown");
      } finally {
        kept.running = undefined;
      }
    })();
    await kept.running;
  };
  const keptIn = <T>(map: Map<string, Kept<T>>, key: string): Kept<T> => {
    let kept = map.get(key);
    if (!kept) map.set(key, (kept = { value: undefined, at: 0, triedAt: -Infinity, running: undefined }));
    return kept;
  };
  const current = async <T>(kept: Kept<T>, issuer: string, get: () => Promise<T>): Promise<T> => {
    if ((kept.value === undefined || now() - kept.at >= fresh) && (kept.running || now() - kept.triedAt >= pause)) await renew(kept, issuer, get);
    if (kept.value === undefined || now() - kept.at >= fresh + stale) throw new Refused("issuer-unreachable");
    return kept.value;
  };

  const metadata = (issuer: string) =>
    current(keptIn(documents, issuer), issuer, async () => {
      const document = await fetchJson(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, metadataSchema);
      // Mix-up: whoever answers must say that it is the one that was meant (OpenID Connect Discovery section 4.3).
      if (document.issuer !== issuer) throw new Error("the metadata name another issuer");
      return document as AuthorizationServer;
    });
  const loadKeys = async (issuer: string, jwksUri: string | undefined) => {
    const uri = jwksUri ?? (await metadata(issuer)).jwks_uri;
    if (uri === undefined) throw new Error("the metadata name no keys");
    const { keys } = await fetchJson(uri, jwksSchema);
    return createLocalJWKSet({ keys: keys.filter((key) => key.kty !== "oct") });
  };

  return {
    metadata,
    async verify(token, issuer, options, jwksUri) {
      const kept = keptIn(keySets, `${issuer} ${jwksUri ?? ""}`);
      const get = () => loadKeys(issuer, jwksUri);
      const attempt = async () => (await jwtVerify(token, await current(kept, issuer, get), { ...options, issuer })).payload;
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey) || (kept.running === undefined && now() - kept.triedAt < pause)) throw error;
        await renew(kept, issuer, get);
        return attempt();
      }
    },
    get fetches() {
      return fetches;
    },
  };
}

/**
 * Proof of possession at the resource server (RFC 9449 section 4.3): who shows a bound token must hold its key, for this request, now, and once.
 * Proofs that were seen are remembered in this process while they could be shown again; a proof shown to another process meanwhile is for the
 * same method, address and token, within a minute.
 */
import { hash } from "node:crypto";
import { EmbeddedJWK, calculateJwkThumbprint, jwtVerify, type JWK } from "jose";
import { z } from "zod";
import { sameText } from "../kernel/digest.ts";

export const dpopAlgorithms = ["ES256", "EdDSA", "Ed25519"] as const;

/** The request that a proof is for. */
export interface ProvenRequest {
  /** The DPoP header, if there was one. */
  proof: string | undefined;
  method: string;
  /** As clients know it: the public URL and the path. */
  url: string;
  /** The request was proven before and is only looked at again, while its stream is open. */
  again?: boolean;
}

export interface Proofs {
  /** @throws Error naming the reason, for the audit trail. */
  check(request: ProvenRequest, token: string, boundTo: string): Promise<void>;
}

const claims = z.object({ jti: z.string().min(1).max(256), htm: z.string(), htu: z.string(), iat: z.number(), ath: z.string() });
/** Milliseconds that a proof may be old, or of the future by another clock. */
const window = 60_000;
const longest = 4096;

export function createProofs({ now, capacity = 100_000 }: { now: () => number; capacity?: number }): Proofs {
  /** By key and `jti`, in the order of arrival, which is that of expiry. */
  const seen = new Map<string, number>();
  const isNew = (id: string): boolean => {
    const at = now();
    for (const [old, expires] of seen) {
      if (expires > at) break;
      seen.delete(old);
    }
    // Full: refusing is safe, forgetting would not be.
    if (seen.has(id) || seen.size >= capacity) return false;
    seen.set(id, at + 2 * window);
    return true;
  };
  return {
    async check({ proof, method, url, again = false }, token, boundTo) {
      if (proof === undefined) throw new Error("dpop-missing");
      if (proof.length > longest) throw new Error("dpop-too-long");
      // Its times are compared below; a proof has no expiry of its own.
      const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { algorithms: [...dpopAlgorithms], typ: "dpop+jwt", currentDate: new Date(now()) });
      const { jti, htm, htu, iat, ath } = claims.parse(payload);
      if (htm !== method) throw new Error("dpop-method");
      if (addressOf(htu) !== addressOf(url)) throw new Error("dpop-address");
      if (!sameText(ath, hash("sha256", token, "base64url"))) throw new Error("dpop-token");
      if ((await calculateJwkThumbprint(protectedHeader.jwk as JWK)) !== boundTo) throw new Error("dpop-key");
      if (again) return;
      if (Math.abs(now() - iat * 1000) > window) throw new Error("dpop-time");
      if (!isNew(`${boundTo}\n${jti}`)) throw new Error("dpop-replay");
    },
  };
}

/** Query and fragment do not count (section 4.3, number 9). */
function addressOf(text: string): string {
  const url = URL.parse(text);
  return url === null ? "" : url.origin + url.pathname;
}

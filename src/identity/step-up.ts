/**
 * What a token says of how its holder signed in (RFC 9068 section 2.2.1, RFC 8176), and what follows: `admin` needs a second factor, and
 * destructive administration a fresh sign-in (RFC 9470).
 */
import type { Audit } from "../audit/index.ts";
import { problem } from "../kernel/problem.ts";
import type { Principal } from "../kernel/principal.ts";
import type { RequestInfo } from "../net/route.ts";
import { showedSecondFactor } from "./sessions.ts";

export interface Authentication {
  /** Milliseconds: when a person last showed who they are. */
  at: number;
  factors: readonly string[];
}

const methods: Record<string, string> = { password: "pwd", totp: "otp", recovery: "otp", passkey: "pop" };

/** The claims `auth_time` and `amr`. */
export function authenticationClaims({ at, factors }: Authentication): { auth_time: number; amr: string[] } {
  return { auth_time: Math.floor(at / 1000), amr: [...new Set([...factors.flatMap((factor) => methods[factor] ?? []), ...(showedSecondFactor(factors) ? ["mfa"] : [])])] };
}

/** Of a person's scopes, what a token may hold after this: `admin` only after a second factor. */
export function issuable(scopes: readonly string[], factors: readonly string[]): readonly string[] {
  return showedSecondFactor(factors) ? scopes : scopes.filter((scope) => scope !== "admin");
}

/**
 * @param window seconds.
 * @returns a check of the caller of a route that needs a fresh sign-in. Programs with an account of their own are past it: they cannot sign
 * in, and what they may do was given them by somebody who had to.
 */
export function createStepUp({ audit, window, now }: { audit: Audit; window: number; now: () => number }): (principal: Principal, action: string, request: RequestInfo) => void {
  return (principal, action, request) => {
    if (principal.kind === "service") return;
    if (principal.authenticatedAt !== undefined && now() - principal.authenticatedAt <= window * 1000) return;
    // No sign-in makes a key fresh: it is shown, not proved.
    if (principal.keyId !== undefined) throw problem("forbidden", { detail: "This needs a fresh sign-in of a person, which a key is not" });
    audit.record({ type: "step-up.required", actorId: principal.userId, requestId: request.id, detail: { action } });
    throw problem("sign-in-needed", {
      detail: `This needs a sign-in within the last ${window} seconds`,
      headers: { "www-authenticate": `Bearer error="insufficient_user_authentication", error_description="A fresher sign-in is needed", max_age="${window}"` },
    });
  };
}

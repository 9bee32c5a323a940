/**
 * The one authorization function. Everything is denied that no rule here allows; scopes match exactly, and `admin` implies no other scope.
 * Every route and every gateway call asks here and nowhere else (OWASP A01; ASVS 5.0 V8).
 */
import { bearerChallenge } from "../kernel/challenge.ts";
import type { Principal } from "../kernel/principal.ts";
import type { Scope } from "../kernel/scopes.ts";
import { problem, type Problem } from "../kernel/problem.ts";
import type { ServerState, Snapshot } from "../snapshot/index.ts";

export type Action =
  /** Use a route that declares these scopes. */
  | { kind: "route"; scopes: readonly Scope[] }
  /** Change or delete a server: its owner, or an administrator. */
  | { kind: "change-server"; server: ServerState }
  /** Carry MCP traffic to a server: scope, grant, enabled. */
  | { kind: "call-server"; server: ServerState | undefined };

export type Decision =
  | { allowed: true }
  | { allowed: false; because: "scope"; needs: readonly string[] }
  /** Not the owner, or no grant: which of the two is not told to the caller. */
  | { allowed: false; because: "ownership" | "unseen"; needs: readonly string[] };

const allowed: Decision = Object.freeze({ allowed: true });

export function authorize(snapshot: Pick<Snapshot, "isGranted">, principal: Principal, action: Action): Decision {
  switch (action.kind) {
    case "route":
      return action.scopes.every((scope) => principal.scopes.has(scope)) ? allowed : { allowed: false, because: "scope", needs: action.scopes };
    case "change-server":
      return action.server.ownerId === principal.userId || principal.scopes.has("admin") ? allowed : { allowed: false, because: "ownership", needs: ["ownership"] };
    case "call-server": {
      if (!principal.scopes.has("tools:call")) return { allowed: false, because: "scope", needs: ["tools:call"] };
      const { server } = action;
      return server?.enabled && snapshot.isGranted(principal.userId, server.id) ? allowed : { allowed: false, because: "unseen", needs: ["grant"] };
    }
  }
}

/**
 * The answer to a denied caller: 403 "Insufficient permissions" with the RFC 6750 section 3.1 challenge,
 * or 404 for what the caller may not know of.
 * @param resourceMetadata URL of the protected resource's RFC 9728 metadata, when there is a challenge to answer with.
 */
export function denial(decision: Exclude<Decision, { allowed: true }>, resourceMetadata?: string): Problem {
  if (decision.because === "unseen") return problem("not-found", { detail: "No such server" });
  const challenge = bearerChallenge({ error: "insufficient_scope", resourceMetadata, ...(decision.because === "scope" ? { scope: decision.needs } : {}) });
  return problem("forbidden", { detail: "Insufficient permissions", headers: { "www-authenticate": challenge } });
}

/**
 * The one authorization function. Everything is denied that no rule here allows; scopes match exactly, and `admin` implies no other scope.
 * Every route and every gateway call asks here and nowhere else (OWASP A01; ASVS 5.0 V8).
 */
import { bearerChallenge } from "../kernel/challenge.ts";
import type { Principal } from "../kernel/principal.ts";
import type { Scope } from "../kernel/scopes.ts";
import { problem, type Problem } from "../kernel/problem.ts";
import type { ServerState, Snapshot } from "../snapshot/index.ts";

export { createApprovals, type Approvals } from "./approvals.ts";
export type { Obligation } from "./engine.ts";
export { openPolicies, type Policies, type PolicyWish } from "./policies.ts";
export { policyRoutes } from "./routes.ts";

export type Action =
  /** Use a route that declares these scopes. */
  | { kind: "route"; scopes: readonly Scope[] }
  /** Change or delete a server: its owner, or an administrator. */
  | { kind: "change-server"; server: ServerState }
  /** Carry MCP traffic to a server: scope, grant, enabled, and what an API key is restricted to. */
  | { kind: "call-server"; server: ServerState | undefined }
  /** Use one thing that a server offers: the same, and a restriction to tools leaves nothing but these. */
  | { kind: "use-item"; server: ServerState | undefined; item: "tool" | "prompt" | "resource"; name: string };

export type Decision =
  | { allowed: true }
  | { allowed: false; because: "scope"; needs: readonly string[] }
  /** Not the owner, or no grant: which of the two is not told to the caller. */
  | { allowed: false; because: "ownership" | "unseen"; needs: readonly string[] };

const allowed: Decision = Object.freeze({ allowed: true });

/** What authorization asks about a caller and a server. */
export interface Access extends Pick<Snapshot, "isGranted"> {
  /** Whether a policy lets the caller know of a server that was not granted. */
  admits?(principal: Principal, server: ServerState): boolean;
}

export function authorize(access: Access, principal: Principal, action: Action): Decision {
  switch (action.kind) {
    case "route":
      return action.scopes.every((scope) => principal.scopes.has(scope)) ? allowed : { allowed: false, because: "scope", needs: action.scopes };
    case "change-server":
      if (!coversServer(principal, action.server)) return { allowed: false, because: "ownership", needs: ["restriction"] };
      return action.server.ownerId === principal.userId || principal.scopes.has("admin") ? allowed : { allowed: false, because: "ownership", needs: ["ownership"] };
    case "call-server": {
      if (!principal.scopes.has("tools:call")) return { allowed: false, because: "scope", needs: ["tools:call"] };
      const { server } = action;
      return server?.enabled && coversServer(principal, server) && (access.isGranted(principal.userId, server.id) || access.admits?.(principal, server) === true) ? allowed : { allowed: false, because: "unseen", needs: ["grant"] };
    }
    case "use-item": {
      const decision = authorize(access, principal, { kind: "call-server", server: action.server });
      const tools = principal.restrictions?.tools;
      if (!decision.allowed || tools === undefined) return decision;
      return action.item === "tool" && tools.some((pattern) => matches(pattern, action.name)) ? allowed : { allowed: false, because: "unseen", needs: ["restriction"] };
    }
  }
}

function coversServer({ restrictions }: Principal, server: ServerState): boolean {
  return restrictions?.servers === undefined || restrictions.servers.includes(server.name);
}

/** Whether a name is of a pattern's form, `*` standing for any text. Each part is looked for once, so the effort is linear. */
export function matches(pattern: string, name: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return name === pattern;
  if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last)) return false;
  let at = first.length;
  const end = name.length - last.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
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

/** Why a decision is what it is, and the smallest change that would allow what was refused: for administrators only. */
import type { ServerState, UserState } from "../snapshot/index.ts";
import type { PolicyDecision } from "./engine.ts";
import { starter, type PolicyWish, type StoredPolicy } from "./policies.ts";

export interface Explanation {
  allowed: boolean;
  reasons: { name: string; text: string }[];
  obligations: PolicyDecision["obligations"];
  /** In words. */
  because: string;
  /** Ways to allow it, the narrowest first; empty when it is allowed, or when a forbid stands in the way. */
  wouldAllow: { how: string; policy?: string; command?: string }[];
}

const kinds = { tool: "Tool", prompt: "Prompt", resource: "Resource" } as const;

export function explain(decision: PolicyDecision, policies: readonly StoredPolicy[], user: UserState, server: ServerState, wish: PolicyWish, granted: boolean): Explanation {
  const byName = new Map(policies.map((policy) => [policy.name, policy]));
  const reasons = decision.reasons.map((name) => ({ name, text: byName.get(name)?.text ?? "" }));
  if (decision.allowed) return { allowed: true, reasons, obligations: decision.obligations, because: `Permitted by ${decision.reasons.join(", ")}`, wouldAllow: [] };
  if (reasons.length > 0) return { allowed: false, reasons, obligations: [], because: `Forbidden by ${decision.reasons.join(", ")}: a permit cannot override it; change that policy`, wouldAllow: [] };
  const text = `permit (\n  principal == Sallyport::User::${JSON.stringify(user.username.normalize("NFKC").toLowerCase())},\n  action in [Sallyport::Action::"list", Sallyport::Action::"${wish.action === "list" ? { tool: "call", prompt: "get", resource: "read" }[wish.kind] : wish.action}"],\n  resource == Sallyport::${kinds[wish.kind]}::${JSON.stringify(`${server.name}/${wish.name}`)}\n);\n`;
  const grants = !granted && byName.get(starter.name)?.enabled === true;
  return {
    allowed: false,
    reasons: [],
    obligations: [],
    because: "No policy permits it",
    wouldAllow: [{ how: `A policy for just this ${wish.kind} and user`, policy: text }, ...(grants ? [{ how: "A grant for the whole server", command: `sallyport servers grant ${server.name} ${user.username}` }] : [])],
  };
}

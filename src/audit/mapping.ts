/**
 * What each event is evidence of: the requirement of OWASP ASVS 5.0 V16.3 that it serves, and the techniques of SAFE-MCP in whose detection
 * it is used. By the beginning of an event's name, the longest that fits: a new event of a known kind is mapped by its name.
 */
export type Requirement = "16.3.1" | "16.3.2" | "16.3.3" | "16.3.4";

interface Mapping {
  asvs: Requirement;
  safeMcp: readonly string[];
}

const mappings: Record<string, Mapping> = {
  "": { asvs: "16.3.3", safeMcp: [] },
  // V16.3.1: authentication, successful or not.
  "authentication.": { asvs: "16.3.1", safeMcp: ["SAFE-T1202", "SAFE-T1706"] },
  "authentication.password.": { asvs: "16.3.1", safeMcp: [] },
  "setup.": { asvs: "16.3.1", safeMcp: [] },
  "session.": { asvs: "16.3.1", safeMcp: [] },
  "factor.": { asvs: "16.3.1", safeMcp: [] },
  "recovery-code": { asvs: "16.3.1", safeMcp: [] },
  "step-up.": { asvs: "16.3.1", safeMcp: [] },
  "token.": { asvs: "16.3.1", safeMcp: ["SAFE-T1202", "SAFE-T1308"] },
  "oauth.": { asvs: "16.3.1", safeMcp: ["SAFE-T1007", "SAFE-T1202"] },
  "oauth.consent.": { asvs: "16.3.1", safeMcp: ["SAFE-T1007", "SAFE-T1403"] },
  "oauth.token.": { asvs: "16.3.1", safeMcp: ["SAFE-T1202", "SAFE-T1308"] },
  "api-key.": { asvs: "16.3.1", safeMcp: ["SAFE-T1202"] },
  "service-account.": { asvs: "16.3.1", safeMcp: [] },
  "identity-provider.": { asvs: "16.3.1", safeMcp: ["SAFE-T1306"] },
  "trusted-issuer.": { asvs: "16.3.1", safeMcp: ["SAFE-T1306"] },
  // V16.3.2: authorization, and access to what is sensitive.
  "authorization.": { asvs: "16.3.2", safeMcp: ["SAFE-T1302", "SAFE-T1601"] },
  "policy.": { asvs: "16.3.2", safeMcp: ["SAFE-T1302"] },
  "grant.": { asvs: "16.3.2", safeMcp: ["SAFE-T1302"] },
  "group.": { asvs: "16.3.2", safeMcp: ["SAFE-T1302"] },
  "bundle.": { asvs: "16.3.2", safeMcp: ["SAFE-T1302"] },
  "limit.": { asvs: "16.3.3", safeMcp: [] },
  "user.scopes.": { asvs: "16.3.2", safeMcp: ["SAFE-T1302"] },
  "secret.": { asvs: "16.3.2", safeMcp: ["SAFE-T1304"] },
  "credential.": { asvs: "16.3.2", safeMcp: ["SAFE-T1304"] },
  "audit.": { asvs: "16.3.2", safeMcp: [] },
  "audit.events.lost": { asvs: "16.3.4", safeMcp: [] },
  "audit.row.refused": { asvs: "16.3.3", safeMcp: [] },
  // V16.3.3: what the documentation says is recorded, and attempts to get round a control.
  "request.": { asvs: "16.3.3", safeMcp: ["SAFE-T1005"] },
  "outbound.": { asvs: "16.3.3", safeMcp: ["SAFE-T1407"] },
  "server.": { asvs: "16.3.3", safeMcp: ["SAFE-T1003", "SAFE-T1004"] },
  "server.started": { asvs: "16.3.3", safeMcp: [] },
  "server.stopped": { asvs: "16.3.3", safeMcp: [] },
  "server.inspected": { asvs: "16.3.3", safeMcp: ["SAFE-T1001", "SAFE-T1201"] },
  "server.review.": { asvs: "16.3.3", safeMcp: ["SAFE-T1001", "SAFE-T1003"] },
  "item.": { asvs: "16.3.3", safeMcp: ["SAFE-T1001", "SAFE-T1201", "SAFE-T1205"] },
  "tool.": { asvs: "16.3.3", safeMcp: ["SAFE-T1001", "SAFE-T1201", "SAFE-T1205"] },
  "scan.": { asvs: "16.3.3", safeMcp: ["SAFE-T1001", "SAFE-T1402", "SAFE-T1501"] },
  "result.": { asvs: "16.3.3", safeMcp: ["SAFE-T1102", "SAFE-T1504"] },
  "call.": { asvs: "16.3.3", safeMcp: ["SAFE-T1104", "SAFE-T1602"] },
  // V16.3.4: errors, and controls that fail.
  "server.inspection.failed": { asvs: "16.3.4", safeMcp: [] },
  "issuer.": { asvs: "16.3.4", safeMcp: [] },
  "call.failed": { asvs: "16.3.4", safeMcp: [] },
};

const longestFirst = Object.entries(mappings).sort(([a], [b]) => b.length - a.length);

export function mappingOf(type: string): Mapping {
  return longestFirst.find(([prefix]) => type.startsWith(prefix))?.[1] ?? { asvs: "16.3.3", safeMcp: [] };
}

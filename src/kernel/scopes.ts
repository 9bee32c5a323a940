/** The scopes there are. A scope is held only by exact membership; none implies another. */
export const scopes = {
  "servers:read": "Read MCP servers",
  "servers:write": "Create/update MCP servers",
  admin: "Administrative access",
  "tools:call": "Call tools through the gateway",
  scim: "Provision users and groups from a directory",
  "audit:read": "Read the audit trail, and what was kept of calls",
} as const;

export type Scope = keyof typeof scopes;
export const allScopes = Object.keys(scopes) as Scope[];
/** What the first administrator holds: `scim` is for directories, and who may open what calls carried is appointed, and that leaves an event. */
export const administratorScopes = allScopes.filter((scope) => scope !== "audit:read" && scope !== "scim");

export function isScope(text: string): text is Scope {
  return Object.hasOwn(scopes, text);
}

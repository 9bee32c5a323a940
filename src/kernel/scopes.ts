/** The scopes there are. A scope is held only by exact membership; none implies another. */
export const scopes = {
  "servers:read": "Read MCP servers",
  "servers:write": "Create/update MCP servers",
  admin: "Administrative access",
  "tools:call": "Call tools through the gateway",
} as const;

export type Scope = keyof typeof scopes;
export const allScopes = Object.keys(scopes) as Scope[];

export function isScope(text: string): text is Scope {
  return Object.hasOwn(scopes, text);
}

/**
 * What a call can do: read, write, or destroy. Annotations are claims of the server (MCP 2025-06-18, ToolAnnotations: "should be considered
 * untrusted"), so they may raise the tier and lower it only where name and description agree.
 */
import { identWords } from "../grammar/tokens.ts";

export type RiskTier = "read" | "write" | "destructive";

const destroying = /\b(?:delete|deletes|remove|removes|drop|drops|purge|wipe|erase|destroy|truncate|kill|terminate|shutdown|reboot|uninstall|revoke|reset|format|overwrite|force|transfer|withdraw|pay|purchase|refund|swap|trade|exec|execute|eval|shell|bash|terminal|sudo|deploy|rollback|merge|ban|cancel|unpublish|disable|deactivate)\b/i;
const writing = /\b(?:create|add|insert|update|edit|write|set|put|post|send|upload|publish|save|store|modify|change|rename|move|copy|append|replace|patch|commit|push|reply|comment|invite|assign|grant|enable|install|start|stop|schedule|book|order|register|subscribe|approve|sign|apply|import|sync|click|type|fill|submit|share|forward|run)\b/i;
const reading = /^(?:get|gets|list|lists|read|reads|search|searches|fetch|fetches|find|finds|query|queries|describe|show|shows|count|check|checks|view|views|look|lookup|retrieve|retrieves|inspect|analyze|analyse|compare|calculate|compute|convert|preview|validate|verify|explain|summarize|summarise|status|health|is|has|browse|scan|estimate|resolve|returns?|provides?)\b/i;

/** Never throws; anything that is not a tool is "write". */
export function riskTier(tool: unknown): RiskTier {
  if (typeof tool !== "object" || tool === null) return "write";
  const { name, description, annotations } = tool as { name?: unknown; description?: unknown; annotations?: unknown };
  const hints = (typeof annotations === "object" && annotations !== null ? annotations : {}) as { readOnlyHint?: unknown; destructiveHint?: unknown };
  const words = typeof name === "string" ? identWords(name.slice(0, 200)) : "";
  const opening = typeof description === "string" ? (description.slice(0, 300).split(/[.\n]/, 1)[0] ?? "") : "";
  if (hints.destructiveHint === true && hints.readOnlyHint !== true) return "destructive";
  const readsByName = reading.test(words);
  if (destroying.test(words) && !readsByName) return "destructive";
  const readsByText = reading.test(opening.trim());
  if (readsByName || (hints.readOnlyHint === true && !writing.test(words))) return destroysIn(opening) && !readsByText ? "write" : "read";
  if (writing.test(words)) return "write";
  if (destroysIn(opening)) return "destructive";
  return readsByText ? "read" : "write";
}

function destroysIn(opening: string): boolean {
  const first = /^\s*(?:\w+ly )?(\w+)/.exec(opening)?.[1] ?? "";
  return destroying.test(first);
}

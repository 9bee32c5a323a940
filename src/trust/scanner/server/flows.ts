/**
 * Toxic flows: a tool that brings in text of strangers, one that reads private data, one that writes where others can read. Together they
 * let an injected page mail the inbox away. Labels come from names, descriptions and annotations; they are notes, the policy decides.
 */
import { identWords } from "../grammar/tokens.ts";
import type { FlowLabels } from "../types.ts";
import type { View } from "../view.ts";
import { riskTier } from "./tier.ts";

const stranger = /\b(?:fetch|browse|crawl|scrape|web ?page|website|url|search (?:the )?web|internet|rss|news|tweet|reddit|issue|issues|pull request|comment|comments|inbox|e-?mail|emails|message|messages|ticket|tickets|review|reviews|attachment|feed|slack|discord)\b/i;
const privacy = /\b(?:read[_ ]file|files?|director(?:y|ies)|private|inbox|e-?mails?|messages?|contacts?|calendar|database|sql|query|secret|credential|password|token|wallet|balance|bank|account|customer|patient|medical|payroll|salary|drive|document|documents|notes?|memory|clipboard|screenshot|location|repositor(?:y|ies)|env(?:ironment)?)\b/i;
const outward = /\b(?:send|post|publish|upload|share|e-?mail|tweet|reply|comment|create (?:issue|pull request|gist|page)|webhook|http request|request|notify|sms|call|transfer|pay|push|commit|deploy|invite|forward)\b/i;
const reads = /^(?:get|list|read|search|fetch|find|query|view|show|load|browse|crawl|scrape|retrieve|download|open|lookup)\b/i;

export function flowLabels(item: View): FlowLabels {
  const name = identWords(item.name);
  const description = item.readings.find((reading) => reading.leaf.role === "description")?.text ?? "";
  const opening = `${name}. ${description.slice(0, 240)}`;
  const hints = annotations(item.item);
  const reading = reads.test(name) || hints.readOnlyHint === true;
  return {
    untrusted: hints.openWorldHint !== false && stranger.test(opening) && (reading || /\b(?:fetch|browse|read|search)/i.test(opening)),
    private: privacy.test(opening) && (reading || /\b(?:read|get|list|query|search)/i.test(opening)),
    sink: hints.readOnlyHint !== true && outward.test(opening) && !reads.test(name),
    destructive: riskTier(item.item) === "destructive",
  };
}

function annotations(item: unknown): { readOnlyHint?: unknown; openWorldHint?: unknown } {
  const value = typeof item === "object" && item !== null ? (item as { annotations?: unknown }).annotations : undefined;
  return typeof value === "object" && value !== null ? value : {};
}

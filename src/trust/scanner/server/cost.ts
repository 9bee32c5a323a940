/** How many tokens a tool's definition costs in every conversation: an estimate, within some 15 % for English and common tokenisers. */
import { defaultLimits } from "../limits.ts";
import { harvest } from "../text/leaves.ts";

/** Tokens. Never throws; a definition beyond the scanner's limits is counted up to them. */
export function tokenCost(tool: unknown): number {
  const { leaves, schema } = harvest(tool, null, defaultLimits);
  let tokens = 8;
  for (const { text } of leaves) {
    let ascii = 0;
    let other = 0;
    for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) < 0x80) ascii += 1; else other += 1;
    tokens += ascii / 4.2 + other * 0.7 + 1;
  }
  // Keys of the schema vocabulary, braces, quotes.
  return Math.round(tokens + schema.nodes * 2.2);
}

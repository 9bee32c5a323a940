/** What the rules find in a view, and the windows that the model is to weigh with it. No weights are needed: training starts here. */
import { windows, type RuleHit, type Window } from "./model/features.ts";
import { rules } from "./rules/index.ts";
import type { Draft, Rule } from "./rules/rule.ts";
import type { View } from "./view.ts";

export interface Found extends Draft {
  readonly rule: Rule;
}

export function apply(item: View): Found[] {
  return rules.flatMap((rule) => rule.check(item).map((draft) => ({ ...draft, rule })));
}

export function candidates(item: View, drafts: readonly Found[]): Window[] {
  const hits: RuleHit[] = [];
  for (const { rule, effect, reading, sentence } of drafts) {
    if (reading !== undefined && sentence !== undefined && effect !== "note") hits.push({ rule: rule.id, block: effect === "block", reading, sentence });
  }
  return windows(item, hits);
}


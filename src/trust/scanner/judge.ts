/**
 * The rules and the model over one view. Rules over sentences say what was found; the model, which has seen many honest descriptions, says how
 * unusual the company is in which it was found. A rule that the model finds at home in the text is a note.
 */
import file from "./model/weights.json" with { type: "json" };
import { excerpt } from "./excerpt.ts";
import { apply, candidates, type Found } from "./evidence.ts";
import type { Window } from "./model/features.ts";
import { logOdds, parseWeights, type Weights } from "./model/linear.ts";
import { pointer } from "./text/leaves.ts";
import type { Effect, Finding } from "./types.ts";
import type { View } from "./view.ts";

export const weights: Weights = parseWeights(file);

export interface Judgement {
  readonly findings: readonly Finding[];
  /** 0 to 1. */
  readonly score: number;
}

export function judge(item: View): Judgement {
  const drafts = apply(item);
  let top: Window | undefined;
  let odds = weights.bias;
  for (const window of candidates(item, drafts)) {
    const value = logOdds(weights, window);
    if (top === undefined || value > odds) [top, odds] = [window, value];
  }
  const findings = drafts.map((draft) => finding(draft, draft.sentence === undefined ? draft.effect : corroborated(draft.effect, odds)));
  const suspected = drafts.some((draft) => draft.effect !== "note");
  if (top !== undefined && odds >= weights.hold) {
    const effect: Effect = odds >= (suspected ? weights.aggravate : weights.block) ? "block" : "hold";
    const first = top.reading.sentences[top.first];
    const last = top.reading.sentences[top.last];
    if (first !== undefined && last !== undefined) {
      const span = top.reading.span(first.from, last.to);
      const { leaf } = top.reading;
      findings.push({
        ruleId: "instruction-model", severity: effect === "block" ? "critical" : "high", effect, path: pointer(leaf.place), span, excerpt: excerpt(leaf.text, span),
        message: "Reads like an instruction to the model rather than a description of the tool.", owasp: "MCP03", safe: "SAFE-T1001",
      });
    }
  }
  return { findings, score: 1 / (1 + Math.exp(-odds)) };
}

function corroborated(effect: Effect, odds: number): Effect {
  if (effect === "block") return odds >= weights.convict ? "block" : odds >= weights.dismiss ? "hold" : "note";
  return effect === "hold" && odds < weights.corroborate ? "note" : effect;
}

function finding(draft: Found, effect: Effect): Finding {
  return {
    ruleId: draft.rule.id, severity: effect === draft.effect ? draft.severity : effect === "hold" ? "high" : "info", effect, path: pointer(draft.place), span: draft.span,
    excerpt: excerpt(draft.text, draft.span), message: draft.message, owasp: draft.rule.owasp, safe: draft.rule.safe,
  };
}

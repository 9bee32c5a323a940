/** What a rule is, and the two ways to write one: by patterns over what sentences say (`directive`), or by hand (`Rule`). */
import type { Act } from "../grammar/acts.ts";
import { matches, pattern, type Span } from "../grammar/patterns.ts";
import type { Read, Reading, View } from "../view.ts";
import type { Place, Role } from "../text/leaves.ts";
import type { Effect, Severity } from "../types.ts";

/** A tool, or just its description. */
export type Example = string | { readonly [member: string]: unknown };

export interface Draft {
  readonly effect: Effect;
  readonly severity: Severity;
  readonly place: Place | null;
  /** The original string, for the excerpt. */
  readonly text: string;
  readonly span: readonly [number, number];
  readonly message: string;
  /** Where in the view it was said, when it was said in a sentence. */
  readonly reading?: Reading;
  readonly sentence?: number;
}

export interface Rule {
  readonly id: string;
  /** One line for the reviewer. */
  readonly title: string;
  /** OWASP MCP Top 10 (2025, beta). */
  readonly owasp: string;
  /** SAFE-MCP technique. */
  readonly safe: string;
  readonly examples: { readonly bad: readonly Example[]; readonly good: readonly Example[] };
  /** Judges what sentences say, so its examples teach the model too. */
  readonly spoken?: true;
  readonly check: (item: View) => Draft[];
}

export interface Directive {
  readonly id: string;
  readonly title: string;
  readonly owasp: string;
  readonly safe: string;
  readonly message: string;
  /** Patterns that are never said in honest text: block. */
  readonly strong?: readonly string[];
  /** Patterns that are said rarely: hold. */
  readonly weak?: readonly string[];
  /** A weak pattern blocks when one of these acts stands in the same or a neighbouring sentence. */
  readonly worseWith?: readonly Act[];
  /** Patterns that explain the sentence away. */
  readonly unless?: readonly string[];
  readonly roles?: readonly Role[];
  readonly examples: Rule["examples"];
}

/** Text that a rule over sentences reads: everything but what only machines read. */
const silent: ReadonlySet<Role> = new Set(["uri", "pattern", "ref"]);

export function directive(spec: Directive): Rule {
  // Numbers count up: first the strong patterns, then the weak ones, then the excuses.
  const numbers = [...(spec.strong ?? []), ...(spec.weak ?? []), ...(spec.unless ?? [])].map((source) => pattern(source).number);
  const begin = numbers[0] ?? 0;
  const weakBegin = begin + (spec.strong?.length ?? 0);
  const unlessBegin = weakBegin + (spec.weak?.length ?? 0);
  const end = begin + numbers.length;
  const worse: ReadonlySet<Act> = new Set(spec.worseWith ?? []);
  return {
    id: spec.id, title: spec.title, owasp: spec.owasp, safe: spec.safe, examples: spec.examples, spoken: true,
    check: (item) => {
      const drafts: Draft[] = [];
      for (const reading of item.readings) {
        if (silent.has(reading.leaf.role) || (spec.roles !== undefined && !spec.roles.includes(reading.leaf.role))) continue;
        reading.sentences.forEach((sentence, at) => {
          let best: readonly [number, Span] | undefined;
          for (const [number, span] of matches(sentence.index)) {
            if (number < begin || number >= end) continue;
            if (number >= unlessBegin) return;
            if (best === undefined || number < best[0]) best = [number, span];
          }
          if (best === undefined) return;
          const block = best[0] < weakBegin || (worse.size > 0 && near(reading, at).some((read) => read.acts.some((hit) => worse.has(hit.act))));
          drafts.push({ ...found(reading, sentence, best[1], block ? "block" : "hold", spec.message), reading, sentence: at });
        });
      }
      return drafts;
    },
  };
}

function near(reading: Reading, at: number): Read[] {
  return [at - 1, at, at + 1].flatMap((place) => reading.sentences[place] ?? []);
}

export function found(reading: Reading, sentence: Read, tokens: readonly [number, number], effect: Effect, message: string): Draft {
  const from = sentence.index.tokens[tokens[0]]?.from ?? sentence.from;
  const to = sentence.index.tokens[tokens[1]]?.to ?? sentence.to;
  const decoded = reading.encoding !== undefined && reading.encoding !== "identifier";
  return {
    effect, severity: effect === "block" ? "critical" : effect === "hold" ? "high" : "low",
    place: reading.leaf.place, text: reading.leaf.text, span: reading.span(from, to),
    message: decoded ? `${message} (written as ${reading.encoding})` : message,
  };
}

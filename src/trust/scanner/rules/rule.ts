/** What a rule is, and the two ways to write one: by patterns over what sentences say (`directive`), or by hand (`Rule`). */
import type { Act } from "../grammar/acts.ts";
import { find, pattern, type Pattern } from "../grammar/patterns.ts";
import type { Read, Reading, View } from "../view.ts";
import { pointer, type Place, type Role } from "../text/leaves.ts";
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
  const strong = (spec.strong ?? []).map(pattern);
  const weak = (spec.weak ?? []).map(pattern);
  const unless = (spec.unless ?? []).map(pattern);
  const worse: ReadonlySet<Act> = new Set(spec.worseWith ?? []);
  return {
    id: spec.id, title: spec.title, owasp: spec.owasp, safe: spec.safe, examples: spec.examples,
    check: (item) => {
      const drafts: Draft[] = [];
      for (const reading of item.readings) {
        if (silent.has(reading.leaf.role) || (spec.roles !== undefined && !spec.roles.includes(reading.leaf.role))) continue;
        reading.sentences.forEach((sentence, at) => {
          const hard = first(sentence, strong);
          const soft = hard ?? first(sentence, weak);
          if (soft === undefined || first(sentence, unless) !== undefined) return;
          const block = hard !== undefined || (worse.size > 0 && near(reading, at).some((read) => read.acts.some((hit) => worse.has(hit.act))));
          drafts.push({ ...found(reading, sentence, soft, block ? "block" : "hold", spec.message), reading, sentence: at });
        });
      }
      return drafts;
    },
  };
}

function first(sentence: Read, patterns: readonly Pattern[]): readonly [number, number] | undefined {
  for (const candidate of patterns) {
    const span = find(sentence.index, candidate);
    if (span !== undefined) return span;
  }
  return undefined;
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

export function at(draft: Draft): string {
  return pointer(draft.place);
}

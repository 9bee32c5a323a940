/**
 * A small pattern language over concepts, for what is said in more than one word: `TELL!ban ~4 USER` is a telling that is forbidden,
 * then the user within four further tokens. Steps: CONCEPTS or words joined by `|`; `~n` lets up to n tokens lie between; `+` must not be
 * negated; `!command`, `!ban`, `!no` (ban or denial) and `!do` (commanded or left open, neither negated nor a fact) ask for a mood.
 */
import { concepts, conceptNumber, type Concept } from "./lexicon.ts";
import type { Mood, Token } from "./tokens.ts";

type Ask = "any" | "positive" | "command" | "ban" | "no" | "do";
interface Step {
  readonly ids: readonly number[];
  readonly gap: number;
  readonly ask: Ask;
}
export interface Pattern {
  readonly source: string;
  /** Counts up in the order of definition. */
  readonly number: number;
  readonly steps: readonly Step[];
}

const known: ReadonlySet<string> = new Set(concepts);
const literals = new Map<string, number>();
const everydayLiterals = new Set<number>();
function literal(word: string): number {
  const id = literals.get(word) ?? concepts.length + literals.size;
  literals.set(word, id);
  if (everyday.has(word)) everydayLiterals.add(id);
  return id;
}

export function pattern(source: string): Pattern {
  const steps: Step[] = [];
  let gap = 0;
  for (const part of source.trim().split(/\s+/)) {
    if (part.startsWith("~")) {
      gap = Number(part.slice(1));
      continue;
    }
    const [, plus, body = "", mood] = /^(\+?)([^!]+)(?:!(command|ban|no|do))?$/.exec(part) ?? [];
    const ids = body.split("|").map((name) => {
      if (!/^[@A-Z]/.test(name)) return literal(name);
      const concept = name.toLowerCase();
      if (!known.has(concept)) throw new TypeError(`No concept ${name} in pattern ${source}`);
      return conceptNumber(concept as Concept);
    });
    steps.push({ ids, gap, ask: (mood as Ask | undefined) ?? (plus === "+" ? "positive" : "any") });
    gap = 0;
  }
  const made: Pattern = { source, number: registered, steps };
  registered += 1;
  // A sentence is only compared with patterns of which it has the rarest step.
  const anchor = steps.reduce((best, step) => (commonness(step) < commonness(best) ? step : best));
  for (const id of anchor.ids) {
    const list = byAnchor.get(id);
    if (list === undefined) byAnchor.set(id, [made]);
    else list.push(made);
  }
  return made;
}

let registered = 0;
const byAnchor = new Map<number, Pattern[]>();
const everyday: ReadonlySet<string> = new Set("the to and of in for is are as or be by with this that it if on from not no must you all any every when before after use user tool argument value result file name content call read return must please also task external private step".split(" "));

function commonness({ ids }: Step): number {
  let sum = 0;
  for (const id of ids) {
    if (id >= concepts.length) sum += everydayLiterals.has(id) ? 20 : 1;
    else sum += everyday.has(concepts[id] as string) ? 16 : 5;
  }
  return sum;
}

/** Where every concept and every word that a pattern names occurs in a sentence. */
export interface Index {
  readonly tokens: readonly Token[];
  readonly places: ReadonlyMap<number, number[]>;
  /** Filled by `matches`. */
  matched: ReadonlyMap<number, Span> | undefined;
}

/** Tokens [first, last]. */
export type Span = readonly [number, number];

export function index(tokens: readonly Token[]): Index {
  const places = new Map<number, number[]>();
  const put = (id: number, at: number): void => {
    const list = places.get(id);
    if (list === undefined) places.set(id, [at]);
    else if (list[list.length - 1] !== at) list.push(at);
  };
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as Token;
    for (const concept of token.concepts) put(concept, at);
    const id = literals.get(token.text);
    if (id !== undefined) put(id, at);
  }
  return { tokens, places, matched: undefined };
}

const fits: Record<Ask, (mood: Mood) => boolean> = {
  any: () => true,
  positive: (mood) => mood !== "ban" && mood !== "denial",
  command: (mood) => mood === "command" || mood === "bid",
  ban: (mood) => mood === "ban",
  no: (mood) => mood === "ban" || mood === "denial",
  do: (mood) => mood === "command" || mood === "bid" || mood === "plain",
};

/** Every pattern that the sentence matches, by number, with its first match. */
export function matches(sentence: Index): ReadonlyMap<number, Span> {
  if (sentence.matched !== undefined) return sentence.matched;
  const found = new Map<number, Span>();
  const tried = new Set<number>();
  for (const id of sentence.places.keys()) {
    for (const candidate of byAnchor.get(id) ?? []) {
      if (tried.has(candidate.number)) continue;
      tried.add(candidate.number);
      const span = find(sentence, candidate);
      if (span !== undefined) found.set(candidate.number, span);
    }
  }
  sentence.matched = found;
  return found;
}

/** A dynamic programme over places: linear in places times steps. */
export function find(sentence: Index, { steps }: Pattern): Span | undefined {
  for (const { ids } of steps) if (!ids.some((id) => sentence.places.has(id))) return undefined;
  let reached: Span[] = [];
  for (let number = 0; number < steps.length; number++) {
    const { ids, gap, ask } = steps[number] as Step;
    const next: Span[] = [];
    for (const place of merged(sentence, ids)) {
      if (ask !== "any" && !fits[ask]((sentence.tokens[place] as Token).mood)) continue;
      if (number === 0) next.push([place, place]);
      else {
        const before = reached.find(([, last]) => last < place && last >= place - 1 - gap);
        if (before !== undefined) next.push([before[0], place]);
      }
    }
    if (next.length === 0) return undefined;
    reached = next.length > 24 ? next.slice(0, 24) : next;
  }
  return reached[0];
}

function merged(sentence: Index, ids: readonly number[]): readonly number[] {
  if (ids.length === 1) return sentence.places.get(ids[0] as number) ?? [];
  const all: number[] = [];
  for (const id of ids) {
    const places = sentence.places.get(id);
    if (places !== undefined) all.push(...places);
  }
  return all.length < 2 ? all : all.sort((a, b) => a - b);
}

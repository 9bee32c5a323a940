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
  readonly steps: readonly Step[];
  /** Ids that must occur for the pattern to match: a cheap refusal. */
  readonly needs: readonly number[];
}

const known: ReadonlySet<string> = new Set(concepts);
const literals = new Map<string, number>();
function literal(word: string): number {
  const id = literals.get(word) ?? concepts.length + literals.size;
  literals.set(word, id);
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
  return { source, steps, needs: steps.filter((step) => step.ids.length === 1).map((step) => step.ids[0] as number) };
}

/** Where every concept and every word that a pattern names occurs in a sentence. */
export interface Index {
  readonly tokens: readonly Token[];
  readonly places: ReadonlyMap<number, number[]>;
}

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
  return { tokens, places };
}

const fits: Record<Ask, (mood: Mood) => boolean> = {
  any: () => true,
  positive: (mood) => mood !== "ban" && mood !== "denial",
  command: (mood) => mood === "command" || mood === "bid",
  ban: (mood) => mood === "ban",
  no: (mood) => mood === "ban" || mood === "denial",
  do: (mood) => mood === "command" || mood === "bid" || mood === "plain",
};

/** The tokens [first, last] of the first match. A dynamic programme over places: linear in places times steps. */
export function find(sentence: Index, { steps, needs }: Pattern): readonly [number, number] | undefined {
  for (const id of needs) if (!sentence.places.has(id)) return undefined;
  let reached: (readonly [number, number])[] = [];
  for (let number = 0; number < steps.length; number++) {
    const { ids, gap, ask } = steps[number] as Step;
    const next: (readonly [number, number])[] = [];
    for (const place of merged(sentence, ids)) {
      if (!fits[ask]((sentence.tokens[place] as Token).mood)) continue;
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

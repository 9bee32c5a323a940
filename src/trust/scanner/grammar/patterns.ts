/**
 * A small pattern language over token classes. A pattern is a row of steps: `CLASS`, `word` or alternatives `A|B`; `~n` before a
 * step lets up to n tokens lie between; `+A` must not be negated ("never reads"); `!A` must stand where an order stands (start of the
 * sentence, after "must", "please", "and", …). Matching is a dynamic programme: linear in tokens times steps.
 */
import { classId, words, enter } from "./classes.ts";
import type { Sentence, Token } from "./tokens.ts";

interface Step {
  readonly classes: readonly number[];
  readonly gap: number;
  readonly positive: boolean;
  readonly order: boolean;
}

export interface Pattern {
  readonly source: string;
  readonly steps: readonly Step[];
}

export function pattern(source: string): Pattern {
  const steps: Step[] = [];
  let gap = 0;
  for (const part of source.split(/\s+/)) {
    if (part.startsWith("~")) {
      gap = Number(part.slice(1));
      continue;
    }
    const marks = /^[+!]*/.exec(part)?.[0] ?? "";
    const classes = part.slice(marks.length).split("|").map((name) => {
      if (/^[A-Z][A-Z0-9_]*$/.test(name)) return classId(name);
      const literal = name.replaceAll("_", " ");
      enter(literal, `'${literal}`);
      return classId(`'${literal}`);
    });
    steps.push({ classes, gap, positive: marks.includes("+"), order: marks.includes("!") });
    gap = 0;
  }
  return { source, steps };
}

/** A sentence with the places of every class, and which tokens are negated or stand where an order stands. */
export interface Indexed extends Sentence {
  readonly at: ReadonlyMap<number, readonly number[]>;
  readonly negated: Uint8Array;
  readonly order: Uint8Array;
}

const NEG = classId("NEG");
const CLAUSE = classId("CLAUSE");
const FAIL = classId("FAIL");
const OBLIGE = classId("OBLIGE");
const YOU = classId("YOU");
const THEN = new Set(["and", "then", "also", "first", "please", "to", "or", "next", "immediately", "always", "automatically", "silently", "just", "simply", "secretly", "quietly", "additionally", "afterwards", "finally", "now", "kindly", "instead", "directly", "only", "either", "must", "should", "will", "can", "additionally"]);

export function index(sentence: Sentence): Indexed {
  const at = new Map<number, number[]>();
  const { tokens } = sentence;
  const negated = new Uint8Array(tokens.length);
  const order = new Uint8Array(tokens.length);
  let reach = -1;
  for (let place = 0; place < tokens.length; place++) {
    const token = tokens[place] as Token;
    for (const id of token.classes) {
      const places = at.get(id);
      if (places === undefined) at.set(id, [place]);
      else if (places[places.length - 1] !== place) places.push(place);
    }
    const { classes, lower } = token;
    if (classes.includes(CLAUSE) || lower === "but" || lower === "because") reach = -1;
    else if (place <= reach) {
      // "never fail to read" and "not only reads" are orders and statements, not denials.
      if (classes.includes(FAIL) || lower === "only" || lower === "just") reach = -1;
      else negated[place] = 1;
    }
    if (classes.includes(NEG) && !(lower === "no" && tokens[place + 1]?.lower === "matter")) reach = place + 6;
    const before = tokens[place - 1];
    order[place] =
      before === undefined || before.kind === "punctuation" || before.kind === "tag" || THEN.has(before.lower) ||
      before.classes.includes(OBLIGE) || before.classes.includes(YOU) ? 1 : 0;
  }
  return { ...sentence, at, negated, order };
}

/** The token span [first, last] of the first match, or undefined. */
export function find(sentence: Indexed, { steps }: Pattern): readonly [number, number] | undefined {
  for (const step of steps) {
    let present = false;
    for (const id of step.classes) if (sentence.at.has(id)) { present = true; break; }
    if (!present) return undefined;
  }
  let reached: (readonly [number, number])[] = [];
  for (let number = 0; number < steps.length; number++) {
    const step = steps[number] as Step;
    const places = step.classes.length === 1 ? sentence.at.get(step.classes[0] as number) as readonly number[] : union(sentence, step.classes);
    const next: (readonly [number, number])[] = [];
    if (number === 0) {
      for (const place of places) if (fits(sentence, place, step)) next.push([place, place]);
    } else {
      let from = 0;
      for (const place of places) {
        while (from < reached.length && (reached[from] as readonly [number, number])[1] < place - 1 - step.gap) from += 1;
        const previous = reached[from];
        if (previous !== undefined && previous[1] < place && fits(sentence, place, step)) next.push([previous[0], place]);
      }
    }
    if (next.length === 0) return undefined;
    reached = next;
  }
  return reached[0];
}

function fits(sentence: Indexed, place: number, step: Step): boolean {
  return !(step.positive && sentence.negated[place] === 1) && !(step.order && sentence.order[place] === 0);
}

function union(sentence: Indexed, classes: readonly number[]): readonly number[] {
  const merged: number[] = [];
  for (const id of classes) {
    const places = sentence.at.get(id);
    if (places !== undefined) merged.push(...places);
  }
  merged.sort((left, right) => left - right);
  return merged;
}

/** Whether the class names a word of the lexicon or a token kind; a misspelt class in a pattern is an error at load. */
export function isKnownClass(name: string): boolean {
  const id = classId(name);
  for (const ids of words.values()) if (ids.includes(id)) return true;
  return false;
}

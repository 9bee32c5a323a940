/**
 * What the linear model looks at, as numbers of one flat weight table: concepts and ordered pairs of concepts with their moods, acts
 * and pairs of acts, hashed words, and where the text stands. A window is two neighbouring sentences of one reading, so that a long honest
 * description is not worth more suspicion than a short one.
 */
import { actNames, type Act } from "../grammar/acts.ts";
import { concepts, verbCount } from "../grammar/lexicon.ts";
import { moods, type Token } from "../grammar/tokens.ts";
import { rules as allRules } from "../rules/index.ts";
import type { Read, Reading, View } from "../view.ts";

const stride = 320;
const actCount = 64;
const alienCount = 320;
const ruleCount = 64;
const hashBits = 15;
const spaces = {
  single: 0,
  pair: stride,
  act: stride + stride * stride,
  actPattern: stride + stride * stride + actCount,
  actPair: stride + stride * stride + actCount + actCount * 32,
  actElsewhere: stride + stride * stride + actCount + actCount * 32 + actCount * actCount,
  shape: stride + stride * stride + 2 * actCount + actCount * 32 + actCount * actCount,
  alien: stride + stride * stride + 2 * actCount + actCount * 32 + actCount * actCount + 128,
  word: stride + stride * stride + 2 * actCount + actCount * 32 + actCount * actCount + 128 + alienCount,
  rule: stride + stride * stride + 2 * actCount + actCount * 32 + actCount * actCount + 128 + alienCount + (1 << hashBits),
} as const;
export const featureCount = spaces.rule + 2 * ruleCount;

/** Features of the same kind share a step size: words generalise least. */
export function featureScale(feature: number): number {
  if (feature >= spaces.rule) return 5;
  if (feature >= spaces.word) return 0.6;
  if (feature >= spaces.alien) return 1.2;
  if (feature >= spaces.shape) return 0.7;
  if (feature >= spaces.actElsewhere) return 0.3;
  if (feature >= spaces.actPair) return 0.6;
  if (feature >= spaces.act) return 1;
  if (feature >= spaces.pair) return 0.25;
  return 0.5;
}



const shapes = [
  "name", "title", "description", "instructions", "parameter", "parameterDescription", "enum", "default", "example", "pattern", "ref", "annotation", "meta", "uri", "key", "other",
  "as written", "identifier", "decoded", "revealed", "first sentence", "short", "long", "one sentence", "shouting", "many paths", "last", "unrelated", "hardly related", "related",
] as const;
const shapeNumber = new Map<string, number>(shapes.map((shape, at) => [shape, spaces.shape + at]));
const shape = (name: (typeof shapes)[number]): number => shapeNumber.get(name) as number;
const actNumber = new Map<Act, number>(actNames.map((act, at) => [act, at]));
const ruleIds: readonly string[] = allRules.map((rule) => rule.id);
const moodNumber = new Map(moods.map((mood, at) => [mood, at]));

/** Nouns that stand in nearly every description say little in pairs. */
const reach = 9;

function symbols(token: Token): number[] {
  const out: number[] = [...token.concepts];
  const mood = moodNumber.get(token.mood) ?? 0;
  if (mood > 0) for (const concept of token.concepts) if (concept < verbCount) out.push(concepts.length + (mood - 1) * verbCount + concept);
  return out;
}

/** A memory of which features a window already has; one per process, cleared by counting up. */
const stamp = new Uint32Array(featureCount);
let tick = 0;

function sentenceFeatures(read: Read, out: number[]): void {
  const put = (feature: number): void => {
    if (stamp[feature] !== tick) {
      stamp[feature] = tick;
      out.push(feature);
    }
  };
  const rows: number[][] = [];
  let previous = 0;
  for (const token of read.index.tokens) {
    if (token.kind !== "mark") {
      const hash = wordHash(token);
      put(spaces.word + (hash & ((1 << hashBits) - 1)));
      put(spaces.word + ((Math.imul(previous, 0x9e3779b1) ^ hash) >>> (32 - hashBits)));
      previous = hash;
    }
    const row = symbols(token);
    if (row.length === 0) continue;
    for (const symbol of row) {
      put(spaces.single + symbol);
      for (let back = Math.max(0, rows.length - reach); back < rows.length; back++) {
        for (const earlier of rows[back] as number[]) put(spaces.pair + earlier * stride + symbol);
      }
    }
    rows.push(row);
  }
}

/** Where the ending begins that only inflects: "sends", "sending", "calls". */
function stemEnd(text: string): number {
  const { length } = text;
  if (length > 5 && text.endsWith("ing")) return length - 3;
  if (length > 4 && text.endsWith("ed")) return length - 2;
  if (length > 4 && text.endsWith("es")) return length - 2;
  if (length > 3 && (text.endsWith("s") || text.endsWith("e"))) return length - 1;
  return length;
}

function wordHash(token: Token): number {
  const text = token.kind === "word" ? token.text : token.kind;
  const end = stemEnd(text);
  let hash = 0x811c9dc5;
  for (let at = 0; at < end && at < 24; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
}

/** Long windows have more of everything; their sum counts for less. */
export function damping(features: number): number {
  return Math.min(1.2, Math.sqrt(200 / Math.max(1, features)));
}

export interface Window {
  readonly reading: Reading;
  /** Sentences [first, last] of the reading. */
  readonly first: number;
  readonly last: number;
  readonly features: Int32Array;
}

/** The windows of an item. At most `maximum`; beyond that the rest of the text is left to the rules. */
export interface RuleHit {
  readonly rule: string;
  readonly block: boolean;
  readonly reading: Reading;
  readonly sentence: number;
}

export function windows(item: View, hits: readonly RuleHit[], maximum = 600): Window[] {
  const out: Window[] = [];
  const topics = identity(item);
  for (const reading of item.readings) {
    const inReading = new Map<number, number>();
    for (const sentence of reading.sentences) for (const hit of sentence.acts) inReading.set(actNumber.get(hit.act) as number, (inReading.get(actNumber.get(hit.act) as number) ?? 0) + 1);
    const count = reading.sentences.length;
    for (let first = 0; first < count; first++) {
      if (out.length >= maximum) return out;
      const last = Math.min(first + 1, count - 1);
      if (first > 0 && first === last) break; // the last sentence is in the window before
      const rules = hits.filter((hit) => hit.reading === reading && hit.sentence >= first && hit.sentence <= last);
      out.push({ reading, first, last, features: windowFeatures(reading, first, last, inReading, topics, rules) });
    }
  }
  return out;
}

/**
 * What the tool is about, by its name, title and parameter names (and its first sentence, for later ones). A mail tool may speak of
 * recipients; an adder may not: concepts of a window that the tool is not about are features of their own.
 */
interface Identity {
  readonly concepts: ReadonlySet<number>;
  readonly words: ReadonlySet<string>;
  readonly opening: ReadonlySet<number>;
}

function identity(item: View): Identity {
  const about = new Set<number>();
  const words = new Set<string>();
  const opening = new Set<number>();
  for (const reading of item.readings) {
    const { role } = reading.leaf;
    if (role === "name" || role === "title" || (role === "parameter" && reading.encoding === "identifier" && reading.text.length < 40)) {
      for (const sentence of reading.sentences) for (const token of sentence.index.tokens) {
        words.add(token.text);
        for (const concept of token.concepts) about.add(concept);
      }
    }
    if (role === "description" && reading.encoding === undefined) {
      for (const token of reading.sentences[0]?.index.tokens ?? []) for (const concept of token.concepts) opening.add(concept);
    }
  }
  return { concepts: about, words, opening };
}

function windowFeatures(reading: Reading, first: number, last: number, inReading: ReadonlyMap<number, number>, topics: Identity, rules: readonly RuleHit[]): Int32Array {
  tick += 1;
  if (tick === 0xffffffff) {
    stamp.fill(0);
    tick = 1;
  }
  const out: number[] = [];
  const put = (feature: number): void => {
    if (stamp[feature] !== tick) {
      stamp[feature] = tick;
      out.push(feature);
    }
  };
  const here = new Map<number, number>();
  let tokens = 0;
  let capitals = 0;
  for (let at = first; at <= last; at++) {
    const sentence = reading.sentences[at] as Read;
    sentenceFeatures(sentence, out);
    tokens += sentence.index.tokens.length;
    for (const token of sentence.index.tokens) if (token.caps) capitals += 1;
    for (const hit of sentence.acts) {
      const act = actNumber.get(hit.act) as number;
      here.set(act, (here.get(act) ?? 0) + 1);
      put(spaces.act + act);
      for (const by of hit.by) put(spaces.actPattern + act * 32 + by);
    }
  }
  let content = 0;
  let related = 0;
  for (let at = first; at <= last; at++) {
    for (const token of (reading.sentences[at] as Read).index.tokens) {
      if (token.kind === "word" && token.text.length > 3) {
        content += 1;
        if (topics.words.has(token.text)) related += 1;
      }
      for (const concept of token.concepts) {
        if (!topics.concepts.has(concept) && (first === 0 || !topics.opening.has(concept))) {
          put(spaces.alien + concept);
          const mood = moodNumber.get(token.mood) ?? 0;
          if (mood > 0 && concept < verbCount) put(spaces.alien + concepts.length + (mood - 1) * verbCount + concept);
        }
      }
    }
  }
  if (content > 4) put(shape(related === 0 ? "unrelated" : related * 8 < content ? "hardly related" : "related"));
  const present = [...here.keys()].sort((a, b) => a - b);
  for (let a = 0; a < present.length; a++) for (let b = a + 1; b < present.length; b++) put(spaces.actPair + (present[a] as number) * actCount + (present[b] as number));
  for (const [act, times] of inReading) if (times > (here.get(act) ?? 0)) put(spaces.actElsewhere + act);
  for (const hit of rules) {
    const rule = ruleIds.indexOf(hit.rule);
    if (rule < 0) continue;
    put(spaces.rule + 2 * rule);
    if (hit.block) put(spaces.rule + 2 * rule + 1);
  }
  put(shape(reading.leaf.role));
  put(shape(reading.encoding === undefined ? "as written" : reading.encoding === "identifier" ? "identifier" : reading.encoding === "tags" || reading.encoding === "zero-width-bits" || reading.encoding === "variation" ? "revealed" : "decoded"));
  if (first === 0) put(shape("first sentence"));
  if (first === last) put(shape("one sentence"));
  if (last === reading.sentences.length - 1 && first > 0) put(shape("last"));
  if (tokens < 8) put(shape("short"));
  if (tokens > 60) put(shape("long"));
  if (capitals * 3 > tokens && tokens > 6) put(shape("shouting"));
  return Int32Array.from(out);
}

/**
 * An item as the rules and the model see it: every string, every reading of it (as written, decoded, revealed), every sentence with
 * its tokens and acts, each with the way back to the original characters.
 */
import { acts, type ActHit } from "./grammar/acts.ts";
import { index, type Index } from "./grammar/patterns.ts";
import { identWords, tokenise } from "./grammar/tokens.ts";
import { decodeHidden, decodeVisible, decodeWhole, type Encoding } from "./text/decode.ts";
import { harvest, type Harvest, type Leaf, type Role } from "./text/leaves.ts";
import { normalise, original, type Normal } from "./text/normalise.ts";
import { sentences } from "./text/sentences.ts";
import type { ItemKind, ScanLimits } from "./types.ts";
import type { Place } from "./text/leaves.ts";

export interface Read {
  readonly from: number;
  readonly to: number;
  readonly index: Index;
  readonly acts: readonly ActHit[];
}

/** One way to read a string. */
export interface Reading {
  readonly leaf: Leaf;
  readonly normal: Normal;
  /** What was decoded to get here; undefined for the text as written. */
  readonly encoding: Encoding | "identifier" | undefined;
  readonly text: string;
  readonly sentences: readonly Read[];
  /** A span of `text` as a span of the original string. */
  readonly span: (from: number, to: number) => [number, number];
}

export interface View {
  readonly kind: ItemKind;
  readonly item: unknown;
  readonly name: string;
  readonly place: Place | null;
  readonly harvest: Harvest;
  readonly readings: readonly Reading[];
}

const identifierRoles: ReadonlySet<Role> = new Set(["name", "parameter", "enum", "key", "default", "title"]);

export function view(kind: ItemKind, item: unknown, place: Place | null, limits: ScanLimits): View {
  const harvested = harvest(item, place, limits);
  const names = new Set(harvested.schema.parameters.map((parameter) => parameter.name.toLowerCase()));
  const readings: Reading[] = [];
  const seen = new Set<string>();
  for (const leaf of harvested.leaves) {
    // The same words twice say nothing new; structural rules still see every leaf.
    const key = identifierRoles.has(leaf.role) ? `${leaf.role} ${leaf.text}` : leaf.text;
    if (seen.has(key) || leaf.role === "pattern" || leaf.role === "ref") continue;
    seen.add(key);
    read(leaf, names, readings);
  }
  const named = typeof item === "object" && item !== null ? (item as { name?: unknown }).name : undefined;
  return { kind, item, name: typeof named === "string" ? named.slice(0, 300) : "", place, harvest: harvested, readings };
}

const identifier = /^[\p{L}$][\p{L}\p{N}$_.\-[\]]*$/u;

function read(leaf: Leaf, names: ReadonlySet<string>, readings: Reading[]): void {
  const normal = normalise(leaf.text);
  const { text } = normal;
  const back = (from: number, to: number): [number, number] => original(normal, from, to);
  const add = (encoding: Reading["encoding"], plain: string, span: Reading["span"]): void => {
    readings.push({ leaf, normal, encoding, text: plain, sentences: readSentences(plain, names), span });
  };
  if (identifier.test(text)) {
    const spelled = identWords(text);
    add("identifier", spelled, () => [0, leaf.text.length]);
  } else if (/\p{L}/u.test(text)) add(undefined, text, back);
  for (const decoded of decodeVisible(text)) add(decoded.encoding, decoded.text, () => back(decoded.from, decoded.to));
  for (const run of normal.hidden) {
    const decoded = decodeHidden(run);
    if (decoded !== undefined) add(decoded.encoding, decoded.text, () => [decoded.from, decoded.to]);
  }
  if (text.length >= 24) {
    const words = new Set(text.slice(0, 20_000).toLowerCase().split(/[^a-z]+/));
    for (const decoded of decodeWhole(text, words)) add(decoded.encoding, decoded.text, () => [0, leaf.text.length]);
  }
}

function readSentences(text: string, names: ReadonlySet<string>): Read[] {
  return sentences(text).map(({ from, to }, at) => {
    const sentence = index(tokenise(text, from, to, names, at > 0));
    return { from, to, index: sentence, acts: acts(sentence) };
  });
}

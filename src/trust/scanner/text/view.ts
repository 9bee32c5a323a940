/**
 * One string, read: its normal form, its sentences and cues, and the readings hidden in it (decoded text, invisible letters).
 */
import { read, type ReadSentence } from "../grammar/read.ts";
import type { Surroundings } from "../grammar/tokens.ts";
import { decodeHidden, decodeVisible, decodeWhole, type Encoding } from "./decode.ts";
import { normalise, original, type Normal } from "./normalise.ts";

export interface Reading {
  readonly encoding: Encoding | "plain";
  readonly text: string;
  readonly sentences: readonly ReadSentence[];
  /** Span of the source string for a span of `text`. Of a decoded reading it is always the whole encoded run. */
  readonly place: (from: number, to: number) => readonly [number, number];
}

export interface View {
  readonly source: string;
  readonly normal: Normal;
  /** The plain reading first. */
  readonly readings: readonly Reading[];
}

const depth = 2;

export function view(source: string, around: Surroundings): View {
  const normal = normalise(source);
  const sentences = read(normal.text, around);
  const readings: Reading[] = [{ encoding: "plain", text: normal.text, sentences, place: (from, to) => original(normal, from, to) }];
  const add = (encoding: Encoding, text: string, span: readonly [number, number], level: number): void => {
    if (readings.length >= 12) return;
    const inner = normalise(text);
    readings.push({ encoding, text: inner.text, sentences: read(inner.text, around), place: () => span });
    if (level < depth) for (const found of decodeVisible(inner.text)) add(found.encoding, found.text, span, level + 1);
  };
  for (const found of decodeVisible(normal.text)) add(found.encoding, found.text, original(normal, found.from, found.to), 1);
  if (normal.text.length >= 16) {
    const words = new Set<string>();
    for (const sentence of sentences) for (const token of sentence.tokens) if (token.kind === "word") words.add(token.lower);
    for (const found of decodeWhole(normal.text, words)) add(found.encoding, found.text, original(normal, found.from, found.to), 1);
  }
  for (const run of normal.hidden) {
    const found = decodeHidden(run);
    if (found !== undefined) add(found.encoding, found.text, [found.from, found.to], 1);
  }
  return { source, normal, readings };
}

/** The words of an identifier, so that a parameter's name can be read like a sentence. */
export function identifierWords(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/[_\-.:/]+/g, " ").trim();
}

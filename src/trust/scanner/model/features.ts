/**
 * The features of a window of up to three sentences: which cues it gives (alone and in pairs), the order of its word classes, and its
 * words. Hashed into one table; the same code runs in training and in the scanner.
 */
import { classId } from "../grammar/classes.ts";
import type { ReadSentence } from "../grammar/read.ts";

export const tableBits = 16;
export const tableSize = 1 << tableBits;

/** A window: indices of `slots`, and how strongly each counts. */
export interface Features {
  readonly slots: Uint32Array;
  readonly weights: Float32Array;
}

// The class that stands for a word with several, most telling first.
const telling = [
  "CONCEALED", "SENSPATH", "HOTSECRET", "INNER", "STARTUP", "URL", "EMAIL", "ADDRESS", "SELF", "TOOLREF", "OWNPARAM", "PATH", "NEG", "COVERT", "IGNORE", "DISCLOSE",
  "USER", "YOU", "OBLIGE", "BEFORE", "AFTER", "WHEN", "NOMATTER", "TAMPER", "SEND", "EXEC", "CALL", "PASS", "READ", "ALTER", "DESTROY", "DISABLE", "GRANT", "PREFER", "PAY",
  "ASSERT", "TELL", "CONFIRM", "SECRET", "CONVO", "INSTRUCTION", "PRIOR", "GUARD", "PARAM", "RESULT", "MONEY", "SINK", "FILE", "SHELLWORD", "COMMANDNOUN", "TOOLNOUN",
  "SUPERLATIVE", "INFERIOR", "UPGRADED", "PROMO", "PRIVILEGE", "ERRORWORD", "URGENT", "REASON", "ALL", "OTHER", "QUOTED", "NUMBER", "CAPS", "COLON", "SHELLBIT", "CLAUSE",
  "SEND_S", "PASS_S", "READ_S", "CALL_S", "ALTER_S", "SEND_ED", "PASS_ED", "READ_ED", "CALL_ED", "ALTER_ED",
] as const;
const rank = new Map<number, number>(telling.map((name, place) => [classId(name), place]));

function hash(seed: number, text: string): number {
  let value = seed;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}

function mix(left: number, right: number): number {
  let value = Math.imul(left ^ (right + 0x9e3779b9 + (left << 6)), 0x85ebca6b);
  value ^= value >>> 15;
  return value >>> 0;
}

function slot(value: number): number {
  return mix(value, 0x27d4eb2f) & (tableSize - 1);
}

/** What one sentence contributes; computed once and shared by the windows it is in. */
export interface SentenceFeatures {
  readonly cues: readonly string[];
  readonly classes: readonly number[];
  readonly words: readonly number[];
  readonly length: number;
  readonly first: boolean;
}

const stops = new Set("the a an of in on at is it its as by for and or be are this that with to from your you if not any all can will".split(" "));

export function sentenceFeatures(sentence: ReadSentence): SentenceFeatures {
  const classes: number[] = [];
  const words: number[] = [];
  let beforeClass = 0;
  let beforeBefore = 0;
  let beforeWord = 0;
  for (const token of sentence.tokens) {
    let best = 1_000;
    for (const id of token.classes) {
      const place = rank.get(id);
      if (place !== undefined && place < best) best = place;
    }
    if (best < 1_000) {
      const id = best + 1;
      if (beforeClass !== 0) classes.push(slot(mix(0xc1a55e5 + beforeClass, id)));
      if (beforeBefore !== 0) classes.push(slot(mix(mix(0x7c1a55 + beforeBefore, beforeClass), id)));
      beforeBefore = beforeClass;
      beforeClass = id;
    }
    if (token.kind === "word") {
      const value = hash(0x811c9dc5, token.lower);
      if (!stops.has(token.lower)) words.push(slot(value));
      if (beforeWord !== 0) words.push(slot(mix(beforeWord, value)));
      beforeWord = value;
    } else if (token.kind !== "punctuation") {
      const value = hash(0x811c9dc5, `#${token.kind}`);
      if (beforeWord !== 0) words.push(slot(mix(beforeWord, value)));
      beforeWord = value;
    }
  }
  return { cues: [...sentence.cues.keys()], classes, words, length: sentence.tokens.length, first: sentence.first };
}

/** The three groups are scaled apart: many words must not outweigh one cue. */
const share = { cue: 1, pair: 0.7, classes: 1.2, words: 1.5 } as const;

export function windowFeatures(sentences: readonly SentenceFeatures[], role: string): Features {
  const seen = new Map<number, number>();
  const cues = new Set<string>();
  const classes = new Set<number>();
  const words = new Set<number>();
  for (const sentence of sentences) {
    for (const cue of sentence.cues) cues.add(cue);
    for (const value of sentence.classes) classes.add(value);
    for (const value of sentence.words) words.add(value);
  }
  const put = (value: number, weight: number): void => {
    seen.set(value, (seen.get(value) ?? 0) + weight);
  };
  const named = [...cues].sort();
  const hashes = named.map((cue) => hash(0x51ed270b, cue));
  for (let at = 0; at < hashes.length; at++) {
    put(slot(hashes[at] as number), share.cue);
    for (let other = at + 1; other < hashes.length; other++) put(slot(mix(hashes[at] as number, hashes[other] as number)), share.pair / Math.sqrt(Math.max(1, hashes.length - 1)));
  }
  put(slot(hash(0x1b873593, role)), share.cue);
  put(slot(hash(0x1b873593, `cues:${Math.min(named.length, 8)}`)), share.cue);
  if (sentences.length === 1 && sentences[0]?.first === true) put(slot(hash(0x1b873593, "first")), share.cue);
  const classWeight = share.classes / Math.sqrt(Math.max(4, classes.size));
  for (const value of classes) put(value, classWeight);
  const wordWeight = share.words / Math.sqrt(Math.max(4, words.size));
  for (const value of words) put(value, wordWeight);
  return { slots: Uint32Array.from(seen.keys()), weights: Float32Array.from(seen.values()) };
}

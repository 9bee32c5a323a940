/** The windows the model looks at: every sentence alone, and every three in a row. */
import { sentenceFeatures, windowFeatures, type Features } from "./features.ts";
import type { ReadSentence } from "../grammar/read.ts";

export interface Window {
  readonly first: number;
  readonly last: number;
  readonly features: Features;
}

export function* windows(sentences: readonly ReadSentence[], role: string): Generator<Window> {
  const parts = sentences.map(sentenceFeatures);
  for (let at = 0; at < parts.length; at++) {
    yield { first: at, last: at, features: windowFeatures(parts.slice(at, at + 1), role) };
    if (at + 1 < parts.length && (at + 2 < parts.length || at === 0)) {
      const last = Math.min(at + 2, parts.length - 1);
      yield { first: at, last, features: windowFeatures(parts.slice(at, last + 1), role) };
    }
  }
}

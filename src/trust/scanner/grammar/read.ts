/**
 * A text read: its sentences, and the cues each sentence gives. Everything that rules and model need to know about one string.
 */
import { cues, type CueId } from "./cues.ts";
import { find, index, type Indexed } from "./patterns.ts";
import { sentences, type Surroundings } from "./tokens.ts";

export interface ReadSentence extends Indexed {
  /** Token span [first, last] of every cue that the sentence gives. */
  readonly cues: ReadonlyMap<CueId, readonly [number, number]>;
}

export function read(text: string, around: Surroundings): ReadSentence[] {
  return sentences(text, around).map((sentence) => {
    const indexed = index(sentence);
    const given = new Map<CueId, readonly [number, number]>();
    for (const cue of cues) {
      for (const pattern of cue.patterns) {
        const span = find(indexed, pattern);
        if (span === undefined) continue;
        given.set(cue.id, span);
        break;
      }
    }
    return { ...indexed, cues: given };
  });
}

/**
 * A search index in memory: lexical, typo-tolerant, small. Inverted, with field weights; words match whole, by prefix, or
 * (when nothing else does) within a small edit distance. Our own, because tens of thousands of entries must answer in milliseconds.
 */
import { distanceWithin } from "./distance.ts";

/** A field of an entry: how much its words weigh, and its text. */
export type Field = readonly [weight: number, text: string];

export interface TextIndex {
  /** Replaces the entry of that name, if there is one. */
  put(name: string, fields: readonly Field[]): void;
  remove(name: string): void;
  /** Entries taken away whose places are not reused yet; a caller may rebuild when they are many. */
  readonly removed: number;
  readonly size: number;
  /** Names, best first: those that match every word, or else those that match some. */
  search(text: string): string[];
}

/** Documents by number, and what each contributes to its terms. */
interface Postings {
  documents: number[];
  impacts: number[];
}

/** How much a match is worth that is not the whole word. */
const [prefixWorth, typoWorth] = [0.6, 0.4];
const longestQuery = 12;
/** Expansions of one word: enough for what a person could mean. */
const mostExpansions = 64;

export function createTextIndex(): TextIndex {
  const names: (string | undefined)[] = [];
  const numberOf = new Map<string, number>();
  const terms = new Map<string, Postings>();
  let vocabulary: string[] | undefined;
  let removed = 0;

  const remove = (name: string): void => {
    const old = numberOf.get(name);
    if (old === undefined) return;
    names[old] = undefined;
    numberOf.delete(name);
    removed++;
  };

  /** Terms that a query word may mean, each with its worth. */
  const expand = (word: string): [Postings, number][] => {
    const sorted = (vocabulary ??= [...terms.keys()].sort());
    const found: [Postings, number][] = [];
    const take = (term: string, worth: number) => {
      const postings = terms.get(term);
      if (postings) found.push([postings, worth]);
    };
    take(word, 1);
    if (word.length >= 2) for (let at = lowerBound(sorted, word); at < sorted.length && found.length < mostExpansions && sorted[at]?.startsWith(word); at++) if (sorted[at] !== word) take(sorted[at] ?? "", prefixWorth);
    const allowed = word.length >= 8 ? 2 : word.length >= 4 ? 1 : 0;
    if (found.length === 0 && allowed > 0) for (const term of sorted) if (Math.abs(term.length - word.length) <= allowed && distanceWithin(term, word, allowed) && found.length < mostExpansions) take(term, typoWorth);
    return found;
  };

  return {
    get removed() {
      return removed;
    },
    get size() {
      return names.length;
    },
    remove,
    put(name, fields) {
      remove(name);
      const document = names.length;
      names.push(name);
      numberOf.set(name, document);
      const impacts = new Map<string, number>();
      for (const [weight, text] of fields) for (const word of new Set(words(text))) impacts.set(word, (impacts.get(word) ?? 0) + weight);
      for (const [term, impact] of impacts) {
        let postings = terms.get(term);
        if (!postings) {
          postings = { documents: [], impacts: [] };
          terms.set(term, postings);
          vocabulary = undefined;
        }
        postings.documents.push(document);
        postings.impacts.push(impact);
      }
    },
    search(text) {
      const query = [...new Set(words(text))].slice(0, longestQuery);
      const scores = new Float32Array(names.length);
      const matched = new Uint8Array(names.length);
      query.forEach((word, index) => {
        const best = new Map<number, number>();
        for (const [{ documents, impacts }, worth] of expand(word)) {
          const rarity = Math.log(1 + names.length / documents.length);
          for (let at = 0; at < documents.length; at++) {
            const document = documents[at] ?? 0;
            const score = (impacts[at] ?? 0) * worth * rarity;
            if (score > (best.get(document) ?? 0)) best.set(document, score);
          }
        }
        for (const [document, score] of best) {
          scores[document] = (scores[document] ?? 0) + score;
          if (matched[document] === index) matched[document] = index + 1;
        }
      });
      const every: number[] = [];
      const some: number[] = [];
      for (let document = 0; document < names.length; document++) {
        if (names[document] === undefined || scores[document] === 0) continue;
        (matched[document] === query.length ? every : some).push(document);
      }
      const found = every.length > 0 ? every : some;
      found.sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || ((names[a] ?? "") < (names[b] ?? "") ? -1 : 1));
      return found.map((document) => names[document] ?? "");
    },
  };
}

function lowerBound(sorted: readonly string[], word: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? "") < word) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Lower-case words: split at everything that is no letter or digit and at camelCase humps, plurals folded. */
function words(text: string): string[] {
  return text
    .replaceAll(/([\p{Ll}\p{N}])(\p{Lu})/gu, "$1 $2")
    .normalize("NFKC")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "")
    .map(stem);
}

/** Plurals only: precise enough for the names of tools. */
function stem(term: string): string {
  if (term.length > 5 && term.endsWith("ies")) return `${term.slice(0, -3)}y`;
  if (term.length > 4 && term.endsWith("s") && !term.endsWith("ss")) return term.slice(0, -1);
  return term;
}

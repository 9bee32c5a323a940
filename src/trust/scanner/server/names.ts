/**
 * Names that pass for other names: the same after folding look-alike letters, digits and separators, or one or two slips away
 * (Damerau-Levenshtein). Look-up by folded form and by single deletions, so the cost does not grow with the number of approved names.
 */
import { normalise } from "../text/normalise.ts";

const leet: Readonly<Record<string, string>> = { "0": "o", "1": "l", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "|": "l", "!": "i", $: "s" };

/** What a hurried reader sees: lower case, letters only, look-alikes folded. */
export function skeleton(name: string): string {
  return normalise(name.slice(0, 300)).text.toLowerCase()
    .replace(/[\s_./-]+/g, "")
    .replace(/[013457 8|!$]/g, (sign) => leet[sign] ?? sign)
    .replaceAll("rn", "m").replaceAll("vv", "w").replaceAll("i", "l");
}

/** Distance with adjacent swaps, or `limit + 1` once it is larger than `limit`. */
export function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let row = 1; row <= a.length; row++) {
    const next = [row];
    let best = row;
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let value = Math.min((last[column] as number) + 1, (next[column - 1] as number) + 1, (last[column - 1] as number) + (same ? 0 : 1));
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) value = Math.min(value, (before[column - 2] as number) + 1);
      next.push(value);
      if (value < best) best = value;
    }
    if (best > limit) return limit + 1;
    before = last;
    last = next;
  }
  return last[b.length] as number;
}

export interface Lookalike {
  readonly name: string;
  /** imitation: folds to the same name. slip: a typing error away. */
  readonly how: "imitation" | "slip";
}

export interface NameIndex {
  /** An approved name that this one may be taken for; undefined when it is approved itself or like none. */
  readonly find: (name: string) => Lookalike | undefined;
}

export function indexNames(names: readonly string[]): NameIndex {
  const exact = new Set(names.map((name) => name.toLowerCase()));
  const bySkeleton = new Map<string, string>();
  const byDeletion = new Map<string, string[]>();
  for (const name of names.slice(0, 20_000)) {
    const folded = skeleton(name);
    if (folded !== "") bySkeleton.set(folded, name);
    if (folded.length < 6) continue;
    for (const shorter of deletions(folded)) {
      const list = byDeletion.get(shorter) ?? [];
      if (list.length < 50) list.push(name);
      byDeletion.set(shorter, list);
    }
  }
  return {
    find: (name) => {
      if (exact.has(name.toLowerCase())) return undefined;
      const folded = skeleton(name);
      const twin = bySkeleton.get(folded);
      if (twin !== undefined) return { name: twin, how: "imitation" };
      if (folded.length < 6) return undefined;
      for (const shorter of deletions(folded)) {
        for (const candidate of byDeletion.get(shorter) ?? []) if (near(folded, skeleton(candidate))) return { name: candidate, how: "slip" };
      }
      return undefined;
    },
  };
}

/** One slip, or two in a name of ten letters or more. Numbers that count ("tool1", "tool2") are not slips. */
function near(a: string, b: string): boolean {
  if (withoutCount(a) === withoutCount(b)) return false;
  const limit = Math.min(a.length, b.length) >= 10 ? 2 : 1;
  return distance(a, b, limit) <= limit;
}

function withoutCount(name: string): string {
  let end = name.length;
  while (end > 0 && name.charCodeAt(end - 1) >= 48 && name.charCodeAt(end - 1) <= 57) end -= 1;
  return name.slice(0, end);
}

function deletions(word: string): string[] {
  const out = [word];
  for (let at = 0; at < word.length && at < 80; at++) out.push(word.slice(0, at) + word.slice(at + 1));
  return out;
}

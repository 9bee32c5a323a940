/** Which strings are read as language, and how: prose as it is, identifiers word by word. */
import type { Leaf } from "./leaves.ts";
import { identifierWords } from "./text/view.ts";

const prose = /[\s\u3000-\u9fff\uac00-\ud7af]/;

export function isIdentifierLike(text: string): boolean {
  return !prose.test(text);
}

/** Short codes, numbers and plain words carry no order; an identifier of three or more words may. */
export function readable(leaf: Leaf): boolean {
  const { text, role } = leaf;
  if (role === "pattern" || role === "ref") return false;
  if (prose.test(text)) return text.length >= 6;
  if (text.length >= 16) return true;
  return /[^\x20-\x7e]/.test(text);
}

export function textOf(leaf: Leaf): string {
  const { text } = leaf;
  if (prose.test(text) || text.length > 300) return text;
  return /^[\w$.:-]+$/.test(text) && (leaf.role === "parameter" || leaf.role === "name" || leaf.role === "key") ? identifierWords(text) : text;
}

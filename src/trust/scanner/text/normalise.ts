/**
 * The text as a model reads it: compatibility forms folded (NFKC, per cluster), accents dropped, look-alike letters of mixed
 * words folded to ASCII, invisible characters taken out. Every character keeps its place in the original string.
 */
import { hiddenKind, isLatin, lookalike, symbolLetter, type HiddenKind } from "./characters.ts";

export interface HiddenRun {
  readonly kind: HiddenKind;
  /** Span in the original string. */
  readonly from: number;
  readonly to: number;
  readonly points: readonly number[];
}

export interface Normal {
  readonly text: string;
  /** For each code unit of `text`, where it began and ended in the original; null means the identity. */
  readonly starts: Int32Array | null;
  readonly ends: Int32Array | null;
  readonly hidden: readonly HiddenRun[];
  /** Words whose letters come from more than one alphabet and imitate ASCII; spans in the original. */
  readonly imitations: readonly (readonly [number, number])[];
  /** Letters written with mathematical, circled or squared forms; spans in the original. */
  readonly styled: readonly (readonly [number, number])[];
}

// The whole printable ASCII range plus tab, LF, CR: nothing to do. (A negated class: one linear pass.)
const beyondAscii = /[^\t\n\r\x20-\x7e]/;
// Letters that Unicode does not decompose, and the blank Braille pattern.
const plainLetters: Readonly<Record<string, string>> = { "ı": "i", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ß": "ss", "\u2800": " " };
const marks = /[\u0300-\u036f]/g;

/** Maps a half-open span of the normal text back to the original string. */
export function original(normal: Normal, from: number, to: number): [number, number] {
  if (normal.starts === null || normal.ends === null) return [from, to];
  if (normal.starts.length === 0) return [0, 0];
  const last = normal.starts.length - 1;
  const start = normal.starts[Math.min(from, last)] ?? 0;
  const end = normal.ends[Math.min(Math.max(to - 1, from), last)] ?? start;
  return [start, Math.max(start, end)];
}

export function normalise(source: string): Normal {
  if (!beyondAscii.test(source)) return { text: source, starts: null, ends: null, hidden: [], imitations: [], styled: [] };
  const out: string[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const hidden: { kind: HiddenKind; from: number; to: number; points: number[] }[] = [];
  const styled: [number, number][] = [];
  const put = (text: string, from: number, to: number): void => {
    for (let unit = 0; unit < text.length; unit++) {
      out.push(text[unit] as string);
      starts.push(from);
      ends.push(to);
    }
  };
  const hide = (kind: HiddenKind, from: number, to: number, point: number): void => {
    const last = hidden[hidden.length - 1];
    if (last !== undefined && last.to === from && last.kind === kind) {
      last.to = to;
      last.points.push(point);
    } else hidden.push({ kind, from, to, points: [point] });
  };

  let index = 0;
  while (index < source.length) {
    const point = source.codePointAt(index) as number;
    const width = point > 0xffff ? 2 : 1;
    if (point >= 0x20 && point < 0x7f) {
      put(source[index] as string, index, index + 1);
      index += 1;
      continue;
    }
    if (point === 0x1b || point === 0x9b) {
      const end = ansiEnd(source, index);
      if (end > index + 1) {
        hide("ansi", index, end, point);
        index = end;
        continue;
      }
    }
    const kind = hiddenKind(point);
    if (kind !== undefined) {
      hide(kind, index, index + width, point);
      if (point === 0x2028 || point === 0x2029) put("\n", index, index + width);
      index += width;
      continue;
    }
    const letter = symbolLetter(point);
    if (letter !== undefined) {
      put(letter, index, index + width);
      if (point < 0x1f1e6) extend(styled, index, index + width); // pairs of regional indicators are flags
      index += width;
      continue;
    }
    if (point < 0x80) put(source[index] as string, index, index + 1);
    else {
      const character = String.fromCodePoint(point);
      const folded = character.normalize("NFKD").replace(marks, "").normalize("NFC");
      if (folded !== character && isStyled(point, folded)) extend(styled, index, index + width);
      put(plainLetters[folded] ?? folded, index, index + width);
    }
    index += width;
  }
  const imitations = foldImitations(out, starts, ends);
  return { text: out.join(""), starts: Int32Array.from(starts), ends: Int32Array.from(ends), hidden, imitations, styled };
}

function extend(spans: [number, number][], from: number, to: number): void {
  const last = spans[spans.length - 1];
  if (last !== undefined && from - last[1] <= 1) last[1] = to;
  else spans.push([from, to]);
}

/** Mathematical alphanumerics, circled and parenthesised letters; full-width forms are ordinary in East Asian text. */
function isStyled(point: number, folded: string): boolean {
  if (!/^[a-zA-Z]/.test(folded)) return false;
  return (point >= 0x1d400 && point <= 0x1d7ff) || (point >= 0x249c && point <= 0x24e9) || (point >= 0x1f110 && point <= 0x1f189);
}

/** The end of an ECMA-48 control sequence or operating system command that starts at `index`. */
function ansiEnd(source: string, index: number): number {
  const limit = Math.min(source.length, index + 256);
  let at = index + 1;
  const opener = source[index] === "\u009b" ? "[" : source[at];
  if (source[index] !== "\u009b") at += 1;
  if (opener === "[") {
    while (at < limit && !/[@-~]/.test(source[at] as string)) at += 1;
    return Math.min(at + 1, source.length);
  }
  if (opener === "]" || opener === "P" || opener === "_" || opener === "^") {
    while (at < limit && source[at] !== "\u0007" && !(source[at] === "\u001b" && source[at + 1] === "\\")) at += 1;
    return Math.min(source[at] === "\u001b" ? at + 2 : at + 1, source.length);
  }
  return index + 1;
}

/**
 * Folds words that mix ASCII letters with look-alikes, and whole-look-alike words inside mostly ASCII text. Honest Greek or
 * Cyrillic text has words with letters that look like nothing in ASCII, so it stays as it is.
 */
function foldImitations(out: string[], starts: readonly number[], ends: readonly number[]): [number, number][] {
  const spans: [number, number][] = [];
  let ascii = 0;
  let foreign = 0;
  for (const unit of out) {
    const code = unit.charCodeAt(0);
    if ((code >= 97 && code <= 122) || (code >= 65 && code <= 90)) ascii += 1;
    else if (code >= 0x370 && code <= 0x58f) foreign += 1;
  }
  let at = 0;
  while (at < out.length) {
    if (!isWordUnit(out[at] as string)) {
      at += 1;
      continue;
    }
    let end = at;
    let plain = 0;
    let fakes = 0;
    let others = 0;
    let foreigners = 0;
    while (end < out.length && isWordUnit(out[end] as string)) {
      const code = (out[end] as string).charCodeAt(0);
      if (code < 0x80) plain += 1;
      else if (lookalike(code) !== undefined) {
        fakes += 1;
        if (!isLatin(code)) foreigners += 1;
      } else others += 1;
      end += 1;
    }
    if (fakes > 0 && others === 0 && (plain > 0 || (ascii > 4 * foreign && fakes > 2))) {
      for (let unit = at; unit < end; unit++) {
        const twin = lookalike((out[unit] as string).charCodeAt(0));
        if (twin !== undefined) out[unit] = twin;
      }
      // A lone Greek letter beside ASCII is mathematics or a unit: it folds, but it imitates nothing.
      if (foreigners > 0 && end - at > 2) spans.push([starts[at] as number, ends[end - 1] as number]);
    }
    at = end;
  }
  return spans;
}

function isWordUnit(unit: string): boolean {
  const code = unit.charCodeAt(0);
  if (code < 0x80) return (code >= 97 && code <= 122) || (code >= 65 && code <= 90);
  return (code >= 0xc0 && code <= 0x58f) || (code >= 0x1d00 && code <= 0x1dbf) || (code >= 0xa720 && code <= 0xa7ff) || code === 0x13cb;
}

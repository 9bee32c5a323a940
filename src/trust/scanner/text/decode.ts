/**
 * Text inside text: base64, hexadecimal, percent, HTML and backslash escapes, bytes, ROT13, reversed and spaced-out letters, and what invisible
 * characters spell (tag characters, variation selectors, zero-width bits). Each yields a reading with the span it came from.
 */
import type { HiddenRun } from "./normalise.ts";

export type Encoding =
  | "base64" | "hex" | "percent" | "entities" | "escapes" | "bytes" | "rot13" | "reversed" | "spaced" | "tags" | "variation" | "zero-width-bits";

export interface Decoded {
  readonly encoding: Encoding;
  readonly text: string;
  /** Span in the text that was handed in (the original string for hidden runs). */
  readonly from: number;
  readonly to: number;
}

const maximum = 8;

/** Decodes what is written with visible characters. Linear: every expression is a single run of one character class. */
export function decodeVisible(text: string): Decoded[] {
  const found: Decoded[] = [];
  const add = (encoding: Encoding, plain: string | undefined, from: number, to: number): void => {
    if (plain !== undefined && found.length < maximum && reads(plain)) found.push({ encoding, text: plain, from, to });
  };
  if (text.length >= 16) {
    for (const match of text.matchAll(/[A-Za-z0-9+/_-]{16,}={0,2}/g)) {
      const run = match[0];
      const to = match.index + run.length;
      if (run.length > 20_000) continue;
      if (/^[0-9a-fA-F]{20,}$/.test(run)) add("hex", fromHex(run), match.index, to);
      // Base64 of text has both cases; words, paths and identifiers with one case are not worth decoding.
      else if (/[a-z]/.test(run) && /[A-Z]/.test(run)) add("base64", fromBase64(run), match.index, to);
    }
    for (const match of text.matchAll(/(?:[0-9a-fA-F]{2}[ :,]){9,400}[0-9a-fA-F]{2}/g)) {
      add("hex", fromHex(match[0].replace(/[ :,]/g, "")), match.index, match.index + match[0].length);
    }
    for (const match of text.matchAll(/(?:[01]{8} ?){6,}/g)) {
      const bits = match[0].replaceAll(" ", "");
      const bytes = Uint8Array.from({ length: bits.length >> 3 }, (_, at) => Number.parseInt(bits.slice(at * 8, at * 8 + 8), 2));
      add("bytes", utf8(bytes), match.index, match.index + match[0].length);
    }
    for (const match of text.matchAll(/(?:\d{2,3}[ ,]{1,2}){9,400}\d{2,3}/g)) {
      const codes = match[0].split(/[ ,]+/).map(Number);
      if (codes.every((code) => code < 256)) add("bytes", utf8(Uint8Array.from(codes)), match.index, match.index + match[0].length);
    }
  }
  if (text.includes("%")) {
    const plain = text.replace(/(?:%[0-9a-fA-F]{2}){3,}|%20/g, (run) => utf8(Uint8Array.from(run.slice(1).split("%"), (pair) => Number.parseInt(pair, 16))) ?? run);
    if (count(text, /%[0-9a-fA-F]{2}/g) >= 6 && plain !== text) add("percent", plain, text.indexOf("%"), text.length);
  }
  if (count(text, /&#(?:x[0-9a-fA-F]{1,6}|\d{1,7});/g) >= 5) {
    const plain = text.replace(/&#(x[0-9a-fA-F]{1,6}|\d{1,7});/g, (whole, code: string) =>
      character(code.startsWith("x") ? Number.parseInt(code.slice(1), 16) : Number(code)) ?? whole);
    add("entities", plain, text.indexOf("&#"), text.length);
  }
  if (count(text, /\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})/g) >= 5) {
    const plain = text.replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))/g, (whole, byte?: string, unit?: string) =>
      character(Number.parseInt(byte ?? unit ?? "", 16)) ?? whole);
    add("escapes", plain, text.indexOf("\\"), text.length);
  }
  for (const run of spacedRuns(text)) add("spaced", run.text, run.from, run.to);
  return found;
}

/** ROT13 and reversed sentences: recognised by the commonest words of an instruction, which are no words in any language. */
export function decodeWhole(text: string, lowerWords: ReadonlySet<string>): Decoded[] {
  const found: Decoded[] = [];
  let rotated = 0;
  let backwards = 0;
  for (const word of lowerWords) {
    if (rotatedWords.has(word)) rotated += 1;
    if (backwardsWords.has(word)) backwards += 1;
  }
  if (rotated >= 2) found.push({ encoding: "rot13", text: rot13(text), from: 0, to: text.length });
  if (backwards >= 2) found.push({ encoding: "reversed", text: [...text].reverse().join(""), from: 0, to: text.length });
  return found;
}

/** What a run of invisible characters spells. */
export function decodeHidden(run: HiddenRun): Decoded | undefined {
  const { from, to, points, kind } = run;
  if (kind === "tag") {
    const text = points.filter((point) => point >= 0xe0020 && point < 0xe007f).map((point) => String.fromCharCode(point - 0xe0000)).join("");
    return text === "" ? undefined : { encoding: "tags", text, from, to };
  }
  if (kind === "variation" && points.length >= 4) {
    const bytes = Uint8Array.from(points, (point) => (point >= 0xe0100 ? point - 0xe0100 + 16 : point - 0xfe00));
    const text = utf8(bytes);
    return text === undefined ? undefined : { encoding: "variation", text, from, to };
  }
  if (kind === "zero-width" && points.length >= 16) {
    const kinds = [...new Set(points)];
    const [zero, one] = [kinds[0], kinds[1]];
    if (zero === undefined || one === undefined) return undefined;
    for (const [low, high] of [[zero, one], [one, zero]] as const) {
      const bits = points.filter((point) => point === low || point === high).map((point) => (point === high ? "1" : "0")).join("");
      const bytes = Uint8Array.from({ length: bits.length >> 3 }, (_, at) => Number.parseInt(bits.slice(at * 8, at * 8 + 8), 2));
      const text = utf8(bytes);
      if (text !== undefined && reads(text)) return { encoding: "zero-width-bits", text, from, to };
    }
  }
  return undefined;
}

/** Does it look like something written to be read: printable, mostly letters, at least one break between words or a path? */
export function reads(text: string): boolean {
  if (text.length < 6) return false;
  let letters = 0;
  let odd = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if ((code | 32) >= 97 && (code | 32) <= 122) letters += 1;
    else if (code > 0x2ff) letters += 1;
    else if (code < 32 && code !== 9 && code !== 10 && code !== 13) return false;
    else if (code === 0xfffd || (code >= 0x7f && code < 0xc0)) odd += 1;
  }
  if (odd > 0 && odd * 20 > text.length) return false;
  return letters * 10 >= text.length * 6 && (/\s/.test(text) || /:\/\/|^[~./]/.test(text));
}

function fromBase64(run: string): string | undefined {
  if (run.replaceAll("=", "").length % 4 === 1) return undefined;
  return utf8(Buffer.from(run, run.includes("-") || run.includes("_") ? "base64url" : "base64"));
}

function fromHex(run: string): string | undefined {
  return run.length % 2 === 0 ? utf8(Buffer.from(run, "hex")) : undefined;
}

const decoder = new TextDecoder("utf-8", { fatal: true });
function utf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined; // not UTF-8, so not a text
  }
}

function character(point: number): string | undefined {
  return point > 0 && point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff) ? String.fromCodePoint(point) : undefined;
}

function count(text: string, expression: RegExp): number {
  let hits = 0;
  for (const _ of text.matchAll(expression)) if (++hits >= 16) break;
  return hits;
}

/** "i g n o r e   a l l": at least eight single letters, each after one separator; wider gaps separate words. */
function spacedRuns(text: string): { text: string; from: number; to: number }[] {
  const runs: { text: string; from: number; to: number }[] = [];
  for (const match of text.matchAll(/(?<![A-Za-z0-9])[A-Za-z](?:[ ._*-]{1,3}[A-Za-z](?![A-Za-z0-9])){7,}/g)) {
    const joined = match[0].replace(/[ ._*-]{2,3}/g, "\u0000").replace(/[ ._*-]/g, "").replaceAll("\u0000", " ");
    runs.push({ text: joined.includes(" ") ? joined : ` ${joined}`, from: match.index, to: match.index + match[0].length });
  }
  return runs;
}

export function rot13(text: string): string {
  return text.replace(/[a-zA-Z]/g, (letter) => {
    const base = letter <= "Z" ? 65 : 97;
    return String.fromCharCode(((letter.charCodeAt(0) - base + 13) % 26) + base);
  });
}

const telling = "ignore previous instructions instruction system prompt user secret password before always contents file read send tool this with without never tell include follow private".split(" ");
const rotatedWords: ReadonlySet<string> = new Set(telling.map(rot13));
const backwardsWords: ReadonlySet<string> = new Set(telling.map((word) => [...word].reverse().join("")));

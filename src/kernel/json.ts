/**
 * The one parser for JSON from outside (RFC 8259, narrowed by I-JSON, RFC 7493): one linear scan refuses what parsers disagree about
 * (duplicate keys, prototype keys, numbers beyond doubles, lone surrogates in keys) and what exhausts them (depth, keys, size);
 * then the platform's parser builds the value. Nothing else may parse untrusted text.
 */
import { isUtf8 } from "node:buffer";
import { problem, type Problem } from "./problem.ts";

export interface JsonLimits {
  /** UTF-8 bytes. Default 1 MiB. */
  maxBytes: number;
  /** Levels of arrays and objects. Default 64. */
  maxDepth: number;
  /** Object members in all: what costs a parser most per byte. Default 10,000, or `maxItems` where only that is given. */
  maxKeys: number;
  /** Object members, array elements and containers in all. Default 100,000. */
  maxItems: number;
  /** The setting that sets maxBytes, for the error. */
  limitName: string;
}

const defaults = { maxBytes: 1_048_576, maxDepth: 64, maxKeys: 10_000, maxItems: 100_000, limitName: "SALLYPORT_BODY_LIMIT" } as const satisfies JsonLimits;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * @returns what JSON.parse returns.
 * @throws Problem `invalid-json` (400; the detail names the fault and its position in UTF-16 units) or `too-large` (413); never anything else.
 */
export function parseUntrustedJson(input: Uint8Array | string, limits: Partial<JsonLimits> = {}): unknown {
  const { maxBytes = defaults.maxBytes, maxDepth = defaults.maxDepth, maxItems = defaults.maxItems, maxKeys = limits.maxItems ?? defaults.maxKeys, limitName = defaults.limitName } = limits;
  if (exceeds(input, maxBytes)) throw problem("too-large", { detail: `The JSON is larger than ${maxBytes} bytes (${limitName})` });
  const text = typeof input === "string" ? input : decodeUtf8(input);
  // What came as bytes is well-formed; a lone surrogate can then only be written as an escape.
  if (typeof input === "string" && !input.isWellFormed()) throw invalid("Not valid Unicode", loneSurrogate(input));
  scan(text, maxDepth, maxKeys, maxItems);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const { expected, at } = firstFault(text);
    throw invalid(`Not valid JSON: expected ${expected}`, at, cause);
  }
}

declare global {
  interface JSON {
    /** ECMAScript "JSON.parse source text access": text that is written as it is. */
    rawJSON(text: string): RawJson;
    isRawJSON(value: unknown): value is RawJson;
  }
}

/** A number as it was written, because a double would change it. */
export interface RawJson {
  readonly rawJSON: string;
}

/** What a number that a double would change looks like where a value may begin: 16 digits, an exponent, a negative zero. */
const oddNumber = /(?:^|[:[,\s])-?(?:\d[\d.]{15}|[\d.]{1,15}[eE])|(?:^|[:[,\s])-0/;

/**
 * As `parseUntrustedJson`, but a number that a double would change (an integer beyond 2^53, more digits than it holds) comes back as `RawJson`,
 * so that `JSON.stringify` writes it back as it was: for whatever is read, changed and sent on.
 */
export function parseLosslessJson(input: Uint8Array | string, limits: Partial<JsonLimits> = {}): unknown {
  const text = typeof input === "string" ? input : decodeUtf8(input);
  const value = parseUntrustedJson(text, limits);
  if (!oddNumber.test(text)) return value;
  const parse = JSON.parse as (text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown) => unknown;
  return parse(text, (_key, member, { source }) => (typeof member === "number" && source !== undefined && changes(member, source) ? JSON.rawJSON(source) : member));
}

function changes(value: number, source: string): boolean {
  if (Object.is(value, -0)) return true;
  if (String(value) === source) return false;
  return digits(String(value)) !== digits(source);
}

/** The significant digits of a number's text: a double writes the shortest ones that lead back to it, so that others were lost. */
function digits(text: string): string {
  const [mantissa = ""] = text.split(/[eE]/, 1);
  const all = mantissa.replace(/[-.]/g, "").replace(/^0+/, "");
  let end = all.length;
  while (all.charCodeAt(end - 1) === 0x30) end--;
  return all.slice(0, end);
}

function exceeds(input: Uint8Array | string, maxBytes: number): boolean {
  if (typeof input !== "string") return input.byteLength > maxBytes;
  // A UTF-16 unit takes one to three bytes of UTF-8: mostly the length alone decides.
  return input.length > maxBytes || (input.length * 3 > maxBytes && Buffer.byteLength(input) > maxBytes);
}

/** The text of a body, for `memberSpan`. A byte order mark stays, for the parser to refuse. @throws Problem `invalid-json` naming the first byte that is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw invalid("Not valid UTF-8", firstBadByte(bytes), cause);
  }
}

/** Where the first sequence that is not UTF-8 begins: found by halving, since up to there some boundary of letters is never far. */
function firstBadByte(bytes: Uint8Array): number {
  const soundUpTo = (end: number) => [end, end - 1, end - 2, end - 3].find((boundary) => boundary >= 0 && isUtf8(bytes.subarray(0, boundary)));
  let [good, bad] = [0, bytes.length + 1];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (soundUpTo(middle) === undefined) bad = middle;
    else good = middle;
  }
  return soundUpTo(good) ?? 0;
}

/** @returns where the first surrogate without its partner stands. */
function loneSurrogate(text: string): number {
  return /\p{Surrogate}/u.exec(text)?.index ?? 0;
}

function invalid(what: string, position: number, cause?: unknown): Problem {
  return problem("invalid-json", { detail: `${what} at position ${position}`, ...(cause === undefined ? {} : { cause }) });
}

const quote = 0x22;
const backslash = 0x5c;
const reservedKeys = new Set(["__proto__", "constructor", "prototype"]);
/** Up to this many keys, looking through them is faster than hashing them. */
const few = 8;

/**
 * Grammar is left to JSON.parse; of every text that it accepts, this has seen exactly the keys, numbers and nesting.
 * The keys of all open objects stand on one stack, so that a small body costs no allocation per object; an object with many keys gets a set.
 */
function scan(text: string, maxDepth: number, maxKeys: number, maxItems: number): void {
  if (text.charCodeAt(0) === 0xfeff) throw invalid("A byte order mark is not allowed", 0);
  const keys: string[] = [];
  const sets: (Set<string> | undefined)[] = [];
  /** For each open container where its keys begin on the stack; -1 for an array. */
  const bases: number[] = [];
  let base = -1;
  let expectKey = false;
  let members = 0;
  let items = 0;
  const length = text.length;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    switch (code) {
      case quote: {
        const end = endOfString(text, at + 1);
        if (end === -1) throw invalid("A string is not closed", at);
        if (expectKey) {
          expectKey = false;
          if (++members > maxKeys) throw invalid(`More than ${maxKeys} members`, at);
          const key = readKey(text, at, end);
          const set = sets[bases.length];
          if (set !== undefined) {
            if (set.has(key)) throw invalid("A key occurs twice", at);
            set.add(key);
          } else {
            for (let known = base; known < keys.length; known++) if (keys[known] === key) throw invalid("A key occurs twice", at);
            if (keys.push(key) - base > few) {
              sets[bases.length] = new Set(keys.slice(base));
              keys.length = base;
            }
          }
        }
        at = end;
        break;
      }
      case 0x7b: // {
      case 0x5b: // [
        if (bases.length >= maxDepth) throw invalid(`Nested deeper than ${maxDepth} levels`, at);
        if (++items > maxItems) throw invalid(`More than ${maxItems} members and elements`, at);
        expectKey = code === 0x7b;
        base = expectKey ? keys.length : -1;
        bases.push(base);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        if (base !== -1) {
          keys.length = base;
          sets[bases.length] = undefined;
        }
        bases.pop();
        base = bases[bases.length - 1] ?? -1;
        expectKey = false;
        break;
      case 0x2c: // ,
        if (++items > maxItems) throw invalid(`More than ${maxItems} members and elements`, at);
        expectKey = base !== -1;
        break;
      default:
        if ((code >= 0x30 && code <= 0x39) || code === 0x2d) at = checkNumber(text, at);
    }
  }
}

/** @returns the index of the closing quote, or -1. */
function endOfString(text: string, from: number): number {
  // Most strings are short: a search by the platform pays off only beyond that.
  const near = Math.min(from + 40, text.length);
  for (let at = from; at < near; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) return at;
    if (code === backslash) at++;
  }
  let end = text.indexOf('"', from);
  while (end !== -1) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === backslash && end - 1 - slashes >= from) slashes++;
    if (slashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  return -1;
}

/** The key between two quotes, unescaped. @throws Problem for a reserved name (prototype pollution) and for lone surrogates. */
function readKey(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end);
  const key = raw.includes("\\") ? unescapeKey(text, start, end) : raw;
  // The reserved names have 9 and 11 letters: others need no look-up.
  if ((key.length === 9 || key.length === 11) && reservedKeys.has(key)) throw invalid("A key with a reserved name", start);
  return key;
}

function unescapeKey(text: string, start: number, end: number): string {
  let key: string;
  try {
    key = JSON.parse(text.slice(start, end + 1)) as string;
  } catch (cause) {
    throw invalid("Not valid JSON: expected a key", start, cause);
  }
  if (!key.isWellFormed()) throw invalid("A key that is not valid Unicode", start);
  return key;
}

/** @returns the index of the number's last character. */
function checkNumber(text: string, start: number): number {
  let end = start + 1;
  let exponent = false;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code >= 0x30 && code <= 0x39) continue;
    if (code === 0x65 || code === 0x45) exponent = true;
    else if (code !== 0x2e && code !== 0x2b && code !== 0x2d) break;
  }
  // A double ends near 1.8e308: without an exponent, no shorter number leaves it.
  if ((exponent || end - start > 300) && Math.abs(Number(text.slice(start, end))) === Number.POSITIVE_INFINITY) throw invalid("A number that is too large", start);
  return end - 1;
}

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const literal = /true|false|null/y;

/** Where a text that JSON.parse refused stops being JSON (RFC 8259), and what could have stood there: the platform does not always say. */
function firstFault(text: string): { expected: string; at: number } {
  const open: string[] = [];
  let state: "value" | "key" | "colon" | "end" = "value";
  /** Directly after an opening bracket, its closing one may stand too. */
  let fresh = false;
  for (let at = skipSpace(text, 0); ; at = skipSpace(text, at)) {
    const char = text.charAt(at);
    const closing = open[open.length - 1];
    if (state === "end" && closing === undefined) return { expected: "nothing more", at };
    if (char !== "" && char === closing && (state === "end" || fresh)) {
      open.pop();
      [state, fresh] = ["end", false];
      at++;
      continue;
    }
    if (state === "end") {
      if (char !== ",") return { expected: `',' or '${closing}'`, at };
      state = closing === "}" ? "key" : "value";
      at++;
      continue;
    }
    if (state === "colon") {
      if (char !== ":") return { expected: "':'", at };
      state = "value";
      at++;
      continue;
    }
    if (state === "value" && (char === "{" || char === "[")) {
      open.push(char === "{" ? "}" : "]");
      [state, fresh] = [char === "{" ? "key" : "value", true];
      at++;
      continue;
    }
    const end = char === '"' ? soundString(text, at) : state === "value" ? endOfToken(text, at) : undefined;
    if (end === undefined) return { expected: state === "key" ? "a key in double quotes" : "a value", at };
    if (end < 0) return { expected: "no control character or unknown escape in a string", at: -end };
    [state, fresh] = [state === "key" ? "colon" : "end", false];
    at = end;
  }
}

function endOfToken(text: string, at: number): number | undefined {
  for (const token of [number, literal]) {
    token.lastIndex = at;
    if (token.test(text)) return token.lastIndex;
  }
  return undefined;
}

/** @returns the index after the string at `at`, or the negative index of the fault in it. The scan has seen that it closes. */
function soundString(text: string, at: number): number {
  for (let next = at + 1; ; next++) {
    const code = text.charCodeAt(next);
    if (code === quote) return next + 1;
    if (code < 0x20 || Number.isNaN(code)) return -next;
    if (code !== backslash) continue;
    if (!/^(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.test(text.slice(next + 1, next + 6))) return -next;
    next++;
  }
}

/** Where a value stands in its source: `text.slice(start, end)`. */
export interface Span {
  start: number;
  end: number;
}

/**
 * The source span of the value at `path`, through objects only. The text must have passed `parseUntrustedJson`.
 * Lets a member be replaced without re-serialising the rest, so that numbers beyond 2^53 and unknown members survive byte for byte.
 */
export function memberSpan(text: string, path: readonly string[]): Span | undefined {
  let at = skipSpace(text, 0);
  for (const wanted of path) {
    const found = findMember(text, at, wanted);
    if (found === undefined) return undefined;
    at = found;
  }
  return { start: at, end: endOfValue(text, at) };
}

export function replaceSpan(text: string, { start, end }: Span, replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

/** @returns the start of the member's value. */
function findMember(text: string, objectStart: number, wanted: string): number | undefined {
  if (text.charCodeAt(objectStart) !== 0x7b) return undefined;
  let at = skipSpace(text, objectStart + 1);
  while (text.charCodeAt(at) === quote) {
    const end = endOfString(text, at + 1);
    const raw = text.slice(at + 1, end);
    const key = raw.includes("\\") ? unescapeKey(text, at, end) : raw;
    const value = skipSpace(text, skipSpace(text, end + 1) + 1);
    if (key === wanted) return value;
    at = skipSpace(text, endOfValue(text, value));
    if (text.charCodeAt(at) !== 0x2c) return undefined;
    at = skipSpace(text, at + 1);
  }
  return undefined;
}

function skipSpace(text: string, at: number): number {
  for (let code = text.charCodeAt(at); code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09; code = text.charCodeAt(at)) at++;
  return at;
}

/** @returns the index after the value that starts at `at`. */
function endOfValue(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === quote) return endOfString(text, at + 1) + 1;
  if (first !== 0x7b && first !== 0x5b) {
    while (at < text.length && !",]} \t\r\n".includes(text.charAt(at))) at++;
    return at;
  }
  let depth = 0;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) at = endOfString(text, at + 1);
    else if (code === 0x7b || code === 0x5b) depth++;
    else if ((code === 0x7d || code === 0x5d) && --depth === 0) return at + 1;
  }
  return at;
}

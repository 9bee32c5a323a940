/**
 * The one parser for JSON from outside (RFC 8259, narrowed by I-JSON, RFC 7493): one linear scan refuses what parsers disagree about
 * (duplicate keys, prototype keys, numbers beyond doubles, lone surrogates in keys) and what exhausts them (depth, keys, size);
 * then the platform's parser builds the value. Nothing else may parse untrusted text.
 */
import { problem, type Problem } from "./problem.ts";

export interface JsonLimits {
  /** UTF-8 bytes. */
  maxBytes: number;
  maxDepth: number;
  /** Object members and array elements in all. */
  maxItems: number;
  /** The setting that sets maxBytes, for the error. */
  limitName: string;
}

const defaults: JsonLimits = { maxBytes: 1_048_576, maxDepth: 64, maxItems: 100_000, limitName: "SALLYPORT_BODY_LIMIT" };
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws Problem `invalid-json` (400) or `too-large` (413); never anything else. */
export function parseUntrustedJson(input: Uint8Array | string, limits: Partial<JsonLimits> = {}): unknown {
  const { maxBytes, maxDepth, maxItems, limitName } = { ...defaults, ...limits };
  if ((typeof input === "string" ? input.length : input.byteLength) > maxBytes) throw problem("too-large", { detail: `The JSON is larger than ${maxBytes} bytes (${limitName})` });
  const text = typeof input === "string" ? input : decode(input);
  scan(text, maxDepth, maxItems);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw invalid("Not valid JSON", undefined, cause);
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw invalid("Not valid UTF-8", undefined, cause);
  }
}

function invalid(what: string, position?: number, cause?: unknown): Problem {
  return problem("invalid-json", { detail: position === undefined ? what : `${what} at position ${position}`, ...(cause === undefined ? {} : { cause }) });
}

const quote = 0x22;
const backslash = 0x5c;
const forbiddenKeys = new Set(["__proto__", "constructor", "prototype"]);

/** What is open at a depth: an array, or an object with the keys seen so far. */
type Frame = { keys: Set<string> | undefined; first: string | undefined } | undefined;

/** Grammar is left to JSON.parse; for every text that it accepts, this saw exactly its keys, numbers and nesting. */
function scan(text: string, maxDepth: number, maxItems: number): void {
  if (text.charCodeAt(0) === 0xfeff) throw invalid("A byte order mark is not allowed", 0);
  const open: Frame[] = [];
  let frame: Frame;
  let expectKey = false;
  let items = 0;
  const length = text.length;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    switch (code) {
      case quote: {
        const end = endOfString(text, at + 1);
        if (end === -1) throw invalid("A string is not closed", at);
        if (expectKey && frame) {
          addKey(frame, text, at, end);
          expectKey = false;
        }
        at = end;
        break;
      }
      case 0x7b: // {
      case 0x5b: // [
        if (open.length >= maxDepth) throw invalid(`Nested deeper than ${maxDepth} levels`, at);
        frame = code === 0x7b ? { keys: undefined, first: undefined } : undefined;
        open.push(frame);
        expectKey = code === 0x7b;
        items++;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        frame = open[open.length - 1];
        expectKey = false;
        break;
      case 0x2c: // ,
        if (++items > maxItems) throw invalid(`More than ${maxItems} members and elements`, at);
        expectKey = frame !== undefined;
        break;
      default:
        if ((code >= 0x30 && code <= 0x39) || code === 0x2d) at = checkNumber(text, at);
    }
  }
}

/** @returns the index of the closing quote, or -1. */
function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from);
  while (end !== -1) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === backslash && end - 1 - slashes >= from) slashes++;
    if (slashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  return -1;
}

function addKey(frame: NonNullable<Frame>, text: string, start: number, end: number): void {
  const raw = text.slice(start + 1, end);
  const key = raw.includes("\\") ? unescapeKey(text, start, end) : raw;
  if (forbiddenKeys.has(key)) throw invalid("A key with a reserved name", start);
  if (!key.isWellFormed()) throw invalid("A key that is not valid Unicode", start);
  if (frame.first === undefined) {
    frame.first = key;
    return;
  }
  frame.keys ??= new Set([frame.first]);
  if (frame.keys.has(key)) throw invalid("A key occurs twice", start);
  frame.keys.add(key);
}

function unescapeKey(text: string, start: number, end: number): string {
  try {
    return JSON.parse(text.slice(start, end + 1)) as string;
  } catch (cause) {
    throw invalid("Not valid JSON", start, cause);
  }
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
  if ((exponent || end - start > 300) && !Number.isFinite(Number(text.slice(start, end)))) throw invalid("A number that is too large", start);
  return end - 1;
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

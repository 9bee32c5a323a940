/**
 * SCIM filters (RFC 7644 section 3.4.2.2), as lists and PATCH paths have them: parsed with bounds on length, terms and depth, and judged
 * over plain JSON. Attribute names and texts are compared without regard to case, as the schemas of RFC 7643 have it.
 */
import { scimError } from "./errors.ts";

export type Filter =
  | { kind: "and" | "or"; left: Filter; right: Filter }
  | { kind: "not"; inner: Filter }
  /** `emails[type eq "work"]` */
  | { kind: "some"; attribute: string; inner: Filter }
  | { kind: "present"; attribute: string }
  | { kind: "compare"; attribute: string; operator: Operator; value: string | number | boolean | null };

type Operator = "eq" | "ne" | "co" | "sw" | "ew" | "gt" | "ge" | "lt" | "le";
const operators = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"];
const longest = 2000;
const mostTokens = 200;
const deepest = 10;

/** `path` of a PATCH operation: `attribute`, `attribute.sub`, `attribute[filter]` or `attribute[filter].sub`, after an optional schema URN. */
export interface Path {
  attribute: string;
  filter: Filter | undefined;
  sub: string | undefined;
}

const refuse = (detail: string) => scimError("invalidFilter", detail);
/** A text with JSON's escapes, a bracket, or a word. */
const token = /\s*(?:("(?:[^"\\]|\\.)*")|([()[\]])|([^\s()[\]"]+))/y;

function tokenize(text: string): string[] {
  if (text.length > longest) throw refuse(`A filter has at most ${longest} characters`);
  const tokens: string[] = [];
  const trimmed = text.trim();
  token.lastIndex = 0;
  while (token.lastIndex < trimmed.length) {
    const match = token.exec(trimmed);
    if (!match) throw refuse("The filter cannot be read");
    tokens.push(match[1] ?? match[2] ?? match[3] ?? "");
    if (tokens.length > mostTokens) throw refuse(`A filter has at most ${mostTokens} words`);
  }
  return tokens;
}

/** @throws Problem: `invalidFilter`. */
export function parseFilter(text: string): Filter {
  const reader = createReader(tokenize(text));
  const filter = reader.or(0);
  reader.end();
  return filter;
}

/** @throws Problem: `invalidPath`. */
export function parsePath(text: string): Path {
  const match = /^((?:urn:[\w.:-]+:)?[A-Za-z$][\w$-]*)(?:\[(.*)\])?(?:\.([A-Za-z$][\w$-]*))?$/s.exec(text.trim().slice(0, longest + 1));
  if (!match || text.length > longest) throw scimError("invalidPath", "The path cannot be read");
  return { attribute: nameOf(match[1] ?? ""), filter: match[2] === undefined ? undefined : parseFilter(match[2]), sub: match[3]?.toLowerCase() };
}

/** In lower case; without the URN of a core schema (RFC 7644 section 3.10). */
function nameOf(text: string): string {
  return text.toLowerCase().replace(/^urn:ietf:params:scim:schemas:core:2\.0:(?:user|group):/, "");
}

function createReader(tokens: readonly string[]) {
  let at = 0;
  const peek = () => tokens[at];
  const word = () => peek()?.toLowerCase();
  const next = (): string => {
    const found = tokens[at++];
    if (found === undefined) throw refuse("The filter ends too soon");
    return found;
  };
  const close = (bracket: string) => {
    if (next() !== bracket) throw refuse(`There is no ${bracket} where one must be`);
  };
  const or = (depth: number): Filter => {
    if (depth > deepest) throw refuse(`A filter is at most ${deepest} deep`);
    let left = and(depth);
    while (word() === "or") {
      at++;
      left = { kind: "or", left, right: and(depth) };
    }
    return left;
  };
  const and = (depth: number): Filter => {
    let left = term(depth);
    while (word() === "and") {
      at++;
      left = { kind: "and", left, right: term(depth) };
    }
    return left;
  };
  const inBrackets = (opening: "(" | "[", depth: number): Filter => {
    if (next() !== opening) throw refuse(`There is no ${opening} where one must be`);
    const inner = or(depth + 1);
    close(opening === "(" ? ")" : "]");
    return inner;
  };
  const term = (depth: number): Filter => {
    if (word() === "not") {
      at++;
      return { kind: "not", inner: inBrackets("(", depth) };
    }
    if (peek() === "(") return inBrackets("(", depth);
    const attribute = next();
    if (!/^(?:urn:[\w.:-]+:)?[A-Za-z$][\w$.-]*$/i.test(attribute)) throw refuse("An attribute name is needed");
    if (peek() === "[") return { kind: "some", attribute: nameOf(attribute), inner: inBrackets("[", depth) };
    const operator = next().toLowerCase();
    if (operator === "pr") return { kind: "present", attribute: nameOf(attribute) };
    if (!operators.includes(operator)) throw refuse("An operator is needed: eq, ne, co, sw, ew, gt, ge, lt, le or pr");
    return { kind: "compare", attribute: nameOf(attribute), operator: operator as Operator, value: valueOf(next()) };
  };
  return {
    or,
    end() {
      if (at < tokens.length) throw refuse("The filter goes on where it should end");
    },
  };
}

function valueOf(text: string): string | number | boolean | null {
  const lower = text.toLowerCase();
  if (lower === "true" || lower === "false") return lower === "true";
  if (lower === "null") return null;
  if (/^-?\d{1,15}(?:\.\d{1,10})?$/.test(text)) return Number(text);
  if (!text.startsWith('"')) throw refuse("A value is needed: a text in quotes, a number, true, false or null");
  return text.slice(1, -1).replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_whole, code: string | undefined, character: string | undefined) => (code ? String.fromCharCode(Number.parseInt(code, 16)) : (escapes[character ?? ""] ?? character ?? "")));
}

const escapes: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" };

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

/** All values that a dotted name leads to: of a multi-valued attribute every element, and `value` of an element stands for it. */
export function valuesAt(resource: unknown, name: string): unknown[] {
  let found: unknown[] = [resource];
  for (const part of name.split(".")) {
    found = found.flatMap((value) => (Array.isArray(value) ? (value as unknown[]) : [value])).flatMap((value) => {
      if (!isObject(value)) return [];
      const key = Object.keys(value).find((candidate) => candidate.toLowerCase() === part);
      return key === undefined ? [] : [value[key]];
    });
  }
  return found.flatMap((value) => (Array.isArray(value) ? (value as unknown[]) : [value])).map((value) => (isObject(value) && "value" in value ? value["value"] : value));
}

export function fits(resource: unknown, filter: Filter): boolean {
  switch (filter.kind) {
    case "and":
      return fits(resource, filter.left) && fits(resource, filter.right);
    case "or":
      return fits(resource, filter.left) || fits(resource, filter.right);
    case "not":
      return !fits(resource, filter.inner);
    case "some":
      return elementsAt(resource, filter.attribute).some((element) => fits(element, filter.inner));
    case "present":
      return valuesAt(resource, filter.attribute).some((value) => value !== undefined && value !== null && value !== "");
    case "compare": {
      const values = valuesAt(resource, filter.attribute);
      if (filter.operator === "ne") return !values.some((value) => compare(value, "eq", filter.value));
      return values.some((value) => compare(value, filter.operator, filter.value));
    }
  }
}

function elementsAt(resource: unknown, name: string): unknown[] {
  if (!isObject(resource)) return [];
  const key = Object.keys(resource).find((candidate) => candidate.toLowerCase() === name);
  const value = key === undefined ? undefined : resource[key];
  return Array.isArray(value) ? (value as unknown[]) : value === undefined ? [] : [value];
}

function compare(actual: unknown, operator: Operator, wanted: string | number | boolean | null): boolean {
  if (operator === "eq" && (typeof wanted !== "string" || typeof actual !== "string")) return actual === wanted || (wanted === null && actual === undefined);
  if (typeof actual === "number" && typeof wanted === "number") return ordered(actual, operator, wanted);
  if (typeof actual !== "string" || typeof wanted !== "string") return false;
  const [a, b] = [actual.toLowerCase(), wanted.toLowerCase()];
  if (operator === "eq") return a === b;
  if (operator === "co") return a.includes(b);
  if (operator === "sw") return a.startsWith(b);
  return operator === "ew" ? a.endsWith(b) : ordered(a, operator, b);
}

function ordered<T extends string | number>(a: T, operator: Operator, b: T): boolean {
  if (operator === "gt") return a > b;
  if (operator === "ge") return a >= b;
  return operator === "lt" ? a < b : operator === "le" && a <= b;
}

/**
 * Canonical JSON (RFC 8785, JCS): one text for one value, so that a digest of it can be pinned and compared.
 * Anything that JSON does not have is refused rather than dropped: what is not in the text is not in the digest.
 */
import { problem, type Problem } from "./problem.ts";

export interface CanonicalLimits {
  /** Levels of arrays and objects. Default 128: what the strict parser admits, and room for what we wrap around it. */
  maxDepth: number;
}

/**
 * @param value what a JSON parser returns: null, booleans, finite numbers, well-formed strings, arrays without holes, plain objects.
 * @throws Problem `invalid-json` naming the path of what cannot be written.
 */
export function canonicalize(value: unknown, { maxDepth = 128 }: Partial<CanonicalLimits> = {}): string {
  return write(value, [], maxDepth);
}

function write(value: unknown, path: (string | number)[], room: number): string {
  switch (typeof value) {
    case "string":
      // JSON.stringify escapes exactly what section 3.2.2.2 asks for; a lone surrogate has no UTF-8 and must be an error.
      if (!value.isWellFormed()) throw refused("a string that is not valid Unicode", path);
      return JSON.stringify(value);
    case "number":
      // ECMAScript's own number text is the one that section 3.2.2.3 prescribes; it writes -0 as 0.
      if (!Number.isFinite(value)) throw refused("a number that JSON does not have", path);
      return String(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (room === 0) throw refused("too many levels", path);
      return Array.isArray(value) ? writeArray(value, path, room - 1) : writeObject(value, path, room - 1);
    default:
      throw refused(`a value of type ${typeof value}`, path);
  }
}

function writeArray(array: readonly unknown[], path: (string | number)[], room: number): string {
  const parts: string[] = [];
  // By index, so that a hole is met as undefined and refused.
  for (let index = 0; index < array.length; index++) {
    path.push(index);
    parts.push(write(array[index], path, room));
    path.pop();
  }
  return `[${parts.join(",")}]`;
}

function writeObject(object: object, path: (string | number)[], room: number): string {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== null && prototype !== Object.prototype) throw refused("an object that is not plain", path);
  const parts: string[] = [];
  // The default order of sort is by UTF-16 code units, as section 3.2.3 wants it.
  for (const key of Object.keys(object).sort()) {
    path.push(key);
    if (!key.isWellFormed()) throw refused("a key that is not valid Unicode", path);
    parts.push(`${JSON.stringify(key)}:${write((object as Record<string, unknown>)[key], path, room)}`);
    path.pop();
  }
  return `{${parts.join(",")}}`;
}

function refused(what: string, path: readonly (string | number)[]): Problem {
  const where = path.slice(0, 8).map((step) => String(step).toWellFormed().slice(0, 40)).join(".");
  return problem("invalid-json", { detail: `Cannot be written as canonical JSON: ${what}${where === "" ? "" : ` at ${where}${path.length > 8 ? "…" : ""}`}` });
}

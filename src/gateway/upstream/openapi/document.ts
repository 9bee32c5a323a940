/** Reads an OpenAPI document (JSON or YAML 1.2 core schema) within bounds. Runs in a worker of its own: see compile.ts. */
// ast-grep-ignore: unsafe-deserialization -- YAML of the core schema alone: plain data, aliases bounded, in a worker, and then judged as JSON
import { parseDocument } from "yaml";
import { parseUntrustedJson } from "../../../kernel/json.ts";
import { Problem } from "../../../kernel/problem.ts";
import type { JsonObject } from "../../exchange.ts";
import { isObject } from "../../wire/message.ts";

/** What is wrong with a document, for whoever registered it. */
export class DocumentError extends Error {}

const bounds = { maxDepth: 200, maxKeys: 500_000, maxItems: 1_500_000 };
/** How many nodes all aliases may add (the "billion laughs"). */
const mostAliases = 100;

/** @throws DocumentError. */
export function readDocument(text: string, maxBytes: number): JsonObject {
  const value = /^\s*\{/.test(text.slice(0, 1000)) ? fromJson(text, maxBytes) : fromYaml(text);
  if (!isObject(value)) throw new DocumentError("it is not an object");
  const version = value["openapi"];
  if (typeof version !== "string" || !/^3\.[01]\.\d{1,3}$/.test(version)) throw new DocumentError(value["swagger"] === undefined ? "its member 'openapi' must say 3.0.x or 3.1.x" : "it is of Swagger 2.0; convert it to OpenAPI 3.0 or 3.1 first");
  return value;
}

function fromJson(text: string, maxBytes: number): unknown {
  try {
    return parseUntrustedJson(text, { ...bounds, maxBytes, limitName: "SALLYPORT_OPENAPI_DOCUMENT_LIMIT" });
  } catch (error) {
    throw new DocumentError(error instanceof Problem ? error.message : "it is not JSON");
  }
}

function fromYaml(text: string): unknown {
  // The parser recurses: what is nested deeper than any real document is refused by its looks, before it is read.
  for (const line of text.split("\n")) if (/^\s{800}/.test(line) || /(?:[[{]\s*){100}/.test(line) || /^(?:\s*[-?]\s){100}/.test(line)) throw new DocumentError("it is nested too deeply");
  try {
    const parsed = parseDocument(text, { schema: "core", version: "1.2", uniqueKeys: true, strict: true, stringKeys: true, prettyErrors: false, logLevel: "silent" });
    const [error] = parsed.errors;
    if (error) throw new DocumentError(`it is not YAML: ${error.message.slice(0, 200)} at position ${error.pos[0]}`);
    // By way of JSON: one set of rules (reserved keys, depth, numbers) for both notations.
    return parseUntrustedJson(JSON.stringify(parsed.toJS({ maxAliasCount: mostAliases })), { ...bounds, maxBytes: 1_073_741_824 });
  } catch (error) {
    if (error instanceof DocumentError) throw error;
    throw new DocumentError(error instanceof Problem ? error.message : error instanceof RangeError ? "it is nested too deeply" : "it is not YAML that can be read within bounds");
  }
}

/** The value that a local reference names (RFC 6901, as a URI fragment). @throws DocumentError for any other reference. */
export function lookUp(document: JsonObject, reference: string): unknown {
  if (!reference.startsWith("#/") && reference !== "#") throw new DocumentError(`a $ref names another document (${reference.slice(0, 100)}); only references within the document are followed`);
  let at: unknown = document;
  for (const raw of reference.split("/").slice(1)) {
    const key = decoded(raw).replaceAll("~1", "/").replaceAll("~0", "~");
    at = Array.isArray(at) && /^\d{1,6}$/.test(key) ? (at as unknown[])[Number(key)] : isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
    if (at === undefined) throw new DocumentError(`a $ref leads nowhere (${reference.slice(0, 100)})`);
  }
  return at;
}

/** Follows references of things that are not schemas (parameters, bodies, paths). @throws DocumentError for a circle. */
export function follow(document: JsonObject, value: unknown): JsonObject | undefined {
  for (let hops = 0; hops < 20; hops++) {
    if (!isObject(value)) return undefined;
    const reference = value["$ref"];
    if (typeof reference !== "string") return value;
    value = lookUp(document, reference);
  }
  throw new DocumentError("references go in a circle");
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

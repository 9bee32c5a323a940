/** The operations of an OpenAPI document as tools: names, descriptions, input schemas, and how each argument travels. Runs in the worker. */
import { createHash } from "node:crypto";
import type { JsonObject } from "../../exchange.ts";
import { isObject } from "../../wire/message.ts";
import { DocumentError, follow } from "./document.ts";
import { createSchemaSpace } from "./schemas.ts";

export type Place = "path" | "query" | "header" | "cookie";
export type Style = "simple" | "label" | "matrix" | "form" | "spaceDelimited" | "pipeDelimited" | "deepObject";
export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface Parameter {
  /** Name of the tool's argument. */
  argument: string;
  /** Name on the wire. */
  name: string;
  in: Place;
  style: Style;
  explode: boolean;
  /** `content` instead of `schema`: the value travels as JSON text. */
  isJson: boolean;
}

/** A credential that the document asks for, beyond plain headers. */
export interface KeyPlace {
  /** Name of the security scheme. */
  scheme: string;
  name: string;
  in: "query" | "header" | "cookie";
}

export interface Operation {
  method: Method;
  /** Template: "/pets/{petId}". */
  path: string;
  parameters: Parameter[];
  body: { argument: string; contentType: string } | undefined;
}

export interface Compiled {
  title: string | undefined;
  version: string | undefined;
  description: string | undefined;
  /** Tool definitions as MCP lists them, in the document's order. */
  tools: JsonObject[];
  operations: Record<string, Operation>;
  keys: KeyPlace[];
  /** Operations that cannot be served, and why. */
  skipped: { operation: string; reason: string }[];
}

export interface CompileLimits {
  bytes: number;
  operations: number;
}

const methods = ["get", "head", "post", "put", "patch", "delete"] as const;
/** What an operation does, by the semantics of HTTP (RFC 9110 sections 9.2.1 and 9.2.2). */
const annotations: Record<Method, JsonObject> = {
  GET: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
  HEAD: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
  POST: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  PUT: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
  PATCH: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  DELETE: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
};
const styles: Record<Place, readonly Style[]> = { path: ["simple", "label", "matrix"], query: ["form", "spaceDelimited", "pipeDelimited", "deepObject"], header: ["simple"], cookie: ["form"] };
/** Headers that arguments may not set: framing, hop by hop, credentials, and what intermediaries believe (RFC 9110 section 7.6.1). */
const forbiddenHeader = /^(?:accept|accept-encoding|authorization|connection|content-.*|cookie|date|expect|forwarded|host|keep-alive|origin|proxy-.*|referer|sec-.*|te|trailer|transfer-encoding|upgrade|user-agent|via|x-forwarded-.*|x-http-method.*|x-method-override|x-original-.*|x-real-ip|x-rewrite-.*)$/i;
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/;
const schemaBudget = { nodes: 4000, characters: 120_000 };
/** A definition larger than this is held back by the review: a simpler one is offered instead. */
const largestSchema = 200_000;

interface Found {
  method: Method;
  path: string;
  item: JsonObject;
  operation: JsonObject;
  id: string | undefined;
}

/** @throws DocumentError when the document as a whole cannot be served. */
export function compileOperations(document: JsonObject, limits: Pick<CompileLimits, "operations">): Compiled {
  const is30 = String(document["openapi"]).startsWith("3.0.");
  const info = isObject(document["info"]) ? document["info"] : {};
  const found = findOperations(document, limits.operations);
  const keys = keyPlaces(document);
  const compiled: Compiled = { title: short(info["title"], 200), version: short(info["version"], 50), description: short(info["description"], 2000), tools: [], operations: {}, keys, skipped: [] };
  const names = nameAll(found);
  for (const [index, each] of found.entries()) {
    const name = names[index] ?? "";
    try {
      const { tool, operation } = compileOne(document, is30, each, name, keys);
      compiled.tools.push(tool);
      compiled.operations[name] = operation;
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      compiled.skipped.push({ operation: `${each.method} ${each.path}`.slice(0, 200), reason: error.message });
    }
  }
  if (compiled.tools.length === 0) throw new DocumentError(compiled.skipped[0] ? `none of its operations can be served: ${compiled.skipped[0].reason}` : "it has no operations");
  return compiled;
}

function findOperations(document: JsonObject, most: number): Found[] {
  const paths = isObject(document["paths"]) ? document["paths"] : {};
  const found: Found[] = [];
  for (const [path, value] of Object.entries(paths)) {
    if (!path.startsWith("/")) continue;
    const item = follow(document, value);
    if (!item) continue;
    for (const method of methods) {
      const operation = item[method];
      if (!isObject(operation)) continue;
      if (found.length >= most) throw new DocumentError(`it has more than ${most} operations (SALLYPORT_OPENAPI_OPERATIONS)`);
      found.push({ method: method.toUpperCase() as Method, path, item, operation, id: typeof operation["operationId"] === "string" && operation["operationId"] !== "" ? operation["operationId"] : undefined });
    }
  }
  return found;
}

/**
 * Letters, digits, _ and -, at most 64. A name that lost something on the way there, or that two operations would share (also by case alone),
 * gets a digest of what it stands for: look-alike letters cannot make one tool pass for another, and the order of operations does not matter.
 */
function nameAll(found: readonly Found[]): string[] {
  const plain = found.map(({ id, method, path }) => {
    const source = id ?? `${method.toLowerCase()}${path}`;
    let name = source.replaceAll(/[^A-Za-z0-9_-]+/g, "_").replace(/^_+/, "").slice(0, 64);
    while (name.endsWith("_")) name = name.slice(0, -1);
    const isWhole = (id === undefined ? !/[^\u0020-\u007e]/.test(source) : name === id) && source.length <= 64 && name !== "";
    return { name: name || "operation", isWhole };
  });
  const uses = new Map<string, number>();
  for (const { name } of plain) uses.set(name.toLowerCase(), (uses.get(name.toLowerCase()) ?? 0) + 1);
  return plain.map(({ name, isWhole }, index) => {
    if (isWhole && uses.get(name.toLowerCase()) === 1) return name;
    const { method, path, id } = found[index] ?? { method: "", path: "", id: "" };
    return `${name.slice(0, 51)}_${createHash("sha256").update(`${method} ${path} ${id ?? ""}`).digest("hex").slice(0, 12)}`;
  });
}

function keyPlaces(document: JsonObject): KeyPlace[] {
  const components = isObject(document["components"]) ? document["components"] : {};
  const schemes = isObject(components["securitySchemes"]) ? components["securitySchemes"] : {};
  return Object.entries(schemes).flatMap(([scheme, value]) => {
    const { type, in: place, name } = follow(document, value) ?? {};
    return type === "apiKey" && typeof name === "string" && (place === "query" || place === "header" || place === "cookie") ? [{ scheme, name, in: place }] : [];
  });
}

function compileOne(document: JsonObject, is30: boolean, { method, path, item, operation }: Found, name: string, keys: readonly KeyPlace[]): { tool: JsonObject; operation: Operation } {
  requirePlainPath(path);
  const space = createSchemaSpace(document, is30, schemaBudget);
  const properties: Record<string, unknown> = {};
  const required: string[] = [];
  const parameters: Parameter[] = [];
  const declared = declaredParameters(document, item, operation).filter(({ place, wire }) => !isKey(keys, place, wire) && !(place === "header" && forbiddenHeader.test(wire)));
  for (const { place, wire, value } of declared) {
    const isShared = declared.filter((other) => other.wire === wire).length > 1 || wire === "body";
    const argument = isShared ? `${place}_${wire}` : wire;
    if (["__proto__", "constructor", "prototype"].includes(argument) || argument.length > 200 || Object.hasOwn(properties, argument)) throw new DocumentError("a parameter has a name that cannot be used");
    const content = isObject(value["content"]) ? Object.values(value["content"])[0] : undefined;
    const schema = space.convert(isObject(content) ? content["schema"] : value["schema"]);
    const style = styleOf(place, value["style"]);
    if (place === "header" && !headerName.test(wire)) throw new DocumentError("a header parameter has a name that is none");
    properties[argument] = described(schema, value["description"]);
    if (value["required"] === true || place === "path") required.push(argument);
    parameters.push({ argument, name: wire, in: place, style, explode: typeof value["explode"] === "boolean" ? value["explode"] : style === "form", isJson: isObject(content) });
  }
  for (const [, wanted = ""] of path.matchAll(/\{([^{}]*)\}/g)) if (!parameters.some((parameter) => parameter.in === "path" && parameter.name === wanted)) throw new DocumentError("its path has a placeholder that no parameter fills");

  const body = bodyOf(document, operation);
  if (body) {
    properties["body"] = described(space.convert(body.schema), body.description);
    if (body.isRequired) required.push("body");
  }
  const schema: JsonObject = { type: "object", properties, ...(required.length > 0 ? { required } : {}), additionalProperties: false };
  if (Object.keys(space.definitions).length > 0) schema["$defs"] = space.definitions;
  const inputSchema = JSON.stringify(schema).length <= largestSchema ? schema : { ...schema, $defs: undefined, properties: Object.fromEntries(Object.keys(properties).map((key) => [key, { description: "Its schema is too large to be shown" }])) };
  const summary = short(operation["summary"], 200);
  const description = [summary, short(operation["description"], 3000)].filter((text) => text !== undefined).join("\n\n") || `${method} ${path}`;
  return {
    tool: { name, ...(summary === undefined ? {} : { title: summary }), description, inputSchema, annotations: annotations[method] },
    operation: { method, path, parameters, body: body && { argument: "body", contentType: body.contentType } },
  };
}

/** An operation's parameters override its path's (OpenAPI 3.1.1, Operation Object). */
function declaredParameters(document: JsonObject, item: JsonObject, operation: JsonObject): { place: Place; wire: string; value: JsonObject }[] {
  const found = new Map<string, { place: Place; wire: string; value: JsonObject }>();
  for (const list of [item["parameters"], operation["parameters"]]) {
    if (!Array.isArray(list)) continue;
    if (list.length > 200) throw new DocumentError("it has more than 200 parameters");
    for (const each of list as unknown[]) {
      const value = follow(document, each);
      const [place, wire] = [value?.["in"], value?.["name"]];
      if (!value || typeof wire !== "string" || wire === "" || typeof place !== "string" || !Object.hasOwn(styles, place)) throw new DocumentError("a parameter has no name or place");
      found.set(`${place} ${wire}`, { place: place as Place, wire, value });
    }
  }
  return [...found.values()];
}

function isKey(keys: readonly KeyPlace[], place: Place, name: string): boolean {
  return keys.some((key) => key.in === place && (place === "header" ? key.name.toLowerCase() === name.toLowerCase() : key.name === name));
}

function styleOf(place: Place, style: unknown): Style {
  const allowed = styles[place];
  return allowed.find((known) => known === style) ?? allowed[0] ?? "simple";
}

function bodyOf(document: JsonObject, operation: JsonObject): { schema: unknown; contentType: string; isRequired: boolean; description: unknown } | undefined {
  const body = follow(document, operation["requestBody"]);
  const content = body && isObject(body["content"]) ? body["content"] : undefined;
  if (!body || !content) return undefined;
  const type = Object.keys(content).find((name) => /^application\/(?:[\w.+-]*\+)?json\s*(?:;|$)/i.test(name)) ?? (Object.hasOwn(content, "*/*") ? "*/*" : undefined);
  if (type === undefined) {
    if (body["required"] === true) throw new DocumentError("it needs a body that is not JSON");
    return undefined;
  }
  const media = content[type];
  return { schema: isObject(media) ? media["schema"] : {}, contentType: type === "*/*" ? "application/json" : (type.split(";", 1)[0] ?? type).trim().toLowerCase(), isRequired: body["required"] === true, description: body["description"] };
}

/** The template comes from the document, which may be a stranger's: it names a path below the base, and nothing else. */
function requirePlainPath(path: string): void {
  const literal = path.replaceAll(/\{[^{}/]*\}/g, "x");
  if (!/^\/[A-Za-z0-9_.~!$&'()*+,;=:@%/-]*$/.test(literal) || path.length > 1000) throw new DocumentError("its path has characters that a path cannot have");
  if (literal.includes("//") || literal.split("/").some((part) => /^(?:\.|%2e){1,2}$/i.test(part))) throw new DocumentError("its path leads elsewhere");
}

function described(schema: JsonObject | boolean, description: unknown): JsonObject {
  const made = typeof schema === "boolean" ? {} : schema;
  const text = short(description, 2000);
  return text === undefined || made["description"] !== undefined ? made : { ...made, description: text };
}

function short(value: unknown, most: number): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value.slice(0, most).toWellFormed() : undefined;
}

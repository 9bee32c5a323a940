/** Arguments onto the wire as OpenAPI says (3.1.1, style and explode, after RFC 6570), so that no value can become anything but a value. */
import type { JsonObject } from "../../exchange.ts";
import { isObject } from "../../wire/message.ts";
import type { Operation, Parameter } from "./operations.ts";

/** An argument that cannot travel: told to the caller. */
export class ArgumentError extends Error {}

export interface Encoded {
  /** Path and query below the base, encoded. */
  path: string;
  query: string[];
  headers: Record<string, string>;
  cookies: string[];
  body: string | undefined;
}

/** Everything but unreserved characters (RFC 3986 section 2.3). */
export function encodeValue(text: string): string {
  if (!text.isWellFormed()) throw new ArgumentError("An argument is not valid Unicode");
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return JSON.isRawJSON(value) ? value.rawJSON : JSON.stringify(value);
}

/** @throws ArgumentError. */
export function encodeCall({ path, parameters, body }: Operation, args: JsonObject): Encoded {
  const made: Encoded = { path: "", query: [], headers: {}, cookies: [], body: undefined };
  const filled = new Map<string, string>();
  for (const parameter of parameters) {
    const value = Object.hasOwn(args, parameter.argument) ? args[parameter.argument] : undefined;
    if (value === undefined) continue;
    if (parameter.in === "path") filled.set(parameter.name, pathText(parameter, value));
    else if (parameter.in === "query") made.query.push(...queryText(parameter, value));
    else if (parameter.in === "header") made.headers[parameter.name.toLowerCase()] = headerText(parameter, value);
    else made.cookies.push(...queryText(parameter, value));
  }
  made.path = path.replaceAll(/\{([^{}]*)\}/g, (_, name: string) => {
    const text = filled.get(name);
    if (text === undefined) throw new ArgumentError(`The argument for '${name}' is missing`);
    return text;
  });
  if (body && Object.hasOwn(args, body.argument)) made.body = JSON.stringify(args[body.argument]);
  return made;
}

/** What a server that decodes once or twice, before or after it splits the path, could take for a way out of the segment. */
function leavesSegment(text: string): boolean {
  let seen = text;
  for (let round = 0; round < 3; round++) {
    if (seen.split(/[/\\;]/).some((part) => /^\.{1,2}$/.test(part.trim()))) return true;
    try {
      seen = decodeURIComponent(seen);
    } catch {
      return /%2e/i.test(seen);
    }
  }
  return false;
}

function pathText(parameter: Parameter, value: unknown): string {
  const parts = Array.isArray(value) ? (value as unknown[]).map(textOf) : isObject(value) ? Object.entries(value).flatMap(([key, member]) => [key, textOf(member)]) : [textOf(value)];
  if (parts.length === 0 || parts.join("") === "") throw new ArgumentError(`The argument '${parameter.argument}' must not be empty: it is part of a path`);
  if ([...parts, textOf(value)].some(leavesSegment)) throw new ArgumentError(`The argument '${parameter.argument}' must not contain '.' or '..' as a part of a path`);
  if (parts.some((part) => part.includes("\0"))) throw new ArgumentError(`The argument '${parameter.argument}' must not contain NUL`);
  const text = styled(parameter, value, encodeValue);
  // Joined parts may make a dot segment that none of them was.
  if (leavesSegment(text)) throw new ArgumentError(`The argument '${parameter.argument}' must not contain '.' or '..' as a part of a path`);
  return text;
}

/** simple, label and matrix. */
function styled({ name, style, explode, isJson }: Parameter, value: unknown, encode: (text: string) => string): string {
  const [lead, separator] = style === "label" ? [".", explode ? "." : ","] : style === "matrix" ? [";", explode ? ";" : ","] : ["", ","];
  const key = style === "matrix" ? `${encode(name)}=` : "";
  if (isJson) return `${lead}${key}${encode(JSON.stringify(value))}`;
  if (Array.isArray(value)) {
    const items = (value as unknown[]).map((item) => encode(textOf(item)));
    return lead + (explode && key ? items.map((item) => key + item).join(separator) : key + items.join(separator));
  }
  if (isObject(value)) {
    const pairs = Object.entries(value).map(([member, item]) => [encode(member), encode(textOf(item))]);
    return explode ? lead + pairs.map((pair) => pair.join("=")).join(separator) : lead + key + pairs.flat().join(",");
  }
  return lead + key + encode(textOf(value));
}

/** form, spaceDelimited, pipeDelimited and deepObject: `name=value` pieces. */
function queryText({ name, style, explode, isJson }: Parameter, value: unknown): string[] {
  const key = encodeValue(name);
  if (isJson) return [`${key}=${encodeValue(JSON.stringify(value))}`];
  if (Array.isArray(value)) {
    const items = (value as unknown[]).map((item) => encodeValue(textOf(item)));
    if (explode && style !== "deepObject") return items.map((item) => `${key}=${item}`);
    return [`${key}=${items.join(style === "spaceDelimited" ? "%20" : style === "pipeDelimited" ? "%7C" : ",")}`];
  }
  if (isObject(value)) {
    const pairs = Object.entries(value).map(([member, item]) => [encodeValue(member), encodeValue(textOf(item))] as const);
    if (style === "deepObject") return pairs.map(([member, item]) => `${key}%5B${member}%5D=${item}`);
    return explode ? pairs.map((pair) => pair.join("=")) : [`${key}=${pairs.flat().join(style === "spaceDelimited" ? "%20" : style === "pipeDelimited" ? "%7C" : ",")}`];
  }
  return [`${key}=${encodeValue(textOf(value))}`];
}

function headerText(parameter: Parameter, value: unknown): string {
  const text = styled(parameter, value, (part) => part);
  if (!/^[\u0021-\u007e](?:[\u0020-\u007e\t]{0,8190}[\u0021-\u007e])?$/.test(text)) throw new ArgumentError(`The argument '${parameter.argument}' travels in a header: it must be visible ASCII without line breaks`);
  return text;
}

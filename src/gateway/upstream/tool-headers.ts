/**
 * `Mcp-Param-*` as a client of 2026-07-28 must send them (SEP-2243): arguments that a tool's input schema names by `x-mcp-header` travel in a
 * header too. A tool that names them wrongly is not to be used at all.
 */
import type { JsonObject } from "../exchange.ts";
import { encodeMirrored } from "../wire/era.ts";
import { isObject } from "../wire/message.ts";

interface Mirrored {
  path: readonly string[];
  header: string;
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const primitives = new Set(["string", "integer", "boolean"]);
const known = new WeakMap<JsonObject, readonly Mirrored[] | undefined>();

/** @returns undefined when the schema breaks the rules. Remembered for each schema object. */
function mirroredBy(schema: JsonObject): readonly Mirrored[] | undefined {
  if (!known.has(schema)) known.set(schema, read(schema));
  return known.get(schema);
}

function read(schema: JsonObject): readonly Mirrored[] | undefined {
  const found: Mirrored[] = [];
  const names = new Set<string>();
  /** As deep as the parser of messages lets it be. @param path undefined where no chain of `properties` leads: there the keyword must not stand. */
  const visit = (node: unknown, path: readonly string[] | undefined): boolean => {
    if (Array.isArray(node)) return node.every((member) => visit(member, undefined));
    if (!isObject(node)) return true;
    if (Object.hasOwn(node, "x-mcp-header")) {
      const name = node["x-mcp-header"];
      if (path === undefined || path.length === 0 || typeof name !== "string" || !token.test(name) || !primitives.has(String(node["type"])) || names.has(name.toLowerCase())) return false;
      names.add(name.toLowerCase());
      found.push({ path, header: `mcp-param-${name.toLowerCase()}` });
    }
    return Object.entries(node).every(([keyword, value]) => {
      if (keyword === "properties" && isObject(value)) return Object.entries(value).every(([name, property]) => visit(property, path && [...path, name]));
      // What these hold is data, whatever it looks like.
      if (keyword === "const" || keyword === "enum" || keyword === "default" || keyword === "examples") return true;
      return visit(value, undefined);
    });
  };
  return visit(schema, []) ? found : undefined;
}

/** Whether a tool may be listed and called. */
export function hasValidHeaders(tool: unknown): boolean {
  const schema = isObject(tool) ? tool["inputSchema"] : undefined;
  return !isObject(schema) || mirroredBy(schema) !== undefined;
}

/** Flat names and values; absent and null arguments have no header. */
export function paramHeaders(schema: JsonObject | undefined, args: unknown): string[] {
  const mirrored = schema === undefined ? [] : (mirroredBy(schema) ?? []);
  return mirrored.flatMap(({ path, header }) => {
    const value = path.reduce<unknown>((node, name) => (isObject(node) && Object.hasOwn(node, name) ? node[name] : undefined), args);
    const text = JSON.isRawJSON(value) ? value.rawJSON : typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
    return text === undefined ? [] : [header, encodeMirrored(text)];
  });
}

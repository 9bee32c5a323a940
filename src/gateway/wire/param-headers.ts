/**
 * `Mcp-Param-*`: arguments that a tool's schema mirrors into headers by `x-mcp-header` (MCP 2026-07-28, SEP-2243). Only properties that are
 * reached through `properties` alone count.
 */
import type { IncomingHttpHeaders } from "node:http";
import { decodeMirrored, header, mismatch } from "./era.ts";
import { isObject, type Members, type Message } from "./message.ts";

interface MirroredParameter {
  path: readonly string[];
  /** Lower case. */
  header: string;
}

const deepest = 16;
const known = new WeakMap<object, readonly MirroredParameter[]>();

/** Remembered per schema object. */
function mirroredParameters(inputSchema: Members): readonly MirroredParameter[] {
  let found = known.get(inputSchema);
  if (found === undefined) {
    found = collect(inputSchema, []);
    known.set(inputSchema, found);
  }
  return found;
}

function collect(schema: Members, path: readonly string[]): MirroredParameter[] {
  const properties = schema["properties"];
  if (!isObject(properties) || path.length >= deepest) return [];
  return Object.entries(properties).flatMap(([name, property]) => {
    if (!isObject(property)) return [];
    const mirrored = property["x-mcp-header"];
    const here = typeof mirrored === "string" ? [{ path: [...path, name], header: `mcp-param-${mirrored.toLowerCase()}` }] : [];
    return [...here, ...collect(property, [...path, name])];
  });
}

/** @throws WireError -32020 when an argument and its header disagree, or one that is given is not mirrored. */
export function checkParamHeaders(message: Message, inputSchema: Members | undefined, headers: IncomingHttpHeaders): void {
  if (inputSchema === undefined) return;
  for (const { path, header: name } of mirroredParameters(inputSchema)) {
    const value = argumentAt(message.params?.["arguments"], path);
    const written = primitive(value);
    if (written === undefined) continue;
    const given = header(headers[name]);
    const decoded = given === undefined ? undefined : decodeMirrored(given);
    const sameNumber = typeof value === "number" && decoded !== undefined && /^-?\d+(?:\.\d+)?$/.test(decoded) && Number(decoded) === value;
    if (decoded !== written && !sameNumber) throw mismatch(message, `Mcp-Param-${name.slice("mcp-param-".length)}`);
  }
}

function argumentAt(args: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((node, name) => (isObject(node) && Object.hasOwn(node, name) ? node[name] : undefined), args);
}

function primitive(value: unknown): string | undefined {
  if (JSON.isRawJSON(value)) return value.rawJSON;
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

/**
 * Progressive discovery: instead of hundreds of definitions a model gets two tools, one to search what its caller may use, one to call
 * what was found. They show and reach exactly what the full list would.
 */
import { createTextIndex, type TextIndex } from "../../kernel/text-index.ts";
import type { JsonObject } from "../exchange.ts";
import { errorCodes, WireError } from "../wire/message.ts";
import type { Merged } from "./merge.ts";

export const findToolsName = "find_tools";
export const callToolName = "call_tool";
const [usualLimit, largestLimit, longestQuery] = [8, 50, 500];

export const metaToolSchemas: Record<string, JsonObject> = {
  [findToolsName]: {
    type: "object",
    properties: {
      query: { type: "string", minLength: 1, maxLength: longestQuery, description: "What the tool should do, in a few words" },
      limit: { type: "integer", minimum: 1, maximum: largestLimit, default: usualLimit, description: "At most so many tools" },
    },
    required: ["query"],
    additionalProperties: false,
  },
  [callToolName]: {
    type: "object",
    properties: {
      name: { type: "string", description: "The tool's name, as find_tools gave it" },
      arguments: { type: "object", description: "Arguments that fit the tool's inputSchema" },
    },
    required: ["name"],
    additionalProperties: false,
  },
};

export const metaTools: readonly JsonObject[] = [
  {
    name: findToolsName,
    title: "Find tools",
    description: "Searches the tools that you may call, by name and description. Returns their definitions, best match first. Use it before call_tool.",
    inputSchema: metaToolSchemas[findToolsName],
    outputSchema: { type: "object", properties: { tools: { type: "array", items: { type: "object" } }, total: { type: "integer" } }, required: ["tools", "total"] },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  { name: callToolName, title: "Call a tool", description: "Calls a tool that find_tools found, with arguments that fit its inputSchema. The result is the tool's own.", inputSchema: metaToolSchemas[callToolName] },
];

const indexes = new WeakMap<Merged, TextIndex>();

/** @returns the result of find_tools. @throws WireError when the arguments do not fit its schema. */
export function findTools(merged: Merged, args: unknown): JsonObject {
  const { query, limit = usualLimit, ...rest } = objectOf(args);
  if (typeof query !== "string" || query.trim() === "" || query.length > longestQuery) throw invalid(`query: must be a text of 1 to ${longestQuery} characters`);
  if (typeof limit !== "number" || !Number.isInteger(limit) || limit < 1 || limit > largestLimit) throw invalid(`limit: must be a whole number from 1 to ${largestLimit}`);
  refuseRest(rest);
  const names = indexOf(merged).search(query);
  const tools = names.slice(0, limit).map((name) => merged.items[merged.keys.indexOf(name)]);
  const structuredContent = { tools, total: names.length };
  return { content: [{ type: "text", text: JSON.stringify(structuredContent) }], structuredContent };
}

/** @returns name and arguments of the call proper. @throws WireError when the arguments do not fit call_tool's schema. */
export function readCall(args: unknown): JsonObject {
  const { name, arguments: inner = {}, ...rest } = objectOf(args);
  if (typeof name !== "string" || name === "") throw invalid("name: must be the name of a tool");
  if (name === callToolName || name === findToolsName) throw invalid("name: call this tool directly");
  refuseRest(rest);
  return { name, arguments: objectOf(inner) };
}

function indexOf(merged: Merged): TextIndex {
  let index = indexes.get(merged);
  if (!index) {
    index = createTextIndex();
    for (const tool of merged.items) {
      const text = (member: string) => (typeof tool[member] === "string" ? tool[member] : "");
      const schema = tool["inputSchema"] as { properties?: object } | undefined;
      index.put(text("name"), [[4, text("name")], [3, text("title")], [2, text("description")], [1, Object.keys(schema?.properties ?? {}).join(" ")]]);
    }
    indexes.set(merged, index);
  }
  return index;
}

function objectOf(value: unknown): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid("arguments: must be an object");
  return value as JsonObject;
}

function refuseRest(rest: object): void {
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw invalid(`${unknown}: is not an argument of this tool`);
}

function invalid(message: string): WireError {
  return new WireError(200, errorCodes.invalidParams, message);
}

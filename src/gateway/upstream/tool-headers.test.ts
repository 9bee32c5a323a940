import { describe, expect, it } from "vitest";
import type { JsonObject } from "../exchange.ts";
import { hasValidHeaders, paramHeaders } from "./tool-headers.ts";

const mirrored = (name: unknown, type: unknown = "string") => ({ type, "x-mcp-header": name });
const object = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({ type: "object", properties, ...more });
const deep = (levels: number): JsonObject => (levels === 0 ? { type: "string" } : object({ next: deep(levels - 1) }));

describe("the headers that a tool mirrors its arguments into", () => {
  it.each<[string, JsonObject]>([
    ["none", object({ a: { type: "string" } })],
    ["one", object({ a: mirrored("Region") })],
    ["one in an object", object({ a: object({ b: mirrored("Region", "integer") }) })],
    ["none, however deep", deep(60)],
    ["data that looks like one", object({ a: { type: "object", default: { "x-mcp-header": 1 }, enum: [{ "x-mcp-header": 1 }] } })],
    ["properties called like keywords", object({ enum: mirrored("A"), properties: mirrored("B", "boolean") })],
  ])("are sound: %s", (_, inputSchema) => {
    expect(hasValidHeaders({ name: "t", inputSchema })).toBe(true);
  });

  it.each<[string, JsonObject]>([
    ["the schema itself", { ...object({}), "x-mcp-header": "Region" }],
    ["no token", object({ a: mirrored("two words") })],
    ["a line break", object({ a: mirrored("a\r\nb") })],
    ["empty", object({ a: mirrored("") })],
    ["no text", object({ a: mirrored(1) })],
    ["a number that may be a fraction", object({ a: mirrored("A", "number") })],
    ["an object", object({ a: mirrored("A", "object") })],
    ["twice, differing in case", object({ a: mirrored("Region"), b: mirrored("REGION") })],
    ["within items", object({ a: { type: "array", items: object({ b: mirrored("A") }) } })],
    ["within alternatives", object({}, { anyOf: [object({ b: mirrored("A") })] })],
    ["within definitions", object({}, { $defs: { b: mirrored("A") } })],
  ])("make a tool unusable: %s", (_, inputSchema) => {
    expect(hasValidHeaders({ name: "t", inputSchema })).toBe(false);
  });

  it("are written from the arguments that are there", () => {
    const schema = object({ a: mirrored("Region"), n: mirrored("N", "integer"), b: mirrored("B", "boolean"), none: mirrored("None"), inner: object({ c: mirrored("C") }) });
    const args = { a: "eu — nord", n: JSON.rawJSON("12345678901234567890"), b: false, none: null, inner: { c: " padded" } };
    expect(paramHeaders(schema, args)).toEqual(["mcp-param-region", `=?base64?${Buffer.from("eu — nord").toString("base64")}?=`, "mcp-param-n", "12345678901234567890", "mcp-param-b", "false", "mcp-param-c", `=?base64?${Buffer.from(" padded").toString("base64")}?=`]);
    expect(paramHeaders(schema, undefined)).toEqual([]);
    expect(paramHeaders(schema, { inner: "text" })).toEqual([]);
  });
});

/**
 * Schemas of OpenAPI 3.0 and 3.1 as JSON Schema 2020-12. References stay references: what they name goes to `$defs` once, so that recursive
 * schemas need no unrolling. Bounded in nodes; what is beyond is left open instead of being described.
 */
import type { JsonObject } from "../../exchange.ts";
import { isObject } from "../../wire/message.ts";
import { lookUp } from "./document.ts";

/** Keywords that hold a schema, schemas by name, or a list of schemas. Everything unknown is dropped. */
const single = new Set(["items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else", "unevaluatedItems", "unevaluatedProperties"]);
const named = new Set(["properties", "patternProperties", "dependentSchemas"]);
const listed = new Set(["allOf", "anyOf", "oneOf", "prefixItems"]);
const plain = new Set(["type", "title", "description", "enum", "const", "default", "examples", "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains", "required", "minProperties", "maxProperties", "dependentRequired", "deprecated", "contentEncoding", "contentMediaType"]);

export interface SchemaBudget {
  /** Schema objects of one tool. */
  nodes: number;
  /** Characters of one tool's schema. */
  characters: number;
}

export interface SchemaSpace {
  convert(schema: unknown): JsonObject | boolean;
  /** What was referred to, by name. */
  readonly definitions: JsonObject;
}

/** One tool's schemas. @param is30 OpenAPI 3.0, whose schemas differ from JSON Schema (nullable, boolean exclusive bounds). */
export function createSchemaSpace(document: JsonObject, is30: boolean, budget: SchemaBudget): SchemaSpace {
  const definitions: JsonObject = {};
  const nameOf = new Map<string, string>();
  const queue: string[] = [];
  let nodes = 0;
  let characters = 0;

  const reference = (target: string): JsonObject => {
    let name = nameOf.get(target);
    if (name === undefined) {
      lookUp(document, target);
      const base = target.slice(target.lastIndexOf("/") + 1).replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 60) || "schema";
      name = base;
      for (let count = 2; Object.hasOwn(definitions, name) || name === "__proto__"; count++) name = `${base}_${count}`;
      nameOf.set(target, name);
      definitions[name] = {};
      queue.push(target);
    }
    return { $ref: `#/$defs/${name}` };
  };

  const inner = (schema: unknown, depth: number): JsonObject | boolean => {
    if (typeof schema === "boolean") return schema;
    if (!isObject(schema)) return {};
    if (++nodes > budget.nodes || characters > budget.characters || depth > 64) return {};
    const target = schema["$ref"];
    if (typeof target === "string") {
      const referred = reference(target);
      // In 3.1 a reference has siblings that count; in 3.0 they are to be ignored.
      const description = is30 ? undefined : schema["description"];
      return typeof description === "string" ? { ...referred, description: text(description) } : referred;
    }
    const made: JsonObject = {};
    for (const [keyword, value] of Object.entries(schema)) {
      if (single.has(keyword)) made[keyword] = Array.isArray(value) ? {} : inner(value, depth + 1);
      else if (named.has(keyword) && isObject(value)) made[keyword] = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, inner(member, depth + 1)]));
      else if (listed.has(keyword) && Array.isArray(value)) made[keyword] = value.map((member: unknown) => inner(member, depth + 1));
      else if (plain.has(keyword)) {
        made[keyword] = typeof value === "string" ? text(value) : value;
        if (typeof value === "object") characters += JSON.stringify(value).length;
      }
    }
    if (Array.isArray(made["required"]) && isObject(schema["properties"])) {
      // What only answers carry is not asked for (OpenAPI 3.0.4, Schema Object, readOnly).
      const properties = schema["properties"];
      const kept = (made["required"] as unknown[]).filter((name) => typeof name === "string" && !(Object.hasOwn(properties, name) && isObject(properties[name]) && properties[name]["readOnly"] === true));
      if (kept.length > 0) made["required"] = kept;
      else delete made["required"];
    }
    return is30 ? from30(made, schema) : made;
  };
  const text = (value: string) => {
    const kept = value.slice(0, 4000);
    characters += kept.length;
    return kept;
  };
  return {
    definitions,
    convert(schema) {
      const made = inner(schema, 0);
      for (let target = queue.shift(); target !== undefined; target = queue.shift()) definitions[nameOf.get(target) ?? ""] = inner(lookUp(document, target), 0);
      return made;
    },
  };
}

/** What OpenAPI 3.0 says in its own way. */
function from30(made: JsonObject, schema: JsonObject): JsonObject {
  for (const [exclusive, bound] of [["exclusiveMinimum", "minimum"], ["exclusiveMaximum", "maximum"]] as const) {
    if (typeof made[exclusive] !== "boolean") continue;
    if (made[exclusive] && typeof made[bound] === "number") {
      made[exclusive] = made[bound];
      delete made[bound];
    } else delete made[exclusive];
  }
  if (schema["example"] !== undefined && made["examples"] === undefined) made["examples"] = [schema["example"]];
  if (schema["nullable"] !== true) return made;
  if (typeof made["type"] === "string") made["type"] = [made["type"], "null"];
  if (Array.isArray(made["enum"]) && !(made["enum"] as unknown[]).includes(null)) made["enum"] = [...(made["enum"] as unknown[]), null];
  return made["type"] === undefined ? { anyOf: [made, { type: "null" }] } : made;
}

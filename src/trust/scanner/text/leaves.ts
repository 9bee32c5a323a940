/**
 * Every string of a definition, in document order, with what it is for. Iterative and bounded: a definition of any depth or size
 * costs at most its budget. Keys are strings too: a parameter's name reaches the model like its description.
 */
import type { ScanLimits } from "../types.ts";

export type Role =
  | "name" | "title" | "description" | "instructions" | "parameter" | "parameterDescription" | "enum" | "default" | "example"
  | "pattern" | "ref" | "annotation" | "meta" | "uri" | "key" | "other";

/** A place in the definition; its pointer is only written when something is found there. */
export interface Place {
  readonly parent: Place | null;
  readonly key: string | number;
}

export interface Leaf {
  readonly role: Role;
  readonly text: string;
  readonly place: Place;
}

export interface SchemaFacts {
  /** `$ref` values with their places. */
  readonly refs: { value: string; place: Place }[];
  readonly patterns: { value: string; place: Place }[];
  readonly defaults: { value: string; place: Place }[];
  /** Names under `properties`, with their descriptions when they have one. */
  readonly parameters: { name: string; description: string; place: Place }[];
  nodes: number;
  depth: number;
}

export interface Exhausted {
  readonly what: "nodes" | "depth" | "leaf" | "itemText";
  readonly place: Place;
}

export interface Harvest {
  readonly leaves: Leaf[];
  readonly schema: SchemaFacts;
  readonly exhausted: Exhausted[];
  characters: number;
}

/** RFC 6901. */
export function pointer(place: Place | null): string {
  const parts: string[] = [];
  for (let at = place; at !== null; at = at.parent) parts.push(`/${String(at.key).replaceAll("~", "~0").replaceAll("/", "~1").slice(0, 200)}`);
  return parts.reverse().join("");
}

// JSON Schema and MCP member names: vocabulary, not text that somebody chose.
const vocabulary: ReadonlySet<string> = new Set(
  ("name title description type properties required items enum const default examples example format pattern inputSchema outputSchema annotations _meta " +
    "$schema $id $ref $defs definitions $comment additionalProperties patternProperties propertyNames anyOf oneOf allOf not if then else minimum maximum " +
    "exclusiveMinimum exclusiveMaximum minLength maxLength minItems maxItems uniqueItems multipleOf minProperties maxProperties contains prefixItems " +
    "dependentRequired dependentSchemas dependencies unevaluatedProperties unevaluatedItems readOnly writeOnly deprecated nullable contentEncoding contentMediaType " +
    "readOnlyHint destructiveHint idempotentHint openWorldHint uri uriTemplate mimeType arguments instructions icons src sizes audience priority lastModified size " +
    "$anchor $dynamicRef $dynamicAnchor $vocabulary minContains maxContains execution taskSupport").split(" "),
);

const schemaMaps: ReadonlySet<string> = new Set(["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"]);

interface Frame {
  readonly value: unknown;
  readonly place: Place;
  readonly depth: number;
  readonly role: Role;
  /** The value is a map from names to schemas: its keys were chosen by the author. */
  readonly names: boolean;
  /** Inside a schema, so `description` describes a parameter and `default` is one. */
  readonly schema: boolean;
}

export function harvest(item: unknown, root: Place | null, limits: ScanLimits): Harvest {
  const leaves: Leaf[] = [];
  const schema: SchemaFacts = { refs: [], patterns: [], defaults: [], parameters: [], nodes: 0, depth: 0 };
  const exhausted: Exhausted[] = [];
  const out: Harvest = { leaves, schema, exhausted, characters: 0 };
  const top: Place = root ?? { parent: null, key: "" };
  const spent = (what: Exhausted["what"], place: Place): void => {
    if (!exhausted.some((entry) => entry.what === what)) exhausted.push({ what, place });
  };
  const add = (role: Role, text: string, place: Place): void => {
    if (text === "") return;
    const left = limits.itemText - out.characters;
    if (left <= 0) return spent("itemText", place);
    if (text.length > limits.leaf) spent("leaf", place);
    if (text.length > left) spent("itemText", place);
    const kept = text.length > Math.min(limits.leaf, left) ? text.slice(0, Math.min(limits.leaf, left)) : text;
    out.characters += kept.length;
    leaves.push({ role, text: kept, place });
  };
  const stack: Frame[] = [{ value: item, place: top, depth: 0, role: "other", names: false, schema: false }];
  while (stack.length > 0) {
    const frame = stack.pop() as Frame;
    if (++schema.nodes > limits.nodes) {
      spent("nodes", frame.place);
      break;
    }
    if (frame.depth > schema.depth) schema.depth = frame.depth;
    const { value } = frame;
    if (typeof value === "string") {
      add(frame.role, value, frame.place);
      if (frame.role === "default") schema.defaults.push({ value, place: frame.place });
      else if (frame.role === "ref") schema.refs.push({ value, place: frame.place });
      else if (frame.role === "pattern") schema.patterns.push({ value, place: frame.place });
      continue;
    }
    if (typeof value !== "object" || value === null) continue;
    if (frame.depth >= limits.depth) {
      spent("depth", frame.place);
      continue;
    }
    const children: Frame[] = [];
    if (Array.isArray(value)) {
      const count = Math.min(value.length, limits.nodes - schema.nodes + 1);
      for (let index = 0; index < count; index++) {
        children.push({ value: value[index] as unknown, place: { parent: frame.place, key: index }, depth: frame.depth + 1, role: frame.role, names: false, schema: frame.schema });
      }
    } else {
      let seen = 0;
      for (const key in value) {
        if (!Object.hasOwn(value, key)) continue;
        if (++seen > limits.nodes) break;
        const child = (value as Record<string, unknown>)[key];
        const place: Place = { parent: frame.place, key };
        if (frame.names) {
          add("parameter", key, place);
          const text = typeof child === "object" && child !== null ? (child as { description?: unknown }).description : undefined;
          schema.parameters.push({ name: key.slice(0, 200), description: typeof text === "string" ? text.slice(0, 4_000) : "", place });
        } else if (!vocabulary.has(key)) add("key", key, place);
        children.push({
          value: child, place, depth: frame.depth + 1,
          role: frame.names ? "other" : roleOf(key, frame),
          names: schemaMaps.has(key) && !frame.names && frame.schema,
          schema: frame.schema || key === "inputSchema" || key === "outputSchema",
        });
      }
    }
    for (let index = children.length - 1; index >= 0; index--) stack.push(children[index] as Frame);
  }
  return out;
}

function roleOf(key: string, frame: Frame): Role {
  // Below examples, defaults and annotations everything keeps the role: a nested default is a default.
  if (frame.role === "default" || frame.role === "example" || frame.role === "enum") return frame.role;
  switch (key) {
    case "name": return frame.schema ? "other" : "name";
    case "title": return "title";
    case "description": return frame.schema || frame.depth > 0 ? "parameterDescription" : "description";
    case "instructions": return "instructions";
    case "enum": case "const": case "required": return "enum";
    case "default": return "default";
    case "examples": case "example": return "example";
    case "pattern": return "pattern";
    case "$ref": case "$dynamicRef": return "ref";
    case "uri": case "uriTemplate": case "src": case "$schema": case "$id": case "mimeType": return "uri";
    case "annotations": return "annotation";
    case "_meta": return "meta";
    default: return frame.role === "annotation" || frame.role === "meta" ? frame.role : "other";
  }
}

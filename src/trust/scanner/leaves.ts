/**
 * Every string of a definition with its place and its role. Iterative and bounded: neither depth nor cycles nor size can exhaust the
 * stack or the clock. Member names are strings too: a parameter's name reaches the model like its description.
 */
import type { Budget } from "./limits.ts";

export type Role =
  | "name" | "title" | "description" | "instructions" | "parameter" | "value" | "pattern" | "ref" | "uri" | "annotation" | "meta" | "key" | "other";

export interface Leaf {
  readonly text: string;
  readonly role: Role;
  /** RFC 6901 pointer, built when asked for. */
  readonly path: () => string;
  /** The nearest parameter this string belongs to, when it is in a schema. */
  readonly parameter: string | undefined;
}

export type BudgetBreach = { readonly bound: "nodes" | "depth" | "leaf" | "itemText" | "serverText"; readonly path: string };

interface Node {
  readonly value: unknown;
  readonly parent: Node | undefined;
  readonly key: string;
  readonly depth: number;
  readonly place: Place;
  readonly parameter: string | undefined;
}

type Place = "item" | "schema" | "schemas" | "names" | "values" | "annotations" | "meta" | "other" | "arguments";

const itemPlaces: Readonly<Record<string, Place>> = { inputSchema: "schema", outputSchema: "schema", annotations: "annotations", _meta: "meta", arguments: "arguments" };
const schemaMaps = new Set(["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"]);
const schemaValues = new Set(["enum", "const", "default", "examples", "example"]);
const textRoles: Readonly<Record<string, Role>> = {
  name: "name", title: "title", description: "description", instructions: "instructions", uri: "uri", uriTemplate: "uri", url: "uri", websiteUrl: "uri",
};
// Names every schema has: not worth reading.
const ordinaryKeys = new Set([
  "type", "properties", "required", "description", "title", "enum", "default", "items", "$schema", "additionalProperties", "format", "anyOf", "oneOf", "allOf", "minimum",
  "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "const", "examples", "$ref", "$defs", "definitions", "name", "inputSchema", "outputSchema",
  "annotations", "_meta", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint", "arguments", "uri", "uriTemplate", "mimeType", "exclusiveMinimum", "exclusiveMaximum",
]);

export function pointer(node: { readonly parent: Node | undefined; readonly key: string } | undefined, prefix: string): string {
  const parts: string[] = [];
  let at = node;
  while (at?.parent !== undefined) {
    parts.push(at.key.replaceAll("~", "~0").replaceAll("/", "~1"));
    at = at.parent;
  }
  return parts.length === 0 ? prefix : `${prefix}/${parts.reverse().join("/")}`;
}

/** The strings of one item below `prefix`, in document order. `breach` is called once per bound. */
export function* leaves(root: unknown, prefix: string, budget: Budget, breach: (what: BudgetBreach) => void): Generator<Leaf> {
  const { limits } = budget;
  const stack: Node[] = [{ value: root, parent: undefined, key: "", depth: 0, place: "item", parameter: undefined }];
  let nodes = 0;
  let characters = 0;
  let deep = false;
  const take = (text: string, role: Role, node: Node): Leaf | undefined => {
    let read = text;
    if (read.length > limits.leaf) {
      breach({ bound: "leaf", path: pointer(node, prefix) });
      read = read.slice(0, limits.leaf);
    }
    characters += read.length;
    budget.characters += read.length;
    budget.strings += 1;
    return { text: read, role, path: () => pointer(node, prefix), parameter: node.parameter };
  };

  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (++nodes > limits.nodes) return breach({ bound: "nodes", path: pointer(node, prefix) });
    if (characters > limits.itemText) return breach({ bound: "itemText", path: pointer(node, prefix) });
    if (budget.characters > limits.serverText) return breach({ bound: "serverText", path: pointer(node, prefix) });
    const { value } = node;
    if (typeof value === "string") {
      if (value === "") continue;
      const leaf = take(value, roleOf(node), node);
      if (leaf !== undefined) yield leaf;
      continue;
    }
    if (typeof value !== "object" || value === null) continue;
    if (node.depth >= limits.depth) {
      if (!deep) breach({ bound: "depth", path: pointer(node, prefix) });
      deep = true;
      continue;
    }
    if (Array.isArray(value)) {
      // Children are pushed last to first, so that they come out in order; no more of them than may still be read.
      for (let at = Math.min(value.length, limits.nodes - nodes + 1) - 1; at >= 0; at--) {
        stack.push({ value: value[at], parent: node, key: String(at), depth: node.depth + 1, place: elementPlace(node), parameter: node.parameter });
      }
      continue;
    }
    const members: Node[] = [];
    for (const key in value) {
      if (!Object.hasOwn(value, key)) continue;
      if (members.length > limits.nodes - nodes) break;
      const child = memberNode(node, key, (value as Record<string, unknown>)[key]);
      members.push(child);
      const named = node.place === "names" || (node.place === "schemas" && node.key !== "properties");
      if (node.place === "schemas" && node.key === "properties") {
        const leaf = take(key, "parameter", child);
        if (leaf !== undefined) yield leaf;
      } else if (named || !ordinaryKeys.has(key)) {
        const leaf = take(key, "key", child);
        if (leaf !== undefined) yield leaf;
      }
    }
    for (let at = members.length - 1; at >= 0; at--) stack.push(members[at] as Node);
  }
}

function elementPlace(node: Node): Place {
  if (node.place === "arguments") return "item";
  return node.place;
}

function memberNode(parent: Node, key: string, value: unknown): Node {
  const depth = parent.depth + 1;
  let place: Place = "other";
  let { parameter } = parent;
  switch (parent.place) {
    case "item":
      place = itemPlaces[key] ?? "other";
      break;
    case "schema":
      if (schemaMaps.has(key)) place = "schemas";
      else if (schemaValues.has(key)) place = "values";
      else place = "schema";
      break;
    case "schemas":
      place = "schema";
      if (parent.key === "properties") parameter = key;
      break;
    case "values":
    case "annotations":
    case "meta":
      place = parent.place;
      break;
    default:
      place = "other";
  }
  return { value, parent, key, depth, place, parameter };
}

function roleOf(node: Node): Role {
  if (node.place === "annotations") return node.key === "title" ? "title" : "annotation";
  if (node.place === "meta") return "meta";
  // An element of `enum`, `examples` or a default: whatever its own key is.
  if (node.place === "values") return "value";
  const inSchema = node.place === "schema";
  const key = node.key;
  if (inSchema) {
    if (key === "pattern") return "pattern";
    if (key === "$ref" || key === "$dynamicRef" || key === "$schema" || key === "$id") return "ref";
    if (key === "description" || key === "$comment") return "description";
    if (key === "title") return "title";
    return "other";
  }
  return textRoles[key] ?? "other";
}

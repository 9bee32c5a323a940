/**
 * Arguments of a bundle's tool that its maker fixed, hid or gave a default. What is fixed or hidden leaves the schema, and the schema is
 * closed behind it: what is shown is what may be given. A schema that could mean more than its members say is left alone.
 */
import type { ArgumentRule } from "../../snapshot/index.ts";
import type { JsonObject } from "../exchange.ts";
import { errorCodes, isObject, WireError } from "../wire/message.ts";

export type ArgumentRules = Readonly<Record<string, ArgumentRule>>;

/** Keywords beside `properties` that speak of members too: with a member gone they would say something else (JSON Schema 2020-12, applicators). */
const entangling = ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependentRequired", "dependencies", "patternProperties", "propertyNames", "unevaluatedProperties", "minProperties", "maxProperties"];

const isGone = (rule: ArgumentRule): boolean => "pin" in rule || rule.hide === true;
const propertiesOf = (schema: unknown): JsonObject => (isObject(schema) && isObject(schema["properties"]) ? schema["properties"] : {});
const requiredOf = (schema: unknown): unknown[] => (isObject(schema) && Array.isArray(schema["required"]) ? schema["required"] : []);

/** Why the rules cannot be kept with this schema; undefined when they can. */
export function obstacle(schema: unknown, rules: ArgumentRules): string | undefined {
  const properties = propertiesOf(schema);
  const required = requiredOf(schema);
  const gone = Object.keys(rules).filter((name) => isGone(rules[name] ?? {}));
  for (const name of Object.keys(rules)) if (!Object.hasOwn(properties, name)) return `The tool has no argument ${name}`;
  for (const name of gone) if (!("pin" in (rules[name] ?? {})) && required.includes(name)) return `The argument ${name} is required, so it cannot be hidden without a value`;
  if (gone.length === 0) return undefined;
  const keyword = entangling.find((one) => isObject(schema) && Object.hasOwn(schema, one));
  if (keyword !== undefined) return `The tool's schema says more of its arguments (${keyword}), so none can be taken out`;
  const text = JSON.stringify(schema);
  const referred = gone.find((name) => text.includes(`#/properties/${name}`));
  return referred === undefined ? undefined : `The tool's schema refers to its argument ${referred}`;
}

/** What the caller sees. The rules must have no obstacle. */
export function shownSchema(schema: unknown, rules: ArgumentRules): JsonObject {
  const given: JsonObject = isObject(schema) ? schema : { type: "object" };
  const properties = Object.entries(propertiesOf(schema)).flatMap(([name, property]): [string, unknown][] => {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) return [[name, property]];
    if (isGone(rule)) return [];
    return [[name, { ...(isObject(property) ? property : {}), ...("default" in rule ? { default: rule.default } : {}), ...(rule.description === undefined ? {} : { description: rule.description }) }]];
  });
  const required = requiredOf(schema).filter((name) => {
    const rule = typeof name === "string" && Object.hasOwn(rules, name) ? rules[name] : undefined;
    return rule === undefined || !(isGone(rule) || "default" in rule);
  });
  const shown: JsonObject = { ...given, properties: Object.fromEntries(properties), ...(required.length > 0 ? { required } : {}) };
  if (required.length === 0) delete shown["required"];
  if (Object.values(rules).some(isGone)) shown["additionalProperties"] = false;
  return shown;
}

/**
 * What is sent upstream.
 * @throws WireError -32602 for an argument that is not shown: nobody overrides what is fixed.
 */
export function sentArguments(schema: unknown, rules: ArgumentRules, args: JsonObject = {}): JsonObject {
  if (Object.values(rules).some(isGone)) {
    const shown = propertiesOf(shownSchema(schema, rules));
    const stranger = Object.keys(args).find((name) => !Object.hasOwn(shown, name));
    if (stranger !== undefined) throw new WireError(200, errorCodes.invalidParams, `${stranger}: is not an argument of this tool`);
  }
  const sent: JsonObject = { ...args };
  for (const [name, rule] of Object.entries(rules)) {
    if ("pin" in rule) sent[name] = rule.pin;
    else if ("default" in rule && !Object.hasOwn(args, name)) sent[name] = rule.default;
  }
  return sent;
}

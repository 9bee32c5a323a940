/**
 * SCIM PATCH (RFC 7644 section 3.5.2) over a resource as plain JSON. Lenient where Microsoft Entra ID and Okta are: operations in any case,
 * booleans as texts, values with dotted names, replacing what is not there, attributes that nobody here knows.
 */
import { z } from "zod";
import { scimError } from "./errors.ts";
import { fits, parsePath, type Filter, type Path } from "./filter.ts";

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

export const patchSchema = z.object({
  schemas: z.array(z.string()).optional(),
  Operations: z
    .array(z.object({ op: z.string().max(20).transform((op) => op.toLowerCase()).pipe(z.enum(["add", "remove", "replace"])), path: z.string().max(2000).optional(), value: z.unknown().optional() }))
    .min(1)
    .max(1000),
});
export type Operation = z.output<typeof patchSchema>["Operations"][number];

/** One change, its path read. `path` undefined never occurs: a value without one has been taken apart. */
export interface Step {
  op: Operation["op"];
  path: Path;
  value: unknown;
}

/** Operations as single steps, each with a path. */
export function stepsOf(operations: readonly Operation[]): Step[] {
  return operations.flatMap(({ op, path, value }): Step[] => {
    if (path !== undefined && path !== "") return [{ op, path: parsePath(path), value }];
    if (op === "remove") throw scimError("noTarget", "A removal needs a path");
    if (!isObject(value)) throw scimError("invalidValue", "Without a path the value must be an object of attributes");
    return Object.entries(value).map(([name, part]) => ({ op, path: parsePath(name), value: part }));
  });
}

/** @param known attribute names in their own case; steps on others change nothing. @returns the resource as changed; the given one stays as it was. */
export function applyPatch(resource: Json, steps: readonly Step[], known: readonly string[]): Json {
  const changed = structuredClone(resource);
  for (const step of steps) {
    const name = known.find((candidate) => candidate.toLowerCase() === step.path.attribute);
    if (name !== undefined) applyStep(changed, name, step);
  }
  return changed;
}

function applyStep(resource: Json, name: string, { op, path, value }: Step): void {
  const current = resource[name];
  if (path.filter !== undefined) resource[name] = changeElements(Array.isArray(current) ? (current as unknown[]) : [], path.filter, path.sub, op, value);
  else if (path.sub !== undefined) {
    // `emails.value` without a filter means the primary one; of a single-valued attribute it is just a member.
    if (Array.isArray(current)) resource[name] = op === "remove" ? current.map((element) => withoutMember(element, path.sub ?? "")) : current.map((element, index) => (index === 0 && isObject(element) ? { ...element, [path.sub ?? ""]: value } : (element as unknown)));
    else resource[name] = op === "remove" ? withoutMember(current, path.sub) : { ...(isObject(current) ? current : {}), [memberName(current, path.sub)]: value };
  } else if (op === "remove") delete resource[name];
  else if (op === "add" && Array.isArray(current)) resource[name] = merged(current, Array.isArray(value) ? value : [value]);
  else if (isObject(current) && isObject(value)) resource[name] = { ...current, ...value };
  else resource[name] = value;
}

function changeElements(elements: unknown[], filter: Filter, sub: string | undefined, op: Operation["op"], value: unknown): unknown[] {
  const hits = elements.filter((element) => fits(element, filter));
  if (op === "remove") return sub === undefined ? elements.filter((element) => !hits.includes(element)) : elements.map((element) => (hits.includes(element) ? withoutMember(element, sub) : element));
  const part = sub === undefined ? value : { [sub]: value };
  if (!isObject(part)) throw scimError("invalidValue", "The value must be an object");
  if (hits.length > 0) return elements.map((element) => (hits.includes(element) && isObject(element) ? { ...element, ...part } : element));
  // Entra sets `emails[type eq "work"].value` of people who have none yet.
  const made = Object.fromEntries(equalities(filter));
  return [...elements, { ...made, ...part }];
}

function equalities(filter: Filter): [string, unknown][] {
  if (filter.kind === "compare" && filter.operator === "eq") return [[filter.attribute, filter.value]];
  return filter.kind === "and" ? [...equalities(filter.left), ...equalities(filter.right)] : [];
}

function memberName(value: unknown, lower: string): string {
  const canonical = ["givenName", "familyName", "formatted", "middleName", "honorificPrefix", "honorificSuffix"].find((name) => name.toLowerCase() === lower);
  return canonical ?? (isObject(value) ? Object.keys(value).find((key) => key.toLowerCase() === lower) : undefined) ?? lower;
}

function withoutMember(value: unknown, lower: string): unknown {
  return isObject(value) ? Object.fromEntries(Object.entries(value).filter(([name]) => name.toLowerCase() !== lower)) : value;
}

/** Adding what is there already changes nothing. */
function merged(current: unknown[], added: unknown[]): unknown[] {
  const texts = new Set(current.map((value) => JSON.stringify(value)));
  return [...current, ...added.filter((value) => !texts.has(JSON.stringify(value)))];
}

/**
 * What policies talk about: the Cedar schema (https://docs.cedarpolicy.com/schema/human-readable-schema.html) that every policy is checked
 * against, and the entities and context of one request in its terms.
 */
import type { CedarValueJson, EntityJson } from "@cedar-policy/cedar-wasm/nodejs";
import { classifyAddress } from "../net/address.ts";

export const schema = `namespace Sallyport {
  entity Group;
  // id: the user name in lower case
  entity User in [Group] {
    name: String,
    // person or service
    kind: String,
    scopes: Set<String>,
    // servers that the user was granted
    servers: Set<Server>
  };
  // id: the server's name
  entity Server { name: String, tags: Set<String>, transport: String };
  // ids: server/name, or server/uri
  entity Tool in [Server] { name: String, server: Server, tags: Set<String>, tier: String };
  entity Prompt in [Server] { name: String, server: Server, tags: Set<String>, tier: String };
  entity Resource in [Server] { name: String, server: Server, tags: Set<String>, tier: String };
  // text arguments by dotted path, such as options.path
  entity Arguments tags String;
  // whole-number arguments by dotted path
  entity Numbers tags Long;
  type Circumstances = {
    address: ipaddr,
    // 0 to 23, UTC
    hour: Long,
    // mon, tue, wed, thu, fri, sat or sun, UTC
    weekday: String,
    // whether the caller proved a second factor
    factor: Bool,
    // OAuth client, and whoever acts on the user's behalf
    client: String,
    actors: Set<String>,
    arguments: Arguments,
    numbers: Numbers
  };
  action "list" appliesTo { principal: [User], resource: [Tool, Prompt, Resource], context: Circumstances };
  action "call" appliesTo { principal: [User], resource: [Tool], context: Circumstances };
  action "get" appliesTo { principal: [User], resource: [Prompt], context: Circumstances };
  action "read" appliesTo { principal: [User], resource: [Resource], context: Circumstances };
}`;

export type PolicyAction = "list" | "call" | "get" | "read";
export type ResourceKind = "tool" | "prompt" | "resource";

/** Who asks. */
export interface Subject {
  username: string;
  kind: string;
  scopes: readonly string[];
  groups: readonly string[];
  /** Whether the server in question was granted. */
  granted: boolean;
}

/** What is asked for. */
export interface Thing {
  kind: ResourceKind;
  name: string;
  tier: string;
  server: { name: string; tags: readonly string[]; transport: string };
}

export interface Circumstances {
  address: string;
  /** Milliseconds since the epoch. */
  at: number;
  factor: boolean;
  client: string;
  actors: readonly string[];
  arguments: unknown;
}

const types = { tool: "Tool", prompt: "Prompt", resource: "Resource" } as const;
export const uid = (type: string, id: string) => ({ type: `Sallyport::${type}`, id });
const reference = (type: string, id: string): CedarValueJson => ({ __entity: uid(type, id) });

export const userUid = ({ username }: Subject) => uid("User", username.normalize("NFKC").toLowerCase());
export const resourceUid = ({ kind, name, server }: Thing) => uid(types[kind], `${server.name}/${name}`);

/** The entities of a request. Attributes are given only where a policy reads them: they cost more than the decision. */
export function entitiesOf(subject: Subject, object: Thing, withAttributes: boolean): EntityJson[] {
  const server = uid("Server", object.server.name);
  return [
    {
      uid: userUid(subject),
      attrs: withAttributes ? { name: subject.username, kind: subject.kind, scopes: [...subject.scopes], servers: subject.granted ? [reference("Server", object.server.name)] : [] } : {},
      parents: subject.groups.map((group) => uid("Group", group)),
    },
    { uid: resourceUid(object), attrs: withAttributes ? { name: object.name, server: reference("Server", object.server.name), tags: [...object.server.tags], tier: object.tier } : {}, parents: [server] },
    ...(withAttributes ? [{ uid: server, attrs: { name: object.server.name, tags: [...object.server.tags], transport: object.server.transport }, parents: [] }] : []),
  ];
}

const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

/** @param wanted the members of the context that a policy reads. */
export function contextOf(circumstances: Circumstances, wanted: ReadonlySet<string>): { context: Record<string, CedarValueJson>; entities: EntityJson[] } {
  const { address, at, factor, client, actors } = circumstances;
  const time = new Date(at);
  const all: Record<string, () => CedarValueJson> = {
    address: () => ({ __extn: { fn: "ip", arg: plain(address) } }),
    hour: () => time.getUTCHours(),
    weekday: () => weekdays[time.getUTCDay()] ?? "sun",
    factor: () => factor,
    client: () => client,
    actors: () => [...actors],
    arguments: () => reference("Arguments", "this"),
    numbers: () => reference("Numbers", "this"),
  };
  const context: Record<string, CedarValueJson> = {};
  for (const name of wanted) {
    const value = all[name];
    if (value) context[name] = value();
  }
  if (!wanted.has("arguments") && !wanted.has("numbers")) return { context, entities: [] };
  const { texts, numbers } = leavesOf(circumstances.arguments);
  return { context, entities: [{ uid: uid("Arguments", "this"), attrs: {}, parents: [], tags: texts }, { uid: uid("Numbers", "this"), attrs: {}, parents: [], tags: numbers }] };
}

/** IPv4 in the dress of IPv6 is IPv4; nobody in particular comes from nowhere. */
function plain(address: string): string {
  try {
    return classifyAddress(address).effective;
  } catch {
    return "0.0.0.0";
  }
}

const mostLeaves = 1000;

/** Arguments as tags by dotted path: texts and booleans as text, whole numbers as numbers (and as text). */
function leavesOf(value: unknown): { texts: Record<string, string>; numbers: Record<string, number> } {
  const texts: Record<string, string> = Object.create(null) as Record<string, string>;
  const numbers: Record<string, number> = Object.create(null) as Record<string, number>;
  let count = 0;
  const walk = (node: unknown, path: string, depth: number) => {
    if (count++ > mostLeaves || depth > 16) throw new RangeError("arguments");
    if (JSON.isRawJSON(node)) texts[path] = node.rawJSON;
    else if (typeof node === "string") texts[path] = node;
    else if (typeof node === "boolean") texts[path] = String(node);
    else if (typeof node === "number") {
      texts[path] = String(node);
      if (Number.isSafeInteger(node)) numbers[path] = node;
    } else if (typeof node === "object" && node !== null) for (const [key, member] of Object.entries(node)) walk(member, path === "" ? key : `${path}.${key}`, depth + 1);
  };
  walk(value, "", 0);
  return { texts, numbers };
}

/**
 * Decides by policies in Cedar: default deny, a forbid wins. Policies are sliced by server, so that the cost of a decision does not grow with
 * the registry; what no policy makes depend on circumstances is decided once and remembered until something changes.
 */
import type * as Cedar from "@cedar-policy/cedar-wasm/nodejs";
import { contextOf, entitiesOf, resourceUid, schema, uid, userUid, type Circumstances, type PolicyAction, type Subject, type Thing } from "./vocabulary.ts";

export interface Policy {
  name: string;
  /** Cedar text of exactly one policy. */
  text: string;
}

/** What a determining policy asks for besides, as its annotations say. */
export interface Obligation {
  policy: string;
  kind: "redact" | "step_up" | "approval" | "limit";
  value: string;
}

export interface PolicyDecision {
  allowed: boolean;
  /** Names of the policies that decided: empty when nothing permitted it. */
  reasons: readonly string[];
  obligations: readonly Obligation[];
}

export interface PolicyFault {
  /** UTF-16 position in the text. */
  start: number;
  end: number;
  message: string;
}

export interface Engine {
  decide(subject: Subject, action: PolicyAction, thing: Thing, circumstances: Circumstances): PolicyDecision;
}

const obligationKinds = new Set(["redact", "step_up", "approval", "limit"]);
const remembered = 50_000;

let loading: Promise<typeof Cedar> | undefined;
/** Some 11 MB of memory and 20 ms: loaded when the first policy is there. */
function load(): Promise<typeof Cedar> {
  loading ??= import("@cedar-policy/cedar-wasm/nodejs");
  return loading;
}

/** @returns what is wrong with a policy, with positions; empty when it may run. */
export async function validatePolicy(text: string): Promise<PolicyFault[]> {
  const cedar = await load();
  const faults = (errors: readonly Cedar.DetailedError[]): PolicyFault[] =>
    errors.map(({ message, help, sourceLocations }) => {
      const [at] = sourceLocations ?? [];
      const label = at?.label ? ` (${at.label})` : "";
      return { start: at?.start ?? 0, end: at?.end ?? 0, message: `${message.replace(/^failed to parse policy with id `[^`]*` from string: /, "").replace(/^for policy `[^`]*`, /, "")}${label}${help ? `; ${help}` : ""}` };
    });
  const parts = cedar.policySetTextToParts(text);
  if (parts.type === "failure") return faults(parts.errors);
  if (parts.policies.length !== 1 || parts.policy_templates.length > 0) return [{ start: 0, end: text.length, message: `Exactly one policy is expected, not ${parts.policies.length + parts.policy_templates.length}` }];
  const parsed = cedar.policyToJson(text);
  if (parsed.type === "failure") return faults(parsed.errors);
  const unknown = Object.entries(parsed.json.annotations ?? {}).find(([name, value]) => obligationKinds.has(name) && !obligationFits(name, value));
  if (unknown) return [{ start: Math.max(0, text.indexOf(`@${unknown[0]}`)), end: text.length, message: obligationHelp[unknown[0]] ?? "" }];
  const answer = cedar.validate({ schema, policies: { staticPolicies: { policy: text } } });
  const found = answer.type === "failure" ? faults(answer.errors) : faults(answer.validationErrors.map(({ error }) => error));
  // The same is said once for each action that it concerns: once is enough.
  return [...new Map(found.map((fault) => [`${fault.start} ${fault.end}`, fault])).values()];
}

const obligationHelp: Record<string, string> = {
  redact: '@redact takes names of fields, such as @redact("email,phone")',
  step_up: '@step_up takes seconds, such as @step_up("300")',
  approval: '@approval takes minutes, such as @approval("10")',
  limit: '@limit takes calls and seconds, such as @limit("10/60")',
};

function obligationFits(name: string, value: string): boolean {
  if (name === "redact") return /^[\w.-]{1,100}(?:\s*,\s*[\w.-]{1,100}){0,50}$/.test(value);
  return name === "limit" ? /^[1-9]\d{0,6}\/[1-9]\d{0,5}$/.test(value) : /^[1-9]\d{0,5}$/.test(value);
}

interface Compiled extends Policy {
  json: Cedar.PolicyJson;
  /** Members of the context that it reads; empty: it does not depend on circumstances. */
  context: ReadonlySet<string>;
  obligations: readonly Obligation[];
}

interface Slice {
  /** Ids of prepared sets: every policy of the slice, and the reach of those that depend on circumstances. */
  all: string;
  reach: string | undefined;
  context: ReadonlySet<string>;
  attributes: boolean;
}

/** Unique ids for prepared sets: an engine that is replaced leaves its sets behind under names that nobody asks for again. */
let engines = 0;

/** @throws Error for a policy that does not parse: only validated ones come here. */
export async function createEngine(policies: readonly Policy[]): Promise<Engine> {
  const cedar = await load();
  const generation = engines++ % 2;
  const compiled = policies.map(({ name, text }): Compiled => {
    const parsed = cedar.policyToJson(text);
    if (parsed.type === "failure") throw new Error(`Policy ${name} does not parse`);
    const context = new Set<string>();
    collectContext(parsed.json.conditions, context);
    const obligations = Object.entries(parsed.json.annotations ?? {}).filter(([kind]) => obligationKinds.has(kind)).map(([kind, value]) => ({ policy: name, kind: kind as Obligation["kind"], value }));
    return { name, text, json: parsed.json, context, obligations };
  });
  const byName = new Map(compiled.map((policy) => [policy.name, policy]));
  const slices = new Map<string, Slice>();
  const decided = new Map<string, PolicyDecision>();
  const reaches = new Map<string, boolean>();

  const prepare = (id: string, set: Record<string, Cedar.Policy>) => {
    const answer = cedar.preparsePolicySet(id, { staticPolicies: set });
    if (answer.type === "failure") throw new Error("A policy set could not be prepared", { cause: answer.errors });
    return id;
  };
  const sliceOf = (server: string): Slice => {
    let slice = slices.get(server);
    if (!slice) {
      const own = compiled.filter(({ json }) => concerns(json.resource, server));
      const contextual = own.filter(({ context }) => context.size > 0);
      slice = {
        all: prepare(`${generation} ${server}`, Object.fromEntries(own.map(({ name, text }) => [name, text]))),
        // Who, what and which alone, all as permits: then the reasons name every policy that could have a say.
        reach: contextual.length === 0 ? undefined : prepare(`${generation} reach ${server}`, Object.fromEntries(contextual.map(({ name, json }) => [name, { ...json, effect: "permit", conditions: [], annotations: {} } satisfies Cedar.PolicyJson]))),
        context: new Set(contextual.flatMap(({ context }) => [...context])),
        attributes: own.some(({ json }) => readsAttributes(json.conditions)),
      };
      slices.set(server, slice);
    }
    return slice;
  };
  const ask = (set: string, subject: Subject, action: PolicyAction, thing: Thing, context: Cedar.Context, entities: Cedar.Entities): Cedar.Response => {
    const answer = cedar.statefulIsAuthorized({ principal: userUid(subject), action: uid("Action", action), resource: resourceUid(thing), context, preparsedPolicySetId: set, validateRequest: false, entities });
    if (answer.type === "failure") throw new Error("A decision could not be made", { cause: answer.errors });
    return answer.response;
  };
  const decisionOf = ({ decision, diagnostics }: Cedar.Response): PolicyDecision => {
    // A policy that could not be evaluated has said nothing: where that might have been a forbid, the answer is no.
    const failed = diagnostics.errors.filter(({ policyId }) => byName.get(policyId)?.json.effect === "forbid");
    if (failed.length > 0) return { allowed: false, reasons: failed.map(({ policyId }) => policyId), obligations: [] };
    const allowed = decision === "allow";
    return { allowed, reasons: diagnostics.reason, obligations: allowed ? diagnostics.reason.flatMap((name) => byName.get(name)?.obligations ?? []) : [] };
  };
  const keep = <V>(map: Map<string, V>, key: string, value: V): V => {
    if (map.size >= remembered) map.delete(map.keys().next().value ?? "");
    map.set(key, value);
    return value;
  };

  return {
    decide(subject, action, thing, circumstances) {
      const slice = sliceOf(thing.server.name);
      const key = JSON.stringify([subject.username, subject.kind, subject.scopes, subject.groups, subject.granted, action, thing.kind, thing.server.name, thing.name, thing.tier, thing.server.tags]);
      const known = decided.get(key);
      if (known) return known;
      const entities = entitiesOf(subject, thing, slice.attributes);
      const depends = slice.reach !== undefined && (reaches.get(key) ?? keep(reaches, key, ask(slice.reach, subject, action, thing, {}, entities).diagnostics.reason.length > 0));
      if (!depends) return keep(decided, key, decisionOf(ask(slice.all, subject, action, thing, {}, entities)));
      try {
        const { context, entities: more } = contextOf(circumstances, slice.context);
        return decisionOf(ask(slice.all, subject, action, thing, context, [...entities, ...more]));
      } catch (error) {
        // More arguments than a policy can look at.
        if (error instanceof RangeError) return { allowed: false, reasons: [], obligations: [] };
        throw error;
      }
    },
  };
}

/** Whether a policy can have a say about a server's things. */
function concerns(resource: Cedar.ResourceConstraint, server: string): boolean {
  const isOf = ({ type, id }: Cedar.TypeAndId) => (type === "Sallyport::Server" ? id === server : id.startsWith(`${server}/`));
  const entityOf = (entity: Cedar.EntityUidJson) => ("__entity" in entity ? entity.__entity : entity);
  if (resource.op === "All") return true;
  if (resource.op === "is") return resource.in === undefined || !("entity" in resource.in) || isOf(entityOf(resource.in.entity));
  return !("entity" in resource) || isOf(entityOf(resource.entity));
}

function collectContext(node: unknown, into: Set<string>): void {
  if (typeof node !== "object" || node === null) return;
  const access = (node as { "."?: { left?: { Var?: string }; attr?: string } })["."];
  if (access?.left?.Var === "context" && typeof access.attr === "string") into.add(access.attr);
  const has = (node as { has?: { left?: { Var?: string }; attr?: unknown } }).has;
  if (has?.left?.Var === "context") for (const attr of Array.isArray(has.attr) ? has.attr.slice(0, 1) : [has.attr]) into.add(String(attr));
  for (const member of Object.values(node)) collectContext(member, into);
}

/** Whether a condition reads attributes of principal or resource (or of what they lead to). */
function readsAttributes(node: unknown): boolean {
  if (typeof node !== "object" || node === null) return false;
  const access = (node as { "."?: { left?: { Var?: string } }; has?: { left?: { Var?: string } } })["."] ?? (node as { has?: { left?: { Var?: string } } }).has;
  if (access && access.left?.Var !== "context") return true;
  return Object.values(node).some(readsAttributes);
}

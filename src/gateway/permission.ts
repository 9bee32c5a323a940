/**
 * Policies at the second door: one place asks them for every call and every list, on every path, and sees to what they ask for besides
 * (AISVS 10.2.5: access control per tool and argument values). While the starter policy is all there is, nothing is asked.
 */
import type { Audit } from "../audit/index.ts";
import type { Principal } from "../kernel/principal.ts";
import type { Approvals, Obligation, Policies, PolicyWish } from "../policy/index.ts";
import type { ServerState } from "../snapshot/index.ts";
import type { Gate } from "../trust/index.ts";
import { errorCodes, isObject, WireError, type Members } from "./wire/message.ts";
import { parseLosslessJson } from "../kernel/json.ts";

/** Of our own, outside the range that JSON-RPC and MCP keep for themselves: refused by a policy. */
export const notPermittedCode = 403;

export interface Wish {
  caller: Principal;
  server: ServerState;
  method: string;
  /** The upstream's own name, or the resource's URI. */
  name: string;
  arguments: unknown;
  requestId: string;
  /** The client's address. */
  address: string;
}

export interface Permission {
  /** @returns names of fields to be redacted in the result. @throws WireError for what policies refuse, limit, or let wait for a person. */
  require(wish: Wish): readonly string[] | Promise<readonly string[]>;
  /** Whether the caller may see an item (by the upstream's own name) in a list. */
  lists(caller: Principal, server: ServerState, kind: string, name: string): boolean;
  /** The pins as this caller may see through them. */
  through(gate: Gate, caller: Principal): Gate;
  /** Callers of one view see the same of every server. Empty while nothing is asked. */
  view(caller: Principal): string;
}

const actions: Readonly<Record<string, Pick<PolicyWish, "action" | "kind">>> = {
  "tools/call": { action: "call", kind: "tool" },
  "prompts/get": { action: "get", kind: "prompt" },
  "resources/read": { action: "read", kind: "resource" },
  "resources/subscribe": { action: "read", kind: "resource" },
};
const listKinds: Readonly<Record<string, PolicyWish["kind"]>> = { tool: "tool", prompt: "prompt", resource: "resource", resourceTemplate: "resource" };
const namedBy: Readonly<Record<string, string>> = { tool: "name", prompt: "name", resource: "uri", resourceTemplate: "uriTemplate" };
const nothing: readonly string[] = Object.freeze([]);
const mostBuckets = 50_000;

export interface PermissionOptions {
  policies: Policies;
  approvals: Approvals;
  audit: Audit;
  now: () => number;
}

export function createPermission({ policies, approvals, audit, now }: PermissionOptions): Permission {
  const buckets = new Map<string, { left: number; at: number }>();

  const lists = (caller: Principal, server: ServerState, kind: string, name: string): boolean => {
    if (!policies.active) return true;
    const listed = listKinds[kind];
    return listed === undefined || policies.decide(caller, server, { action: "list", kind: listed, name, arguments: undefined, address: "" }).allowed;
  };

  /** A token bucket per caller and policy, in this process. @throws WireError when it is empty. */
  const take = ({ caller, server, name, requestId }: Wish, { policy, value }: Obligation) => {
    const [calls = 1, seconds = 1] = value.split("/").map(Number);
    const key = `${caller.userId} ${policy}`;
    const at = now();
    const bucket = buckets.get(key) ?? { left: calls, at };
    bucket.left = Math.min(calls, bucket.left + ((at - bucket.at) / 1000) * (calls / seconds));
    bucket.at = at;
    if (buckets.size >= mostBuckets) buckets.delete(buckets.keys().next().value ?? "");
    buckets.set(key, bucket);
    if (bucket.left < 1) {
      audit.record({ type: "policy.limit.reached", actorId: caller.userId, requestId, subject: `server:${server.id}`, detail: { server: server.name, name, policy } });
      throw new WireError(429, errorCodes.limitReached, `Not more than ${calls} calls in ${seconds} seconds`, undefined, { retryAfter: Math.ceil(((1 - bucket.left) * seconds) / calls) });
    }
    bucket.left -= 1;
  };

  const settle = async (wish: Wish, obligations: readonly Obligation[]): Promise<readonly string[]> => {
    const { caller, server, name, requestId } = wish;
    for (const obligation of obligations.filter(({ kind }) => kind === "approval")) {
      const waiting = await approvals.use({ userId: caller.userId, requestId, server, tool: name, arguments: wish.arguments, policy: obligation.policy, minutes: Number(obligation.value) });
      if (waiting !== undefined) throw new WireError(403, notPermittedCode, "This call needs a person's consent. It waits; call again when it has been given", undefined, { approval: waiting, expiresInMinutes: Number(obligation.value) });
    }
    return obligations.filter(({ kind }) => kind === "redact").flatMap(({ value }) => value.split(",").map((field) => field.trim()));
  };

  return {
    lists,
    require(wish) {
      if (!policies.active) return nothing;
      const action = actions[wish.method];
      if (!action) return nothing;
      const { caller, server, name, requestId } = wish;
      const decision = policies.decide(caller, server, { ...action, name, arguments: wish.arguments, address: wish.address });
      if (!decision.allowed) {
        audit.record({ type: "policy.denied", actorId: caller.userId, requestId, subject: `server:${server.id}`, detail: { server: server.name, kind: action.kind, name, policies: decision.reasons } });
        // What the caller may not even see does not exist for it.
        if (!lists(caller, server, action.kind, name)) throw new WireError(200, errorCodes.invalidParams, action.kind === "resource" ? "Resource not found" : `Unknown ${action.kind}`, undefined, action.kind === "resource" ? { uri: name } : undefined);
        throw new WireError(403, notPermittedCode, "Not permitted by policy");
      }
      if (decision.obligations.length === 0) return nothing;
      for (const obligation of decision.obligations) {
        if (obligation.kind === "limit") take(wish, obligation);
        if (obligation.kind === "step_up" && !(caller.authenticatedAt !== undefined && caller.authenticatedAt + Number(obligation.value) * 1000 > now())) throw new WireError(403, notPermittedCode, `This call needs a sign-in within the last ${obligation.value} seconds`, undefined, { stepUp: { maxAge: Number(obligation.value) } });
      }
      return settle(wish, decision.obligations);
    },
    through(gate, caller) {
      if (!policies.active) return gate;
      return {
        ...gate,
        shown(server, kind, items) {
          const seen = items.filter((item) => {
            const name = isObject(item) ? item[namedBy[kind] ?? "name"] : undefined;
            return typeof name === "string" && lists(caller, server, kind, name);
          });
          return gate.shown(server, kind, seen.length === items.length ? items : seen);
        },
      };
    },
    view: (caller) => (policies.active ? `${policies.version}.${caller.userId}.${[...caller.scopes].join(" ")}` : ""),
  };
}

const redacted = "[redacted]";

/** A result without the values of these fields, wherever they stand: in structured content, and in text that is JSON. */
export function redact(result: Members, fields: readonly string[]): Members {
  if (fields.length === 0) return result;
  const names = new Set(fields);
  const walk = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(walk);
    if (!isObject(node)) return node;
    return Object.fromEntries(Object.entries(node).map(([key, member]) => [key, names.has(key) ? redacted : walk(member)]));
  };
  const content = Array.isArray(result["content"])
    ? result["content"].map((block: unknown) => (isObject(block) && block["type"] === "text" && typeof block["text"] === "string" ? { ...block, text: redactText(block["text"], names, walk) } : block))
    : result["content"];
  return { ...result, ...(content === undefined ? {} : { content }), ...(result["structuredContent"] === undefined ? {} : { structuredContent: walk(result["structuredContent"]) }) };
}

function redactText(text: string, names: ReadonlySet<string>, walk: (node: unknown) => unknown): string {
  if (!/^\s*[[{]/.test(text)) {
    // Text for people: "email: ann@example.com" and the like, up to the end of the line.
    return text.split("\n").map((line) => {
      const label = /^[ \t]*["']?(?<name>[\w.-]{1,100})["']?[ \t]*[:=]/.exec(line);
      return label && names.has(label.groups?.["name"] ?? "") ? `${label[0]} ${redacted}` : line;
    }).join("\n");
  }
  try {
    return JSON.stringify(walk(parseLosslessJson(text, { maxBytes: 67_108_864, maxItems: 2_000_000 })));
  } catch {
    // Looks like JSON but cannot be read: nobody could say what it holds.
    return redacted;
  }
}

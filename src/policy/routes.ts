/** HTTP of policies: read, validate, change, explain, and compare a proposed set with the running one. For administrators. */
import { z } from "zod";
import { problem } from "../kernel/problem.ts";
import type { Principal } from "../kernel/principal.ts";
import { route, type RequestInfo, type Route } from "../net/route.ts";
import type { ServerState, Snapshot } from "../snapshot/index.ts";
import type { Approvals } from "./approvals.ts";
import { validatePolicy } from "./engine.ts";
import { explain } from "./explain.ts";
import type { Policies, PolicyWish, StoredPolicy } from "./policies.ts";
import { schema as cedarSchema } from "./vocabulary.ts";

export interface PolicyRoutes {
  policies: Policies;
  approvals: Approvals;
  snapshot: Snapshot;
  itemsOf: (server: ServerState) => Iterable<{ kind: "tool" | "prompt" | "resource"; name: string }>;
}

const policyName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, "must be lower-case letters, digits and . _ -");
const text = z.string().min(1).max(20_000);
const policy = z.object({ name: z.string(), text: z.string(), enabled: z.boolean(), revision: z.number(), changedBy: z.string().nullable(), changedAt: z.string() });
const fault = z.object({ start: z.number(), end: z.number(), message: z.string() });
const wish = {
  user: z.string().min(1).max(100),
  server: z.string().min(1).max(100).transform((name) => name.toLowerCase()),
  kind: z.enum(["tool", "prompt", "resource"]).default("tool"),
  name: z.string().min(1).max(2048),
  action: z.enum(["list", "call", "get", "read"]).optional(),
  arguments: z.record(z.string(), z.unknown()).optional(),
  address: z.union([z.ipv4(), z.ipv6()]).default("127.0.0.1"),
};
const obligations = z.array(z.object({ policy: z.string(), kind: z.string(), value: z.string() }));
const approval = z.object({ id: z.string(), user: z.string(), server: z.string(), tool: z.string(), policy: z.string(), state: z.string(), askedAt: z.string(), expiresAt: z.string() });
const params = z.strictObject({ name: policyName });
const missing = { 404: { description: "No such policy" } };
const stale = { 412: { description: "If-Match names an older revision" } };
const actions = { tool: "call", prompt: "get", resource: "read" } as const;
const mostDifferences = 1000;

export function policyRoutes({ policies, approvals, snapshot, itemsOf }: PolicyRoutes): Route[] {
  const present = (stored: StoredPolicy) => ({ ...stored, changedBy: stored.changedBy === undefined ? null : (snapshot.users.get(stored.changedBy)?.username ?? stored.changedBy), changedAt: new Date(stored.changedAt).toISOString() });
  const shown = (status: number, stored: StoredPolicy, headers: Record<string, string> = {}) => ({ status, body: present(stored), headers: { etag: `"${stored.revision}"`, ...headers } });
  const by = (principal: Principal, request: RequestInfo) => ({ actorId: principal.userId, requestId: request.id });
  const find = (name: string): StoredPolicy => {
    const found = policies.list().find((stored) => stored.name === name);
    if (!found) throw problem("not-found", { detail: "No such policy" });
    return found;
  };
  const revisionOf = (request: RequestInfo, stored: StoredPolicy): number | undefined => {
    const header = request.headers.get("if-match");
    if (header === null || header.trim() === "*") return undefined;
    if (!header.split(",").some((tag) => tag.trim() === `"${stored.revision}"`)) throw problem("precondition-failed", { detail: "The policy was changed since you read it", headers: { etag: `"${stored.revision}"` } });
    return stored.revision;
  };
  const userOf = (name: string) => {
    const user = [...snapshot.users.values()].find(({ username }) => username === name);
    if (!user) throw problem("not-found", { detail: "No such user" });
    return user;
  };
  const serverOf = (name: string) => {
    const server = snapshot.servers.get(name);
    if (!server) throw problem("not-found", { detail: "No such server" });
    return server;
  };
  const running = () => policies.list().filter(({ enabled }) => enabled);
  const admin = { scopes: ["admin"] } as const;

  return [
    route({ method: "get", path: "/api/v1/policies", operationId: "listPolicies", summary: "List policies", tag: "Policies", access: admin, responses: { 200: { description: "All policies", schema: z.object({ items: z.array(policy) }) } }, handler: () => ({ status: 200, body: { items: policies.list().map(present) } }) }),
    route({ method: "get", path: "/api/v1/policies/{name}", operationId: "getPolicy", summary: "Read a policy", tag: "Policies", access: admin, params, responses: { 200: { description: "The policy", schema: policy }, ...missing }, handler: ({ params: { name } }) => shown(200, find(name)) }),
    route({
      method: "post",
      path: "/api/v1/policies",
      operationId: "createPolicy",
      stepUp: true,
      summary: "Add a policy in Cedar; one that is not valid is refused with positions, and the running set stays",
      tag: "Policies",
      access: admin,
      body: { type: "json", schema: z.strictObject({ name: policyName, text, enabled: z.boolean().default(true) }) },
      responses: { 201: { description: "Added", schema: policy }, 409: { description: "The name is taken" } },
      handler: async ({ body, principal, request }) => shown(201, await policies.create(body, by(principal, request)), { location: `/api/v1/policies/${body.name}` }),
    }),
    route({
      method: "patch",
      path: "/api/v1/policies/{name}",
      operationId: "changePolicy",
      stepUp: true,
      summary: "Change a policy's text, enable or disable it",
      tag: "Policies",
      access: admin,
      params,
      body: { type: "json", schema: z.strictObject({ text: text.optional(), enabled: z.boolean().optional() }) },
      responses: { 200: { description: "As changed", schema: policy }, ...missing, ...stale },
      async handler({ params: { name }, body, principal, request }) {
        if (Object.keys(body).length === 0) throw problem("invalid", { detail: "Nothing to change", errors: [{ field: "body", message: "Give text or enabled" }] });
        return shown(200, await policies.change(name, body, revisionOf(request, find(name)), by(principal, request)));
      },
    }),
    route({
      method: "delete",
      path: "/api/v1/policies/{name}",
      operationId: "deletePolicy",
      stepUp: true,
      summary: "Remove a policy",
      tag: "Policies",
      access: admin,
      params,
      responses: { 204: { description: "Removed" }, ...missing, ...stale },
      async handler({ params: { name }, principal, request }) {
        await policies.remove(name, revisionOf(request, find(name)), by(principal, request));
        return { status: 204 };
      },
    }),
    route({ method: "get", path: "/api/v1/policy-schema", operationId: "policySchema", summary: "The Cedar schema that policies are checked against", tag: "Policies", access: admin, responses: { 200: { description: "Cedar schema", schema: z.object({ schema: z.string() }) } }, handler: () => ({ status: 200, body: { schema: cedarSchema } }) }),
    route({
      method: "post",
      path: "/api/v1/policy-checks",
      operationId: "checkPolicy",
      summary: "Validate a policy without storing it",
      tag: "Policies",
      access: admin,
      body: { type: "json", schema: z.strictObject({ text }) },
      responses: { 200: { description: "What is wrong with it; empty when it is valid", schema: z.object({ faults: z.array(fault) }) } },
      handler: async ({ body }) => ({ status: 200, body: { faults: await validatePolicy(body.text) } }),
    }),
    route({
      method: "post",
      path: "/api/v1/policy-explanations",
      operationId: "explainDecision",
      summary: "What is decided for a user and a tool, by which policies, and the smallest change that would allow it",
      tag: "Policies",
      access: admin,
      body: { type: "json", schema: z.strictObject(wish) },
      responses: { 200: { description: "The explanation", schema: z.object({ allowed: z.boolean(), because: z.string(), reasons: z.array(z.object({ name: z.string(), text: z.string() })), obligations, wouldAllow: z.array(z.object({ how: z.string(), policy: z.string().optional(), command: z.string().optional() })) }) }, 404: { description: "No such user or server" } },
      async handler({ body }) {
        const [user, server] = [userOf(body.user), serverOf(body.server)];
        const asked: PolicyWish = { action: body.action ?? actions[body.kind], kind: body.kind, name: body.name, arguments: body.arguments, address: body.address };
        const decide = await policies.engineOf(running());
        return { status: 200, body: explain(decide(user.username, server, asked), policies.list(), user, server, asked, snapshot.isGranted(user.id, server.id)) };
      },
    }),
    route({
      method: "post",
      path: "/api/v1/policy-differences",
      operationId: "comparePolicies",
      summary: "What would change for whom if the running set were replaced: decisions without arguments, over every user, server and known tool",
      tag: "Policies",
      access: admin,
      body: { type: "json", schema: z.strictObject({ policies: z.array(z.strictObject({ name: policyName, text })).max(500) }) },
      responses: { 200: { description: "At most 1,000 differences", schema: z.object({ complete: z.boolean(), differences: z.array(z.object({ user: z.string(), server: z.string(), kind: z.string(), name: z.string(), before: z.boolean(), after: z.boolean() })) }) } },
      async handler({ body }) {
        for (const [index, { text: proposed }] of body.policies.entries()) {
          const [first] = await validatePolicy(proposed);
          if (first) throw problem("invalid", { detail: `policies.${index}: ${first.message}`, errors: [{ field: `policies.${index}.text[${first.start}..${first.end}]`, message: first.message }] });
        }
        const [now, then] = [await policies.engineOf(running()), await policies.engineOf(body.policies)];
        const differences = [];
        let seen = 0;
        for (const server of snapshot.servers.values()) {
          for (const { kind, name } of itemsOf(server)) {
            for (const { username } of snapshot.users.values()) {
              const asked: PolicyWish = { action: actions[kind], kind, name, arguments: undefined, address: "127.0.0.1" };
              const [before, after] = [now(username, server, asked).allowed, then(username, server, asked).allowed];
              if (before !== after) differences.push({ user: username, server: server.name, kind, name, before, after });
              // Other requests go on meanwhile.
              if (++seen % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
              if (differences.length >= mostDifferences || seen >= 200_000) return { status: 200, body: { complete: false, differences } };
            }
          }
        }
        return { status: 200, body: { complete: true, differences } };
      },
    }),
    route({
      method: "get",
      path: "/api/v1/approvals",
      operationId: "listApprovals",
      summary: "Calls that wait for a person's consent",
      tag: "Policies",
      access: admin,
      responses: { 200: { description: "Waiting calls, oldest first", schema: z.object({ items: z.array(approval) }) } },
      handler: async () => ({ status: 200, body: { items: (await approvals.waiting()).map(({ userId, serverId, askedAt, expiresAt, ...rest }) => ({ ...rest, user: snapshot.users.get(userId)?.username ?? userId, server: [...snapshot.servers.values()].find(({ id }) => id === serverId)?.name ?? serverId, askedAt: new Date(askedAt).toISOString(), expiresAt: new Date(expiresAt).toISOString() })) } }),
    }),
    route({
      method: "post",
      path: "/api/v1/approvals/{id}",
      operationId: "decideApproval",
      summary: "Let a waiting call through once, or refuse it; nobody consents to a call of their own",
      tag: "Policies",
      access: admin,
      params: z.strictObject({ id: z.uuid() }),
      body: { type: "json", schema: z.strictObject({ consent: z.boolean() }) },
      responses: { 204: { description: "Decided" }, 404: { description: "Nothing of that id waits" } },
      async handler({ params: { id }, body, principal, request }) {
        await approvals.decide(id, body.consent, by(principal, request));
        return { status: 204 };
      },
    }),
  ];
}

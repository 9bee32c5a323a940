/** HTTP of review: what a server says of itself, what was decided about it, and the decisions. */
import { z } from "zod";
import { problem } from "../kernel/problem.ts";
import type { Principal } from "../kernel/principal.ts";
import { route, type RequestInfo, type Route } from "../net/route.ts";
import type { ServerState, Snapshot } from "../snapshot/index.ts";
import { reviewStates, type Pins } from "./pins.ts";
import type { Review } from "./review.ts";

export interface TrustRoutes {
  review: Review;
  pins: Pins;
  snapshot: Snapshot;
  /** @throws Problem 403 when the caller may not change this server. */
  requireChange(principal: Principal, server: ServerState, request: RequestInfo): void;
}

const kinds = ["server", "tool", "prompt", "resource", "resourceTemplate"] as const;
const standings = ["approved", "unreviewed", "changed", "blocked", "held", "rejected", "expired", "pending"] as const;
const named = z.strictObject({ name: z.string().min(1).max(100).regex(/^[a-zA-Z0-9_-]+$/).transform((name) => name.toLowerCase()) });
const reason = z.string().trim().min(3, "Say why, in at least 3 characters").max(1000);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be sha256: and 64 hexadecimal digits");
const itemName = z.string().max(2048);
/** What clients may be told of a tool: no control or direction-changing characters. */
const shownText = (max: number) => z.string().max(max).regex(/^[^\p{Cc}\p{Cf}\p{Co}\p{Cn}]*$/u, "must not contain control or invisible characters");

const inspection = z.object({ ok: z.boolean(), at: z.string(), phases: z.array(z.object({ phase: z.string(), milliseconds: z.number() })), error: z.string().nullable(), items: z.number(), withheld: z.number() });
const finding = z.object({ ruleId: z.string(), severity: z.string(), effect: z.string(), path: z.string(), span: z.array(z.number()), excerpt: z.string(), message: z.string(), owasp: z.string(), safe: z.string().optional() });
const item = z.object({
  kind: z.enum(kinds),
  name: z.string(),
  digest: z.string(),
  standing: z.enum(standings),
  enabled: z.boolean(),
  verdict: z.enum(["block", "hold", "pass"]),
  tier: z.enum(["read", "write", "destructive"]),
  tokens: z.number().describe("Estimated tokens that the definition costs in every conversation"),
  findings: z.array(finding),
  definition: z.unknown(),
  changes: z.array(z.object({ path: z.string(), kind: z.enum(["added", "removed", "changed"]), before: z.string().nullable(), after: z.string().nullable() })).describe("Against the version approved last, invisible characters written out"),
  firstSeenAt: z.string(),
  decision: z.object({ decision: z.string(), reason: z.string(), by: z.string().nullable(), at: z.string(), expiresAt: z.string().nullable(), pending: z.boolean() }).nullable(),
});
const reviewView = z.object({ server: z.string(), state: z.enum(reviewStates), reason: z.string(), inspection: inspection.nullable(), tokens: z.number(), items: z.array(item) });
const entry = z.object({ server: z.string(), state: z.enum(reviewStates), withheld: z.number(), items: z.number(), inspectedAt: z.string().nullable() });

const missing = { 404: { description: "No such server" } };
const iso = (at: number) => new Date(at).toISOString();

export function trustRoutes({ review, pins, snapshot, requireChange }: TrustRoutes): Route[] {
  const find = (name: string): ServerState => {
    const server = snapshot.servers.get(name);
    if (!server) throw problem("not-found", { detail: "No such server" });
    return server;
  };
  const by = (principal: Principal, request: RequestInfo) => ({ userId: principal.userId, requestId: request.id });
  const presentInspection = (done: Awaited<ReturnType<Review["inspect"]>>) => ({ ok: done.ok, at: iso(done.at), phases: done.phases, error: done.error ?? null, items: done.items, withheld: done.withheld });
  const present = async (server: ServerState) => {
    const { state, reason: why, inspection: last } = await review.stateOf(server);
    const items = await review.items(server);
    return {
      server: server.name,
      state,
      reason: why,
      inspection: last ? presentInspection(last) : null,
      tokens: items.reduce((sum, { kind, tokens }) => sum + (kind === "tool" ? tokens : 0), 0),
      items: items.map(({ decision, firstSeenAt, ...rest }) => ({
        ...rest,
        firstSeenAt: iso(firstSeenAt),
        decision: decision ? { decision: decision.decision, reason: decision.reason, by: decision.by === undefined ? null : (snapshot.users.get(decision.by)?.username ?? decision.by), at: iso(decision.at), expiresAt: decision.expiresAt === undefined ? null : iso(decision.expiresAt), pending: decision.pending } : null,
      })),
    };
  };

  return [
    route({
      method: "get",
      path: "/api/v1/reviews",
      operationId: "listReviews",
      summary: "Servers with their review state and how much of each is withheld",
      tag: "Review",
      access: { scopes: ["servers:read"] },
      query: z.strictObject({ withheld: z.enum(["true"]).optional().describe("Only servers of which something waits or is withheld") }),
      responses: { 200: { description: "All servers, by name", schema: z.object({ items: z.array(entry) }) } },
      handler({ query }) {
        const items = [...snapshot.servers.values()]
          .map((server) => {
            const known = pins.of(server.id);
            const all = known ? [...known.items()] : [];
            return { server: server.name, state: known?.state ?? ("draft" as const), withheld: all.filter(({ standing }) => standing !== "approved").length, items: all.length, inspectedAt: known?.inspectedAt === undefined ? null : iso(known.inspectedAt) };
          })
          .filter(({ state, withheld }) => query.withheld === undefined || withheld > 0 || state === "in-review")
          .sort((a, b) => (a.server < b.server ? -1 : 1));
        return { status: 200, body: { items } };
      },
    }),
    route({
      method: "get",
      path: "/api/v1/servers/{name}/review",
      operationId: "getReview",
      summary: "Everything a server says of itself, what the scanner found, what changed, and what was decided",
      tag: "Review",
      access: { scopes: ["servers:read"] },
      params: named,
      responses: { 200: { description: "The review", schema: reviewView }, ...missing },
      handler: async ({ params }) => ({ status: 200, body: await present(find(params.name)) }),
    }),
    route({
      method: "post",
      path: "/api/v1/servers/{name}/inspect",
      operationId: "inspectServer",
      summary: "Ask the server again what it offers; nothing new is let through by it",
      tag: "Review",
      access: { scopes: ["servers:write"] },
      params: named,
      responses: { 200: { description: "How the inspection went, phase by phase", schema: inspection }, ...missing },
      async handler({ params, principal, request }) {
        const server = find(params.name);
        requireChange(principal, server, request);
        return { status: 200, body: presentInspection(await review.inspect(server)) };
      },
    }),
    route({
      method: "post",
      path: "/api/v1/servers/{name}/review/decisions",
      operationId: "decide",
      summary: "Approve, hold or reject versions of tools, prompts, resources and templates",
      tag: "Review",
      access: { scopes: ["admin"] },
      params: named,
      body: {
        type: "json",
        schema: z.strictObject({
          decision: z.enum(["approved", "held", "rejected"]),
          items: z.union([z.literal("all"), z.array(z.strictObject({ kind: z.enum(kinds), name: itemName, digest })).min(1).max(5000)]),
          reason,
          expiresAt: z.iso.datetime({ offset: true }).optional(),
        }),
      },
      responses: { 200: { description: "How many were decided, and how many wait for a second person", schema: z.object({ decided: z.number(), pending: z.number() }) }, ...missing, 409: { description: "A version has changed since it was shown" } },
      async handler({ params, body, principal, request }) {
        const { expiresAt, ...decision } = body;
        return { status: 200, body: await review.decide(find(params.name), { ...decision, ...(expiresAt === undefined ? {} : { expiresAt: Date.parse(expiresAt) }) }, by(principal, request)) };
      },
    }),
    route({
      method: "post",
      path: "/api/v1/servers/{name}/review/confirm",
      operationId: "confirmDecisions",
      summary: "Confirm, as a second person, what another approved",
      tag: "Review",
      access: { scopes: ["admin"] },
      params: named,
      responses: { 200: { description: "How many were confirmed", schema: z.object({ confirmed: z.number() }) }, ...missing },
      handler: async ({ params, principal, request }) => ({ status: 200, body: { confirmed: await review.second(find(params.name), by(principal, request)) } }),
    }),
    route({
      method: "put",
      path: "/api/v1/servers/{name}/review/state",
      operationId: "changeReviewState",
      summary: "Put a server into review, on hold, reject or retire it, or approve it as a whole",
      tag: "Review",
      access: { scopes: ["admin"] },
      params: named,
      body: { type: "json", schema: z.strictObject({ state: z.enum(reviewStates), reason }) },
      responses: { 204: { description: "Changed" }, ...missing },
      async handler({ params, body, principal, request }) {
        await review.changeState(find(params.name), body.state, body.reason, by(principal, request));
        return { status: 204 };
      },
    }),
    route({
      method: "patch",
      path: "/api/v1/servers/{name}/items",
      operationId: "changeItems",
      summary: "Enable, disable, rename or describe items anew, by name or pattern; the settings survive every inspection",
      tag: "Review",
      access: { scopes: ["admin"] },
      params: named,
      body: {
        type: "json",
        schema: z.strictObject({
          changes: z
            .array(
              z.strictObject({
                kind: z.enum(["tool", "prompt", "resource", "resourceTemplate"]).default("tool"),
                name: itemName.min(1).describe("An exact name, or a pattern in which * stands for any characters"),
                enabled: z.boolean().nullable().optional(),
                alias: z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/, "must be 1 to 128 letters, digits and _ . -").nullable().optional().describe("The name that clients see and call; tools and prompts only"),
                title: shownText(200).nullable().optional(),
                description: shownText(5000).nullable().optional(),
              }),
            )
            .min(1)
            .max(500),
        }),
      },
      responses: { 204: { description: "Changed" }, ...missing, 409: { description: "The alias is taken" } },
      async handler({ params, body, principal, request }) {
        const wrong = body.changes.findIndex(({ kind, alias }) => alias !== undefined && alias !== null && kind !== "tool" && kind !== "prompt");
        if (wrong !== -1) throw problem("invalid", { detail: "alias: only tools and prompts have names of their own", errors: [{ field: `changes.${wrong}.alias`, message: "Only for tools and prompts" }] });
        await review.override(find(params.name), body.changes, by(principal, request));
        return { status: 204 };
      },
    }),
  ];
}

/** HTTP of bundles: /api/v1/bundles. Who was not granted a bundle does not learn that it exists. */
import { z } from "zod";
import type { Audit } from "../../audit/index.ts";
import type { Users } from "../../identity/index.ts";
import { problem } from "../../kernel/problem.ts";
import type { Principal } from "../../kernel/principal.ts";
import { etag, etagOf, revisionOf } from "../../net/etag.ts";
import { route, type RequestInfo, type Route, type RouteOutput } from "../../net/route.ts";
import type { BundleState, Snapshot } from "../../snapshot/index.ts";
import type { Bundles } from "./bundles.ts";
import { bundle, bundleCreate, bundleName, bundlePatch, bundleReplace, toolStatus, type BundleView, type ToolStatus } from "./schema.ts";

export interface BundleRoutes {
  bundles: Bundles;
  users: Users;
  snapshot: Snapshot;
  audit: Audit;
  publicUrl: string;
  /** What of a bundle's tools the caller could call now. */
  statusOf(bundle: BundleState, caller: Principal, requestId: string): Promise<ToolStatus[]>;
}

const named = z.strictObject({ name: bundleName });
const namedUser = z.strictObject({ name: bundleName, username: z.string().min(1).max(100) });
const missing = { 404: { description: "No such bundle, or none that you may know of" } };
const stale = { 412: { description: "If-Match names an older revision" } };

export function bundleRoutes({ bundles, users, snapshot, audit, publicUrl, statusOf }: BundleRoutes): Route[] {
  const maySee = (state: BundleState, { userId, scopes }: Principal) => state.ownerId === userId || state.users.has(userId) || scopes.has("admin");
  const seen = (name: string, principal: Principal): BundleState => {
    const state = bundles.find(name);
    if (!maySee(state, principal)) throw problem("not-found", { detail: "No such bundle" });
    return state;
  };
  const changeable = (name: string, principal: Principal, request: RequestInfo): BundleState => {
    const state = seen(name, principal);
    if (state.ownerId === principal.userId || principal.scopes.has("admin")) return state;
    audit.record({ type: "authorization.denied", actorId: principal.userId, requestId: request.id, subject: `bundle:${state.id}`, detail: { action: "change-bundle", needs: ["ownership"] } });
    throw problem("forbidden", { detail: "Insufficient permissions" });
  };
  const by = (principal: Principal, request: RequestInfo) => ({ actorId: principal.userId, requestId: request.id });
  const view = (state: BundleState): BundleView => ({
    id: state.id,
    name: state.name,
    title: state.title ?? null,
    description: state.description ?? null,
    instructions: state.instructions ?? null,
    discover: state.discover,
    enabled: state.enabled,
    tools: state.tools.map((tool) => ({ ...tool })),
    prompts: state.prompts.map((prompt) => ({ ...prompt })),
    resources: state.resources.map((resource) => ({ ...resource })),
    ownerId: state.ownerId,
    mcpUrl: `${publicUrl}/bundles/${state.name}/mcp`,
    createdAt: new Date(state.createdAt).toISOString(),
    updatedAt: new Date(state.updatedAt).toISOString(),
  });
  const shown = (status: number, state: BundleState, headers: Record<string, string> = {}): RouteOutput => ({ status, body: view(state), headers: { etag: etagOf(state), ...headers } });

  return [
    route({
      method: "get",
      path: "/api/v1/bundles",
      operationId: "listBundles",
      summary: "List the bundles that you may use or change",
      tag: "Bundles",
      access: { scopes: ["servers:read"] },
      responses: { 200: { description: "Bundles, by name", schema: z.object({ items: z.array(bundle) }) } },
      handler: ({ principal }) => ({ status: 200, body: { items: bundles.list().filter((state) => maySee(state, principal)).map(view) } }),
    }),
    route({
      method: "post",
      path: "/api/v1/bundles",
      operationId: "createBundle",
      summary: "Make a bundle: chosen tools, prompts and resources of several servers under one endpoint",
      tag: "Bundles",
      access: { scopes: ["servers:write"] },
      body: { type: "json", schema: bundleCreate },
      responses: { 201: { description: "Made", schema: bundle, headers: { ...etag, location: "Its address" } }, 409: { description: "The name is taken" } },
      async handler({ body: { name, ...fields }, principal, request }) {
        const state = await bundles.create(name, fields, by(principal, request));
        return shown(201, state, { location: `/api/v1/bundles/${state.name}` });
      },
    }),
    route({
      method: "get",
      path: "/api/v1/bundles/{name}",
      operationId: "getBundle",
      summary: "Read a bundle",
      tag: "Bundles",
      access: { scopes: ["servers:read"] },
      params: named,
      responses: { 200: { description: "The bundle", schema: bundle, headers: etag }, ...missing },
      handler: ({ params, principal }) => shown(200, seen(params.name, principal)),
    }),
    route({
      method: "put",
      path: "/api/v1/bundles/{name}",
      operationId: "replaceBundle",
      summary: "Replace a bundle; send If-Match to refuse lost updates",
      tag: "Bundles",
      access: { scopes: ["servers:write"] },
      params: named,
      body: { type: "json", schema: bundleReplace },
      responses: { 200: { description: "As replaced", schema: bundle, headers: etag }, ...missing, ...stale },
      async handler({ params, body, principal, request }) {
        const state = changeable(params.name, principal, request);
        const { title = null, description = null, instructions = null, ...rest } = body;
        return shown(200, await bundles.change(state, { title, description, instructions, ...rest }, revisionOf(request, state), by(principal, request)));
      },
    }),
    route({
      method: "patch",
      path: "/api/v1/bundles/{name}",
      operationId: "patchBundle",
      summary: "Change parts of a bundle; null clears; send If-Match to refuse lost updates",
      tag: "Bundles",
      access: { scopes: ["servers:write"] },
      params: named,
      body: { type: "json", schema: bundlePatch },
      responses: { 200: { description: "As changed", schema: bundle, headers: etag }, ...missing, ...stale },
      async handler({ params, body, principal, request }) {
        const state = changeable(params.name, principal, request);
        if (Object.keys(body).length === 0) throw problem("invalid", { detail: "Nothing to change", errors: [{ field: "body", message: "Give at least one field" }] });
        return shown(200, await bundles.change(state, body, revisionOf(request, state), by(principal, request)));
      },
    }),
    route({
      method: "delete",
      path: "/api/v1/bundles/{name}",
      operationId: "deleteBundle",
      summary: "Remove a bundle and its grants",
      tag: "Bundles",
      access: { scopes: ["servers:write"] },
      params: named,
      responses: { 204: { description: "Removed" }, ...missing, ...stale },
      async handler({ params, principal, request }) {
        const state = changeable(params.name, principal, request);
        await bundles.remove(state, revisionOf(request, state), by(principal, request));
        return { status: 204 };
      },
    }),
    route({
      method: "get",
      path: "/api/v1/bundles/{name}/tools",
      operationId: "listBundleTools",
      summary: "Which of the bundle's tools you could call now, and why not the others",
      tag: "Bundles",
      access: { scopes: ["servers:read"] },
      params: named,
      responses: { 200: { description: "Every chosen tool", schema: z.object({ items: z.array(toolStatus) }) }, ...missing },
      handler: async ({ params, principal, request }) => ({ status: 200, body: { items: await statusOf(seen(params.name, principal), principal, request.id) } }),
    }),
    route({
      method: "get",
      path: "/api/v1/bundles/{name}/grants",
      operationId: "listBundleGrants",
      summary: "Who may use the bundle",
      tag: "Bundles",
      access: { scopes: ["admin"] },
      params: named,
      responses: { 200: { description: "User names", schema: z.object({ items: z.array(z.object({ username: z.string() })) }) }, ...missing },
      handler({ params }) {
        const granted = [...bundles.find(params.name).users].flatMap((id) => snapshot.users.get(id)?.username ?? []);
        return { status: 200, body: { items: granted.sort().map((username) => ({ username })) } };
      },
    }),
    route({
      method: "put",
      path: "/api/v1/bundles/{name}/grants/{username}",
      operationId: "grantBundle",
      summary: "Let a user use the bundle; what it holds of servers still needs a grant for these",
      tag: "Bundles",
      access: { scopes: ["admin"] },
      params: namedUser,
      responses: { 204: { description: "Granted" }, ...missing },
      async handler({ params, principal, request }) {
        await bundles.grant(bundles.find(params.name), users.find(params.username).id, by(principal, request));
        return { status: 204 };
      },
    }),
    route({
      method: "delete",
      path: "/api/v1/bundles/{name}/grants/{username}",
      operationId: "revokeBundleGrant",
      summary: "Withdraw a user's use of the bundle",
      tag: "Bundles",
      access: { scopes: ["admin"] },
      params: namedUser,
      responses: { 204: { description: "Withdrawn" }, ...missing },
      async handler({ params, principal, request }) {
        await bundles.revoke(bundles.find(params.name), users.find(params.username).id, by(principal, request));
        return { status: 204 };
      },
    }),
  ];
}

/** HTTP of limits: /api/v1/limits, for administrators. */
import { z } from "zod";
import type { Users } from "../../identity/index.ts";
import { problem } from "../../kernel/problem.ts";
import { etag, etagOf, revisionOf } from "../../net/etag.ts";
import { route, type Route, type RouteOutput } from "../../net/route.ts";
import type { LimitState, Snapshot } from "../../snapshot/index.ts";
import type { LimitRule, LimitRules } from "./rules.ts";

const name = z.string().min(1).max(100).regex(/^[a-z0-9][a-z0-9_.-]*$/, "must be lower-case letters, digits and . _ -");
const subject = (what: string) => z.string().min(1).max(200).nullable().optional().describe(`${what}; '*': counted for each alone; null or absent: counted for all together`);
const rule = {
  user: subject("A user name"),
  server: subject("A server's name"),
  tool: subject("A tool's own name at its server"),
  perSecond: z.number().min(0.001).max(1_000_000).nullable().optional().describe("Requests per second, on average"),
  burst: z.number().int().min(1).max(1_000_000).nullable().optional().describe("Requests that may come at once after a pause; default: those of one second"),
  concurrent: z.number().int().min(1).max(1_000_000).nullable().optional().describe("Requests under way at once"),
  perDay: z.number().int().min(1).max(2_000_000_000).nullable().optional().describe("Requests per day (UTC)"),
};
const binds = (fields: { perSecond?: number | null | undefined; concurrent?: number | null | undefined; perDay?: number | null | undefined }) => [fields.perSecond, fields.concurrent, fields.perDay].some((value) => typeof value === "number");
const bindsMessage = { message: "Give at least one of perSecond, concurrent and perDay", path: ["perSecond"] };
const limitCreate = z.strictObject({ name, ...rule }).refine(binds, bindsMessage);
const limitReplace = z.strictObject(rule).refine(binds, bindsMessage);
const limit = z.object({
  id: z.string(),
  name: z.string(),
  user: z.string().nullable(),
  server: z.string().nullable(),
  tool: z.string().nullable(),
  perSecond: z.number().nullable(),
  burst: z.number().nullable(),
  concurrent: z.number().nullable(),
  perDay: z.number().nullable(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
const named = z.strictObject({ name: z.string().min(1).max(100) });
const missing = { 404: { description: "No such limit" } };
const stale = { 412: { description: "If-Match names an older revision" } };

export function limitRoutes({ rules, users, snapshot }: { rules: LimitRules; users: Users; snapshot: Snapshot }): Route[] {
  /** Names become ids: a name that is given to somebody else later takes no limit with it. */
  const resolve = (fields: z.output<typeof limitReplace>): LimitRule => {
    const refuse = (field: string, message: string) => problem("invalid", { detail: `${field}: ${message}`, errors: [{ field, message }] });
    const userId = (username: string) => {
      try {
        return users.find(username).id;
      } catch {
        throw refuse("user", "No such user");
      }
    };
    const serverId = (serverName: string) => {
      const server = snapshot.servers.get(serverName.toLowerCase());
      if (!server) throw refuse("server", "No such server");
      return server.id;
    };
    const { user, server, tool, perSecond, burst, concurrent, perDay } = fields;
    return {
      user: user === undefined || user === null ? undefined : user === "*" ? "*" : userId(user),
      server: server === undefined || server === null ? undefined : server === "*" ? "*" : serverId(server),
      tool: tool ?? undefined,
      perSecond: perSecond ?? undefined,
      burst: burst ?? undefined,
      concurrent: concurrent ?? undefined,
      perDay: perDay ?? undefined,
    };
  };
  const serverNames = () => new Map([...snapshot.servers.values()].map((server) => [server.id, server.name]));
  const view = (state: LimitState, servers: ReadonlyMap<string, string>): z.output<typeof limit> => ({
    id: state.id,
    name: state.name,
    // Of who is gone, the id is all there is.
    user: state.user === undefined ? null : (snapshot.users.get(state.user)?.username ?? state.user),
    server: state.server === undefined ? null : (servers.get(state.server) ?? state.server),
    tool: state.tool ?? null,
    perSecond: state.perSecond ?? null,
    burst: state.burst ?? null,
    concurrent: state.concurrent ?? null,
    perDay: state.perDay ?? null,
    createdAt: new Date(state.createdAt).toISOString(),
    updatedAt: new Date(state.updatedAt).toISOString(),
  });
  const shown = (status: number, state: LimitState): RouteOutput => ({ status, body: view(state, serverNames()), headers: { etag: etagOf(state) } });

  return [
    route({
      method: "get",
      path: "/api/v1/limits",
      operationId: "listLimits",
      summary: "List limits",
      tag: "Limits",
      access: { scopes: ["admin"] },
      responses: { 200: { description: "All limits, by name", schema: z.object({ items: z.array(limit) }) } },
      handler() {
        const servers = serverNames();
        return { status: 200, body: { items: rules.list().map((state) => view(state, servers)) } };
      },
    }),
    route({
      method: "post",
      path: "/api/v1/limits",
      operationId: "createLimit",
      summary: "Set a limit on requests through the gateway",
      tag: "Limits",
      access: { scopes: ["admin"] },
      body: { type: "json", schema: limitCreate },
      responses: { 201: { description: "Set", schema: limit, headers: etag }, 409: { description: "The name is taken" } },
      handler: async ({ body, principal, request }) => shown(201, await rules.create(body.name, resolve(body), { actorId: principal.userId, requestId: request.id })),
    }),
    route({
      method: "get",
      path: "/api/v1/limits/{name}",
      operationId: "getLimit",
      summary: "Read a limit",
      tag: "Limits",
      access: { scopes: ["admin"] },
      params: named,
      responses: { 200: { description: "The limit", schema: limit, headers: etag }, ...missing },
      handler: ({ params }) => shown(200, rules.find(params.name)),
    }),
    route({
      method: "put",
      path: "/api/v1/limits/{name}",
      operationId: "replaceLimit",
      summary: "Replace a limit; send If-Match to refuse lost updates",
      tag: "Limits",
      access: { scopes: ["admin"] },
      params: named,
      body: { type: "json", schema: limitReplace },
      responses: { 200: { description: "As replaced", schema: limit, headers: etag }, ...missing, ...stale },
      async handler({ params, body, principal, request }) {
        const state = rules.find(params.name);
        return shown(200, await rules.replace(state, resolve(body), revisionOf(request, state), { actorId: principal.userId, requestId: request.id }));
      },
    }),
    route({
      method: "delete",
      path: "/api/v1/limits/{name}",
      operationId: "deleteLimit",
      summary: "Remove a limit",
      tag: "Limits",
      access: { scopes: ["admin"] },
      params: named,
      responses: { 204: { description: "Removed" }, ...missing, ...stale },
      async handler({ params, principal, request }) {
        const state = rules.find(params.name);
        await rules.remove(state, revisionOf(request, state), { actorId: principal.userId, requestId: request.id });
        return { status: 204 };
      },
    }),
  ];
}

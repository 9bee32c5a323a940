/** HTTP of groups: /api/v1/groups, for administrators. */
import { z } from "zod";
import { problem } from "../../kernel/problem.ts";
import { scopes, type Scope } from "../../kernel/scopes.ts";
import { route, type RequestInfo, type Route } from "../../net/route.ts";
import type { GroupState, ServerState, Snapshot } from "../../snapshot/index.ts";
import type { Users } from "../users.ts";
import type { Groups } from "./groups.ts";

export interface GroupRoutes {
  groups: Groups;
  users: Users;
  snapshot: Snapshot;
}

/** Any visible text: directories name groups with blanks and signs. */
export const groupName = z.string().min(1).max(256).regex(/^[^\p{C}/]+$/u, "must be visible text without /").refine((text) => text.trim() === text, "must not begin or end with a blank");
const scopeList = z.array(z.enum(Object.keys(scopes) as [Scope, ...Scope[]])).max(20).transform((list) => [...new Set(list)]);
const description = z.string().max(500);
const username = z.string().min(1).max(100);
const view = z.object({ id: z.string(), name: z.string(), description: z.string().nullable(), scopes: z.array(z.string()), externalId: z.string().nullable(), members: z.array(z.string()), servers: z.array(z.string()), createdAt: z.string(), updatedAt: z.string() });
const named = z.strictObject({ group: groupName });
const missing = { 404: { description: "No such group" } };
const stale = { 412: { description: "If-Match names an older revision" } };
const etag = { etag: "Revision of the group, for If-Match" };

export function groupRoutes({ groups, users, snapshot }: GroupRoutes): Route[] {
  const present = (group: GroupState) => ({
    id: group.id,
    name: group.name,
    description: group.description ?? null,
    scopes: [...group.scopes],
    externalId: group.externalId ?? null,
    members: [...group.members].flatMap((id) => snapshot.users.get(id)?.username ?? []).sort(),
    servers: [...snapshot.servers.values()].filter((server) => snapshot.grantedGroups(server.id).includes(group.id)).map((server) => server.name).sort(),
    createdAt: new Date(group.createdAt).toISOString(),
    updatedAt: new Date(group.updatedAt).toISOString(),
  });
  const serverOf = (name: string): ServerState => {
    const server = snapshot.servers.get(name.toLowerCase());
    if (!server) throw problem("not-found", { detail: "No such server" });
    return server;
  };
  const base = { tag: "Groups", access: { scopes: ["admin"] } } as const;
  return [
    route({ ...base, method: "get", path: "/api/v1/groups", operationId: "listGroups", summary: "List groups", responses: { 200: { description: "All groups", schema: z.object({ items: z.array(view) }) } }, handler: () => ({ status: 200, body: { items: groups.list().map(present) } }) }),
    route({
      ...base,
      method: "post",
      path: "/api/v1/groups",
      operationId: "createGroup",
      summary: "Create a group",
      body: { type: "json", schema: z.strictObject({ name: groupName, description: description.optional(), scopes: scopeList.default([]), members: z.array(username).max(10_000).default([]).describe("User names") }) },
      responses: { 201: { description: "Created", schema: view, headers: { ...etag, location: "Its address" } }, 409: { description: "The name is taken" } },
      async handler({ body, principal, request }) {
        const group = await groups.create({ ...body, members: body.members.map((name) => users.find(name).id) }, { actorId: principal.userId, requestId: request.id });
        return { status: 201, body: present(group), headers: { etag: etagOf(group), location: `/api/v1/groups/${encodeURIComponent(group.name)}` } };
      },
    }),
    route({
      ...base,
      method: "get",
      path: "/api/v1/groups/{group}",
      operationId: "getGroup",
      summary: "Read a group",
      params: named,
      responses: { 200: { description: "The group", schema: view, headers: etag }, ...missing },
      handler({ params }) {
        const group = groups.find(params.group);
        return { status: 200, body: present(group), headers: { etag: etagOf(group) } };
      },
    }),
    route({
      ...base,
      method: "patch",
      path: "/api/v1/groups/{group}",
      operationId: "changeGroup",
      stepUp: true,
      summary: "Change a group; members who lose a scope lose their tokens at once",
      params: named,
      body: { type: "json", schema: z.strictObject({ name: groupName.optional(), description: description.nullable().optional(), scopes: scopeList.optional() }) },
      responses: { 200: { description: "As changed", schema: view, headers: etag }, ...missing, ...stale, 409: { description: "The name is taken" } },
      async handler({ params, body, principal, request }) {
        const { name, description: text, scopes: wanted } = body;
        const change = { ...(name === undefined ? {} : { name }), ...(text === undefined ? {} : { description: text }), ...(wanted === undefined ? {} : { scopes: wanted }) };
        if (Object.keys(change).length === 0) throw problem("invalid", { detail: "Nothing to change", errors: [{ field: "body", message: "Give name, description or scopes" }] });
        const group = groups.find(params.group);
        const changed = await groups.change(group.id, change, { actorId: principal.userId, requestId: request.id }, revisionOf(request, group));
        return { status: 200, body: present(changed), headers: { etag: etagOf(changed) } };
      },
    }),
    route({
      ...base,
      method: "delete",
      path: "/api/v1/groups/{group}",
      operationId: "deleteGroup",
      stepUp: true,
      summary: "Remove a group, its memberships and its grants",
      params: named,
      responses: { 204: { description: "Removed" }, ...missing, ...stale },
      async handler({ params, principal, request }) {
        const group = groups.find(params.group);
        await groups.remove(group.id, { actorId: principal.userId, requestId: request.id }, revisionOf(request, group));
        return { status: 204 };
      },
    }),
    ...(["put", "delete"] as const).flatMap((method) => [
      route({
        ...base,
        method,
        path: "/api/v1/groups/{group}/members/{username}",
        operationId: method === "put" ? "addGroupMember" : "removeGroupMember",
        summary: method === "put" ? "Add a user to a group" : "Remove a user from a group",
        params: z.strictObject({ group: groupName, username }),
        responses: { 204: { description: "Done" }, ...missing },
        async handler({ params, principal, request }) {
          const [group, user] = [groups.find(params.group), users.find(params.username)];
          await groups.change(group.id, method === "put" ? { addMembers: [user.id] } : { removeMembers: [user.id] }, { actorId: principal.userId, requestId: request.id });
          return { status: 204 };
        },
      }),
      route({
        ...base,
        method,
        path: "/api/v1/groups/{group}/grants/{server}",
        operationId: method === "put" ? "grantGroup" : "revokeGroupGrant",
        summary: method === "put" ? "Let a group call the server's tools" : "Withdraw a group's grant",
        params: z.strictObject({ group: groupName, server: z.string().min(1).max(100) }),
        responses: { 204: { description: "Done" }, ...missing },
        async handler({ params, principal, request }) {
          const [group, server] = [groups.find(params.group), serverOf(params.server)];
          await groups[method === "put" ? "grant" : "revoke"](group, server.id, { actorId: principal.userId, requestId: request.id });
          return { status: 204 };
        },
      }),
    ]),
  ];
}

function etagOf(group: GroupState): string {
  return `"${group.id.slice(-12)}-${group.revision}"`;
}

/** If-Match (RFC 9110 section 13.1.1): absent or * asks for nothing. */
function revisionOf(request: RequestInfo, group: GroupState): number | undefined {
  const header = request.headers.get("if-match");
  if (header === null || header.trim() === "*") return undefined;
  if (!header.split(",").some((tag) => tag.trim() === etagOf(group))) throw problem("precondition-failed", { detail: "The group was changed since you read it", headers: { etag: etagOf(group) } });
  return group.revision;
}

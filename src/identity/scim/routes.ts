/**
 * SCIM 2.0 (RFC 7643, RFC 7644) at /scim/v2, for directories that provision users and groups: a token or key of scope `scim` (or `admin`).
 * `scim` alone touches neither administrators nor groups that make administrators.
 */
import { z } from "zod";
import { problem } from "../../kernel/problem.ts";
import type { Principal } from "../../kernel/principal.ts";
import { route, type RequestInfo, type Route, type RouteOutput } from "../../net/route.ts";
import type { GroupState, Snapshot } from "../../snapshot/index.ts";
import type { Groups } from "../groups/groups.ts";
import { presentScimError, scimError } from "./errors.ts";
import { fits, parseFilter } from "./filter.ts";
import { groupChangeOf, presentGroup, scimGroupSchema } from "./groups.ts";
import { applyPatch, patchSchema, stepsOf } from "./patch.ts";
import { resourceTypes, schemas, serviceProviderConfig } from "./schemas.ts";
import { parseScimUser, userAttributes, type ScimUsers } from "./users.ts";

export interface ScimRoutes {
  users: ScimUsers;
  groups: Groups;
  snapshot: Snapshot;
  publicUrl: string;
}

const contentType = "application/scim+json";
const resource = z.looseObject({ schemas: z.array(z.string()), id: z.string() });
const listResponse = z.object({ schemas: z.array(z.string()), totalResults: z.number(), startIndex: z.number(), itemsPerPage: z.number(), Resources: z.array(z.looseObject({})) });
const one = z.strictObject({ id: z.string().min(1).max(100) });
/** Parameters that we do not know are ignored: clients send what other servers understand. */
const projection = { attributes: z.string().max(2000).optional(), excludedAttributes: z.string().max(2000).optional() };
const listQuery = z.object({ ...projection, filter: z.string().max(2000).optional(), startIndex: z.string().regex(/^-?\d{1,9}$/).transform(Number).default(1), count: z.string().regex(/^-?\d{1,9}$/).transform(Number).default(100) });
const mostPerPage = 200;
const json = <S extends z.ZodType>(schema: S) => ({ type: "json", schema }) as const;

export function scimRoutes({ users, groups, snapshot, publicUrl }: ScimRoutes): Route[] {
  const base = { tag: "SCIM", access: { scopes: ["admin"], or: "scim" }, presentError: presentScimError } as const;
  const answers = (description: string, status: 200 | 201 = 200) => ({ [status]: { description, schema: resource, contentType, headers: { etag: "Version of the resource" } }, 304: { description: "Unchanged" }, 404: { description: "No such resource" }, 409: { description: "The name is taken" }, 412: { description: "If-Match names an older version" } });
  const gone = { 204: { description: "Withdrawn" }, 404: { description: "No such resource" }, 412: { description: "If-Match names an older version" } };
  const by = (principal: Principal, request: RequestInfo) => ({ actorId: principal.userId, requestId: request.id });

  const requireAdminFor = (principal: Principal, what: { scopes: readonly string[] } | undefined) => {
    if (what?.scopes.includes("admin") && !principal.scopes.has("admin")) throw problem("forbidden", { detail: "Administrators are changed with the scope admin only" });
  };
  const groupOf = (id: string): GroupState => {
    const group = groups.byId(id);
    if (!group) throw problem("not-found", { detail: `Resource ${id} not found` });
    return group;
  };
  const group = (state: GroupState) => presentGroup(state, snapshot, publicUrl);
  const page = <T extends object>({ total, items }: { total: number; items: T[] }, query: z.output<typeof listQuery>): RouteOutput => ({ status: 200, body: { schemas: ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], totalResults: total, startIndex: Math.max(1, query.startIndex), itemsPerPage: items.length, Resources: items.map((item) => projected(item, query)) } });
  const window = ({ startIndex, count }: z.output<typeof listQuery>) => [Math.max(1, startIndex) - 1, Math.min(mostPerPage, Math.max(0, count))] as const;

  return [
    route({
      ...base,
      method: "get",
      path: "/scim/v2/Users",
      operationId: "scimListUsers",
      summary: "Find users",
      query: listQuery,
      responses: { 200: { description: "A page of users", schema: listResponse, contentType } },
      handler: async ({ query }) => page(await users.list(query.filter === undefined ? undefined : parseFilter(query.filter), ...window(query)), query),
    }),
    route({
      ...base,
      method: "post",
      path: "/scim/v2/Users",
      operationId: "scimCreateUser",
      summary: "Provision a user",
      body: json(z.looseObject({})),
      responses: answers("Provisioned", 201),
      async handler({ body, principal, request }) {
        const user = await users.create(parseScimUser(canonical(body, userAttributes)), by(principal, request));
        return shown(201, user, { location: user.meta.location });
      },
    }),
    route({
      ...base,
      method: "get",
      path: "/scim/v2/Users/{id}",
      operationId: "scimGetUser",
      summary: "Read a user",
      params: one,
      query: z.object(projection),
      responses: answers("The user"),
      handler: async ({ params, query, request }) => conditional(request, await users.get(params.id), query),
    }),
    ...(["put", "patch"] as const).map((method) =>
      route({
        ...base,
        method,
        path: "/scim/v2/Users/{id}",
        operationId: method === "put" ? "scimReplaceUser" : "scimPatchUser",
        summary: method === "put" ? "Replace a user" : "Change a user; active false disables, at once",
        params: one,
        body: json(method === "put" ? z.looseObject({}) : patchSchema),
        responses: answers("As changed"),
        async handler({ params, body, principal, request }) {
          requireAdminFor(principal, snapshot.users.get(params.id));
          const before = await users.get(params.id);
          requireMatch(request, before);
          const wanted = method === "put" ? canonical(body as Record<string, unknown>, userAttributes) : applyPatch({ ...before }, stepsOf((body as z.output<typeof patchSchema>).Operations), userAttributes);
          return shown(200, await users.replace(params.id, parseScimUser(wanted), by(principal, request)));
        },
      }),
    ),
    route({
      ...base,
      method: "delete",
      path: "/scim/v2/Users/{id}",
      operationId: "scimDeleteUser",
      summary: "Withdraw a user: tokens, keys, groups and grants end at once",
      params: one,
      responses: gone,
      async handler({ params, principal, request }) {
        requireAdminFor(principal, snapshot.users.get(params.id));
        requireMatch(request, await users.get(params.id));
        await users.remove(params.id, by(principal, request));
        return { status: 204 };
      },
    }),
    route({
      ...base,
      method: "get",
      path: "/scim/v2/Groups",
      operationId: "scimListGroups",
      summary: "Find groups",
      query: listQuery,
      responses: { 200: { description: "A page of groups", schema: listResponse, contentType } },
      handler({ query }) {
        const filter = query.filter === undefined ? undefined : parseFilter(query.filter);
        const found = groups.list().map(group).filter((state) => filter === undefined || fits(state, filter));
        const [start, count] = window(query);
        return page({ total: found.length, items: found.slice(start, start + count) }, query);
      },
    }),
    route({
      ...base,
      method: "post",
      path: "/scim/v2/Groups",
      operationId: "scimCreateGroup",
      summary: "Provision a group",
      body: json(z.looseObject({})),
      responses: answers("Provisioned", 201),
      async handler({ body, principal, request }) {
        const { displayName, externalId, members } = parseGroup(body);
        const made = group(await groups.create({ name: displayName, scopes: [], externalId: externalId ?? undefined, members: (members ?? []).map((member) => member.value) }, by(principal, request)));
        return shown(201, made, { location: made.meta.location });
      },
    }),
    route({
      ...base,
      method: "get",
      path: "/scim/v2/Groups/{id}",
      operationId: "scimGetGroup",
      summary: "Read a group",
      params: one,
      query: z.object(projection),
      responses: answers("The group"),
      handler: ({ params, query, request }) => conditional(request, group(groupOf(params.id)), query),
    }),
    ...(["put", "patch"] as const).map((method) =>
      route({
        ...base,
        method,
        path: "/scim/v2/Groups/{id}",
        operationId: method === "put" ? "scimReplaceGroup" : "scimPatchGroup",
        summary: method === "put" ? "Replace a group" : "Change a group's name and members",
        params: one,
        body: json(method === "put" ? z.looseObject({}) : patchSchema),
        responses: answers("As changed"),
        async handler({ params, body, principal, request }) {
          const before = groupOf(params.id);
          requireAdminFor(principal, before);
          requireMatch(request, group(before));
          const wanted = method === "put" ? parseGroup(body as Record<string, unknown>) : undefined;
          const change = wanted ? { name: wanted.displayName, externalId: wanted.externalId ?? null, members: (wanted.members ?? []).map((member) => member.value) } : groupChangeOf(before, stepsOf((body as z.output<typeof patchSchema>).Operations));
          return shown(200, group(Object.keys(change).length === 0 ? before : await groups.change(params.id, change, by(principal, request))));
        },
      }),
    ),
    route({
      ...base,
      method: "delete",
      path: "/scim/v2/Groups/{id}",
      operationId: "scimDeleteGroup",
      summary: "Withdraw a group",
      params: one,
      responses: gone,
      async handler({ params, principal, request }) {
        const before = groupOf(params.id);
        requireAdminFor(principal, before);
        requireMatch(request, group(before));
        await groups.remove(params.id, by(principal, request));
        return { status: 204 };
      },
    }),
    ...Object.entries({ ServiceProviderConfig: serviceProviderConfig(publicUrl), ResourceTypes: resourceTypes(publicUrl), Schemas: schemas(publicUrl) }).map(([name, body]) =>
      route({ ...base, method: "get", path: `/scim/v2/${name}`, operationId: `scim${name}`, summary: `What this server does of SCIM: ${name}`, responses: { 200: { description: "As RFC 7643 has it", schema: z.looseObject({}), contentType } }, handler: () => ({ status: 200, body }) }),
    ),
  ];
}

type Versioned = { meta: { version: string } };

function shown(status: number, body: Versioned, headers: Record<string, string> = {}): RouteOutput {
  return { status, body, headers: { etag: body.meta.version, ...headers } };
}

function conditional(request: RequestInfo, body: Versioned, query: Projection): RouteOutput {
  const { etag } = { etag: body.meta.version };
  return request.headers.get("if-none-match")?.split(",").some((tag) => tag.trim() === etag) ? { status: 304, headers: { etag } } : { status: 200, body: projected(body, query), headers: { etag } };
}

/** RFC 7644 section 3.14. */
function requireMatch(request: RequestInfo, { meta }: Versioned): void {
  const header = request.headers.get("if-match");
  if (header !== null && header.trim() !== "*" && !header.split(",").some((tag) => tag.trim() === meta.version)) throw problem("precondition-failed", { detail: "The resource was changed since you read it" });
}

type Projection = { attributes?: string | undefined; excludedAttributes?: string | undefined };

/** RFC 7644 section 3.9, of whole attributes; schemas and id are always returned. */
function projected(value: object, { attributes, excludedAttributes }: Projection): object {
  const names = (list: string) => new Set(list.split(",").map((name) => name.trim().toLowerCase().split(".")[0] ?? ""));
  const [wanted, unwanted] = [attributes && names(attributes), excludedAttributes && names(excludedAttributes)];
  return Object.fromEntries(Object.entries(value).filter(([name]) => ["schemas", "id"].includes(name) || ((!wanted || wanted.has(name.toLowerCase())) && !(unwanted && unwanted.has(name.toLowerCase())))));
}

/** Attribute names are case-insensitive (RFC 7643 section 2.1); those that nobody here knows fall away. */
function canonical(body: Record<string, unknown>, known: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).flatMap(([name, value]) => {
    const own = known.find((candidate) => candidate.toLowerCase() === name.toLowerCase());
    return own === undefined ? [] : [[own, value]];
  }));
}

function parseGroup(body: Record<string, unknown>): z.output<typeof scimGroupSchema> {
  const parsed = scimGroupSchema.safeParse(canonical(body, ["displayName", "externalId", "members"]));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw scimError("invalidValue", `${issue?.path.join(".") ?? "value"}: ${issue?.message ?? "not valid"}`);
}


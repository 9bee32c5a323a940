/** HTTP of the registry: /api/v1/servers. */
import { z } from "zod";
import { problem } from "../kernel/problem.ts";
import type { Principal } from "../kernel/principal.ts";
import { etag, etagOf, revisionOf } from "../net/etag.ts";
import { route, type RequestInfo, type Route, type RouteOutput } from "../net/route.ts";
import type { ServerState, Snapshot } from "../snapshot/index.ts";
import type { Users } from "../identity/index.ts";
import { commandMembers, listQuery, server, serverCreate, serverName, serverPage, serverPatch, serverReplace, type ServerView } from "./schema.ts";
import type { Servers } from "./servers.ts";

export interface RegistryRoutes {
  servers: Servers;
  snapshot: Snapshot;
  users: Users;
  publicUrl: string;
  /** @throws Problem 403 when the caller may not change this server. */
  requireChange(principal: Principal, server: ServerState, request: RequestInfo): void;
  /** @throws Problem 403 when the caller may not decide what runs on this machine. */
  requireCommand(principal: Principal, request: RequestInfo): void;
}

const named = z.strictObject({ name: serverName });
const namedUser = z.strictObject({ name: serverName, username: z.string().min(1).max(100) });
const missing = { 404: { description: "No such server" } };
const stale = { 412: { description: "If-Match names an older revision" } };

export function registryRoutes({ servers, snapshot, users, publicUrl, requireChange, requireCommand }: RegistryRoutes): Route[] {
  const view = (state: ServerState): ServerView => present(state, publicUrl);
  // A state never changes, so what a reader gets of it is made, validated and stripped once.
  const texts = new WeakMap<ServerState, string>();
  const textOf = (state: ServerState): string => {
    let text = texts.get(state);
    if (text === undefined) {
      text = JSON.stringify(server.parse(view(state)));
      texts.set(state, text);
    }
    return text;
  };
  const shown = (status: number, state: ServerState, headers: Record<string, string> = {}): RouteOutput => ({ status, text: textOf(state), headers: { etag: etagOf(state), ...headers } });
  const changeable = (name: string, principal: Principal, request: RequestInfo): ServerState => {
    const state = servers.find(name);
    requireChange(principal, state, request);
    return state;
  };
  const by = (principal: Principal, request: RequestInfo) => ({ principal, requestId: request.id });

  return [
    route({
      method: "get",
      path: "/api/v1/servers",
      operationId: "listServers",
      summary: "List and search servers",
      tag: "Servers",
      access: { scopes: ["servers:read"] },
      query: listQuery,
      responses: { 200: { description: "A page of servers", schema: serverPage } },
      handler({ query, principal }) {
        const { items, nextCursor, total } = servers.list(query, principal);
        return { status: 200, body: { items: items.map(view), nextCursor, total } };
      },
    }),
    route({
      method: "post",
      path: "/api/v1/servers",
      operationId: "createServer",
      summary: "Register a server",
      tag: "Servers",
      access: { scopes: ["servers:write"] },
      body: { type: "json", schema: serverCreate },
      responses: { 201: { description: "Registered", schema: server, headers: { ...etag, location: "Its address" } }, 409: { description: "The name is taken" } },
      async handler({ body, principal, request }) {
        if (body.transport === "stdio") requireCommand(principal, request);
        const state = await servers.create(body, by(principal, request));
        return shown(201, state, { location: `/api/v1/servers/${state.name}` });
      },
    }),
    route({
      method: "get",
      path: "/api/v1/servers/{name}",
      operationId: "getServer",
      summary: "Read a server",
      tag: "Servers",
      access: { scopes: ["servers:read"] },
      params: named,
      responses: { 200: { description: "The server", schema: server, headers: etag }, ...missing },
      handler: ({ params }) => shown(200, servers.find(params.name)),
    }),
    route({
      method: "put",
      path: "/api/v1/servers/{name}",
      operationId: "replaceServer",
      summary: "Replace a server's entry; send If-Match to refuse lost updates",
      tag: "Servers",
      access: { scopes: ["servers:write"] },
      params: named,
      body: { type: "json", schema: serverReplace },
      responses: { 200: { description: "As replaced", schema: server, headers: etag }, ...missing, ...stale },
      async handler({ params, body, principal, request }) {
        const state = changeable(params.name, principal, request);
        if (body.name !== undefined && body.name !== state.name) throw problem("invalid", { detail: "name: cannot be changed", errors: [{ field: "name", message: "Cannot be changed" }] });
        const { name: _name, ...fields } = body;
        const prose = { title: fields.title ?? null, description: fields.description ?? null };
        if (fields.transport === "stdio") {
          requireCommand(principal, request);
          return shown(200, await servers.change(state, { ...fields, ...prose, env: fields.env ?? null, cwd: fields.cwd ?? null }, revisionOf(request, state), by(principal, request)));
        }
        const { authMode, transport = "streamable-http" } = fields;
        const full = { ...fields, ...prose, transport, headers: fields.headers ?? null, ...(authMode ? { authMode } : {}) };
        return shown(200, await servers.change(state, full, revisionOf(request, state), by(principal, request)));
      },
    }),
    route({
      method: "patch",
      path: "/api/v1/servers/{name}",
      operationId: "patchServer",
      summary: "Change parts of a server's entry; null clears; send If-Match to refuse lost updates",
      tag: "Servers",
      access: { scopes: ["servers:write"] },
      params: named,
      body: { type: "json", schema: serverPatch },
      responses: { 200: { description: "As changed", schema: server, headers: etag }, ...missing, ...stale },
      async handler({ params, body, principal, request }) {
        const state = changeable(params.name, principal, request);
        if (commandMembers.some((member) => body[member] !== undefined)) requireCommand(principal, request);
        if (Object.keys(body).length === 0) throw problem("invalid", { detail: "Nothing to change", errors: [{ field: "body", message: "Give at least one field" }] });
        return shown(200, await servers.change(state, body, revisionOf(request, state), by(principal, request)));
      },
    }),
    ...(["enable", "disable"] as const).map((verb) =>
      route({
        method: "post",
        path: `/api/v1/servers/{name}/${verb}`,
        operationId: `${verb}Server`,
        summary: verb === "enable" ? "Let calls through to the server" : "Stop calls to the server",
        tag: "Servers",
        access: { scopes: ["servers:write"] },
        params: named,
        responses: { 200: { description: "As changed", schema: server, headers: etag }, ...missing, ...stale },
        async handler({ params, principal, request }) {
          const state = changeable(params.name, principal, request);
          return shown(200, await servers.change(state, { enabled: verb === "enable" }, revisionOf(request, state), by(principal, request)));
        },
      }),
    ),
    route({
      method: "post",
      path: "/api/v1/servers/{name}/check",
      operationId: "checkServer",
      summary: "Ask the upstream again what it offers",
      tag: "Servers",
      access: { scopes: ["servers:write"] },
      params: named,
      responses: { 200: { description: "The server with its new state", schema: server, headers: etag }, ...missing },
      async handler({ params, principal, request }) {
        return shown(200, await servers.check(changeable(params.name, principal, request)));
      },
    }),
    route({
      method: "delete",
      path: "/api/v1/servers/{name}",
      operationId: "deleteServer",
      stepUp: true,
      summary: "Remove a server, its credentials and its grants",
      tag: "Servers",
      access: { scopes: ["servers:write"] },
      params: named,
      responses: { 204: { description: "Removed" }, ...missing, ...stale },
      async handler({ params, principal, request }) {
        const state = changeable(params.name, principal, request);
        await servers.remove(state, revisionOf(request, state), by(principal, request));
        return { status: 204 };
      },
    }),
    route({
      method: "get",
      path: "/api/v1/servers/{name}/grants",
      operationId: "listGrants",
      summary: "Who may call the server's tools",
      tag: "Grants",
      access: { scopes: ["admin"] },
      params: named,
      responses: { 200: { description: "User names", schema: z.object({ items: z.array(z.object({ username: z.string() })) }) }, ...missing },
      handler({ params }) {
        const granted = snapshot.grantedUsers(servers.find(params.name).id).flatMap((id) => snapshot.users.get(id)?.username ?? []);
        return { status: 200, body: { items: granted.sort().map((username) => ({ username })) } };
      },
    }),
    route({
      method: "put",
      path: "/api/v1/servers/{name}/grants/{username}",
      operationId: "grant",
      summary: "Let a user call the server's tools",
      tag: "Grants",
      access: { scopes: ["admin"] },
      params: namedUser,
      responses: { 204: { description: "Granted" }, ...missing },
      async handler({ params, principal, request }) {
        await servers.grant(servers.find(params.name), users.find(params.username).id, by(principal, request));
        return { status: 204 };
      },
    }),
    route({
      method: "delete",
      path: "/api/v1/servers/{name}/grants/{username}",
      operationId: "revokeGrant",
      summary: "Withdraw a user's grant",
      tag: "Grants",
      access: { scopes: ["admin"] },
      params: namedUser,
      responses: { 204: { description: "Withdrawn" }, ...missing },
      async handler({ params, principal, request }) {
        await servers.revoke(servers.find(params.name), users.find(params.username).id, by(principal, request));
        return { status: 204 };
      },
    }),
  ];
}

function present(state: ServerState, publicUrl: string): ServerView {
  return {
    id: state.id,
    name: state.name,
    url: state.url,
    title: state.title ?? null,
    description: state.description ?? null,
    tags: [...state.tags],
    transport: state.transport,
    authMode: state.authMode,
    hasHeaders: state.sealedHeaders !== undefined,
    stdio: state.stdio ? { command: state.stdio.command, args: [...state.stdio.args], cwd: state.stdio.directory ?? null, network: state.stdio.network, hasEnv: state.sealedEnvironment !== undefined } : null,
    openapi: state.openapi ?? null,
    ownerId: state.ownerId,
    enabled: state.enabled,
    state: { status: state.state as ServerView["state"]["status"], detail: state.stateDetail ?? null, checkedAt: state.checkedAt === undefined ? null : new Date(state.checkedAt).toISOString() },
    tools: [...state.toolNames],
    mcpUrl: `${publicUrl}/servers/${state.name}/mcp`,
    createdAt: new Date(state.createdAt).toISOString(),
    updatedAt: new Date(state.updatedAt).toISOString(),
  };
}

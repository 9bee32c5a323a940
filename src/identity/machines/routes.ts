/** HTTP of machines: /api/v1/service-accounts for administrators, /api/v1/api-keys for everybody's own and for administrators. */
import { z } from "zod";
import { problem } from "../../kernel/problem.ts";
import type { Principal } from "../../kernel/principal.ts";
import { scopes, type Scope } from "../../kernel/scopes.ts";
import { route, type Route } from "../../net/route.ts";
import type { Snapshot, UserState } from "../../snapshot/index.ts";
import type { Users } from "../users.ts";
import type { ApiKeyRow, ApiKeys } from "./api-keys.ts";
import type { ServiceAccounts } from "./service-accounts.ts";

export interface MachineRoutes {
  keys: ApiKeys;
  accounts: ServiceAccounts;
  users: Users;
  snapshot: Pick<Snapshot, "users">;
}

const username = z.string().min(1).max(100).regex(/^[\p{L}\p{N}._@+-]+$/u, "must be letters, digits and . _ @ + -");
const scopeList = z.array(z.enum(Object.keys(scopes) as [Scope, ...Scope[]])).max(20).transform((list) => [...new Set(list)]);
const description = z.string().max(500);
const label = z.string().min(1).max(100).regex(/^[^\p{C}]+$/u, "must be visible text");
const serverNames = z.array(z.string().regex(/^[A-Za-z0-9_-]{1,100}$/).transform((name) => name.toLowerCase())).min(1).max(100);
const toolPatterns = z.array(z.string().min(1).max(200).regex(/^[^\p{C}]+$/u, "must be visible text")).min(1).max(100);
/** What a key narrowed to servers or tools may still be for: all else reaches beyond any server. */
const narrow: readonly Scope[] = ["tools:call", "servers:read"];

const account = z.object({ id: z.string(), name: z.string(), description: z.string().nullable(), owner: z.string().nullable(), scopes: z.array(z.string()), effectiveScopes: z.array(z.string()), groups: z.array(z.string()), disabled: z.boolean(), createdAt: z.string() });
const keyView = z.object({ id: z.string(), name: z.string(), prefix: z.string(), user: z.string().nullable(), scopes: z.array(z.string()), servers: z.array(z.string()).nullable(), tools: z.array(z.string()).nullable(), createdAt: z.string(), expiresAt: z.string(), lastUsedAt: z.string().nullable().describe("To the minute"), revokedAt: z.string().nullable() });
const named = z.strictObject({ name: username });
const missing = { 404: { description: "No such service account" } };

export function machineRoutes({ keys, accounts, users, snapshot }: MachineRoutes): Route[] {
  const present = (user: UserState) => ({
    id: user.id,
    name: user.username,
    description: user.description ?? null,
    owner: snapshot.users.get(user.ownerId ?? "")?.username ?? null,
    scopes: [...user.ownScopes],
    effectiveScopes: [...user.scopes],
    groups: [...user.groups],
    disabled: user.disabled,
    createdAt: new Date(user.createdAt).toISOString(),
  });
  const presentKey = (row: ApiKeyRow) => ({
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    user: snapshot.users.get(row.user_id)?.username ?? null,
    scopes: JSON.parse(row.scopes) as string[],
    servers: row.servers === null ? null : (JSON.parse(row.servers) as string[]),
    tools: row.tools === null ? null : (JSON.parse(row.tools) as string[]),
    createdAt: new Date(row.created_at).toISOString(),
    expiresAt: new Date(row.expires_at).toISOString(),
    lastUsedAt: row.last_used_at === null ? null : new Date(row.last_used_at).toISOString(),
    revokedAt: row.revoked_at === null ? null : new Date(row.revoked_at).toISOString(),
  });
  /** One's own, those of a service account that one answers for, and everybody's for administrators. */
  const answersFor = (principal: Principal, userId: string): boolean => userId === principal.userId || snapshot.users.get(userId)?.ownerId === principal.userId || principal.scopes.has("admin");
  const forbidden = (detail: string) => problem("forbidden", { detail });
  const base = { tag: "Service accounts", access: { scopes: ["admin"] } } as const;
  const keyBase = { tag: "API keys", access: { scopes: [], self: true } } as const;

  return [
    route({ ...base, method: "get", path: "/api/v1/service-accounts", operationId: "listServiceAccounts", summary: "List service accounts", responses: { 200: { description: "All of them", schema: z.object({ items: z.array(account) }) } }, handler: () => ({ status: 200, body: { items: accounts.list().map(present) } }) }),
    route({
      ...base,
      method: "post",
      path: "/api/v1/service-accounts",
      operationId: "createServiceAccount",
      summary: "Create a service account",
      body: { type: "json", schema: z.strictObject({ name: username, description: description.optional(), scopes: scopeList.default([]), owner: username.optional().describe("User name; oneself when absent") }) },
      responses: { 201: { description: "Created", schema: account, headers: { location: "Its address" } }, 409: { description: "The name is taken" } },
      async handler({ body, principal, request }) {
        const ownerId = body.owner === undefined ? principal.userId : users.find(body.owner).id;
        const created = await accounts.create({ ...body, ownerId }, { actorId: principal.userId, requestId: request.id });
        return { status: 201, body: present(created), headers: { location: `/api/v1/service-accounts/${encodeURIComponent(created.username)}` } };
      },
    }),
    route({ ...base, method: "get", path: "/api/v1/service-accounts/{name}", operationId: "getServiceAccount", summary: "Read a service account", params: named, responses: { 200: { description: "The account", schema: account }, ...missing }, handler: ({ params }) => ({ status: 200, body: present(accounts.find(params.name)) }) }),
    route({
      ...base,
      method: "patch",
      path: "/api/v1/service-accounts/{name}",
      operationId: "changeServiceAccount",
      stepUp: true,
      summary: "Change a service account; lost scopes and disabling take effect at once",
      params: named,
      body: { type: "json", schema: z.strictObject({ description: description.nullable().optional(), owner: username.optional(), scopes: scopeList.optional(), disabled: z.boolean().optional() }) },
      responses: { 200: { description: "As changed", schema: account }, ...missing },
      async handler({ params, body, principal, request }) {
        const { description: text, owner, scopes: wanted, disabled } = body;
        const change = { ...(text === undefined ? {} : { description: text }), ...(owner === undefined ? {} : { ownerId: users.find(owner).id }), ...(wanted === undefined ? {} : { scopes: wanted }), ...(disabled === undefined ? {} : { disabled }) };
        if (Object.keys(change).length === 0) throw problem("invalid", { detail: "Nothing to change", errors: [{ field: "body", message: "Give description, owner, scopes or disabled" }] });
        return { status: 200, body: present(await accounts.change(params.name, change, { actorId: principal.userId, requestId: request.id })) };
      },
    }),
    route({
      ...base,
      method: "delete",
      path: "/api/v1/service-accounts/{name}",
      operationId: "deleteServiceAccount",
      stepUp: true,
      summary: "Remove a service account: its keys, groups and grants end at once",
      params: named,
      responses: { 204: { description: "Removed" }, ...missing },
      async handler({ params, principal, request }) {
        await accounts.remove(params.name, { actorId: principal.userId, requestId: request.id });
        return { status: 204 };
      },
    }),
    route({
      ...keyBase,
      method: "get",
      path: "/api/v1/api-keys",
      operationId: "listApiKeys",
      summary: "List one's own API keys; of others, with `user` or `all`, for administrators and owners of service accounts",
      query: z.strictObject({ user: username.optional(), all: z.enum(["true", "false"]).optional() }),
      responses: { 200: { description: "Newest first, ended ones too", schema: z.object({ items: z.array(keyView) }) } },
      async handler({ query, principal }) {
        if (query.all === "true" && !principal.scopes.has("admin")) throw forbidden("Only administrators see everybody's keys");
        const target = query.user === undefined ? undefined : [...snapshot.users.values()].find((user) => user.username.toLowerCase() === query.user?.toLowerCase());
        if (query.user !== undefined && (!target || !answersFor(principal, target.id))) throw problem("not-found", { detail: "No such user" });
        return { status: 200, body: { items: (await keys.list(query.all === "true" ? undefined : (target?.id ?? principal.userId))).map(presentKey) } };
      },
    }),
    route({
      ...keyBase,
      method: "post",
      path: "/api/v1/api-keys",
      operationId: "createApiKey",
      stepUp: true,
      summary: "Make an API key for oneself or for a service account; it is shown this once",
      body: {
        type: "json",
        schema: z.strictObject({
          name: label.describe("What it is for"),
          user: username.optional().describe("A service account; oneself when absent"),
          scopes: scopeList.describe("At most those that the user holds"),
          servers: serverNames.optional().describe("Only these servers"),
          tools: toolPatterns.optional().describe("Only these tools; * stands for any text"),
          expiresAt: z.iso.datetime({ offset: true }),
        }),
      },
      responses: { 201: { description: "Created: `key` is never shown again", schema: keyView.extend({ key: z.string() }) }, 409: { description: "Too many live keys" } },
      async handler({ body, principal, request }) {
        // Whoever steals a key must not be able to make another that outlives it.
        if (principal.keyId !== undefined || principal.issuer !== undefined) throw forbidden("Keys are made with a token of this server, by signing in");
        const target = body.user === undefined ? snapshot.users.get(principal.userId) : users.find(body.user);
        if (!target || !answersFor(principal, target.id)) throw problem("not-found", { detail: "No such user" });
        if (target.id !== principal.userId && target.kind !== "service") throw forbidden("A key of a person can only be made by that person");
        const held = target.id === principal.userId ? [...principal.scopes].filter((scope) => target.scopes.includes(scope)) : target.scopes;
        const excess = body.scopes.filter((scope) => !held.includes(scope));
        if (excess.length > 0) throw problem("invalid", { detail: `scopes: not held: ${excess.join(" ")}`, errors: [{ field: "scopes", message: `Not held: ${excess.join(" ")}` }] });
        const wide = body.servers || body.tools ? body.scopes.filter((scope) => !narrow.includes(scope)) : [];
        if (wide.length > 0) throw problem("invalid", { detail: `scopes: cannot be narrowed to servers or tools: ${wide.join(" ")}`, errors: [{ field: "scopes", message: `Cannot be narrowed: ${wide.join(" ")}` }] });
        const { key, row } = await keys.create({ userId: target.id, name: body.name, scopes: body.scopes, servers: body.servers, tools: body.tools, expiresAt: Date.parse(body.expiresAt) }, { actorId: principal.userId, requestId: request.id });
        return { status: 201, body: { ...presentKey(row), key } };
      },
    }),
    route({
      ...keyBase,
      method: "delete",
      path: "/api/v1/api-keys/{id}",
      operationId: "revokeApiKey",
      summary: "Revoke an API key: it ends at once, everywhere",
      params: z.strictObject({ id: z.uuid() }),
      responses: { 204: { description: "Revoked" }, 404: { description: "No such key" } },
      async handler({ params, principal, request }) {
        const row = await keys.find(params.id);
        if (!answersFor(principal, row.user_id)) throw problem("not-found", { detail: "No such key" });
        await keys.revoke(row, { actorId: principal.userId, requestId: request.id });
        return { status: 204 };
      },
    }),
  ];
}

/**
 * The servers of the registry: created, changed and removed with their audit event in one transaction; read from the snapshot.
 * A change carries the revision it was based on; the database decides who was first.
 */
import type { Audit } from "../audit/index.ts";
import { createHash } from "node:crypto";
import { newId } from "../kernel/ids.ts";
import { problem } from "../kernel/problem.ts";
import type { Principal } from "../kernel/principal.ts";
import type { Guard } from "../net/guard.ts";
import type { ServerState, Snapshot } from "../snapshot/index.ts";
import type { Storage, Write } from "../storage/index.ts";
import { unsafeArgument, type CommandLine } from "./command.ts";
import { commandMembers, type ListQuery, type ServerCreate, type ServerPatch, type Sort } from "./schema.ts";
import type { SearchIndex } from "./search.ts";

export interface ProbeResult {
  status: "reachable" | "unreachable";
  /** Why, for a person: never quotes the upstream. */
  detail?: string;
  /** Names, for search. */
  tools?: string[];
}

/** Asks a server what it offers. */
type Probe = (server: ServerState) => Promise<ProbeResult>;

export interface Servers {
  /** @throws Problem 409 when the name is taken, 422 when the address is forbidden. */
  create(fields: ServerCreate, by: By): Promise<ServerState>;
  /** @throws Problem 404. */
  find(name: string): ServerState;
  list(query: ListQuery, principal: Principal): { items: ServerState[]; nextCursor: string | null; total: number };
  /** @param revision the one the change is based on, when the caller named it. @throws Problem 412 when it is no longer that. */
  change(server: ServerState, patch: ServerPatch, revision: number | undefined, by: By): Promise<ServerState>;
  remove(server: ServerState, revision: number | undefined, by: By): Promise<void>;
  grant(server: ServerState, userId: string, by: By): Promise<void>;
  revoke(server: ServerState, userId: string, by: By): Promise<void>;
  /** Asks the upstream again and stores what it said. */
  check(server: ServerState): Promise<ServerState>;
}

/** What the gateway says of transports beyond HTTP, before anything of them is stored. */
export interface Transports {
  /** Whether the operator lets this program be started. */
  isAllowedCommand(command: string): boolean;
  /**
   * The text of an OpenAPI document, fetched if it is an address, that has been read and can be served.
   * @throws Problem 422 when it cannot.
   */
  readDocument(source: string): Promise<string>;
}

export interface By {
  principal: Principal;
  requestId: string;
}

export interface ServersOptions {
  storage: Storage;
  snapshot: Snapshot;
  audit: Audit;
  guard: Guard;
  probe: Probe;
  search: SearchIndex;
  transports: Transports;
  now: () => number;
  /** Milliseconds that a registration waits for its upstream's first answer. */
  patience?: number;
}

export function createServers(options: ServersOptions): Servers {
  const { storage, snapshot, audit, guard, probe, search, transports, now, patience = 2000 } = options;
  const sorted = createSorting(snapshot);

  const current = (id: string, name: string): ServerState => {
    const state = snapshot.servers.get(name);
    if (state?.id !== id) throw problem("not-found", { detail: "No such server" });
    return state;
  };
  const placeOf = (id: string) => ({ table: "servers", column: "headers", row: id });
  const storeSecrets = async (transaction: Write, id: string, name: string, headers: Record<string, string>, by: By): Promise<string> => {
    await audit.recordIn(transaction, { type: "secret.stored", actorId: by.principal.userId, requestId: by.requestId, subject: `server:${id}`, detail: { name, headers: Object.keys(headers).length } });
    return storage.vault.seal(placeOf(id), JSON.stringify(headers));
  };
  const sealEnvironment = async (transaction: Write, id: string, name: string, env: Record<string, string> | null | undefined, by: By): Promise<string | null> => {
    if (!env || Object.keys(env).length === 0) return null;
    await audit.recordIn(transaction, { type: "secret.stored", actorId: by.principal.userId, requestId: by.requestId, subject: `server:${id}`, detail: { name, headers: Object.keys(env).length } });
    return storage.vault.seal({ table: "servers", column: "environment", row: id }, JSON.stringify(env));
  };
  const requireAllowed = (command: string) => {
    if (!transports.isAllowedCommand(command)) throw fault("command", "is not on the list of allowed commands (SALLYPORT_STDIO_ALLOW)");
  };
  const readDocument = async (given: string | Record<string, unknown>): Promise<{ facts: string; text: string }> => {
    const source = typeof given === "string" ? given : JSON.stringify(given);
    const isAddress = /^https?:\/\//.test(source);
    if (isAddress) guard.checkLiteral(source);
    const text = await transports.readDocument(source);
    return { text, facts: JSON.stringify({ source: isAddress ? source : "inline", digest: `sha256:${createHash("sha256").update(text).digest("hex")}` }) };
  };
  const event = (type: "server.created" | "server.updated" | "server.enabled" | "server.disabled" | "server.deleted", id: string, by: By, detail: { name: string; transport?: string; fields?: string[]; command?: string[] }) =>
    ({ type, actorId: by.principal.userId, requestId: by.requestId, subject: `server:${id}`, detail }) as const;

  const storeResult = async (server: ServerState, result: ProbeResult): Promise<void> => {
    await storage.write(async (transaction, announce) => {
      await transaction
        .updateTable("servers")
        .set({ state: result.status, state_detail: result.detail ?? null, checked_at: now(), ...(result.tools ? { tool_names: JSON.stringify(result.tools) } : {}) })
        .where("id", "=", server.id)
        .execute();
      announce({ topic: "server", ref: server.id });
    });
  };
  const inspect = async (server: ServerState): Promise<ServerState> => {
    await storeResult(server, await probe(server));
    return snapshot.servers.get(server.name) ?? server;
  };
  /** Waits a little for the first answer; a slow upstream is stored when it comes. */
  const inspectSoon = async (server: ServerState): Promise<ServerState> => {
    const inspected = inspect(server).catch(() => server);
    const enough = new Promise<ServerState>((resolve) => setTimeout(resolve, patience, server).unref());
    return Promise.race([inspected, enough]);
  };

  return {
    async create(fields, by) {
      if (fields.transport === "stdio") requireAllowed(fields.command);
      else guard.checkLiteral(fields.url);
      if (snapshot.servers.has(fields.name)) throw taken();
      const id = newId();
      const at = now();
      const document = fields.transport === "openapi" ? await readDocument(fields.openapi) : undefined;
      const run = fields.transport === "stdio" ? { command: fields.command, args: fields.args, directory: fields.cwd, network: fields.network } : undefined;
      const credentials = fields.transport === "stdio" ? undefined : fields.headers;
      const transport = fields.transport ?? "streamable-http";
      await storage.write(async (transaction, announce) => {
        await transaction
          .insertInto("servers")
          .values({
            id,
            name: fields.name,
            url: fields.transport === "stdio" ? `stdio:${fields.name}` : fields.url,
            title: fields.title ?? null,
            description: fields.description ?? null,
            tags: JSON.stringify(fields.tags),
            transport,
            auth_mode: (fields.transport === "stdio" ? undefined : fields.authMode) ?? (credentials ? "headers" : "none"),
            headers: credentials ? await storeSecrets(transaction, id, fields.name, credentials, by) : null,
            stdio: run ? JSON.stringify(run) : null,
            environment: fields.transport === "stdio" ? await sealEnvironment(transaction, id, fields.name, fields.env, by) : null,
            openapi: document?.facts ?? null,
            owner_id: by.principal.userId,
            enabled: Number(fields.enabled),
            state: "unknown",
            tool_names: "[]",
            revision: 1,
            created_at: at,
            updated_at: at,
          })
          .execute();
        if (document) await transaction.insertInto("openapi_documents").values({ server_id: id, document: document.text, stored_at: at }).execute();
        await transaction.insertInto("grants").values({ user_id: by.principal.userId, server_id: id, created_by: by.principal.userId, created_at: at }).execute();
        await audit.recordIn(transaction, event("server.created", id, by, { name: fields.name, transport, ...(run ? { command: shownCommand(run) } : {}) }));
        announce({ topic: "server", ref: id });
        announce({ topic: "grant", ref: id });
      }).catch((error: unknown) => {
        throw (error as { code?: unknown }).code === "conflict" ? taken() : error;
      });
      return inspectSoon(current(id, fields.name));
    },

    find(name) {
      const state = snapshot.servers.get(name);
      if (!state) throw problem("not-found", { detail: "No such server" });
      return state;
    },

    list(query, principal) {
      const owner = query.owner === "me" ? principal.userId : query.owner;
      const sort: Sort = query.sort ?? (query.q ? "relevance" : "name");
      const candidates = query.q ? ranked(search.search(query.q), sort) : sorted(sort === "relevance" ? "name" : sort);
      const matching = candidates.filter(
        (server) =>
          (query.tag === undefined || server.tags.includes(query.tag)) &&
          (query.transport === undefined || server.transport === query.transport) &&
          (query.status === undefined || server.state === query.status) &&
          (query.enabled === undefined || server.enabled === query.enabled) &&
          (owner === undefined || server.ownerId === owner),
      );
      const start = query.cursor === undefined ? 0 : positionAfter(matching, query.cursor, sort);
      const items = matching.slice(start, start + query.limit);
      const last = items.at(-1);
      return { items, total: matching.length, nextCursor: last && start + items.length < matching.length ? cursorOf(last, start + items.length, sort) : null };
    },

    async change(server, patch, revision, by) {
      requireFitting(server, patch);
      if (patch.url !== undefined) guard.checkLiteral(patch.url);
      const fields = Object.keys(patch);
      const run = server.stdio && commandMembers.some((member) => patch[member] !== undefined) ? { command: patch.command ?? server.stdio.command, args: patch.args ?? server.stdio.args, directory: patch.cwd === null ? undefined : (patch.cwd ?? server.stdio.directory), network: patch.network ?? server.stdio.network } : undefined;
      if (run) {
        requireAllowed(run.command);
        const index = unsafeArgument(run.command, run.args);
        if (index !== undefined) throw fault(`args.${index}`, "is an option that this program may not be given");
      }
      const document = patch.openapi === undefined ? undefined : await readDocument(patch.openapi);
      await storage.write(async (transaction, announce) => {
        const environment = patch.env === undefined ? undefined : await sealEnvironment(transaction, server.id, server.name, patch.env, by);
        const sealed = patch.headers ? await storeSecrets(transaction, server.id, server.name, patch.headers, by) : null;
        const { numUpdatedRows } = await transaction
          .updateTable("servers")
          .set((row) => ({
            ...(patch.url === undefined ? {} : { url: patch.url, state: "unknown", state_detail: null, checked_at: null }),
            ...(patch.title === undefined ? {} : { title: patch.title }),
            ...(patch.description === undefined ? {} : { description: patch.description }),
            ...(patch.tags === undefined ? {} : { tags: JSON.stringify(patch.tags) }),
            ...(patch.transport === undefined ? {} : { transport: patch.transport }),
            ...(patch.headers === undefined ? {} : { headers: sealed, auth_mode: patch.headers ? "headers" : "none" }),
            // Credentials belong to the address they were given for: another origin does not get them.
            ...(patch.headers === undefined && patch.url !== undefined && originOf(patch.url) !== originOf(server.url) ? { headers: null, auth_mode: "none" } : {}),
            ...(patch.authMode === undefined ? {} : { auth_mode: patch.authMode }),
            ...(run ? { stdio: JSON.stringify(run), state: "unknown", state_detail: null, checked_at: null } : {}),
            // Secrets belong to the program they were given for: another one does not get them.
            ...(environment !== undefined ? { environment } : run && run.command !== server.stdio?.command ? { environment: null } : {}),
            ...(document ? { openapi: document.facts, state: "unknown", state_detail: null, checked_at: null } : {}),
            ...(patch.enabled === undefined ? {} : { enabled: Number(patch.enabled) }),
            revision: row("revision", "+", 1),
            updated_at: now(),
          }))
          .where("id", "=", server.id)
          .$if(revision !== undefined, (query) => query.where("revision", "=", revision ?? 0))
          .executeTakeFirst();
        if (numUpdatedRows !== 1n) throw changedMeanwhile();
        if (document) await transaction.updateTable("openapi_documents").set({ document: document.text, stored_at: now() }).where("server_id", "=", server.id).execute();
        if (patch.enabled !== undefined && patch.enabled !== server.enabled) await audit.recordIn(transaction, event(patch.enabled ? "server.enabled" : "server.disabled", server.id, by, { name: server.name }));
        if (fields.some((field) => field !== "enabled")) await audit.recordIn(transaction, event("server.updated", server.id, by, { name: server.name, fields, ...(run ? { command: shownCommand(run) } : {}) }));
        announce({ topic: "server", ref: server.id });
      });
      const state = current(server.id, server.name);
      return patch.url !== undefined || patch.headers !== undefined || patch.transport !== undefined || run !== undefined || document !== undefined ? inspectSoon(state) : state;
    },

    async remove(server, revision, by) {
      await storage.write(async (transaction, announce) => {
        const { numDeletedRows } = await transaction
          .deleteFrom("servers")
          .where("id", "=", server.id)
          .$if(revision !== undefined, (query) => query.where("revision", "=", revision ?? 0))
          .executeTakeFirst();
        if (numDeletedRows !== 1n) throw changedMeanwhile();
        await audit.recordIn(transaction, event("server.deleted", server.id, by, { name: server.name }));
        announce({ topic: "server", ref: server.id });
        announce({ topic: "grant", ref: server.id });
      });
    },

    async grant(server, userId, by) {
      await storage.write(async (transaction, announce) => {
        await transaction
          .insertInto("grants")
          .values({ user_id: userId, server_id: server.id, created_by: by.principal.userId, created_at: now() })
          .onConflict((conflict) => conflict.columns(["user_id", "server_id"]).doNothing())
          .execute();
        await audit.recordIn(transaction, { type: "grant.created", actorId: by.principal.userId, requestId: by.requestId, subject: `server:${server.id}`, detail: { user: userId } });
        announce({ topic: "grant", ref: server.id });
      });
    },

    async revoke(server, userId, by) {
      await storage.write(async (transaction, announce) => {
        const { numDeletedRows } = await transaction.deleteFrom("grants").where("user_id", "=", userId).where("server_id", "=", server.id).executeTakeFirst();
        if (numDeletedRows === 0n) throw problem("not-found", { detail: "No such grant" });
        await audit.recordIn(transaction, { type: "grant.removed", actorId: by.principal.userId, requestId: by.requestId, subject: `server:${server.id}`, detail: { user: userId } });
        announce({ topic: "grant", ref: server.id });
      });
    },

    check: inspect,
  };

  function ranked(names: string[], sort: Sort): ServerState[] {
    const found = names.flatMap((name) => snapshot.servers.get(name) ?? []);
    return sort === "relevance" ? found : found.sort(comparisons[sort]);
  }
}

const taken = () => problem("conflict", { detail: "A server of that name already exists" });
const fault = (field: string, message: string) => problem("invalid", { detail: `${field}: ${message}`, errors: [{ field, message }] });

/** Everything that runs, whole, as a reader of the audit trail needs it. */
function shownCommand({ command, args, directory, network }: CommandLine): string[] {
  return [command, ...args, `(in ${directory ?? "a private folder"}, ${network ? "with" : "without"} network)`];
}

/** What a server is does not change: its pins, grants and credentials were given for that. */
function requireFitting(server: ServerState, patch: ServerPatch): void {
  const kind = (transport: string) => (transport === "stdio" || transport === "openapi" ? transport : "http");
  if (patch.transport !== undefined && kind(patch.transport) !== kind(server.transport)) throw fault("transport", "cannot be changed to that: remove the server and register it anew");
  const strange = server.transport === "stdio" ? (["url", "headers", "authMode", "openapi"] as const) : server.transport === "openapi" ? commandMembers : ([...commandMembers, "openapi"] as const);
  for (const member of strange) if (patch[member] !== undefined) throw fault(member, `is nothing that a ${server.transport} server has`);
}

function changedMeanwhile() {
  return problem("precondition-failed", { detail: "The server was changed or removed since you read it" });
}

function originOf(url: string): string {
  return new URL(url).origin;
}

const byName = (a: ServerState, b: ServerState) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
const comparisons: Record<Exclude<Sort, "relevance">, (a: ServerState, b: ServerState) => number> = {
  name: byName,
  "-name": (a, b) => byName(b, a),
  created: (a, b) => a.createdAt - b.createdAt || byName(a, b),
  "-created": (a, b) => b.createdAt - a.createdAt || byName(a, b),
  updated: (a, b) => a.updatedAt - b.updatedAt || byName(a, b),
  "-updated": (a, b) => b.updatedAt - a.updatedAt || byName(a, b),
};

/** Sorted lists are kept until a server changes. */
function createSorting(snapshot: Snapshot): (sort: Exclude<Sort, "relevance">) => ServerState[] {
  const lists = new Map<string, ServerState[]>();
  snapshot.onServer(() => lists.clear());
  return (sort) => {
    let list = lists.get(sort);
    if (!list) {
      list = [...snapshot.servers.values()].sort(comparisons[sort]);
      lists.set(sort, list);
    }
    return list;
  };
}

/** A cursor names the last server seen, so that pages neither repeat nor skip when others are added; its position is the fallback. */
function cursorOf(last: ServerState, position: number, sort: Sort): string {
  return Buffer.from([sort, position, last.name].join(" ")).toString("base64url");
}

function positionAfter(list: readonly ServerState[], cursor: string, sort: Sort): number {
  const match = /^(-?[a-z]+) (\d{1,9}) ([a-z0-9_-]{1,100})$/.exec(Buffer.from(cursor, "base64url").toString("latin1"));
  if (!match || match[1] !== sort) throw problem("invalid", { detail: "cursor: not one of this list", errors: [{ field: "cursor", message: "Not a cursor of this list and sort" }] });
  const found = list.findIndex((server) => server.name === match[3]);
  return found === -1 ? Number(match[2]) : found + 1;
}

/**
 * Several servers as one target: lists are merged from memory, everything else goes to the one server that its name leads to.
 * What is not listed for a caller cannot be called by that caller either; both ask the same gate.
 */
import type { Audit } from "../../audit/index.ts";
import type { Principal } from "../../kernel/principal.ts";
import type { ServerState, Snapshot } from "../../snapshot/index.ts";
import type { Gate } from "../../trust/index.ts";
import type { Asking, Discovery, Exchange, JsonObject, Listened, Peer, Target } from "../exchange.ts";
import type { ToolGate } from "../gate.ts";
import { redact, type Permission } from "../permission.ts";
import type { Results } from "../results.ts";
import { takeOrThrow, type Limiter } from "../limits/refusal.ts";
import { listKinds, listMethods, type Catalog, type ListKind } from "../lists/catalog.ts";
import type { Recalled } from "../lists/memory.ts";
import { errorCodes, isObject, WireError } from "../wire/message.ts";
import type { Cursors } from "./cursors.ts";
import { mergeDiscoveries } from "./discovery.ts";
import { gather, note, type Gathered } from "./gather.ts";
import { fanIn } from "./listening.ts";
import type { Merge, Merged } from "./merge.ts";
import { callToolName, findTools, findToolsName, metaTools, metaToolSchemas, readCall } from "./meta-tools.ts";
import { itemKinds, itemOf, type Origin, type Shape } from "./shape.ts";
import { mapResult, ownerOf } from "./uris.ts";

export interface CompositeOptions {
  snapshot: Snapshot;
  catalog: Catalog;
  gate: ToolGate;
  permission: Permission;
  results: Results;
  /** What each server may show and be asked for, whoever asks. */
  trust: Gate;
  merge: Merge;
  cursors: Cursors;
  limits: Limiter;
  audit: Pick<Audit, "record"> & Partial<Pick<Audit, "keepsBodies">>;
  peer(server: ServerState): Peer;
  /** The servers that a caller may use, by name. */
  visible(principal: Principal): readonly ServerState[];
  version: string;
  now: () => number;
  /** Milliseconds that a fan-out waits. */
  deadline: number;
  /** Most servers that one endpoint asks. */
  mostServers: number;
  /** Entries of one page of a list. */
  pageSize: number;
  /** Hears when the visible servers of anybody may have changed, or what one of them (by id) may show; returns how to stop. */
  onChange(listener: (serverId?: string) => void): () => void;
  /** Legacy session → names of servers that may hold something for it. */
  sessions: Map<string, Set<string>>;
}

const kindOf = new Map(listKinds.map((kind) => [listMethods[kind], kind]));
const unknownMethod = () => new WireError(404, errorCodes.methodNotFound, "Method not found");
const invalid = (message: string, data?: unknown) => new WireError(200, errorCodes.invalidParams, message, undefined, data);

export function createComposite(options: CompositeOptions, shape: Shape): Target {
  const { snapshot, catalog, gate, permission, trust, merge, cursors, limits, audit, peer, now, deadline, pageSize } = options;
  const chosen = (principal: Principal) => shape.servers(options.visible(principal));
  const serversOf = (principal: Principal) => chosen(principal).slice(0, options.mostServers);
  /** Asks all of them at once; those beyond the limit are named as missing. */
  const gatherAll = async <T>(principal: Principal, recall: (server: ServerState) => Recalled<T>): Promise<Gathered<T>> => {
    const gathered = await gather(serversOf(principal), recall, deadline);
    const beyond = chosen(principal).slice(options.mostServers, options.mostServers + mostNamed);
    return beyond.length === 0 ? gathered : { ...gathered, missing: [...gathered.missing, ...beyond.map(({ name }) => name)] };
  };
  const holds = (session: string | undefined, server: string): void => {
    if (session === undefined) return;
    const servers = options.sessions.get(session);
    if (servers) servers.add(server);
    else options.sessions.set(session, new Set([server]));
  };

  const lists = async (kind: ListKind, asking: Asking): Promise<{ merged: Merged; gathered: Gathered<unknown>; ttlMs: number }> => {
    const gathered = await gatherAll(asking.caller, (server) => catalog.list(kind, server, asking));
    const merged = merge(shape, kind, asking.caller, gathered.found.map(({ server, held }) => ({ server, list: held.value })));
    const complete = gathered.missing.length === 0 && gathered.outdated.length === 0;
    const at = now();
    return { merged, gathered, ttlMs: complete ? gathered.found.reduce((least, { held }) => Math.min(least, Math.max(0, held.validUntil - at)), longestHint) : 0 };
  };

  /** What is shown depends on the caller's grants, always: no shared cache on the way may keep it. */
  const hints = (ttlMs: number) => ({ ttlMs, cacheScope: "private" });

  const list = async (kind: ListKind, exchange: Exchange): Promise<JsonObject> => {
    const { caller, params } = exchange;
    const release = await takeOrThrow(limits, caller, undefined, undefined);
    try {
      if (shape.discover && kind === "tools") return { tools: metaTools, ...hints(0) };
      const place = { principalId: caller.userId, endpoint: shape.key, list: kind };
      const cursor = params?.["cursor"];
      const after = typeof cursor === "string" ? cursors.open(place, cursor) : undefined;
      if (cursor !== undefined && after === undefined) throw invalid("Not a cursor of this list");
      const { merged, gathered, ttlMs } = await lists(kind, exchange);
      const start = after === undefined ? 0 : firstAfter(merged.keys, after);
      const end = start + pageSize;
      const last = end < merged.keys.length ? merged.keys[end - 1] : undefined;
      return {
        [kind]: start === 0 && last === undefined ? merged.items : merged.items.slice(start, end),
        ...(last === undefined ? {} : { nextCursor: cursors.seal(place, last) }),
        ...hints(ttlMs),
        ...note(gathered),
      };
    } finally {
      release();
    }
  };

  /** The server behind a name, if this caller may use it here; the upstream's own name of it. */
  const locate = async (kind: "tools" | "prompts", name: string, asking: Asking): Promise<{ server: ServerState; item: string } | undefined> => {
    let origin: Origin | "list" | undefined = shape.find(kind, name);
    if (origin === "list") origin = (await lists(kind, asking)).merged.origins.get(name);
    const server = origin && serverFor(asking.caller, origin.server);
    return origin && server && { server, item: origin.item };
  };
  const serverFor = (principal: Principal, name: string): ServerState | undefined => {
    const server = snapshot.servers.get(name);
    return server && gate.view(principal, server) !== undefined ? server : undefined;
  };
  const definitionOf = async (server: ServerState, tool: string, asking: Asking): Promise<JsonObject | undefined> => {
    const { found } = await gather([server], () => catalog.list("tools", server, asking), deadline);
    return found[0]?.held.value.items.find((definition) => itemOf("tools", definition) === tool);
  };

  /** The upstream's own name of what goes by this one, if it is approved and the caller may use it. */
  const admitted = async (caller: Principal, server: ServerState, kind: "tool" | "prompt" | "resource", name: string): Promise<string | undefined> => {
    // Of tools the gate is asked with their arguments.
    const admission = trust.admit(server, kind, name);
    const settled = admission instanceof Promise ? await admission : admission;
    return settled.open && (kind === "tool" || gate.usable(caller, server, kind, settled.name).allowed) ? settled.name : undefined;
  };

  /** Sends a request to its one server, counted and recorded under the server's and the upstream's own names. */
  const carry = async (exchange: Exchange, server: ServerState, params: JsonObject, tool?: string): Promise<JsonObject> => {
    const { caller, requestId, method } = exchange;
    const name = tool ?? params["name"] ?? params["uri"];
    const fields = typeof name === "string" ? await permission.require({ caller, server, method, name, arguments: params["arguments"], requestId, address: exchange.address ?? "" }) : [];
    const release = await takeOrThrow(limits, caller, server, tool);
    holds(exchange.session, server.name);
    const began = performance.now();
    const about = { actorId: caller.userId, requestId, subject: `server:${server.id}` };
    const spent = () => Math.round((performance.now() - began) * 100) / 100;
    try {
      const given = redact(mapResult(server.name, await peer(server).request(derive(exchange, method, params))), fields);
      const result = options.results.concerns(method) ? await options.results.judge({ caller, server, method, name: typeof name === "string" ? name : "", requestId }, given) : given;
      audit.record({ type: "call.completed", outcome: result["isError"] === true ? "failure" : "success", ...about, detail: { method, tool, status: 200, milliseconds: spent() }, ...(audit.keepsBodies && tool !== undefined ? { body: { request: JSON.stringify(params["arguments"]), response: JSON.stringify(result) } } : {}) });
      return result;
    } catch (error) {
      audit.record({ type: "call.failed", ...about, detail: { method, tool, reason: error instanceof WireError ? `json-rpc ${error.code}` : error instanceof Error ? ((error as { reason?: string }).reason ?? error.name) : "internal", milliseconds: spent() } });
      throw error;
    } finally {
      release();
    }
  };

  const callTool = async (exchange: Exchange): Promise<JsonObject> => {
    const { caller, params = {}, requestId } = exchange;
    const name = params["name"];
    if (typeof name !== "string") throw invalid("name: must be a string");
    const args = params["arguments"];
    if (args !== undefined && !isObject(args)) throw invalid("arguments: must be an object");
    const found = await locate("tools", name, exchange);
    const item = found && (await admitted(caller, found.server, "tool", found.item));
    if (!found || item === undefined) throw invalid(`Unknown tool: ${name}`);
    const { server } = found;
    const sent = shape.prepare ? shape.prepare(name, args, await definitionOf(server, item, exchange)) : args;
    const decision = gate.callable(caller, server, item, sent);
    if (!decision.allowed) {
      audit.record({ type: "authorization.denied", actorId: caller.userId, requestId, subject: `server:${server.id}`, detail: { action: "call-tool", needs: decision.needs } });
      throw decision.because === "unseen" ? invalid(`Unknown tool: ${name}`) : new WireError(403, notPermittedCode, "Not permitted", undefined, { needs: decision.needs });
    }
    return carry(exchange, server, { ...params, name: item, ...(sent === undefined ? {} : { arguments: sent }) }, found.item);
  };

  const reads = async (caller: Principal, server: ServerState, uri: string) => shape.admits(server.name, uri) && (await admitted(caller, server, "resource", uri)) !== undefined;

  const readResource = async (exchange: Exchange): Promise<JsonObject> => {
    const uri = exchange.params?.["uri"];
    const found = typeof uri === "string" ? ownerOf(uri) : undefined;
    const server = found && serverFor(exchange.caller, found.server);
    if (!found || !server || !(await reads(exchange.caller, server, found.uri))) throw invalid("Unknown resource", { uri });
    return carry(exchange, server, { ...exchange.params, uri: found.uri });
  };

  const locatePrompt = async (name: string, asking: Asking): Promise<{ server: ServerState; item: string } | undefined> => {
    const found = await locate("prompts", name, asking);
    const item = found && (await admitted(asking.caller, found.server, "prompt", found.item));
    return found && item !== undefined ? { server: found.server, item } : undefined;
  };

  const getPrompt = async (exchange: Exchange): Promise<JsonObject> => {
    const name = exchange.params?.["name"];
    const found = typeof name === "string" ? await locatePrompt(name, exchange) : undefined;
    if (!found) throw invalid(`Unknown prompt: ${String(name)}`);
    return carry(exchange, found.server, { ...exchange.params, name: found.item });
  };

  /** Completes arguments of a prompt or of a resource template (MCP, completion). */
  const complete = async (exchange: Exchange): Promise<JsonObject> => {
    const ref = exchange.params?.["ref"];
    if (!isObject(ref)) throw invalid("ref: must be an object");
    const { type, name, uri } = ref;
    if (type === "ref/prompt" && typeof name === "string") {
      const found = await locatePrompt(name, exchange);
      if (!found) throw invalid(`Unknown prompt: ${name}`);
      return carry(exchange, found.server, { ...exchange.params, ref: { ...ref, name: found.item } });
    }
    const found = type === "ref/resource" && typeof uri === "string" ? ownerOf(uri) : undefined;
    const server = found && serverFor(exchange.caller, found.server);
    if (!found || !server || !(await reads(exchange.caller, server, found.uri))) throw invalid("Unknown reference", { uri });
    return carry(exchange, server, { ...exchange.params, ref: { ...ref, uri: found.uri } });
  };

  /** The meta-tools; a call through them is the call itself, in every respect. */
  const callMeta = async (exchange: Exchange): Promise<JsonObject> => {
    const { params = {} } = exchange;
    if (params["name"] === callToolName) return callTool(derive(exchange, "tools/call", { ...params, ...readCall(params["arguments"]) }));
    if (params["name"] !== findToolsName) return callTool(exchange);
    const release = await takeOrThrow(limits, exchange.caller, undefined, undefined);
    try {
      const { merged, gathered } = await lists("tools", exchange);
      return { ...findTools(merged, params["arguments"]), ...note(gathered) };
    } finally {
      release();
    }
  };

  return {
    async discover(asking): Promise<Discovery> {
      const gathered = await gatherAll(asking.caller, (server) => catalog.discovery(server, asking));
      return mergeDiscoveries(gathered, { shape, trust, version: options.version, now: now() });
    },
    async request(exchange) {
      const { method } = exchange;
      const kind = kindOf.get(method);
      if (kind) return list(kind, exchange);
      if (method === "tools/call") return shape.discover ? callMeta(exchange) : callTool(exchange);
      if (method === "resources/read") return readResource(exchange);
      if (method === "prompts/get") return getPrompt(exchange);
      if (method === "completion/complete") return complete(exchange);
      throw unknownMethod();
    },
    async listen(listening): Promise<Listened> {
      return fanIn(listening, {
        peer(server) {
          holds(listening.session, server.name);
          return peer(server);
        },
        servers: () => serversOf(listening.caller),
        reads: (server, uri) => reads(listening.caller, server, uri),
        changed(server, kind) {
          catalog.changed(server.name, kind);
          trust.changed(server, kind === "resources" ? ["resource", "resourceTemplate"] : [itemKinds[kind]]);
        },
        onChange: (listener) => options.onChange(listener),
        deadline,
      });
    },
    async inputSchema(tool, asking) {
      if (shape.discover && metaToolSchemas[tool]) return metaToolSchemas[tool];
      const found = await locate("tools", tool, asking);
      const item = found && (await admitted(asking.caller, found.server, "tool", found.item));
      if (!found || item === undefined) return undefined;
      const given = await definitionOf(found.server, item, asking);
      const schema = given && shape.show("tools", found.server, { ...given, name: found.item }).find(({ key }) => key === tool)?.definition["inputSchema"];
      return isObject(schema) ? schema : undefined;
    },
    release(session) {
      for (const name of options.sessions.get(session) ?? []) {
        const server = snapshot.servers.get(name);
        if (server) peer(server).release(session);
      }
      options.sessions.delete(session);
    },
  };
}

/** The application's own error code for what a policy forbids; -32768 to -32000 belong to JSON-RPC and MCP. */
const notPermittedCode = 403;
/** Of servers beyond the limit, so many are named. */
const mostNamed = 100;
const longestHint = 24 * 3600 * 1000;

/** Whatever kind of object the exchange is: its functions keep their own. */
function derive(exchange: Exchange, method: string, params: JsonObject): Exchange {
  const { caller, client, session, requestId, address, logLevel, signal } = exchange;
  return { caller, client, session, requestId, address, logLevel, signal, method, params, notify: (notification) => exchange.notify(notification), ask: (questions) => exchange.ask(questions) };
}

function firstAfter(keys: readonly string[], after: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? "") <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}

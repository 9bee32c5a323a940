/**
 * A REST API as a target: each operation of its document is a tool. The document decides what a call looks like, never where it goes: that
 * is the registered base URL, and the stored credentials go nowhere else.
 */
import { Problem } from "../../../kernel/problem.ts";
import type { Outbound, OutboundRequest } from "../../../net/outbound.ts";
import type { ServerState, Snapshot } from "../../../snapshot/index.ts";
import type { Asking, Discovery, Exchange, JsonObject, Peer } from "../../exchange.ts";
import { errorCodes, isObject, WireError } from "../../wire/message.ts";
import { createGate } from "../gate.ts";
import { UpstreamError } from "../http.ts";
import type { Credential } from "../leg.ts";
import { limitSettings, type PeerLimits } from "../limits.ts";
import { resultOf } from "./answer.ts";
import { compileDocument } from "./compile.ts";
import { DocumentError } from "./document.ts";
import { ArgumentError, encodeCall, encodeValue } from "./encode.ts";
import type { Compiled, CompileLimits, KeyPlace, Operation } from "./operations.ts";
import { createValidator, type Validator } from "./validation.ts";

export interface OpenApiOptions {
  outbound: Pick<Outbound, "request">;
  snapshot: Pick<Snapshot, "onServer">;
  /** The stored document. */
  document(serverId: string): Promise<string | undefined>;
  credentials(server: ServerState): Credential;
  compile: CompileLimits;
  limits: PeerLimits;
  version: string;
}

export interface OpenApiServers {
  createOpenApiTarget(server: ServerState): Peer;
  close(): Promise<void>;
}

const versions = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/** The list changes only with the registration. */
const ttlMs = 60_000;

const factsOf = ({ url, openapi, sealedHeaders, authMode }: ServerState) => JSON.stringify([url, openapi?.digest, sealedHeaders, authMode]);

export function createOpenApi(options: OpenApiOptions): OpenApiServers {
  const validator = createValidator();
  const targets = new Map<string, { name: string; facts: string; peer: Peer }>();
  options.snapshot.onServer((name, state) => {
    for (const [id, target] of targets) if (target.name === name && (state === undefined || state.id !== id || factsOf(state) !== target.facts)) targets.delete(id);
  });
  return {
    createOpenApiTarget(server) {
      const known = targets.get(server.id);
      if (known?.facts === factsOf(server)) return known.peer;
      const peer = createTarget(server, validator, options);
      targets.set(server.id, { name: server.name, facts: factsOf(server), peer });
      return peer;
    },
    close: () => validator.close(),
  };
}

interface Loaded {
  compiled: Compiled;
  tools: ReadonlyMap<string, JsonObject>;
}

function createTarget(server: ServerState, validator: Validator, { outbound, document, credentials, compile, limits, version }: OpenApiOptions): Peer {
  const gate = createGate(limits, { onTrouble: () => undefined });
  let loading: Promise<Loaded> | undefined;

  const load = (): Promise<Loaded> => {
    loading ??= (async () => {
      const text = await document(server.id);
      if (text === undefined) throw new UpstreamError("broken", "The server's OpenAPI document is gone");
      const compiled = await compileDocument(text, compile).catch((error: unknown) => {
        throw error instanceof DocumentError ? new UpstreamError("unreachable", `The server's OpenAPI document cannot be used: ${error.message}`) : error;
      });
      return { compiled, tools: new Map(compiled.tools.map((tool) => [tool["name"] as string, tool])) };
    })();
    loading.catch(() => {
      loading = undefined;
    });
    return loading;
  };

  const call = async (exchange: Exchange): Promise<JsonObject> => {
    const { compiled, tools } = await load();
    const name = exchange.params?.["name"];
    const given = exchange.params?.["arguments"] ?? {};
    const tool = typeof name === "string" ? tools.get(name) : undefined;
    const operation = typeof name === "string" && Object.hasOwn(compiled.operations, name) ? compiled.operations[name] : undefined;
    if (!tool || !operation) throw new WireError(400, errorCodes.invalidParams, `Unknown tool: ${String(name).slice(0, 128)}`);
    if (!isObject(given)) throw new WireError(400, errorCodes.invalidParams, "arguments must be an object");
    const fault = await validator.check(`${server.id} ${server.openapi?.digest ?? ""} ${name as string}`, () => JSON.stringify(tool["inputSchema"]), JSON.stringify(given));
    if (fault !== undefined) return refused(fault);
    let request: { url: string } & OutboundRequest;
    try {
      request = requestOf(server.url, operation, given, credentials(server), compiled.keys);
    } catch (error) {
      if (error instanceof ArgumentError) return refused(error.message);
      throw error;
    }
    const leave = await gate.enter(exchange.signal);
    try {
      const { url, ...rest } = request;
      const answer = await outbound.request(url, { ...rest, signal: exchange.signal, maxBytes: limits.message, headersTimeoutMs: limits.start, bodyTimeoutMs: limits.idle, totalTimeoutMs: limits.total });
      gate.report(undefined);
      return resultOf(answer, limits.message);
    } catch (thrown) {
      const error = failureOf(thrown, exchange.signal.aborted);
      gate.report(error);
      throw error;
    } finally {
      leave();
    }
  };

  return {
    transport: "openapi",
    eras: async () => ["modern", "legacy"],
    async discover(): Promise<Discovery> {
      const { compiled } = await load();
      return { era: undefined, serverInfo: { name: server.name, version: compiled.version ?? version, ...(compiled.title === undefined ? {} : { title: compiled.title }) }, capabilities: { tools: {} }, instructions: compiled.description, protocolVersions: versions, ttlMs, cacheScope: "private" };
    },
    async request(exchange) {
      if (exchange.method === "tools/call") return call(exchange);
      if (exchange.method === "tools/list") return { tools: (await load()).compiled.tools, ttlMs, cacheScope: "private" };
      if (exchange.method === "ping") return {};
      throw new WireError(404, errorCodes.methodNotFound, "Method not found");
    },
    async listen({ signal }) {
      return {
        filter: {},
        ended: new Promise<void>((resolve) => {
          signal.addEventListener("abort", () => resolve(), { once: true });
        }),
      };
    },
    async inputSchema(tool: string, _asking: Asking) {
      return (await load()).tools.get(tool)?.["inputSchema"] as JsonObject | undefined;
    },
    release: () => undefined,
  };
}

/** Errors of input are the model's to mend: a result that says so, not an error of the protocol (SEP-1303). */
function refused(message: string): JsonObject {
  return { content: [{ type: "text", text: message }], isError: true };
}

/** @throws ArgumentError. */
export function requestOf(baseUrl: string, operation: Operation, args: JsonObject, credential: Credential, keys: readonly KeyPlace[]): { url: string } & OutboundRequest {
  const base = new URL(baseUrl);
  const encoded = encodeCall(operation, args);
  const query = base.search === "" ? encoded.query : [base.search.slice(1), ...encoded.query];
  const cookies = [...encoded.cookies];
  const headers: Record<string, string> = { ...encoded.headers, accept: "application/json, */*;q=0.5" };
  if (encoded.body !== undefined && operation.body) headers["content-type"] = operation.body.contentType;
  // After the arguments, so that none of them can take a credential's place.
  for (let at = 0; at < credential.headers.length; at += 2) {
    const [name = "", value = ""] = [credential.headers[at], credential.headers[at + 1]];
    const key = keys.find(({ scheme }) => scheme.toLowerCase() === name);
    if (key?.in === "query") query.push(`${encodeValue(key.name)}=${encodeValue(value)}`);
    else if (key?.in === "cookie") cookies.push(`${encodeValue(key.name)}=${encodeValue(value)}`);
    else headers[(key?.name ?? name).toLowerCase()] = value;
  }
  if (cookies.length > 0) headers["cookie"] = [headers["cookie"], ...cookies].filter((text) => text !== undefined).join("; ");
  const prefix = base.pathname.replace(/\/$/, "");
  const url = new URL(`${base.origin}${prefix}${encoded.path}${query.length > 0 ? `?${query.join("&")}` : ""}`);
  // Belt and braces: whatever a template or a value did, the call stays below what was registered.
  if (url.origin !== base.origin || !(url.pathname === prefix || url.pathname.startsWith(`${prefix}/`)) || url.hash !== "") throw new ArgumentError("The arguments lead out of the API");
  return { url: url.href, method: operation.method, headers, ...(encoded.body === undefined ? {} : { body: encoded.body }) };
}

function failureOf(error: unknown, hasLeft: boolean): Error {
  if (hasLeft) return new UpstreamError("client-left", "The call was cancelled", error);
  if (!(error instanceof Problem)) return error instanceof Error ? error : new Error("failed", { cause: error });
  if (error.code === "upstream-timeout") return new UpstreamError("timeout", `The API did not answer in time (${limitSettings.start}, ${limitSettings.total})`, error);
  return new UpstreamError(error.code === "upstream-refused" ? "refused" : "unreachable", error.code === "upstream-refused" ? "The API's address is not allowed" : error.message, error);
}

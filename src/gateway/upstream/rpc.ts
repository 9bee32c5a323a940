/** JSON-RPC 2.0 as an upstream speaks it: what it sends is judged before anything of it is used. */
import { parseLosslessJson } from "../../kernel/json.ts";
import { Problem } from "../../kernel/problem.ts";
import type { JsonObject } from "../exchange.ts";
import { isObject, WireError } from "../wire/message.ts";
import { UpstreamError } from "./http.ts";
import { limitSettings } from "./limits.ts";

export interface RpcError {
  code: number;
  message: string;
  data?: unknown;
}

export type Incoming =
  | { kind: "result"; id: string | number | null; result: JsonObject }
  | { kind: "error"; id: string | number | null; error: RpcError }
  | { kind: "request"; id: string | number; method: string; params: JsonObject | undefined }
  | { kind: "notification"; method: string; params: JsonObject | undefined };

/** More than a client may send: a list of a thousand tools is one message. */
const parserLimits = { maxDepth: 96, maxKeys: 300_000, maxItems: 1_000_000, limitName: limitSettings.message };

/** @throws UpstreamError for what is not JSON, or not acceptable JSON. */
export function parse(bytes: Uint8Array | string, maxBytes: number): unknown {
  try {
    return parseLosslessJson(bytes, { ...parserLimits, maxBytes });
  } catch (error) {
    if (error instanceof Problem && error.code === "too-large") throw tooLarge(maxBytes);
    throw new UpstreamError("broken", "The upstream sent something that is not acceptable JSON", error);
  }
}

export function tooLarge(limit: number): UpstreamError {
  return new UpstreamError("too-large", `A message of the upstream is larger than ${limit} bytes (${limitSettings.message})`);
}

const broken = (what: string) => new UpstreamError("broken", `The upstream sent ${what}`);
/** A whole number beyond 2^53 stays as it was written, and is echoed so. */
const isId = (id: unknown): id is string | number => typeof id === "string" || typeof id === "number" || JSON.isRawJSON(id);

/** @throws UpstreamError for anything but one JSON-RPC message. */
export function readIncoming(value: unknown): Incoming {
  if (Array.isArray(value)) throw broken("a batch");
  if (!isObject(value) || value["jsonrpc"] !== "2.0") throw broken("something that is not a JSON-RPC message");
  const { id, method, params, result, error } = value;
  if (typeof method === "string") {
    if (method.length > 200 || (params !== undefined && !isObject(params))) throw broken("a malformed message");
    if (id === undefined) return { kind: "notification", method, params };
    if (isId(id)) return { kind: "request", id, method, params };
    throw broken("a request with a malformed id");
  }
  if (!(isId(id) || id === null || id === undefined)) throw broken("an answer with a malformed id");
  if (isObject(error) && typeof error["code"] === "number" && result === undefined) {
    const message = typeof error["message"] === "string" ? error["message"].slice(0, 4096) : "";
    return { kind: "error", id: id ?? null, error: { code: error["code"], message, ...(error["data"] === undefined ? {} : { data: error["data"] }) } };
  }
  if (isObject(result) && error === undefined && id !== undefined) return { kind: "result", id, result };
  throw broken("a malformed message");
}

export function wireError({ code, message, data }: RpcError, status = 200): WireError {
  return new WireError(status, code, message, undefined, data);
}

/** The last member last: what a caller put into `_meta` never wins over what the gateway puts there. */
export function withMeta(params: JsonObject | undefined, added: JsonObject): JsonObject {
  const meta = params?.["_meta"];
  return { ...params, _meta: { ...(isObject(meta) ? meta : {}), ...added } };
}

export function progressTokenOf(params: JsonObject | undefined): unknown {
  const meta = params?.["_meta"];
  return isObject(meta) ? meta["progressToken"] : undefined;
}

/** Asked again, these do no harm; of everything else nobody knows whether it ran. */
const safe = new Set(["initialize", "ping", "server/discover", "tools/list", "prompts/list", "prompts/get", "resources/list", "resources/templates/list", "resources/read", "completion/complete"]);
export const isSafe = (method: string): boolean => safe.has(method);

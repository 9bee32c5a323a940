/** Reads what a client posts to an MCP endpoint: JSON-RPC 2.0 messages, without losing a digit. The bytes that were checked are the bytes that are sent. */
import { parseLosslessJson } from "../../kernel/json.ts";
import { Problem } from "../../kernel/problem.ts";

/** JSON-RPC error codes that the gateway itself answers with (JSON-RPC 2.0 section 5.1; MCP 2026-07-28 basic, error codes). */
export const errorCodes = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
  /** Before 2026-07-28 only. */
  sessionNotFound: -32001,
  resourceNotFound: -32002,
  urlElicitationRequired: -32042,
  /** Of our own, outside the range that JSON-RPC and MCP keep for themselves: a limit of the gateway is reached. */
  limitReached: 429,
} as const;

/** A whole number beyond 2^53 is kept as `RawJson` and echoed as it came. */
export type RequestId = string | number;

/** JSON as parsed losslessly: an object. */
export type Members = Record<string, unknown>;

export interface Message {
  kind: "request" | "notification" | "response";
  /** Undefined for notifications. */
  id: RequestId | undefined;
  /** Undefined for responses. */
  method: string | undefined;
  params: Members | undefined;
  /** The tool, prompt, resource or task that a request names, as `Mcp-Name` mirrors it. */
  name: string | undefined;
  /** Whether `_meta` names a protocol version: the envelope of 2026-07-28 and later. */
  hasEnvelope: boolean;
  /** The whole message. */
  value: Members;
}

/** A refusal that is told in JSON-RPC terms, with the HTTP status that carries it. */
export class WireError extends Error {
  readonly status: number;
  readonly code: number;
  readonly id: RequestId | undefined;
  readonly data: unknown;

  constructor(status: number, code: number, message: string, id?: RequestId, data?: unknown) {
    super(message);
    this.name = "WireError";
    this.status = status;
    this.code = code;
    this.id = id;
    this.data = data;
  }
}

export function isObject(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

/** The `_meta` member under which 2026-07-28 puts the protocol version. */
export const metaKeys = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  logLevel: "io.modelcontextprotocol/logLevel",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  subscriptionId: "io.modelcontextprotocol/subscriptionId",
  relatedTask: "io.modelcontextprotocol/related-task",
} as const;

/** The parameter that a request's `Mcp-Name` header mirrors (MCP 2026-07-28, Streamable HTTP; SEP-2663 for tasks). */
const nameParameter: Record<string, string> = { "tools/call": "name", "prompts/get": "name", "resources/read": "uri", "tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId" };

export function mirroredName(method: string | undefined): string | undefined {
  return method !== undefined && Object.hasOwn(nameParameter, method) ? nameParameter[method] : undefined;
}

/** One message, or the messages of a batch. @throws WireError for anything that is not well-formed. */
export function readMessages(bytes: Uint8Array, maxBytes: number): Message | Message[] {
  let value: unknown;
  try {
    value = parseLosslessJson(bytes, { maxBytes });
  } catch (error) {
    if (error instanceof Problem) throw new WireError(error.status, errorCodes.parse, error.message);
    throw error;
  }
  if (!Array.isArray(value)) return readMessage(value);
  if (value.length === 0) throw new WireError(400, errorCodes.invalidRequest, "The batch is empty");
  return value.map(readMessage);
}

function readMessage(value: unknown): Message {
  if (!isObject(value) || value["jsonrpc"] !== "2.0") throw new WireError(400, errorCodes.invalidRequest, "Not a JSON-RPC 2.0 message");
  const { id, method, params } = value;
  const requestId = isRequestId(id) ? id : undefined;
  if (method === undefined) {
    if (requestId === undefined || !("result" in value || "error" in value)) throw new WireError(400, errorCodes.invalidRequest, "Neither a request nor a response", requestId);
    return { kind: "response", id: requestId, method: undefined, params: undefined, name: undefined, hasEnvelope: false, value };
  }
  if (typeof method !== "string" || method === "" || method.length > 200) throw new WireError(400, errorCodes.invalidRequest, "The method must be a string", requestId);
  if ("id" in value && requestId === undefined) throw new WireError(400, errorCodes.invalidRequest, "The id must be a string or a whole number");
  if (params !== undefined && !isObject(params)) throw new WireError(400, errorCodes.invalidParams, "params must be an object", requestId);
  const meta = params?.["_meta"];
  const name = params?.[mirroredName(method) ?? (method.startsWith("resources/") ? "uri" : "name")];
  return {
    kind: requestId === undefined ? "notification" : "request",
    id: requestId,
    method,
    params,
    name: typeof name === "string" ? name : undefined,
    hasEnvelope: isObject(meta) && Object.hasOwn(meta, metaKeys.protocolVersion),
    value,
  };
}

function isRequestId(id: unknown): id is RequestId {
  if (typeof id === "string") return true;
  if (typeof id === "number") return Number.isInteger(id);
  return JSON.isRawJSON(id) && /^-?\d{1,40}$/.test(id.rawJSON);
}

/** Reads what a client posts to an MCP endpoint: exactly one JSON-RPC 2.0 message. The bytes that were checked are the bytes that are sent. */
import { parseUntrustedJson } from "../../kernel/json.ts";
import { Problem } from "../../kernel/problem.ts";

/** JSON-RPC error codes that the gateway itself answers with (JSON-RPC 2.0 section 5.1; MCP 2026-07-28 basic, error codes). */
export const errorCodes = { parse: -32700, invalidRequest: -32600, methodNotFound: -32601, invalidParams: -32602, internal: -32603, headerMismatch: -32020 } as const;

export type RequestId = string | number;

export interface Message {
  /** Undefined for notifications and responses. */
  id: RequestId | undefined;
  /** Undefined for responses. */
  method: string | undefined;
  /** The tool, prompt or resource that a request names. */
  name: string | undefined;
  /** `_meta["io.modelcontextprotocol/protocolVersion"]`, present from 2026-07-28 on. */
  envelopeVersion: string | undefined;
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

type Members = Record<string, unknown>;

function isObject(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @throws WireError for anything but one well-formed message. */
export function readMessage(bytes: Uint8Array, maxBytes: number): Message {
  let value: unknown;
  try {
    value = parseUntrustedJson(bytes, { maxBytes });
  } catch (error) {
    if (error instanceof Problem) throw new WireError(error.status, errorCodes.parse, error.message);
    throw error;
  }
  if (Array.isArray(value)) throw new WireError(400, errorCodes.invalidRequest, "Batches are not accepted");
  if (!isObject(value) || value["jsonrpc"] !== "2.0") throw new WireError(400, errorCodes.invalidRequest, "Not a JSON-RPC 2.0 message");
  const { id, method, params } = value;
  const requestId = typeof id === "string" || (typeof id === "number" && Number.isInteger(id)) ? id : undefined;
  if (method === undefined) {
    if (requestId === undefined || !("result" in value || "error" in value)) throw new WireError(400, errorCodes.invalidRequest, "Neither a request nor a response", requestId);
    return { id: undefined, method: undefined, name: undefined, envelopeVersion: undefined };
  }
  if (typeof method !== "string" || method === "" || method.length > 200) throw new WireError(400, errorCodes.invalidRequest, "The method must be a string", requestId);
  if ("id" in value && requestId === undefined) throw new WireError(400, errorCodes.invalidRequest, "The id must be a string or a whole number");
  if (params !== undefined && !isObject(params)) throw new WireError(400, errorCodes.invalidParams, "params must be an object", requestId);
  const meta = params?.["_meta"];
  const version = isObject(meta) ? meta["io.modelcontextprotocol/protocolVersion"] : undefined;
  const name = params?.[method.startsWith("resources/") ? "uri" : "name"];
  return { id: requestId, method, name: typeof name === "string" ? name : undefined, envelopeVersion: typeof version === "string" ? version : undefined };
}

/** Methods whose `Mcp-Name` header mirrors a parameter (MCP 2026-07-28, Streamable HTTP). */
const named = new Set(["tools/call", "prompts/get", "resources/read"]);

/**
 * From 2026-07-28 on, headers mirror the body; whoever reads the body must refuse a request in which they disagree.
 * @throws WireError 400 with -32020 HeaderMismatch.
 */
export function checkMirroredHeaders(message: Message, headers: Record<string, string | string[] | undefined>): void {
  if (message.envelopeVersion === undefined || message.method === undefined) return;
  const mismatch = (header: string) => new WireError(400, errorCodes.headerMismatch, `The ${header} header does not match the body`, message.id);
  if (headers["mcp-protocol-version"] !== message.envelopeVersion) throw mismatch("MCP-Protocol-Version");
  if (headers["mcp-method"] !== message.method) throw mismatch("Mcp-Method");
  if (named.has(message.method) && decodeName(headers["mcp-name"]) !== message.name) throw mismatch("Mcp-Name");
}

/** The header's value for a name: as it is when it is visible ASCII, otherwise in base64. */
export function encodeName(name: string): string {
  return /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(name) && !name.startsWith("=?base64?") ? name : `=?base64?${Buffer.from(name).toString("base64")}?=`;
}

/** Values that are not plain ASCII travel as `=?base64?…?=`. */
function decodeName(header: string | string[] | undefined): string | undefined {
  if (typeof header !== "string") return undefined;
  const match = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/.exec(header);
  if (!match) return header.startsWith("=?base64?") ? undefined : header;
  const bytes = Buffer.from(match[1] ?? "", "base64");
  return bytes.toString("base64") === match[1] ? bytes.toString("utf8") : undefined;
}

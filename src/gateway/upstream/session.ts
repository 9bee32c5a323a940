/** A session with a server of 2025 or before, over whichever transport: opened by `initialize`, for one holder, ended when it is no longer needed. */
import type { JsonObject } from "../exchange.ts";
import type { Inquiry } from "./conversation.ts";
import { UpstreamError } from "./http.ts";
import { EraChanged } from "./leg.ts";
import type { RpcError } from "./rpc.ts";
import { legacyVersions } from "../wire/era.ts";
import { isObject } from "../wire/message.ts";

export interface Initialized {
  protocolVersion: string;
  capabilities: JsonObject;
  serverInfo: JsonObject;
  instructions: string | undefined;
}

export interface LegacySession {
  readonly initialized: Initialized;
  /** False once it is of no more use. */
  readonly isAlive: boolean;
  /** @throws WireError, UpstreamError, SessionLost, EraChanged or the deadline's reason. */
  request(inquiry: Inquiry): Promise<JsonObject>;
  /** Opens what the server can speak up on by itself. @returns whether there is such a thing. */
  hear(): Promise<boolean>;
  /** Nobody uses it: what is only there to be heard is closed soon. */
  rest?(isResting: boolean): void;
  /** Aborts when the session ended without our doing. */
  readonly lost: AbortSignal;
  close(): Promise<void>;
}

/** The server no longer knows the session. Nothing of the request has run. */
export class SessionLost extends Error {
  constructor() {
    super("The upstream no longer knows the session");
    this.name = "SessionLost";
  }
}

export function initializeParams(capabilities: JsonObject, info: JsonObject): JsonObject {
  return { protocolVersion: legacyVersions[0], capabilities, clientInfo: info };
}

/** @throws UpstreamError for what is no InitializeResult of a version that the gateway speaks. */
export function readInitialized(result: JsonObject): Initialized {
  const { protocolVersion, capabilities, serverInfo, instructions } = result;
  if (typeof protocolVersion !== "string" || !isObject(capabilities)) throw new UpstreamError("broken", "The upstream's answer to initialize is malformed");
  if (!legacyVersions.includes(protocolVersion)) throw new UpstreamError("broken", "The upstream speaks a protocol version that the gateway does not know");
  return { protocolVersion, capabilities, serverInfo: isObject(serverInfo) ? serverInfo : { name: "unnamed", version: "0" }, instructions: typeof instructions === "string" ? instructions : undefined };
}

/** `initialize` was refused: by a server that knows it no longer, or by one that is at odds with itself. */
export function initializeRefused({ code }: RpcError): Error {
  return code === -32601 || code === -32022 || code === -32020 || code === -32602 || code === -32600 ? new EraChanged("The upstream does not know initialize") : new UpstreamError("broken", "The upstream refused to initialize");
}

/** What a request of 2026-07-28 is made of, whichever transport carries it: its envelope, its mirrored headers, and how it is carried. */
import type { ClientFacts, Discovery, JsonObject, Notification } from "../exchange.ts";
import { encodeMirrored } from "../wire/era.ts";
import { isObject, metaKeys, mirroredName } from "../wire/message.ts";
import type { Deadline } from "./deadline.ts";
import { UpstreamError } from "./http.ts";
import { declaredFor, type Credential } from "./leg.ts";
import type { Incoming } from "./rpc.ts";

export const modernVersion = "2026-07-28";

export interface Carriage {
  /** Whose channel it may travel on, where the transport has channels. */
  holder: string;
  principalId: string;
  credential: Credential;
  method: string;
  params: JsonObject;
  /** Mirrors of the body, for transports that have headers. */
  headers: readonly string[];
  deadline: Deadline;
  onNotification(notification: Notification): void;
}

export interface Carried {
  /** Of HTTP; 200 where there is none. */
  status: number;
  message: Extract<Incoming, { kind: "result" | "error" }>;
}

/** How a modern message reaches the upstream. @throws UpstreamError, EraChanged, or the deadline's reason. */
export type Carry = (carriage: Carriage) => Promise<Carried>;

/** A hint is believed for at most this long. */
const longestHint = 3_600_000;

export function envelope({ client, version }: { client: ClientFacts; version: string }, logLevel?: string): JsonObject {
  return {
    [metaKeys.protocolVersion]: modernVersion,
    [metaKeys.clientInfo]: client.info ?? { name: "sallyport", version },
    [metaKeys.clientCapabilities]: declaredFor("modern", client),
    ...(logLevel === undefined ? {} : { [metaKeys.logLevel]: logLevel }),
  };
}

export function mirroredHeaders(method: string, params: JsonObject): string[] {
  const member = mirroredName(method);
  const name = member === undefined ? undefined : params[member];
  return ["mcp-protocol-version", modernVersion, "mcp-method", method, ...(typeof name === "string" ? ["mcp-name", encodeMirrored(name)] : [])];
}

/** @throws UpstreamError for what is no discovery. */
export function discoveryOf(result: JsonObject): Discovery {
  const { supportedVersions, capabilities, instructions, ttlMs, cacheScope } = result;
  if (!Array.isArray(supportedVersions) || !isObject(capabilities)) throw new UpstreamError("broken", "The upstream's discovery is malformed");
  const meta = result["_meta"];
  const info = isObject(meta) ? meta[metaKeys.serverInfo] : undefined;
  return {
    era: "modern",
    serverInfo: isObject(info) ? info : { name: "unnamed", version: "0" },
    capabilities,
    instructions: typeof instructions === "string" ? instructions : undefined,
    protocolVersions: supportedVersions.filter((one): one is string => typeof one === "string"),
    ttlMs: typeof ttlMs === "number" && ttlMs > 0 ? Math.min(ttlMs, longestHint) : 0,
    cacheScope: cacheScope === "public" ? "public" : "private",
  };
}

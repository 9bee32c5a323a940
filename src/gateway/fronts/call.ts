/** What every front is handed: one HTTP request at an endpoint, authenticated, authorized and read. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Log } from "../../kernel/log.ts";
import type { Principal } from "../../kernel/principal.ts";
import type { RawInfo } from "../../net/inbound.ts";
import type { JsonObject, Notification, Target } from "../exchange.ts";
import type { Handles, Holder } from "../handles.ts";
import { isObject } from "../wire/message.ts";
import { logLevels } from "../wire/era.ts";
import type { Discoveries } from "./discoveries.ts";
import type { Limits, Quota } from "./limits.ts";
import type { Relay } from "./relay.ts";

export interface Call {
  /** Path of the endpoint, such as /servers/x/mcp: what tokens and handles are for. */
  endpoint: string;
  target: Target;
  caller: Principal;
  request: IncomingMessage;
  response: ServerResponse;
  info: RawInfo;
}

export interface FrontOptions {
  handles: Handles;
  limits: Limits;
  /** Open event streams that wait for what may come: GET streams, listeners, HTTP+SSE sessions. */
  streams: Quota;
  discoveries: Discoveries;
  relay: Relay;
  log: Log;
  now: () => number;
}

/** For log and audit. */
export interface Outcome {
  status: number;
  bytes: number;
  failure?: string | undefined;
}

export function holderOf({ caller, endpoint }: Pick<Call, "caller" | "endpoint">): Holder {
  return { principalId: caller.userId, place: endpoint };
}

/**
 * A notification as this request's client may hear it: log messages from its level on, progress under its own token.
 * Undefined: not at all.
 */
export function audible({ method, params }: Notification, logLevel: string | undefined, progressToken: unknown): Notification | undefined {
  if (method === "notifications/message") {
    const level = typeof params?.["level"] === "string" ? params["level"] : "";
    return logLevel !== undefined && logLevels.indexOf(level) >= logLevels.indexOf(logLevel) ? { method, ...(params === undefined ? {} : { params }) } : undefined;
  }
  if (method === "notifications/progress") return progressToken === undefined ? undefined : { method, params: { ...params, progressToken } };
  return { method, ...(params === undefined ? {} : { params }) };
}

export function progressTokenOf(params: JsonObject | undefined): unknown {
  const meta = params?.["_meta"];
  return isObject(meta) ? meta["progressToken"] : undefined;
}

/**
 * The era-neutral middle of the gateway. A *front* speaks one era to a client and turns what it says into an `Exchange`; a *target*
 * (one upstream, a bundle, everything a caller may use) answers it, in whatever era the upstream speaks. N fronts and M targets make
 * every pairing of eras; where both sides speak the same era over HTTP, the bytes pass through and nothing of this is used.
 */
import type { Principal } from "../kernel/principal.ts";

/** "modern" is 2026-07-28 (stateless, per-request `_meta`); "legacy" is everything before (initialize, sessions). */
export type Era = "modern" | "legacy";

/** JSON as parsed losslessly: numbers that a double cannot hold stay raw text (`JSON.rawJSON`) and are written back unchanged. */
export type JsonObject = { [member: string]: unknown };

/** What the client said of itself. Self-reported: never a basis for security. */
export interface ClientFacts {
  readonly era: Era;
  readonly protocolVersion: string;
  readonly capabilities: JsonObject;
  readonly info: JsonObject | undefined;
}

export interface Notification {
  method: string;
  params?: JsonObject;
}

/** A question to the client: elicitation/create, sampling/createMessage or roots/list. */
export interface InputRequest {
  method: string;
  params?: JsonObject;
}

/** One request of a client, from its arrival to its answer. */
export interface Exchange {
  readonly caller: Principal;
  readonly client: ClientFacts;
  /** Id of the HTTP request, for log and audit. */
  readonly requestId: string;
  readonly method: string;
  /** Without the modern envelope members of `_meta`; `_meta.progressToken` and trace context stay. */
  readonly params: JsonObject | undefined;
  /** Lowest level of log messages the client wants for this request; undefined: none. */
  readonly logLevel: string | undefined;
  /** Aborts when the client cancelled, a modern client left, or the deadline passed. */
  readonly signal: AbortSignal;
  /** Progress and log messages that belong to this request. */
  notify(notification: Notification): void;
  /**
   * Asks the client; keys are the target's, answers come under the same keys. A legacy client is asked at once over its stream; a modern
   * client gets `input_required` and answers by retrying, so that the promise may rest until the retry or until it expires (rejects).
   */
  ask(questions: Record<string, InputRequest>): Promise<Record<string, JsonObject>>;
}

/** What `initialize` and `server/discover` are made of. */
export interface Discovery {
  serverInfo: JsonObject;
  capabilities: JsonObject;
  instructions: string | undefined;
  /** Versions the upstream speaks, newest first. */
  protocolVersions: readonly string[];
  /** Modern caching hints; a legacy upstream gives 0 and "private". */
  ttlMs: number;
  cacheScope: "public" | "private";
}

/** What a listener wants to hear (`subscriptions/listen` filter). */
export interface ListenFilter {
  toolsListChanged?: boolean;
  promptsListChanged?: boolean;
  resourcesListChanged?: boolean;
  resourceSubscriptions?: readonly string[];
}

export interface Listening {
  readonly caller: Principal;
  readonly client: ClientFacts;
  readonly requestId: string;
  readonly filter: ListenFilter;
  readonly signal: AbortSignal;
  notify(notification: Notification): void;
}

/** What stands behind an endpoint. */
export interface Target {
  discover(asking: Pick<Exchange, "caller" | "client" | "requestId" | "signal">): Promise<Discovery>;
  /** @returns the result object. @throws WireError with the JSON-RPC error to answer. */
  request(exchange: Exchange): Promise<JsonObject>;
  /** Resolves with the honoured part of the filter once listening; notifications follow until the signal aborts. */
  listen(listening: Listening): Promise<ListenFilter>;
}

/** A two-way stream of JSON-RPC messages with one legacy or modern peer: a child's standard streams, or an HTTP+SSE pair. */
export interface Channel {
  send(message: JsonObject): Promise<void>;
  /** At most one receiver; messages that arrive before it is set wait. */
  receive(onMessage: (message: JsonObject) => void, onClosed: (reason: Error | undefined) => void): void;
  close(): Promise<void>;
}

/** Opens a channel for one logical user of it: state of one principal is never seen by another. */
export type OpenChannel = (options: { principalId: string; signal: AbortSignal }) => Promise<Channel>;

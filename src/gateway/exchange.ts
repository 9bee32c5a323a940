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
  /**
   * The legacy client's session at this gateway; undefined for modern clients. What an upstream keeps for one session (its own session, a
   * child) is never lent to another, not even of the same caller; `Target.release` says when it is over.
   */
  readonly session: string | undefined;
  /** Id of the HTTP request, for log and audit. */
  readonly requestId: string;
  /** The client's address, where it is known. */
  readonly address?: string | undefined;
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
   * Asks the client, in the midst of a legacy upstream's call; keys are the target's, answers come under the same keys. A legacy client is
   * asked at once over its stream; a modern client gets `input_required` and answers by retrying, so that the promise may rest until then.
   * @throws WireError when the client did not declare the capability, refused with an error, or did not answer in time.
   */
  ask(questions: Record<string, InputRequest>): Promise<Record<string, JsonObject>>;
}

/** What `initialize` and `server/discover` are made of. */
export interface Discovery {
  /** Of the upstream that said this; undefined when several eras were merged. */
  era: Era | undefined;
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
  readonly session: string | undefined;
  readonly requestId: string;
  readonly filter: ListenFilter;
  readonly signal: AbortSignal;
  notify(notification: Notification): void;
}

/** A listener that has been heard. */
export interface Listened {
  /** The honoured part of the filter. */
  filter: ListenFilter;
  /** Resolves when the target stops by itself (the upstream went away for good); never rejects. */
  ended: Promise<void>;
}

/** Who asks, for what is not a request of the client's own. */
export type Asking = Pick<Exchange, "caller" | "client" | "session" | "requestId" | "signal">;

/** What stands behind an endpoint. */
export interface Target {
  discover(asking: Asking): Promise<Discovery>;
  /**
   * @returns the result object, as the upstream sent it. A modern upstream's `resultType: "input_required"` is returned too, whoever the
   * client is: the front passes it on or asks a legacy client, and calls again with `inputResponses` and `requestState` in `params`.
   * @throws WireError with the JSON-RPC error to answer, as the upstream's era words it (the front translates, and sets the HTTP status), or UpstreamError.
   */
  request(exchange: Exchange): Promise<JsonObject>;
  /** Resolves once listening; notifications follow until the signal aborts. */
  listen(listening: Listening): Promise<Listened>;
  /** The input schema of a tool, from memory where it is known: `Mcp-Param-*` headers are checked against it. Undefined: no such tool known. */
  inputSchema(tool: string, asking: Asking): Promise<JsonObject | undefined>;
  /** A legacy client's session is over: what was held for it may go. */
  release(session: string): void;
}

/** One upstream server as a target. */
export interface Peer extends Target {
  readonly transport: "streamable-http" | "sse" | "stdio" | "openapi";
  /**
   * The eras that the upstream speaks, known or detected now. Where it speaks the client's over Streamable HTTP, bytes pass through and the
   * target is not asked; otherwise it is reached in the client's era if it can be, else in the one it has.
   * @param wanted as far as matters for a client of this era: a modern upstream is not asked for the other unless somebody needs it.
   * @throws WireError or UpstreamError when it cannot be reached to be asked.
   */
  eras(wanted?: Era): Promise<readonly Era[]>;
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

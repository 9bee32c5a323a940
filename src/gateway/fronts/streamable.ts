/**
 * The front of 2025-03-26 to 2025-11-25: Streamable HTTP with sessions (MCP 2025-11-25, transports). A session's handle carries what it takes
 * to build the session anew, so that another process, or this one after a restart, can go on with it; what clients subscribed to and what was
 * kept for resumption stays with the process that holds it.
 */
import { newToken } from "../../kernel/ids.ts";
import { parseUntrustedJson } from "../../kernel/json.ts";
import type { ClientFacts, JsonObject } from "../exchange.ts";
import { legacyVersions } from "../wire/era.ts";
import { errorCodes, WireError, type Message, type RequestId } from "../wire/message.ts";
import { writeMessage } from "../wire/kept-text.ts";
import { encodeEvent } from "../wire/sse.ts";
import { holderOf, type Call, type FrontOptions, type Outcome } from "./call.ts";
import { createConversation, type Conversation, type Outlet } from "./conversation.ts";
import { answerInitialize, factsOfInitialize } from "./initialize.ts";
import { createReplayStore, type SessionReplay } from "./replay.ts";
import { createReply, type Reply } from "./reply.ts";
import { createSessionTable, type Seat } from "./sessions.ts";

export interface StreamableFront {
  post(call: Call, messages: Message | Message[]): Promise<Outcome>;
  /** The stream for what belongs to no request, or the rest of a broken one. */
  get(call: Call): Promise<Outcome>;
  remove(call: Call): Promise<Outcome>;
  /** Whether the handle names a session of this front, of this caller at this endpoint, that may still be used. */
  knows(call: Pick<Call, "caller" | "endpoint">, handle: string): boolean;
  readonly sessions: number;
  /** Bytes kept for resumption. */
  readonly replayBytes: number;
  stop(): void;
}

/** What a handle says: enough to build the session anew. */
interface Carried {
  id: string;
  home: string;
  createdAt: number;
  facts: ClientFacts | undefined;
}

/** Messages on their way to one client stream. */
interface Stream {
  key: string;
  reply: Reply | undefined;
  done: boolean;
}

interface Session extends Seat {
  conversation: Conversation;
  replay: SessionReplay;
  streams: Map<string, Stream>;
  /** What belongs to no request. */
  general: Stream;
  /** Announced while no general stream was open. */
  undelivered: string[];
  unfollow: NodeJS.Timeout | undefined;
}

/** A reply that takes longer becomes a stream, so that it can be resumed. */
const patience = 1000;
const retryAfter = 1000;
/** How long changes are still listened for once the general stream broke. */
const followGrace = 60_000;
const mostUndelivered = 100;
/** A handle beyond this many characters no longer carries its session. */
const longestCarried = 2048;

export function createStreamableFront(options: FrontOptions): StreamableFront {
  const { handles, limits, streams: streamQuota, relay, now } = options;
  const home = newToken(6);
  const table = createSessionTable<Session>(limits, now);
  const store = createReplayStore(limits);
  /** Sessions from elsewhere that ended here: they are not built anew. */
  const gone = new Set<string>();

  function mint(call: Call, id: string, createdAt: number, { protocolVersion, capabilities, info }: ClientFacts): string {
    const carried = Buffer.from(JSON.stringify({ v: protocolVersion, c: capabilities, i: info })).toString("base64url");
    return handles.bind("front-session", `${home}~${id}~${createdAt.toString(36)}~${carried.length > longestCarried ? "" : carried}`, holderOf(call));
  }

  function read(call: Pick<Call, "caller" | "endpoint">, handle: string): Carried | undefined {
    const raw = handles.open("front-session", handle, holderOf(call));
    if (raw === undefined) return undefined;
    const [from = "", id = "", created = "", carried = ""] = raw.split("~");
    // Only what this gateway wrote passes the MAC.
    const { v, c, i } = carried === "" ? {} : (parseUntrustedJson(Buffer.from(carried, "base64url")) as { v?: string; c?: JsonObject; i?: JsonObject });
    return { home: from, id, createdAt: Number.parseInt(created, 36), facts: v === undefined ? undefined : { era: "legacy", protocolVersion: v, capabilities: c ?? {}, info: i } };
  }

  function open({ caller, endpoint, target }: Call, id: string, createdAt: number, facts: ClientFacts): Session {
    const replay = store.open();
    const general: Stream = { key: replay.stream(), reply: undefined, done: false };
    const session: Session = {
      principalId: caller.userId,
      createdAt,
      replay,
      general,
      streams: new Map([[general.key, general]]),
      undelivered: [],
      unfollow: undefined,
      conversation: createConversation({ ...options, caller, endpoint, facts, session: id, target, announce: (message) => announce(session, message) }),
      busy: () => session.conversation.running > 0 || [...session.streams.values()].some(({ reply }) => reply !== undefined && !reply.over),
      ended() {
        clearTimeout(session.unfollow);
        session.conversation.end();
        for (const { reply } of session.streams.values()) reply?.end(404);
        session.streams.clear();
        replay.close();
      },
    };
    try {
      table.add(id, session);
    } catch (error) {
      session.ended();
      throw error;
    }
    return session;
  }

  function announce(session: Session, message: JsonObject): void {
    const data = JSON.stringify(message);
    if (session.general.reply !== undefined && !session.general.reply.over) return tell(session, session.general, data);
    if (session.undelivered.length >= mostUndelivered) session.undelivered.shift();
    session.undelivered.push(data);
  }

  function tell({ replay }: Session, stream: Stream, data: string): void {
    // What the stream begins with has the earlier id.
    stream.reply?.open();
    const id = replay.append(stream.key, data);
    stream.reply?.event(encodeEvent(data, { id }));
  }

  /** @throws WireError 400 without a session, 404 with one that is not the caller's or is over: clients then start anew. */
  function sessionOf(call: Call, id: RequestId | undefined): { id: string; session: Session } {
    const handle = call.request.headers["mcp-session-id"];
    if (typeof handle !== "string") throw new WireError(400, errorCodes.invalidRequest, "The Mcp-Session-Id header is missing: initialize first", id);
    const carried = read(call, handle);
    const notFound = () => new WireError(404, errorCodes.sessionNotFound, "Session not found", id);
    if (!carried) throw notFound();
    const version = call.request.headers["mcp-protocol-version"];
    if (version !== undefined && !(typeof version === "string" && legacyVersions.includes(version))) throw new WireError(400, errorCodes.invalidRequest, `Unsupported protocol version (supported: ${legacyVersions.join(", ")})`, id);
    const found = table.use(carried.id);
    if (found) {
      found.conversation.retarget(call.target);
      return { id: carried.id, session: found };
    }
    if (!isRevivable(carried) || carried.facts === undefined) throw notFound();
    return { id: carried.id, session: open(call, carried.id, carried.createdAt, carried.facts) };
  }

  /** What this process itself has ended stays ended. */
  const isRevivable = ({ home: from, id, createdAt, facts }: Carried) => from !== home && facts !== undefined && !gone.has(id) && now() - createdAt <= limits.sessionLifetime;

  const replyTo = ({ response, info }: Call, further: { patience?: number; prelude?: () => string; headers?: readonly string[] } = {}): Reply => {
    const { headers = [], ...rest } = further;
    return createReply({ response, headers: [...info.headers, ...headers], keepAlive: limits.keepAlive, buffer: limits.streamBuffer, onCut: () => limits.counters.streamBuffer++, ...rest });
  };

  async function over(reply: Reply, failure?: string): Promise<Outcome> {
    await reply.closed;
    return { status: reply.status === 0 ? 499 : reply.status, bytes: reply.bytes, failure };
  }

  async function initialize(call: Call, message: Message): Promise<Outcome> {
    const facts = factsOfInitialize(message);
    const id = newToken(16);
    const result = await answerInitialize(call, facts, id, options);
    open(call, id, now(), facts);
    const reply = replyTo(call, { headers: ["mcp-session-id", mint(call, id, now(), facts)] });
    reply.answer(200, JSON.stringify({ jsonrpc: "2.0", id: message.id, result }), "");
    return over(reply);
  }

  /** One HTTP response for one request, or for those of a batch. */
  function outletFor(call: Call, session: Session, batch: boolean, requests: number): { outlet: Outlet; reply: Reply } {
    const { replay, conversation } = session;
    const stream: Stream = { key: replay.stream(), reply: undefined, done: false };
    const reply = replyTo(call, {
      patience,
      // An id to resume from, before anything was said (SEP-1699); older clients do not expect an empty event.
      prelude: () => (conversation.facts.protocolVersion >= "2025-11-25" ? encodeEvent("", { id: replay.append(stream.key, ""), retry: retryAfter }) : ""),
    });
    stream.reply = reply;
    session.streams.set(stream.key, stream);
    // A client that leaves has not cancelled: the answer waits for its return, if it can return.
    reply.onLeft(() => {
      if (stream.reply === reply) stream.reply = undefined;
      if (!reply.streaming) session.streams.delete(stream.key);
    });
    const answers: JsonObject[] = [];
    let left = requests;
    const finish = (message: JsonObject | undefined) => {
      if (message) answers.push(message);
      if (--left > 0) return;
      stream.done = true;
      session.streams.delete(stream.key);
      if (!reply.streaming && answers.length > 0) return reply.answer(200, batch ? `[${answers.map(writeMessage).join(",")}]` : writeMessage(answers[0] ?? {}), "");
      // Whoever cancelled gets a stream that says nothing.
      stream.reply?.open();
      for (const answer of answers) tell(session, stream, writeMessage(answer));
      stream.reply?.end(200);
    };
    return { reply, outlet: { send: (message) => tell(session, stream, JSON.stringify(message)), finish } };
  }

  async function post(call: Call, given: Message | Message[]): Promise<Outcome> {
    const batch = Array.isArray(given);
    const messages = batch ? given : [given];
    const [first] = messages;
    if (first === undefined) throw new WireError(400, errorCodes.invalidRequest, "The batch is empty");
    if (!batch && first.kind === "request" && first.method === "initialize") return initialize(call, first);
    const { id, session } = sessionOf(call, first.id);
    if (batch) checkBatch(messages, session.conversation.facts);
    for (const message of messages) {
      if (message.kind === "notification") session.conversation.notification(message);
      if (message.kind === "response" && !session.conversation.response(message)) await elsewhere(call, id, message);
    }
    const requests = messages.filter(({ kind }) => kind === "request");
    if (requests.length === 0) {
      const reply = replyTo(call);
      reply.end(202);
      return over(reply);
    }
    const { outlet, reply } = outletFor(call, session, batch, requests.length);
    const failures = await Promise.all(requests.map((message) => session.conversation.request(message, call, outlet)));
    return over(reply, failures.find((failure) => failure !== undefined));
  }

  /** An answer to a question that another process asked finds its way there. */
  async function elsewhere({ caller }: Call, session: string, { id, value }: Message): Promise<void> {
    const isGenuine = typeof id === "string" && handles.open("question", id, { principalId: caller.userId, place: session }) !== undefined;
    if (isGenuine) await relay.send(session, value);
  }

  relay.receive({
    waiting: () => table.ids((session) => session.conversation.isAsking()),
    wants: (id, { id: answered }) => typeof answered === "string" && table.peek(id)?.conversation.isAsking(answered) === true,
    deliver: (id, value) => void table.peek(id)?.conversation.response({ id: value["id"] as string, value }),
  });

  function checkBatch(messages: readonly Message[], { protocolVersion }: ClientFacts): void {
    if (protocolVersion !== "2025-03-26") throw new WireError(400, errorCodes.invalidRequest, "Batches are not accepted");
    if (messages.length > limits.batch) throw limits.reached("batch", "Too many messages in a batch");
    if (messages.some(({ method }) => method === "initialize")) throw new WireError(400, errorCodes.invalidRequest, "initialize must stand alone");
  }

  async function get(call: Call): Promise<Outcome> {
    const { session } = sessionOf(call, undefined);
    const last = call.request.headers["last-event-id"];
    const resumed = typeof last === "string" ? session.replay.after(last) : undefined;
    if (typeof last === "string" && !resumed) throw new WireError(400, errorCodes.invalidParams, "The Last-Event-ID is not known");
    const stream = resumed ? session.streams.get(resumed.stream) : session.general;
    const isOpen = stream?.reply !== undefined && !stream.reply.over;
    if (!resumed && isOpen) throw new WireError(409, errorCodes.invalidRequest, "This session has its stream open already");
    const release = streamQuota.take(call.caller.userId);
    const reply = replyTo(call);
    // Who resumes knows better than we do that the old connection is gone.
    if (isOpen) stream.reply?.end(200);
    if (stream) stream.reply = reply;
    reply.open();
    for (const { id, data } of resumed?.events ?? []) if (data !== "") reply.event(encodeEvent(data, { id }));
    const lifetime = setTimeout(() => reply.end(200), limits.streamLifetime);
    if (!stream) reply.end(200);
    else if (stream === session.general) {
      clearTimeout(session.unfollow);
      for (const data of session.undelivered.splice(0)) tell(session, stream, data);
      session.conversation.follow(true);
    }
    try {
      return await over(reply);
    } finally {
      clearTimeout(lifetime);
      release();
      if (stream?.reply === reply) {
        stream.reply = undefined;
        if (stream === session.general) {
          session.unfollow = setTimeout(() => session.conversation.follow(false), followGrace);
          session.unfollow.unref();
        }
      }
    }
  }

  return {
    post,
    get,
    async remove(call) {
      const { id } = sessionOf(call, undefined);
      if (gone.size >= limits.sessions) gone.delete(gone.values().next().value ?? "");
      gone.add(id);
      table.end(id);
      const reply = replyTo(call);
      reply.end(204);
      return over(reply);
    },
    knows(call, handle) {
      const carried = read(call, handle);
      return carried !== undefined && (table.use(carried.id) !== undefined || isRevivable(carried));
    },
    get sessions() {
      return table.size;
    },
    get replayBytes() {
      return store.bytes;
    },
    stop: () => table.stop(),
  };
}

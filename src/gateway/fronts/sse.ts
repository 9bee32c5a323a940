/**
 * The front of 2024-11-05, HTTP+SSE: one stream carries everything to the client, whose messages are posted to the address that the stream's
 * first event names. The session lives as long as the stream.
 */
import { newToken } from "../../kernel/ids.ts";
import type { JsonObject } from "../exchange.ts";
import { errorCodes, WireError, type Message } from "../wire/message.ts";
import { encodeEvent } from "../wire/sse.ts";
import { holderOf, type Call, type FrontOptions, type Outcome } from "./call.ts";
import { createConversation, type Conversation } from "./conversation.ts";
import { answerInitialize, factsOfInitialize } from "./initialize.ts";
import { errorFor } from "../eras/errors.ts";
import { createReply } from "./reply.ts";
import { createSessionTable, type Seat } from "./sessions.ts";

export interface SseFront {
  /** `messages` is the path that the client shall post to. */
  open(call: Call, messages: string): Promise<Outcome>;
  post(call: Call, handle: string | null, message: Message | Message[]): Promise<Outcome>;
  readonly sessions: number;
  stop(): void;
}

interface Session extends Seat {
  send(message: JsonObject): void;
  /** From initialize on. */
  conversation: Conversation | undefined;
}

export function createSseFront(options: FrontOptions): SseFront {
  const { handles, limits, streams, now } = options;
  const table = createSessionTable<Session>(limits, now);

  /** Answers on the stream; the POST itself is long over. */
  async function initialize(call: Call, id: string, session: Session, message: Message): Promise<string | undefined> {
    try {
      if (session.conversation) throw new WireError(200, errorCodes.invalidRequest, "This session is initialized already");
      const facts = factsOfInitialize(message);
      const { caller, endpoint, target } = call;
      session.conversation = createConversation({ ...options, caller, endpoint, target, facts, session: id, announce: (told) => session.send(told) });
      session.send({ jsonrpc: "2.0", id: message.id, result: await answerInitialize(call, facts, id, options) });
      return undefined;
    } catch (error) {
      const told = errorFor("legacy", error, { method: "initialize", params: message.params });
      session.send({ jsonrpc: "2.0", id: message.id, error: told });
      return `json-rpc ${told.code}`;
    }
  }

  return {
    async open(call, messages) {
      const { caller, response, info } = call;
      const id = newToken(16);
      const release = streams.take(caller.userId);
      const reply = createReply({ response, headers: info.headers, keepAlive: limits.keepAlive, buffer: limits.streamBuffer, onCut: () => limits.counters.streamBuffer++ });
      const session: Session = {
        principalId: caller.userId,
        createdAt: now(),
        conversation: undefined,
        send: (message) => reply.event(encodeEvent(JSON.stringify(message), { event: "message" })),
        busy: () => !reply.over,
        ended() {
          session.conversation?.end();
          reply.end(200);
        },
      };
      let lifetime: NodeJS.Timeout | undefined;
      try {
        table.add(id, session);
        reply.event(encodeEvent(`${messages}?sessionId=${encodeURIComponent(handles.bind("front-session", id, holderOf(call)))}`, { event: "endpoint" }));
        lifetime = setTimeout(() => table.end(id), limits.streamLifetime);
        await reply.closed;
      } finally {
        clearTimeout(lifetime);
        table.end(id);
        release();
      }
      return { status: reply.status, bytes: reply.bytes };
    },
    async post(call, handle, given) {
      const messages = Array.isArray(given) ? given : [given];
      const id = handle === null ? undefined : handles.open("front-session", handle, holderOf(call));
      const session = id === undefined ? undefined : table.use(id);
      if (id === undefined || !session) throw new WireError(404, errorCodes.sessionNotFound, "Session not found", messages[0]?.id);
      if (messages.length > limits.batch) throw limits.reached("batch", "Too many messages in a batch");
      const { response, info } = call;
      response.writeHead(202, [...info.headers, "content-type", "text/plain", "cache-control", "no-store"]);
      response.end("Accepted");
      session.conversation?.retarget(call.target);
      const failures = await Promise.all(
        messages.map(async (message) => {
          if (message.kind === "notification") return session.conversation?.notification(message);
          if (message.kind === "response") return session.conversation?.response(message);
          if (message.method === "initialize") return initialize(call, id, session, message);
          if (!session.conversation) return session.send({ jsonrpc: "2.0", id: message.id, error: { code: errorCodes.invalidRequest, message: "Initialize first" } });
          // There is one stream for everything: changes are told from the first request on.
          if (message.method !== "ping") session.conversation.follow(true);
          return session.conversation.request(message, call, { send: (told) => session.send(told), finish: (told) => (told ? session.send(told) : undefined) });
        }),
      );
      return { status: 202, bytes: 8, failure: failures.find((failure) => typeof failure === "string") };
    },
    get sessions() {
      return table.size;
    },
    stop: () => table.stop(),
  };
}

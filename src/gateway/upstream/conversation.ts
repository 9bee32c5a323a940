/**
 * What a server of 2025 and before may say in the midst of calls, whichever way it comes: questions to the client, progress, log messages.
 * Each is attributed to the call it belongs to: by the stream it came on, by its progress token, or because no other call is there.
 */
import type { Exchange, JsonObject, Notification } from "../exchange.ts";
import { errorCodes, isObject, WireError } from "../wire/message.ts";
import { logLevels } from "../wire/era.ts";
import type { Deadline } from "./deadline.ts";
import { limitSettings } from "./limits.ts";
import { progressTokenOf, withMeta, type Incoming } from "./rpc.ts";

/** A call as a session makes it. */
export interface Inquiry extends Pick<Exchange, "method" | "params" | "logLevel" | "notify" | "ask"> {
  readonly deadline: Deadline;
}

export interface Conversation {
  /** @returns the request to send. Its id is also its progress token, so that no two calls share one. */
  begin(inquiry: Inquiry): { id: number; request: JsonObject };
  end(id: number): void;
  /** @param id of the call on whose stream it came. */
  hear(message: Extract<Incoming, { kind: "request" | "notification" }>, id?: number): void;
}

export interface ConversationOptions {
  /** Sends an answer to a question of the server's. */
  reply(message: JsonObject): void;
  /** What belongs to no call: changed lists, updated resources. */
  onNotification(notification: Notification): void;
  mostQuestions: number;
}

interface Active {
  inquiry: Inquiry;
  token: unknown;
  questions: number;
}

const askable = new Set(["elicitation/create", "sampling/createMessage", "roots/list"]);
const global = new Set(["notifications/tools/list_changed", "notifications/prompts/list_changed", "notifications/resources/list_changed", "notifications/resources/updated"]);

export function createConversation({ reply, onNotification, mostQuestions }: ConversationOptions): Conversation {
  const calls = new Map<number, Active>();
  let count = 0;
  const newest = () => [...calls.values()].at(-1);
  const refuse = (id: string | number, code: number, message: string) => reply({ jsonrpc: "2.0", id, error: { code, message } });

  const answer = async (id: string | number, method: string, params: JsonObject | undefined, call: Active): Promise<void> => {
    call.questions += 1;
    if (call.questions > mostQuestions) return refuse(id, errorCodes.internal, `More than ${mostQuestions} questions in one call (${limitSettings.questions})`);
    const key = `${method.slice(0, method.indexOf("/"))}-${call.questions}`;
    // What a person takes to answer is not the upstream's time.
    const resume = call.inquiry.deadline.pause();
    try {
      const answers = await call.inquiry.ask({ [key]: { method, ...(params === undefined ? {} : { params }) } });
      const result = answers[key];
      if (result === undefined) return refuse(id, errorCodes.internal, "The client did not answer");
      reply({ jsonrpc: "2.0", id, result });
    } catch (error) {
      if (call.inquiry.deadline.signal.aborted) return;
      // -32021 is of 2026-07-28: before, a client that lacks a capability does not know the method.
      const code = error instanceof WireError ? (error.code === -32021 ? errorCodes.methodNotFound : error.code) : errorCodes.internal;
      refuse(id, code, error instanceof WireError ? error.message : "The client could not be asked");
    } finally {
      resume();
    }
  };

  return {
    begin(inquiry) {
      count += 1;
      const id = count;
      const token = progressTokenOf(inquiry.params);
      calls.set(id, { inquiry, token, questions: 0 });
      const params = token === undefined ? inquiry.params : withMeta(inquiry.params, { progressToken: id });
      return { id, request: { jsonrpc: "2.0", id, method: inquiry.method, ...(params === undefined ? {} : { params }) } };
    },
    end: (id) => void calls.delete(id),
    hear(message, id) {
      const onStream = id === undefined ? undefined : calls.get(id);
      if (message.kind === "request") {
        if (message.method === "ping") return reply({ jsonrpc: "2.0", id: message.id, result: {} });
        if (!askable.has(message.method)) return refuse(message.id, errorCodes.methodNotFound, "Method not found");
        const call = onStream ?? newest();
        if (!call) return refuse(message.id, errorCodes.internal, "No request of the client's is in progress");
        return void answer(message.id, message.method, message.params, call);
      }
      const { method, params } = message;
      const notification: Notification = { method, ...(params === undefined ? {} : { params }) };
      if (method === "notifications/progress") {
        const token = params?.["progressToken"];
        const call = typeof token === "number" ? calls.get(token) : undefined;
        if (call === undefined || call.token === undefined) return;
        call.inquiry.deadline.touch();
        return call.inquiry.notify({ method, params: { ...params, progressToken: call.token } });
      }
      if (method === "notifications/cancelled") return;
      if (global.has(method)) return onNotification(notification);
      const call = onStream ?? newest();
      if (!call) return;
      call.inquiry.deadline.touch();
      if (method === "notifications/message" && !isAudible(params, call.inquiry.logLevel)) return;
      call.inquiry.notify(notification);
    },
  };
}

function isAudible(params: JsonObject | undefined, logLevel: string | undefined): boolean {
  return logLevel !== undefined && isObject(params) && logLevels.indexOf(String(params["level"])) >= logLevels.indexOf(logLevel);
}

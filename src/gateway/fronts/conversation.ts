/**
 * A legacy client's session, whatever carries it: initialize has happened; requests run side by side, the client may be asked, level and
 * subscriptions hold for the session (MCP 2025-11-25 and earlier). Streamable HTTP and HTTP+SSE differ only in where the words go.
 */
import { newToken } from "../../kernel/ids.ts";
import type { Principal } from "../../kernel/principal.ts";
import { errorFor } from "../eras/errors.ts";
import { legacyQuestion, questionsOf, requireAnswerable } from "../eras/questions.ts";
import { legacyResult } from "../eras/results.ts";
import { requireSameEra, withoutTasks } from "../eras/tasks.ts";
import type { Asking, ClientFacts, Exchange, InputRequest, JsonObject, ListenFilter, Notification, Target } from "../exchange.ts";
import type { Holder } from "../handles.ts";
import { logLevels } from "../wire/era.ts";
import { errorCodes, isObject, WireError, type Members, type Message, type RequestId } from "../wire/message.ts";
import { bindNotification, bindResult, openParams } from "./binding.ts";
import { audible, progressTokenOf, type Call, type FrontOptions } from "./call.ts";

/** Where the words about one request go. */
export interface Outlet {
  send(message: JsonObject): void;
  /** The answer, or nothing when the client cancelled. */
  finish(message: JsonObject | undefined): void;
}

export interface ConversationOptions extends FrontOptions {
  caller: Principal;
  endpoint: string;
  facts: ClientFacts;
  /** Of the session, as targets know it. */
  session: string;
  target: Target;
  /** Says what belongs to no request. */
  announce(message: JsonObject): void;
}

export interface Conversation {
  readonly facts: ClientFacts;
  /** Requests that are running. */
  readonly running: number;
  /** Resolves when the request is answered or cancelled. @returns why it failed. */
  request(message: Message, from: Sender, outlet: Outlet): Promise<string | undefined>;
  notification(message: Message): void;
  /** @returns whether it answers a question of this process. */
  response(message: Pick<Message, "id" | "value">): boolean;
  /** Whether the client is being asked something; with an id, just this. */
  isAsking(id?: RequestId): boolean;
  /** Hears of changes from now on, or no longer. */
  follow(wanted: boolean): void;
  /** The latest target for the endpoint; they may be made anew. */
  retarget(target: Target): void;
  end(): void;
}

/** As many rounds of questions as a modern upstream may ask of one request. */
const mostRounds = 8;
const slowestRetry = 300_000;

/** Who sent a message: each comes with a token of its own, which may reach less far than the one that began the session. */
export type Sender = Pick<Call, "caller" | "info">;

export function createConversation(options: ConversationOptions): Conversation {
  const { handles, limits, discoveries, log, caller, endpoint, facts, session, announce } = options;
  let { target } = options;
  const holder: Holder = { principalId: caller.userId, place: endpoint };
  const running = new Map<string, AbortController>();
  const asked = new Map<string, { resolve(answer: JsonObject): void; reject(error: Error): void }>();
  const subscriptions = new Set<string>();
  // Until the client says otherwise the server decides what to log; nothing is held back for it.
  let level = "debug";
  let asks = 0;
  /** Of this process, among those that may hold the session. */
  const mark = newToken(6);
  const ended = new AbortController();
  const keyOf = (id: RequestId) => JSON.stringify(id);
  const asking = ({ caller: sender, info }: Sender, signal: AbortSignal): Asking => ({ caller: sender, client: facts, session, requestId: info.requestId, signal });

  async function request(message: Message, from: Sender, outlet: Outlet): Promise<string | undefined> {
    const id = message.id as RequestId;
    const key = keyOf(id);
    const aborter = new AbortController();
    try {
      if (running.has(key)) throw new WireError(400, errorCodes.invalidRequest, "A request with this id is running");
      if (running.size >= limits.callsPerSession) throw limits.reached("callsPerSession", "Too many requests at once in this session");
      running.set(key, aborter);
      const result = await Promise.race([answer(message, from, aborter.signal, outlet), rejected(aborter.signal)]);
      outlet.finish({ jsonrpc: "2.0", id, result });
      return undefined;
    } catch (error) {
      // Who cancelled wants no answer.
      if (aborter.signal.aborted) {
        outlet.finish(undefined);
        return "cancelled";
      }
      const told = errorFor("legacy", error, { method: message.method ?? "", params: message.params });
      if (told.code === errorCodes.internal) log.warn("call.failed", { requestId: from.info.requestId, error });
      outlet.finish({ jsonrpc: "2.0", id, error: told });
      return `json-rpc ${told.code}`;
    } finally {
      if (running.get(key) === aborter) running.delete(key);
    }
  }

  async function answer(message: Message, from: Sender, signal: AbortSignal, outlet: Outlet): Promise<JsonObject> {
    const { method = "", params, id } = message;
    switch (method) {
      case "ping":
        return {};
      case "logging/setLevel":
        return setLevel(message);
      case "resources/subscribe":
      case "resources/unsubscribe":
        return subscribe(message, method === "resources/subscribe", from.info.requestId, signal);
      case "initialize":
        throw new WireError(400, errorCodes.invalidRequest, "This session is initialized already", id);
      default:
    }
    const withTask = isObject(params?.["task"]);
    let opened = openParams(handles, holder, params, id);
    let client = facts;
    if (method.startsWith("tasks/") || withTask || facts.capabilities["tasks"] !== undefined) {
      const { era } = await discoveries.of(endpoint, target, () => asking(from, signal));
      requireSameEra(message, "legacy", era);
      if (era !== "legacy") {
        client = { ...facts, capabilities: withoutTasks(facts.capabilities) };
        // Who cannot do tasks runs the call as it is (2025-11-25, tasks).
        if (withTask) {
          const { task: _task, ...plain } = opened ?? {};
          opened = plain;
        }
      }
    }
    const progressToken = progressTokenOf(params);
    const exchange: Omit<Exchange, "params"> = {
      ...asking(from, signal),
      client,
      method,
      address: from.info.address,
      logLevel: level,
      notify(notification) {
        const heard = audible(notification, level, progressToken);
        if (heard && !signal.aborted) outlet.send({ jsonrpc: "2.0", ...withBoundTasks(heard) });
      },
      ask: (questions) => ask(questions, signal, outlet),
    };
    for (let round = 0; ; round++) {
      const result = await target.request({ ...exchange, params: opened });
      if (result["resultType"] !== "input_required") return legacyResult(bindResult(handles, holder, method, result));
      if (round >= mostRounds) throw new WireError(200, errorCodes.internal, "The server asked too many times");
      const { inputResponses: _before, requestState: _state, ...rest } = opened ?? {};
      const inputResponses = await ask(questionsOf(result), signal, outlet);
      opened = { ...rest, inputResponses, ...(result["requestState"] === undefined ? {} : { requestState: result["requestState"] }) };
    }
  }

  const withBoundTasks = ({ method, params }: Notification): Notification => ({ method, ...(params === undefined ? {} : { params: bindNotification(handles, holder, params) }) });

  async function ask(questions: Record<string, InputRequest>, signal: AbortSignal, outlet: Outlet): Promise<Record<string, JsonObject>> {
    requireAnswerable(questions, facts);
    const answers = Object.entries(questions).map(async ([key, question]) => [key, await put(legacyQuestion(question, key, facts.protocolVersion), signal, outlet)] as const);
    return Object.fromEntries(await Promise.all(answers));
  }

  function put(question: InputRequest, signal: AbortSignal, outlet: Outlet): Promise<JsonObject> {
    // Bound to the session, so that an answer which arrives elsewhere can be told from an invented one.
    const id = handles.bind("question", `${mark}.${++asks}`, { ...holder, place: session });
    const key = keyOf(id);
    return new Promise<JsonObject>((resolve, reject) => {
      const expiry = setTimeout(() => {
        limits.counters.inputTimeout++;
        settle(() => reject(new WireError(200, errorCodes.internal, "The client did not answer in time (SALLYPORT_INPUT_TIMEOUT)")));
      }, limits.inputTimeout);
      const onAbort = () => settle(() => reject(signal.reason instanceof Error ? signal.reason : new Error("cancelled")));
      const settle = (act: () => void) => {
        clearTimeout(expiry);
        signal.removeEventListener("abort", onAbort);
        asked.delete(key);
        act();
      };
      asked.set(key, { resolve: (given) => settle(() => resolve(given)), reject: (error) => settle(() => reject(error)) });
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort);
      outlet.send({ jsonrpc: "2.0", id, ...question });
    });
  }

  function setLevel({ params, id }: Message): JsonObject {
    const wanted = params?.["level"];
    if (typeof wanted !== "string" || !logLevels.includes(wanted)) throw new WireError(200, errorCodes.invalidParams, "There is no such level", id);
    level = wanted;
    return {};
  }

  async function subscribe({ params, id }: Message, wanted: boolean, requestId: string, signal: AbortSignal): Promise<JsonObject> {
    const uri = params?.["uri"];
    if (typeof uri !== "string") throw new WireError(200, errorCodes.invalidParams, "uri is missing", id);
    if (!wanted) {
      if (subscriptions.delete(uri)) await listen(requestId);
      return {};
    }
    if (subscriptions.has(uri)) return {};
    if (subscriptions.size >= limits.subscriptions) throw limits.reached("subscriptions", "Too many resources to follow");
    subscriptions.add(uri);
    const honoured = await Promise.race([listen(requestId), rejected(signal)]).catch((error: unknown) => {
      subscriptions.delete(uri);
      throw error;
    });
    if (honoured.resourceSubscriptions?.includes(uri) !== true) {
      subscriptions.delete(uri);
      throw new WireError(200, errorCodes.methodNotFound, "The server does not tell of changes to its resources", id);
    }
    return {};
  }

  let following = false;
  let listening: AbortController | undefined;
  let retry: NodeJS.Timeout | undefined;
  let patience = 1000;
  let turn: Promise<unknown> = Promise.resolve();

  /** Listens to what is wanted now: the new subscription begins before the old one ends, so that nothing is missed. */
  function listen(requestId: string): Promise<ListenFilter> {
    const next = turn.then(async (): Promise<ListenFilter> => {
      clearTimeout(retry);
      const before = listening;
      listening = undefined;
      const filter: ListenFilter = {
        ...(following ? { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true } : {}),
        ...(subscriptions.size > 0 ? { resourceSubscriptions: [...subscriptions] } : {}),
      };
      if (ended.signal.aborted || Object.keys(filter).length === 0) {
        before?.abort(new Error("no longer wanted"));
        return {};
      }
      const mine = new AbortController();
      listening = mine;
      try {
        const listened = await target.listen({
          caller,
          client: facts,
          session,
          requestId,
          filter,
          signal: mine.signal,
          notify: (notification) => {
            if (listening === mine) announce({ jsonrpc: "2.0", ...withBoundTasks(notification) });
          },
        });
        patience = 1000;
        void listened.ended.then(() => {
          if (listening === mine && !mine.signal.aborted) again();
        });
        return listened.filter;
      } catch (error) {
        again();
        throw error;
      } finally {
        before?.abort(new Error("listening anew"));
      }
    });
    turn = next.catch(() => undefined);
    return next;
  }

  /** A listener that broke is tried again, ever more rarely: never in a tight loop. */
  function again(): void {
    listening = undefined;
    if (ended.signal.aborted) return;
    retry = setTimeout(() => void listen("listener").catch(() => undefined), patience);
    retry.unref();
    patience = Math.min(patience * 4, slowestRetry);
  }

  return {
    facts,
    get running() {
      return running.size;
    },
    isAsking: (id) => (id === undefined ? asked.size > 0 : asked.has(keyOf(id))),
    request,
    notification({ method, params }) {
      if (method !== "notifications/cancelled") return;
      const id = params?.["requestId"];
      if (id !== undefined) running.get(keyOf(id as RequestId))?.abort(new WireError(200, errorCodes.internal, "The client cancelled"));
    },
    response({ id, value }) {
      const waiting = id === undefined ? undefined : asked.get(keyOf(id));
      if (!waiting) return false;
      if (isObject(value["result"])) {
        waiting.resolve(value["result"]);
        return true;
      }
      const error: Members = isObject(value["error"]) ? value["error"] : {};
      waiting.reject(new WireError(200, typeof error["code"] === "number" ? error["code"] : errorCodes.internal, typeof error["message"] === "string" ? error["message"] : "The client answered with an error", undefined, error["data"]));
      return true;
    },
    follow(wanted) {
      if (following === wanted) return;
      following = wanted;
      void listen("listener").catch(() => undefined);
    },
    retarget: (latest) => void (target = latest),
    end() {
      clearTimeout(retry);
      ended.abort(new WireError(499, errorCodes.internal, "The session ended"));
      listening?.abort(new Error("The session ended"));
      for (const aborter of running.values()) aborter.abort(new WireError(499, errorCodes.internal, "The session ended"));
      target.release(session);
    },
  };
}

function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = () => reject(signal.reason instanceof Error ? signal.reason : new Error("cancelled"));
    if (signal.aborted) fail();
    else signal.addEventListener("abort", fail, { once: true });
  });
}

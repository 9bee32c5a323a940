/** The front of 2026-07-28: every request stands for itself, answers are JSON or one event stream, and whoever leaves has cancelled. */
import type { ClientFacts, Exchange, JsonObject, Listened, ListenFilter, Notification } from "../exchange.ts";
import { errorFor, modernStatus } from "../eras/errors.ts";
import { questionsOf, requireAnswerable, urlQuestions } from "../eras/questions.ts";
import { discoverResult, modernResult } from "../eras/results.ts";
import { isTaskMethod, requireSameEra, withoutTasks } from "../eras/tasks.ts";
import { modernVersions } from "../wire/era.ts";
import { errorCodes, isObject, metaKeys, WireError, type Members, type Message } from "../wire/message.ts";
import { writeMessage } from "../wire/kept-text.ts";
import { checkParamHeaders } from "../wire/param-headers.ts";
import { encodeEvent } from "../wire/sse.ts";
import { bindNotification, bindResult, openParams } from "./binding.ts";
import { audible, holderOf, progressTokenOf, type Call, type FrontOptions, type Outcome } from "./call.ts";
import { retryAfter } from "../failure.ts";
import { createParking, type Ending, type Sink } from "./parked.ts";
import { createReply, type Reply } from "./reply.ts";

export interface ModernFront {
  /** Serves one message to its end. */
  serve(call: Call, message: Message): Promise<Outcome>;
  /** Calls that rest until their client answers. */
  readonly parked: number;
  /** Ends what is open, with a last word. */
  stop(): void;
}

/** What earlier revisions had and this one removed; an older upstream must never see them from here. */
const removed = new Set(["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"]);

export function createModernFront(options: FrontOptions): ModernFront {
  const { handles, limits, streams, discoveries, log, now } = options;
  const parking = createParking({ handles, limits, now });
  const listeners = new Set<() => void>();

  const replyTo = ({ response, info }: Call, patience?: number): Reply =>
    createReply({ response, headers: info.headers, keepAlive: limits.keepAlive, ...(patience === undefined ? {} : { patience }), buffer: limits.streamBuffer, onCut: () => limits.counters.streamBuffer++ });

  async function serve(call: Call, message: Message): Promise<Outcome> {
    // There is no notification from a client in this revision: whoever leaves has cancelled.
    if (message.kind === "notification") {
      const reply = replyTo(call);
      reply.end(202);
      await reply.closed;
      return { status: 202, bytes: 0 };
    }
    const version = factsOf(message).protocolVersion;
    if (!modernVersions.includes(version)) throw new WireError(400, errorCodes.unsupportedVersion, "Unsupported protocol version", message.id, { supported: [...modernVersions], requested: version });
    const method = message.method ?? "";
    if (removed.has(method)) throw new WireError(404, errorCodes.methodNotFound, "Method not found", message.id);
    return method === "subscriptions/listen" ? listen(call, message) : answer(call, message);
  }

  async function answer(call: Call, message: Message): Promise<Outcome> {
    const { target, caller, endpoint, request, info } = call;
    const method = message.method ?? "";
    const holder = holderOf(call);
    const aborter = new AbortController();
    const facts = factsOf(message);
    const asking = { caller, client: facts, session: undefined, requestId: info.requestId, signal: aborter.signal };
    if (method === "tools/call" && message.name !== undefined) checkParamHeaders(message, await target.inputSchema(message.name, asking), request.headers);

    const meta = message.params?.["_meta"] as Members;
    const reply = replyTo(call, limits.keepAlive);
    const progressToken = progressTokenOf(message.params);
    const finished = Promise.withResolvers<string | undefined>();
    const level = meta[metaKeys.logLevel];
    const logLevel = typeof level === "string" ? level : undefined;
    const sink: Sink & { notify(notification: Notification): void } = {
      notify(notification) {
        const heard = notification.method === "notifications/progress" || notification.method === "notifications/message" ? audible(notification, logLevel, progressToken) : undefined;
        if (heard) reply.event(encodeEvent(JSON.stringify({ jsonrpc: "2.0", ...heard })));
      },
      answer(ending) {
        void finish(ending).then(finished.resolve, (error: unknown) => {
          log.error("front.failed", { requestId: info.requestId, error });
          reply.end(500);
          finished.resolve("internal");
        });
      },
    };
    /** @returns why it failed. */
    const finish = async (ending: Ending): Promise<string | undefined> => {
      if ("result" in ending) {
        const { serverInfo } = await discoveries.of(endpoint, target, () => ({ ...asking, signal: AbortSignal.timeout(limits.keepAlive) })).catch(() => ({ serverInfo: undefined }));
        const json = writeMessage({ jsonrpc: "2.0", id: message.id, result: modernResult(method, ending.result, serverInfo) });
        reply.answer(200, json, encodeEvent(json));
        return undefined;
      }
      const error = errorFor("modern", ending.error, { method, params: message.params });
      if (!(ending.error instanceof Error) || error.code === errorCodes.internal) log.warn("call.failed", { requestId: info.requestId, error: ending.error });
      const json = JSON.stringify({ jsonrpc: "2.0", id: message.id, error });
      reply.answer(modernStatus(error.code), json, encodeEvent(json), retryAfter(ending.error));
      return `json-rpc ${error.code}`;
    };

    const found = parking.find(holder, method, message.params, message.id);
    const running = found ?? parking.begin({ holder, method, params: message.params, abort: (reason) => aborter.abort(reason) }, sink);
    reply.onLeft(() => {
      running.left();
      finished.resolve("client-left");
    });
    if (found) {
      sinks.set(found, sink);
      found.resume(sink, message.params?.["inputResponses"]);
    } else {
      sinks.set(running, sink);
      const exchange: Exchange = {
        ...asking,
        method,
        params: undefined,
        address: call.info.address,
        logLevel,
        notify: (notification) => sinks.get(running)?.notify(notification),
        async ask(questions) {
          requireAnswerable(questions, facts);
          return running.ask(questions);
        },
      };
      void work(call, message, exchange).then((result) => running.settle({ result }), (error: unknown) => running.settle({ error }));
    }
    const failure = await finished.promise;
    if (failure !== "client-left") await reply.closed;
    return { status: failure === "client-left" ? 499 : reply.status, bytes: reply.bytes, failure };
  }

  /** Where a call's notifications go now: the response of its client's latest try. */
  const sinks = new WeakMap<object, { notify(notification: Notification): void }>();

  async function work(call: Call, message: Message, exchange: Exchange): Promise<JsonObject> {
    const { endpoint, target } = call;
    const { method } = exchange;
    if (method === "server/discover") {
      const discovery = await target.discover(exchange);
      discoveries.remember(endpoint, discovery);
      return discoverResult(discovery);
    }
    const holder = holderOf(call);
    let client = exchange.client;
    const declaresTasks = isObject(client.capabilities["extensions"]);
    if (isTaskMethod(method) || declaresTasks) {
      const { era } = await discoveries.of(endpoint, target, () => exchange);
      requireSameEra(message, "modern", era);
      if (era !== "modern") client = { ...client, capabilities: withoutTasks(client.capabilities) };
    }
    const params = openParams(handles, holder, withoutEnvelope(message.params), message.id);
    try {
      const result = await target.request({ ...exchange, client, params });
      // Whatever the upstream checked: a client is asked only what it declared that it can answer.
      if (result["resultType"] === "input_required") requireAnswerable(questionsOf(result), client);
      return bindResult(handles, holder, method, result);
    } catch (error) {
      const questions = urlQuestions(error);
      if (!questions) throw error;
      // Nothing rests here: the client visits the addresses and calls again.
      requireAnswerable(questions, client);
      return { resultType: "input_required", inputRequests: questions };
    }
  }

  async function listen(call: Call, message: Message): Promise<Outcome> {
    const { target, caller, info } = call;
    const wanted = filterOf(message, limits.subscriptions, () => limits.reached("subscriptions", "Too many resources to follow"));
    const release = streams.take(caller.userId);
    const aborter = new AbortController();
    const reply = replyTo(call);
    reply.onLeft(() => aborter.abort(new WireError(499, errorCodes.internal, "The client left")));
    const holder = holderOf(call);
    const stamp = (params: Members | undefined): Members => ({ ...params, _meta: { ...(isObject(params?.["_meta"]) ? params["_meta"] : {}), [metaKeys.subscriptionId]: message.id } });
    const say = (method: string, params: Members | undefined) => reply.event(encodeEvent(JSON.stringify({ jsonrpc: "2.0", method, params: stamp(params) })));
    let early: Notification[] | undefined = [];
    let honoured: ListenFilter = {};
    const hear = (notification: Notification) => {
      if (early) return void early.push(notification);
      if (isWanted(notification, honoured)) say(notification.method, bindNotification(handles, holder, notification.params ?? {}));
    };
    let lifetime: NodeJS.Timeout | undefined;
    const bye = () => {
      const json = JSON.stringify({ jsonrpc: "2.0", id: message.id, result: modernResult("subscriptions/listen", { _meta: { [metaKeys.subscriptionId]: message.id } }, undefined) });
      reply.answer(200, json, encodeEvent(json));
      aborter.abort(new WireError(200, errorCodes.internal, "The subscription ended"));
    };
    try {
      let listened: Listened;
      try {
        listened = await target.listen({ caller, client: factsOf(message), session: undefined, requestId: info.requestId, filter: wanted, signal: aborter.signal, notify: hear });
      } catch (error) {
        const { code, message: text, data } = errorFor("modern", error, { method: "subscriptions/listen", params: message.params });
        throw new WireError(modernStatus(code), code, text, message.id, data);
      }
      honoured = intersect(wanted, listened.filter);
      listeners.add(bye);
      say("notifications/subscriptions/acknowledged", { notifications: honoured });
      const waited = early;
      early = undefined;
      for (const notification of waited) hear(notification);
      if (Object.keys(honoured).length === 0) bye();
      void listened.ended.then(bye);
      lifetime = setTimeout(bye, limits.streamLifetime);
      await reply.closed;
    } finally {
      clearTimeout(lifetime);
      listeners.delete(bye);
      aborter.abort(new WireError(499, errorCodes.internal, "The subscription ended"));
      release();
    }
    return { status: reply.status, bytes: reply.bytes };
  }

  return {
    serve,
    get parked() {
      return parking.parked;
    },
    stop() {
      for (const bye of listeners) bye();
      parking.stop();
    },
  };
}

export function factsOf({ params }: Message): ClientFacts {
  const meta = params?.["_meta"] as Members;
  const info = meta[metaKeys.clientInfo];
  return { era: "modern", protocolVersion: String(meta[metaKeys.protocolVersion]), capabilities: meta[metaKeys.clientCapabilities] as Members, info: isObject(info) ? info : undefined };
}

function withoutEnvelope(params: Members | undefined): Members | undefined {
  if (!isObject(params?.["_meta"])) return params;
  const { [metaKeys.protocolVersion]: _version, [metaKeys.clientCapabilities]: _capabilities, [metaKeys.clientInfo]: _info, [metaKeys.logLevel]: _level, ...meta } = params["_meta"];
  const { _meta, ...rest } = params;
  return Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta };
}

/** @throws WireError -32602 when it is no filter. */
function filterOf({ params, id }: Message, most: number, tooMany: () => WireError): ListenFilter {
  const given = params?.["notifications"];
  const refuse = () => new WireError(200, errorCodes.invalidParams, "notifications must be a subscription filter", id);
  if (!isObject(given)) throw refuse();
  const filter: Members = {};
  for (const kind of ["toolsListChanged", "promptsListChanged", "resourcesListChanged"]) {
    if (given[kind] !== undefined && typeof given[kind] !== "boolean") throw refuse();
    if (given[kind] === true) filter[kind] = true;
  }
  const resources = given["resourceSubscriptions"];
  if (resources !== undefined) {
    if (!Array.isArray(resources) || !resources.every((uri) => typeof uri === "string")) throw refuse();
    if (resources.length > most) throw tooMany();
    if (resources.length > 0) filter["resourceSubscriptions"] = [...new Set(resources)];
  }
  return filter;
}

function intersect(wanted: ListenFilter, given: ListenFilter): ListenFilter {
  const resources = wanted.resourceSubscriptions?.filter((uri) => given.resourceSubscriptions?.includes(uri)) ?? [];
  return {
    ...(wanted.toolsListChanged && given.toolsListChanged ? { toolsListChanged: true } : {}),
    ...(wanted.promptsListChanged && given.promptsListChanged ? { promptsListChanged: true } : {}),
    ...(wanted.resourcesListChanged && given.resourcesListChanged ? { resourcesListChanged: true } : {}),
    ...(resources.length > 0 ? { resourceSubscriptions: resources } : {}),
  };
}

/** Never anything that was not asked for; what lies within a followed resource belongs to it. */
function isWanted({ method, params }: Notification, { toolsListChanged, promptsListChanged, resourcesListChanged, resourceSubscriptions }: ListenFilter): boolean {
  if (method === "notifications/tools/list_changed") return toolsListChanged === true;
  if (method === "notifications/prompts/list_changed") return promptsListChanged === true;
  if (method === "notifications/resources/list_changed") return resourcesListChanged === true;
  if (method === "notifications/resources/updated") return resourceSubscriptions?.some((uri) => String(params?.["uri"]).startsWith(uri)) === true;
  return false;
}

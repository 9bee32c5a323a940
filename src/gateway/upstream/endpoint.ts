/**
 * A thin codec for Streamable HTTP upstreams: one POST, answered by JSON or by an event stream; one GET, answered by an event stream.
 * Every byte is counted, every clock is the caller's, and no connection outlives what it was opened for.
 */
import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { createEventReader } from "../wire/events.ts";
import type { Deadline } from "./deadline.ts";
import { reasonOf, UpstreamError } from "./http.ts";
import { limitSettings, type PeerLimits } from "./limits.ts";
import { parse, readIncoming, tooLarge, type Incoming } from "./rpc.ts";

export interface EndpointOptions {
  dispatcher: Dispatcher;
  url: string;
  limits: Pick<PeerLimits, "message" | "stream">;
}

export interface Posting {
  /** The message, serialised. */
  body: string;
  /** Flat list of names and values, beside those that every POST has. */
  headers: readonly string[];
  /** Undefined for a notification or a response. */
  id: number | undefined;
  deadline: Deadline;
  /** What comes on the answer's stream before the answer. @throws to give the answer up. */
  onMessage(message: Incoming): void;
}

export type Posted = { status: number; sessionId: string | undefined } & (
  | { kind: "answer"; message: Extract<Incoming, { kind: "result" | "error" }> }
  /** Accepted without an answer: 202. */
  | { kind: "accepted" }
  /** A 4xx that is no JSON-RPC answer. */
  | { kind: "refused" }
  | Cut
);

/** The stream ended, or broke, before the answer came. */
export interface Cut {
  kind: "cut";
  /** Of the last event, to go on from there. */
  lastId: string | undefined;
  retry: number | undefined;
  cause: Error | undefined;
}

export interface Endpoint {
  /** @throws UpstreamError, or the deadline's reason. */
  post(posting: Posting): Promise<Posted>;
  /** Listens to a GET stream until it ends; with an id, until the answer to it has come. @returns a status other than 200 at once. */
  listen(listening: Pick<Posting, "headers" | "deadline" | "onMessage"> & { id?: number; onOpen?: () => void }): Promise<{ kind: "status"; status: number } | { kind: "answer"; message: Extract<Incoming, { kind: "result" | "error" }> } | Cut>;
  /** @returns the status; what comes with it is not read. */
  bare(method: "GET" | "DELETE", options: Pick<Posting, "headers" | "deadline">): Promise<number>;
}

/** How long, and for how many bytes, a stream that has brought its answer is read to its end so that the connection can be used again. */
const drainMilliseconds = 500;
const drainBytes = 65_536;

export function createEndpoint({ dispatcher, url, limits }: EndpointOptions): Endpoint {
  const { origin, pathname, search } = new URL(url);

  const send = async (method: "GET" | "POST" | "DELETE", headers: readonly string[], body: string | null, { signal, begin }: Deadline): Promise<Dispatcher.ResponseData> => {
    if (signal.aborted) throw signal.reason;
    begin();
    // ast-grep-ignore: endless-wait -- the deadline's signal ends this wait; its clocks stop while a person is asked, which undici's cannot
    const request = { origin, path: pathname + search, method, headers: ["user-agent", "sallyport", "accept-encoding", "identity", ...headers], body, signal, headersTimeout: 0, bodyTimeout: 0 };
    const answer = await dispatcher.request(request).catch((error: Error) => {
      throw signal.aborted ? signal.reason : reasonOf(error);
    });
    // A body that is given up reports that as an error of its own; whoever gives it up has already said why.
    answer.body.on("error", () => undefined);
    const { statusCode: status } = answer;
    const encoding = headerOf(answer, "content-encoding");
    const why = status >= 300 && status < 400 ? new UpstreamError("refused", "The upstream redirects, which is not followed") : refusal(status) ?? (encoding !== undefined && encoding !== "identity" ? new UpstreamError("broken", "The upstream's answer is compressed although that was not asked for") : undefined);
    if (why) {
      answer.body.destroy();
      throw why;
    }
    return answer;
  };

  /** Reads events until the answer, the end, or an error. */
  const readEvents = (body: Readable, id: number | undefined, deadline: Deadline, onMessage: (message: Incoming) => void): Promise<Cut | { kind: "answer"; message: Extract<Incoming, { kind: "result" | "error" }> }> =>
    new Promise((resolve, reject) => {
      let bytes = 0;
      let settled = false;
      const settle = (finish: () => void) => {
        if (settled) return;
        settled = true;
        deadline.signal.removeEventListener("abort", onAbort);
        finish();
      };
      const fail = (error: unknown) =>
        settle(() => {
          body.destroy();
          reject(error instanceof RangeError ? tooLarge(limits.message) : error instanceof TypeError ? new UpstreamError("broken", "The upstream sent something that is not UTF-8", error) : (error as Error));
        });
      const onAbort = () => fail(deadline.signal.reason);
      const reader = createEventReader(limits.message, ({ event, data }) => {
        if (settled || event !== "message" || data === "") return;
        const message = readIncoming(parse(data, limits.message));
        if (message.kind === "request" || message.kind === "notification") return onMessage(message);
        if (id === undefined) return;
        if (message.id !== id) throw new UpstreamError("broken", "The upstream answered another request than it was asked");
        settle(() => {
          drain(body);
          resolve({ kind: "answer", message });
        });
      });
      const cut = (cause: Error | undefined) => settle(() => resolve({ kind: "cut", lastId: reader.lastId, retry: reader.retry, cause }));
      deadline.signal.addEventListener("abort", onAbort, { once: true });
      body.on("data", (chunk: Buffer) => {
        if (settled) return;
        deadline.touch();
        bytes += chunk.length;
        if (bytes > limits.stream) return fail(new UpstreamError("too-large", `The upstream sent more than ${limits.stream} bytes in one stream (${limitSettings.stream})`));
        try {
          reader.push(chunk);
        } catch (error) {
          fail(error);
        }
      });
      body.once("end", () => cut(undefined));
      body.once("error", (error) => cut(error));
      body.once("close", () => cut(undefined));
    });

  const collect = (answer: Dispatcher.ResponseData, deadline: Deadline): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const { body } = answer;
      const fail = (error: Error) => {
        body.destroy();
        reject(error);
      };
      if (Number(headerOf(answer, "content-length") ?? 0) > limits.message) return fail(tooLarge(limits.message));
      body.on("data", (chunk: Buffer) => {
        deadline.touch();
        size += chunk.length;
        if (size > limits.message) fail(tooLarge(limits.message));
        else chunks.push(chunk);
      });
      body.once("end", () => {
        resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
      });
      body.once("error", (error) => reject(deadline.signal.aborted ? (deadline.signal.reason as Error) : reasonOf(error)));
    });

  return {
    async post({ body, headers, id, deadline, onMessage }) {
      const answer = await send("POST", ["content-type", "application/json", "accept", "application/json, text/event-stream", ...headers], body, deadline);
      const { statusCode: status } = answer;
      const common = { status, sessionId: headerOf(answer, "mcp-session-id") };
      deadline.touch();
      if (id === undefined || status === 202 || status === 204) {
        drain(answer.body);
        if (status >= 500) throw failed(status);
        if (status >= 400) return { ...common, kind: "refused" };
        if (id !== undefined) throw new UpstreamError("broken", "The upstream accepted a request without answering it");
        return { ...common, kind: "accepted" };
      }
      const type = headerOf(answer, "content-type") ?? "";
      if (/^text\/event-stream\b/i.test(type) && status < 300) return { ...common, ...(await readEvents(answer.body, id, deadline, onMessage)) };
      if (!/^application\/json\b/i.test(type)) {
        // Whatever it says is for nobody: a page of a proxy, a stack trace.
        drain(answer.body);
        if (status >= 500) throw failed(status);
        if (status >= 400) return { ...common, kind: "refused" };
        throw new UpstreamError("broken", "The upstream answered with something other than JSON or an event stream");
      }
      const bytes = await collect(answer, deadline);
      const message = answerTo(bytes, limits.message, id, status);
      if (message) return { ...common, kind: "answer", message };
      if (status >= 500) throw failed(status);
      return { ...common, kind: "refused" };
    },

    async listen({ headers, deadline, onMessage, id, onOpen }) {
      const answer = await send("GET", ["accept", "text/event-stream", ...headers], null, deadline);
      const { statusCode: status } = answer;
      if (status !== 200 || !/^text\/event-stream\b/i.test(headerOf(answer, "content-type") ?? "")) {
        drain(answer.body);
        if (status >= 500) throw failed(status);
        return { kind: "status", status: status === 200 ? 406 : status };
      }
      deadline.touch();
      onOpen?.();
      return readEvents(answer.body, id, deadline, onMessage);
    },

    async bare(method, { headers, deadline }) {
      const answer = await send(method, method === "GET" ? ["accept", "text/event-stream", ...headers] : headers, null, deadline);
      if (answer.statusCode === 200 && method === "GET") answer.body.destroy();
      else drain(answer.body);
      return answer.statusCode;
    },
  };
}

/** @returns undefined where a 4xx or 5xx brings something other than a JSON-RPC error. */
function answerTo(bytes: Buffer, maxBytes: number, id: number, status: number): Extract<Incoming, { kind: "result" | "error" }> | undefined {
  let message: Incoming;
  try {
    message = readIncoming(parse(bytes, maxBytes));
  } catch (error) {
    if (status >= 400) return undefined;
    throw error;
  }
  if (status >= 400) return message.kind === "error" && (message.id === id || (message.id === null && status < 500)) ? message : undefined;
  if (message.kind === "request" || message.kind === "notification") throw new UpstreamError("broken", "The upstream sent a request or notification in place of an answer");
  // Some servers could not read the id of what they refuse.
  if (message.id !== id && !(message.kind === "error" && message.id === null)) throw new UpstreamError("broken", "The upstream answered another request than it was asked");
  return message;
}

/** What says something about the gateway's standing with the upstream, and nothing about the request. */
function refusal(status: number): UpstreamError | undefined {
  if (status === 401 || status === 403 || status === 407) return new UpstreamError("refused", "The upstream refused the stored credentials");
  if (status === 429) return new UpstreamError("busy", "The upstream asks for fewer calls");
  return undefined;
}

function failed(status: number): UpstreamError {
  return new UpstreamError("broken", `The upstream failed (HTTP ${status})`);
}

function headerOf({ headers }: Dispatcher.ResponseData, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Reads what is left, if it is little. */
function drain(body: Readable): void {
  let bytes = 0;
  const timer = setTimeout(() => body.destroy(), drainMilliseconds);
  timer.unref();
  body.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > drainBytes) body.destroy();
  });
  body.once("close", () => clearTimeout(timer));
  body.resume();
}

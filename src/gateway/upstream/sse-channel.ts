/** HTTP+SSE of 2024-11-05 as a channel: one GET stream for all that comes, whose first event names the address for what goes. */
import type { Dispatcher } from "undici";
import type { Channel, JsonObject } from "../exchange.ts";
import { createEventReader } from "../wire/events.ts";
import { createDeadline } from "./deadline.ts";
import { reasonOf, UpstreamError } from "./http.ts";
import type { Credential } from "./leg.ts";
import type { PeerLimits } from "./limits.ts";
import { parse, tooLarge } from "./rpc.ts";
import { isObject } from "../wire/message.ts";

export interface SseOptions {
  dispatcher: Dispatcher;
  url: string;
  credential: Credential;
  limits: Pick<PeerLimits, "start" | "message">;
  signal: AbortSignal;
}

/** @throws UpstreamError when the stream does not open, or names no address of the same origin. */
export async function openSseChannel({ dispatcher, url, credential, limits, signal }: SseOptions): Promise<Channel> {
  const { origin } = new URL(url);
  const over = new AbortController();
  const opening = createDeadline({ start: limits.start, idle: limits.start, total: limits.start }, signal);
  const giveUp = () => over.abort(opening.signal.reason);
  opening.signal.addEventListener("abort", giveUp, { once: true });

  const send = (method: "GET" | "POST", address: URL, headers: readonly string[], body: string | null, clock: AbortSignal) =>
    dispatcher
      // ast-grep-ignore: endless-wait -- the signal's clocks end this wait; the stream itself lives as long as the session
      .request({ origin: address.origin, path: address.pathname + address.search, method, headers: ["user-agent", "sallyport", "accept-encoding", "identity", ...headers, ...credential.headers], body, signal: clock, headersTimeout: 0, bodyTimeout: 0 })
      .catch((error: Error) => {
        throw clock.aborted ? clock.reason : reasonOf(error);
      });

  try {
    const answer = await send("GET", new URL(url), ["accept", "text/event-stream"], null, over.signal);
    const { body, statusCode: status, headers } = answer;
    body.on("error", () => undefined);
    const refuse = (error: UpstreamError) => {
      body.destroy();
      throw error;
    };
    if (status === 401 || status === 403) refuse(new UpstreamError("refused", "The upstream refused the stored credentials"));
    if (status >= 300 && status < 400) refuse(new UpstreamError("refused", "The upstream redirects, which is not followed"));
    if (status !== 200 || !/^text\/event-stream\b/i.test(String(headers["content-type"] ?? ""))) refuse(new UpstreamError("broken", status >= 500 ? `The upstream failed (HTTP ${status})` : "The upstream does not open an event stream"));

    let receiver: ((message: JsonObject) => void) | undefined;
    let onClosed: ((reason: Error | undefined) => void) | undefined;
    let closedBy: { reason: Error | undefined } | undefined;
    const early: JsonObject[] = [];
    const closed = (reason: Error | undefined) => {
      if (closedBy) return;
      closedBy = { reason };
      over.abort(reason);
      onClosed?.(reason);
    };
    const address = await new Promise<URL>((resolve, reject) => {
      const reader = createEventReader(limits.message, ({ event, data }) => {
        if (event === "endpoint") {
          const named = URL.parse(data, url);
          // Credentials go to the origin that they are for, whatever the server says.
          if (named?.origin === origin) resolve(named);
          else reject(new UpstreamError("refused", "The upstream names an address of another origin for its messages"));
        } else if (event === "message" && data !== "") {
          const message = parse(data, limits.message);
          if (!isObject(message)) throw new UpstreamError("broken", "The upstream sent something that is not a JSON-RPC message");
          if (receiver) receiver(message);
          else if (early.push(message) > 100) throw new UpstreamError("broken", "The upstream speaks before it is spoken to");
        }
      });
      const fail = (error: Error) => {
        reject(error);
        closed(error);
        body.destroy();
      };
      body.on("data", (chunk: Buffer) => {
        try {
          reader.push(chunk);
        } catch (error) {
          fail(error instanceof RangeError ? tooLarge(limits.message) : error instanceof UpstreamError ? error : new UpstreamError("broken", "The upstream's stream cannot be read", error));
        }
      });
      over.signal.addEventListener("abort", () => reject(over.signal.reason as Error), { once: true });
      body.once("error", (error: Error) => fail(error instanceof UpstreamError ? error : new UpstreamError("broken", "The upstream's stream broke", error)));
      body.once("close", () => fail(new UpstreamError("broken", "The upstream ended its stream")));
    });

    return {
      async send(message) {
        const clock = createDeadline({ start: limits.start, idle: limits.start, total: limits.start }, over.signal);
        try {
          const answer = await send("POST", address, ["content-type", "application/json"], JSON.stringify(message), clock.signal);
          answer.body.on("error", () => undefined).resume();
          if (answer.statusCode >= 300) throw new UpstreamError("broken", `The upstream refused a message (HTTP ${answer.statusCode})`);
        } finally {
          clock.end();
        }
      },
      receive(onMessage, onEnd) {
        receiver = onMessage;
        onClosed = onEnd;
        for (const message of early.splice(0)) onMessage(message);
        if (closedBy) onEnd(closedBy.reason);
      },
      async close() {
        closedBy ??= { reason: undefined };
        over.abort(new UpstreamError("unreachable", "The connection to the upstream was closed"));
        body.destroy();
      },
    };
  } catch (error) {
    over.abort(error);
    throw error;
  } finally {
    opening.signal.removeEventListener("abort", giveUp);
    opening.end();
  }
}

/** JSON-RPC over a channel: requests and their answers brought together by id, everything else handed on. */
import type { Channel, JsonObject } from "../exchange.ts";
import type { Deadline } from "./deadline.ts";
import { UpstreamError } from "./http.ts";
import { readIncoming, type Incoming } from "./rpc.ts";

export type Answer = Extract<Incoming, { kind: "result" | "error" }>;

export interface Connection {
  readonly isAlive: boolean;
  /** Aborts when the channel closed without our doing. */
  readonly lost: AbortSignal;
  /** @param id of the message. @throws UpstreamError when the channel closes first, or the deadline's reason: the server is then told. */
  request(id: number, message: JsonObject, deadline: Deadline): Promise<Answer>;
  tell(message: JsonObject): void;
  close(): Promise<void>;
}

export function createConnection(channel: Channel, onMessage: (message: Extract<Incoming, { kind: "request" | "notification" }>) => void): Connection {
  const waiting = new Map<string | number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  const lost = new AbortController();
  let isAlive = true;

  const end = (reason: Error | undefined) => {
    if (!isAlive) return;
    isAlive = false;
    const error = reason instanceof UpstreamError ? reason : new UpstreamError("broken", "The upstream closed the connection before the answer", reason);
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
    lost.abort(error);
  };
  channel.receive((value) => {
    let message: Incoming;
    try {
      message = readIncoming(value);
    } catch (error) {
      // What it says next cannot be trusted to belong to anything.
      end(error as Error);
      void channel.close().catch(() => undefined);
      return;
    }
    if (message.kind === "request" || message.kind === "notification") return onMessage(message);
    // An answer that nobody waits for (any more) is nobody's.
    if (message.id !== null) waiting.get(message.id)?.resolve(message);
  }, end);
  const tell = (message: JsonObject) => void channel.send(message).catch(end);

  return {
    get isAlive() {
      return isAlive;
    },
    lost: lost.signal,
    request: (id, message, { signal, begin }) =>
      new Promise<Answer>((resolve, reject) => {
        begin();
        if (signal.aborted) return reject(signal.reason as Error);
        if (!isAlive) return reject(new UpstreamError("broken", "The upstream closed the connection"));
        const settle = () => {
          waiting.delete(id);
          signal.removeEventListener("abort", onAbort);
        };
        const onAbort = () => {
          settle();
          if (message["method"] !== "initialize") tell({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id, reason: "The client no longer waits" } });
          reject(signal.reason as Error);
        };
        waiting.set(id, {
          resolve(answer) {
            settle();
            resolve(answer);
          },
          reject(error) {
            settle();
            reject(error);
          },
        });
        signal.addEventListener("abort", onAbort, { once: true });
        channel.send(message).catch((error: Error) => end(error));
      }),
    tell,
    async close() {
      isAlive = false;
      for (const { reject } of waiting.values()) reject(new UpstreamError("unreachable", "The connection to the upstream was closed"));
      waiting.clear();
      await channel.close();
    },
  };
}

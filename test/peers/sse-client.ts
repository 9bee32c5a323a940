/** A client of 2024-11-05 in plain HTTP: one GET stream for everything that comes, a POST for everything that goes (HTTP+SSE). */
import { request as send, type ClientRequest } from "node:http";

export interface Message {
  jsonrpc: "2.0";
  id?: string | number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { code: number; message: string; data?: unknown };
}

export interface SseClientOptions {
  headers?: Record<string, string>;
  capabilities: Record<string, unknown>;
  /** Answers a request of the server. */
  onRequest(method: string, params: Record<string, unknown>): Record<string, unknown>;
  onNotification(method: string, params: Record<string, unknown>): void;
}

export interface SseClient {
  request(method: string, params?: Record<string, unknown>, signal?: AbortSignal): Promise<Record<string, unknown>>;
  notify(method: string, params?: Record<string, unknown>): Promise<void>;
  close(): void;
}

/** @throws when the stream does not open or the server refuses to initialize. */
export async function connectSse(url: string, { headers = {}, capabilities, onRequest, onNotification }: SseClientOptions): Promise<SseClient> {
  const waiting = new Map<string | number, (message: Message) => void>();
  let count = 0;
  let endpoint: URL | undefined;

  const post = (message: Message) =>
    new Promise<void>((resolve, reject) => {
      const going = send(endpoint ?? url, { method: "POST", headers: { ...headers, "content-type": "application/json" } }, (answer) => {
        answer.resume();
        answer.once("end", () => (answer.statusCode === 202 || answer.statusCode === 200 ? resolve() : reject(new Error(`POST was answered ${answer.statusCode}`))));
      });
      going.once("error", reject);
      going.end(JSON.stringify(message));
    });

  function receive(message: Message): void {
    const { id, method, params = {} } = message;
    if (method !== undefined && id !== undefined) void post({ jsonrpc: "2.0", id, result: onRequest(method, params) }).catch(() => undefined);
    else if (method !== undefined) onNotification(method, params);
    else if (id !== undefined) waiting.get(id)?.(message);
  }

  let stream: ClientRequest | undefined;
  await new Promise<void>((resolve, reject) => {
    stream = send(url, { headers: { ...headers, accept: "text/event-stream" } }, (answer) => {
      if (answer.statusCode !== 200) {
        answer.resume();
        return reject(new Error(`The stream was answered ${answer.statusCode}`));
      }
      let buffer = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        const blocks = (buffer + chunk).split(/\r?\n\r?\n/);
        buffer = blocks.pop() ?? "";
        for (const block of blocks) {
          const lines = block.split(/\r?\n/);
          const event = lines.find((line) => line.startsWith("event:"))?.slice(6).trim() ?? "message";
          const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).replace(/^ /, "")).join("\n");
          if (event === "endpoint") {
            endpoint = new URL(data, url);
            resolve();
          } else if (event === "message" && data !== "") receive(JSON.parse(data) as Message);
        }
      });
      answer.once("close", () => {
        for (const settle of waiting.values()) settle({ jsonrpc: "2.0", error: { code: -32000, message: "The stream closed" } });
      });
    });
    stream.once("error", reject);
    stream.end();
  });

  const client: SseClient = {
    request(method, params = {}, signal) {
      count += 1;
      const id = count;
      return new Promise((resolve, reject) => {
        const settle = (message: Message) => {
          waiting.delete(id);
          if (message.error) reject(Object.assign(new Error(message.error.message), { code: message.error.code, data: message.error.data }));
          else resolve(message.result ?? {});
        };
        waiting.set(id, settle);
        signal?.addEventListener("abort", () => {
          void client.notify("notifications/cancelled", { requestId: id, reason: "no longer wanted" }).catch(() => undefined);
          settle({ jsonrpc: "2.0", error: { code: -32001, message: "Cancelled" } });
        });
        post({ jsonrpc: "2.0", id, method, params }).catch((error: Error) => settle({ jsonrpc: "2.0", error: { code: -32000, message: error.message } }));
      });
    },
    notify: (method, params = {}) => post({ jsonrpc: "2.0", method, params }),
    close: () => stream?.destroy(),
  };
  await client.request("initialize", { protocolVersion: "2024-11-05", capabilities, clientInfo: { name: "raw-sse", version: "1.0.0" } });
  await client.notify("notifications/initialized");
  return client;
}

/** A loopback HTTP server for test peers: a free port, every request kept as it came, and the bridge to handlers of the web's Request and Response. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface RecordedRequest {
  method: string;
  /** Path and query as sent. */
  url: string;
  /** Names and values in turn, as sent. */
  rawHeaders: readonly string[];
  body: string;
}

export interface Peer {
  /** Where the peer speaks MCP. */
  url: string;
  /** In order of arrival. */
  requests: RecordedRequest[];
  close(): Promise<void>;
}

export type WebHandler = (request: Request, body: string) => Promise<Response>;

/** Listens on 127.0.0.1; port 0 takes a free one. */
export async function listen(handler: (request: IncomingMessage, response: ServerResponse) => void, port = 0): Promise<{ server: Server; port: number; close(): Promise<void> }> {
  const server = createServer(handler);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
  return {
    server,
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

export function record(requests: RecordedRequest[], request: IncomingMessage, body: string): void {
  requests.push({ method: request.method ?? "", url: request.url ?? "", rawHeaders: request.rawHeaders, body });
}

/** Serves one exchange: the request's signal aborts when the client leaves before the answer is complete. */
export async function serveWeb(request: IncomingMessage, response: ServerResponse, body: string, handler: WebHandler): Promise<void> {
  const left = new AbortController();
  response.on("close", () => {
    if (!response.writableFinished) left.abort();
  });
  const headers = new Headers();
  for (let index = 0; index < request.rawHeaders.length; index += 2) headers.append(request.rawHeaders[index] ?? "", request.rawHeaders[index + 1] ?? "");
  const method = request.method ?? "GET";
  const web = new Request(new URL(request.url ?? "/", `http://${request.headers.host ?? "127.0.0.1"}`), { method, headers, signal: left.signal, ...(method === "GET" || method === "HEAD" ? {} : { body }) });
  const answer = await handler(web, body);
  // Node decides on the connection itself.
  answer.headers.delete("connection");
  response.writeHead(answer.status, [...answer.headers].flat());
  if (!answer.body) return void response.end();
  // A client must learn that the stream is open before its first event.
  response.flushHeaders();
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  left.signal.addEventListener("abort", () => void reader.cancel().catch(() => undefined));
  for (;;) {
    const { done, value } = await reader.read();
    if (done || left.signal.aborted) break;
    if (!response.write(value)) await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
  }
  response.end();
}

/** @returns undefined for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return text === "" ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

/** Calls a node:http handler without a network: for a library that answers requests, behind routes of ours. */
import { IncomingMessage, ServerResponse, type OutgoingHttpHeaders } from "node:http";
import { Socket } from "node:net";

export interface InProcessRequest {
  method: "GET" | "POST";
  /** Path and query. */
  target: string;
  /** Names in lower case, `host` among them. */
  headers: Record<string, string>;
  body?: string | undefined;
  /** Whether the handler takes it for one over TLS. */
  secure: boolean;
}

export interface InProcessAnswer {
  status: number;
  headers: OutgoingHttpHeaders;
  text: string;
}

export async function callInProcess(handler: (request: IncomingMessage, response: ServerResponse) => unknown, { method, target, headers, body, secure }: InProcessRequest): Promise<InProcessAnswer> {
  const socket = new Socket();
  Object.defineProperty(socket, "encrypted", { value: secure });
  const request = new IncomingMessage(socket);
  request.method = method;
  request.url = target;
  request.headers = { ...headers, ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }) };
  if (body !== undefined) request.push(body);
  request.push(null);
  const response = new ServerResponse(request);
  try {
    const text = await new Promise<string>((resolve, reject) => {
      response.end = ((chunk?: unknown) => {
        resolve(typeof chunk === "string" ? chunk : chunk instanceof Uint8Array ? Buffer.from(chunk).toString() : "");
        response.emit("finish");
        return response;
      }) as typeof response.end;
      Promise.resolve(handler(request, response)).catch(reject);
    });
    return { status: response.statusCode, headers: response.getHeaders(), text };
  } finally {
    socket.destroy();
  }
}

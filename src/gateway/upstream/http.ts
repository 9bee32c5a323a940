/**
 * Carries one request to a Streamable HTTP upstream with undici's `dispatch` and streams the answer back as it comes:
 * nothing is buffered, back-pressure is honoured in both directions, a client that leaves cancels the upstream at once.
 */
import type { ServerResponse } from "node:http";
import type { Dispatcher } from "undici";
import type { Rewriter } from "../wire/rewrite.ts";

export interface Forwarding {
  dispatcher: Dispatcher;
  origin: string;
  path: string;
  method: "GET" | "POST" | "DELETE";
  /** Flat list of names and values. */
  headers: string[];
  body: Uint8Array | undefined;
  response: ServerResponse;
  /** Milliseconds until the upstream must have started to answer. */
  headersTimeout: number;
  /** Milliseconds of silence allowed within the answer. */
  idleTimeout: number;
  /** Bytes of a JSON answer; event streams are bounded by time. */
  jsonLimit: number;
  /** The whole answer is collected (up to jsonLimit) and what this returns is sent. @throws to refuse the answer. */
  rewrite?: ((body: Buffer, contentType: string) => Buffer) | undefined;
  /** Changes the answer while it streams, after `rewrite`; undefined: not this one. */
  transform?: ((contentType: string) => Rewriter | undefined) | undefined;
  /** Sees every piece of an answer. */
  seen?: ((chunk: Buffer) => void) | undefined;
  /** Sees every piece of an event stream. */
  watch?: ((chunk: Buffer) => void) | undefined;
  /** Turns the upstream's status and headers into the client's. @throws to refuse the answer. */
  translate(status: number, headers: Record<string, string | string[] | undefined>): { status: number; headers: string[] };
}

/** A JSON answer of known length up to this many bytes is sent in one write; everything else streams. */
const oneWrite = 65_536;

export interface Carried {
  status: number;
  bytes: number;
}

export class UpstreamError extends Error {
  /** "busy": a limit of the gateway's own, or the upstream asks for patience. */
  readonly reason: "timeout" | "unreachable" | "refused" | "too-large" | "broken" | "busy" | "client-left";

  constructor(reason: UpstreamError["reason"], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "UpstreamError";
    this.reason = reason;
  }
}

/** @throws UpstreamError; when the response had already begun, it has been destroyed so that the client sees the break. */
export function forward(options: Forwarding): Promise<Carried> {
  const { dispatcher, response, jsonLimit } = options;
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined;
    let status = 0;
    let bytes = 0;
    let limit = Number.POSITIVE_INFINITY;
    let left = false;
    let streams = false;
    let rewriter: Rewriter | undefined;
    let whole: { status: number; headers: string[]; chunks: Buffer[]; contentType: string } | undefined;
    const onClose = () => {
      if (response.writableFinished) return;
      left = true;
      controller?.abort(new UpstreamError("client-left", "The client left"));
      reject(new UpstreamError("client-left", "The client left"));
    };
    const onDrain = () => controller?.resume();
    const settle = () => {
      response.off("close", onClose);
      response.off("drain", onDrain);
    };
    response.on("close", onClose);
    response.on("drain", onDrain);
    dispatcher.dispatch(
      { origin: options.origin, path: options.path, method: options.method, headers: options.headers, body: options.body ?? null, headersTimeout: options.headersTimeout, bodyTimeout: options.idleTimeout, idempotent: false },
      {
        onRequestStart(started) {
          controller = started;
          if (left) started.abort(new UpstreamError("client-left", "The client left"));
        },
        onResponseStart(_controller, upstreamStatus, headers) {
          if (upstreamStatus < 200) return;
          const translated = options.translate(upstreamStatus, headers);
          status = translated.status;
          const contentType = String(headers["content-type"] ?? "");
          streams = contentType.startsWith("text/event-stream");
          rewriter = options.transform?.(contentType);
          const collected = options.rewrite !== undefined && status < 300;
          if (!streams || collected) limit = jsonLimit;
          if (collected || (!streams && Number(headers["content-length"] ?? Number.POSITIVE_INFINITY) <= oneWrite)) {
            whole = { ...translated, chunks: [], contentType };
            return;
          }
          response.writeHead(status, translated.headers);
          if (streams) response.flushHeaders();
        },
        onResponseData(started, chunk) {
          bytes += chunk.length;
          if (bytes > limit) throw new UpstreamError("too-large", `The answer is larger than ${limit} bytes (SALLYPORT_RESPONSE_LIMIT)`);
          options.seen?.(chunk);
          if (streams) options.watch?.(chunk);
          if (whole) whole.chunks.push(chunk);
          else {
            const piece = rewriter ? rewriter.push(chunk) : chunk;
            if (piece.length > 0 && !response.write(piece)) started.pause();
          }
        },
        onResponseEnd() {
          settle();
          try {
            if (whole) {
              const received = Buffer.concat(whole.chunks);
              const vetted = options.rewrite && whole.status < 300 && bytes > 0 ? options.rewrite(received, whole.contentType) : received;
              const body = rewriter ? Buffer.concat([rewriter.push(vetted), rewriter.end()]) : vetted;
              whole.headers.push("content-length", String(body.length));
              response.writeHead(whole.status, whole.headers);
              // As latin1 text, byte for byte, node:http joins head and body into a single cheap write.
              response.end(body.toString("latin1"), "latin1");
            } else response.end(rewriter?.end() ?? "");
            resolve({ status, bytes });
          } catch (error) {
            reject(reasonOf(error as Error));
          }
        },
        onResponseError(_controller, error) {
          settle();
          if (response.headersSent) response.destroy();
          reject(left ? new UpstreamError("client-left", "The client left") : reasonOf(error));
        },
      },
    );
  });
}

/** What undici or the guard says of a request that failed. */
export function reasonOf(error: Error): Error {
  if (error instanceof UpstreamError) return error;
  if (error.name === "Problem") return error;
  const code = (error as { code?: string }).code ?? "";
  if (code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT" || code === "UND_ERR_CONNECT_TIMEOUT") return new UpstreamError("timeout", "The upstream did not answer in time", error);
  if (error.cause instanceof Error && error.cause.name === "Problem") return error.cause;
  return new UpstreamError(code === "UND_ERR_SOCKET" ? "broken" : "unreachable", "The upstream cannot be reached", error);
}

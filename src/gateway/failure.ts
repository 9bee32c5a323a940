/** What a client is told when a request cannot be served, and what the log and the audit trail call it. */
import type { ServerResponse } from "node:http";
import type { Log } from "../kernel/log.ts";
import { Problem } from "../kernel/problem.ts";
import { sendProblem, type RawInfo } from "../net/inbound.ts";
import { LimitExceeded } from "./limits/refusal.ts";
import { UpstreamError } from "./upstream/http.ts";
import { errorCodes, WireError, type RequestId } from "./wire/message.ts";

const upstreamStatus: Record<UpstreamError["reason"], number> = { timeout: 504, unreachable: 502, refused: 502, "too-large": 502, broken: 502, busy: 503, "client-left": 499 };

export function failureOf(error: unknown): string {
  if (error instanceof UpstreamError) return error.reason;
  if (error instanceof Problem) return typeof error.extras.cause === "string" ? error.extras.cause : error.code;
  return error instanceof WireError ? `json-rpc ${error.code}` : "internal";
}

/** Answers with the error, if there is still somebody to answer. @returns the status for the log. */
export function answerFailure(error: unknown, id: RequestId | undefined, response: ServerResponse, info: RawInfo, log: Log): number {
  if (error instanceof UpstreamError && error.reason === "client-left") return upstreamStatus["client-left"];
  if (response.headersSent) {
    response.destroy();
    return 502;
  }
  if (error instanceof Problem && error.code !== "upstream-refused") {
    sendProblem(response, error, info);
    return error.status;
  }
  if (error instanceof WireError) return sendJsonRpcError(response, info, error.status, error.code, error.message, error.id ?? id, error.data, retryAfter(error));
  if (error instanceof Problem) return sendJsonRpcError(response, info, 502, errorCodes.internal, "The upstream's address is not allowed", id);
  if (error instanceof UpstreamError) return sendJsonRpcError(response, info, upstreamStatus[error.reason], errorCodes.internal, error.message, id);
  log.error("request.failed", { requestId: info.requestId, status: 500, error });
  return sendJsonRpcError(response, info, 500, errorCodes.internal, "Something failed on our side", id);
}

/** The header that goes with a reached limit (RFC 9110 section 10.2.3), in seconds. */
export function retryAfter(error: unknown): readonly string[] {
  return error instanceof WireError && error.code === errorCodes.limitReached ? ["retry-after", String(error instanceof LimitExceeded ? error.retryAfter : 5)] : [];
}

function sendJsonRpcError(response: ServerResponse, { headers }: RawInfo, status: number, code: number, message: string, id: RequestId | undefined, data?: unknown, wait: readonly string[] = []): number {
  const further = status === 429 ? wait : status === 405 ? ["allow", "POST"] : [];
  response.writeHead(status, [...headers, ...further, "content-type", "application/json", "cache-control", "no-store"]);
  response.end(JSON.stringify({ jsonrpc: "2.0", id: id ?? null, error: { code, message, ...(data === undefined ? {} : { data }) } }));
  return status;
}

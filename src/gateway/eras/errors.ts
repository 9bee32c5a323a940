/** JSON-RPC errors between eras (MCP 2026-07-28 basic, error codes; 2025-11-25 server/resources and client/elicitation). */
import type { Era } from "../exchange.ts";
import { UpstreamError } from "../upstream/http.ts";
import { errorCodes, isObject, WireError, type Members } from "../wire/message.ts";

export interface ErrorObject {
  code: number;
  message: string;
  data?: unknown;
}

/** What a target threw, as a client of the era may be told it. */
export function errorFor(client: Era, error: unknown, { method, params }: { method: string; params: Members | undefined }): ErrorObject {
  if (error instanceof UpstreamError) return { code: errorCodes.internal, message: error.message };
  if (!(error instanceof WireError)) return { code: errorCodes.internal, message: "Something failed on our side" };
  const { code, message, data } = error;
  const as = (other: number, details: unknown = data): ErrorObject => ({ code: other, message, ...(details === undefined ? {} : { data: details }) });
  const uri = isObject(data) && typeof data["uri"] === "string" ? data["uri"] : method === "resources/read" ? params?.["uri"] : undefined;
  if (client === "modern") {
    if (code === errorCodes.resourceNotFound) return as(errorCodes.invalidParams, { ...(isObject(data) ? data : {}), ...(typeof uri === "string" ? { uri } : {}) });
    // The rest of what 2026-07-28 keeps for itself says something about its own rules, which an older server does not know.
    const itsOwn = code <= -32020 && code >= -32099;
    return itsOwn && code !== errorCodes.missingCapability && code !== errorCodes.headerMismatch && code !== errorCodes.unsupportedVersion ? as(errorCodes.internal) : as(code);
  }
  if (code === errorCodes.invalidParams && method === "resources/read" && isObject(data) && typeof data["uri"] === "string") return as(errorCodes.resourceNotFound);
  if (code === errorCodes.missingCapability) return as(errorCodes.invalidParams);
  // A disagreement between the gateway and the upstream about headers or revisions is none of the client's.
  if (code === errorCodes.headerMismatch || code === errorCodes.unsupportedVersion) return { code: errorCodes.internal, message: "The upstream refused the gateway's request" };
  return as(code);
}

/** The HTTP status that carries an error of 2026-07-28 which arose after the request was accepted; legacy errors of requests travel in 200. */
export function modernStatus(code: number): number {
  if (code === errorCodes.methodNotFound) return 404;
  if (code === errorCodes.limitReached) return 429;
  return code === errorCodes.missingCapability || code === errorCodes.unsupportedVersion || code === errorCodes.headerMismatch ? 400 : 200;
}

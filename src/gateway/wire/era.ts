/**
 * Which era a client speaks, decided for each request by itself and by its body alone: the per-request envelope of 2026-07-28. Headers only
 * mirror the body, and whoever reads the body must refuse a request in which they disagree (MCP 2026-07-28, Streamable HTTP).
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Era } from "../exchange.ts";
import { errorCodes, isObject, metaKeys, mirroredName, WireError, type Members, type Message } from "./message.ts";

/** The revisions that the gateway's own fronts speak, newest first. */
export const modernVersions: readonly string[] = ["2026-07-28"];
export const legacyVersions: readonly string[] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/** The levels of RFC 5424, least severe first. */
export const logLevels: readonly string[] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/** Whether a name of a revision is of 2026-07-28 or later; names are dates. */
export function isModernVersion(version: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(version) && version >= "2026-07-28";
}

/** @throws WireError where the message claims the modern era but does not keep its rules. */
export function eraOf(message: Message, headers: IncomingHttpHeaders): Era {
  const named = header(headers["mcp-protocol-version"]);
  const namesModern = named !== undefined && isModernVersion(named);
  if (message.kind === "response") return "legacy";
  if (message.method === "initialize" && !(message.hasEnvelope && envelopeFault(message.params?.["_meta"] as Members) === undefined)) {
    if (namesModern) throw mismatch(message, "MCP-Protocol-Version");
    return "legacy";
  }
  if (!message.hasEnvelope) {
    if (!namesModern) return "legacy";
    if (message.kind === "notification") return "modern";
    throw new WireError(400, errorCodes.invalidParams, `The header names ${named}, but _meta["${metaKeys.protocolVersion}"] is missing`, message.id, { envelope: { missing: [isObject(message.params?.["_meta"]) ? metaKeys.protocolVersion : "_meta"] } });
  }
  const meta = message.params?.["_meta"] as Members;
  const fault = message.kind === "request" ? envelopeFault(meta) : typeof meta[metaKeys.protocolVersion] === "string" ? undefined : metaKeys.protocolVersion;
  if (fault !== undefined) throw new WireError(400, errorCodes.invalidParams, `_meta["${fault}"] is missing or malformed`, message.id, { envelope: { key: fault } });
  checkMirrors(message, String(meta[metaKeys.protocolVersion]), headers);
  return "modern";
}

/** The first member of the envelope that is missing or malformed. */
function envelopeFault(meta: Members): string | undefined {
  if (typeof meta[metaKeys.protocolVersion] !== "string") return metaKeys.protocolVersion;
  if (!isObject(meta[metaKeys.clientCapabilities])) return metaKeys.clientCapabilities;
  const info = meta[metaKeys.clientInfo];
  if (info !== undefined && !(isObject(info) && typeof info["name"] === "string" && typeof info["version"] === "string")) return metaKeys.clientInfo;
  const level = meta[metaKeys.logLevel];
  if (level !== undefined && !(typeof level === "string" && logLevels.includes(level))) return metaKeys.logLevel;
  return undefined;
}

/** Requests must carry the standard headers; a notification's are compared where it has them. */
function checkMirrors(message: Message, version: string, headers: IncomingHttpHeaders): void {
  const isRequest = message.kind === "request";
  const differs = (name: string, expected: string | undefined) => {
    const given = header(headers[name]);
    return given === undefined ? isRequest : given !== expected;
  };
  if (differs("mcp-protocol-version", version)) throw mismatch(message, "MCP-Protocol-Version");
  if (differs("mcp-method", message.method)) throw mismatch(message, "Mcp-Method");
  if (!isRequest || mirroredName(message.method) === undefined) return;
  const given = header(headers["mcp-name"]);
  if (given === undefined ? message.name !== undefined : decodeMirrored(given) !== message.name) throw mismatch(message, "Mcp-Name");
}

export function mismatch(message: Message, name: string): WireError {
  return new WireError(400, errorCodes.headerMismatch, `The ${name} header does not match the body`, message.id, { mismatch: { header: name } });
}

/** Optional white space around a field value is not part of it (RFC 9110 section 5.5). */
export function header(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value.replace(/^[ \t]+/, "").trimEnd() : undefined;
}

/** Values that are not plain ASCII travel as `=?base64?…?=`. @returns undefined for a sentinel that does not hold canonical Base64 of UTF-8. */
export function decodeMirrored(value: string): string | undefined {
  if (!value.startsWith("=?base64?") || !value.endsWith("?=")) return value;
  const encoded = value.slice("=?base64?".length, -"?=".length);
  const bytes = Buffer.from(encoded, "base64");
  if (bytes.toString("base64") !== encoded) return undefined;
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) ? text : undefined;
}

/** How a value travels in a mirrored header. */
export function encodeMirrored(value: string): string {
  const plain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !value.startsWith("=?base64?");
  return plain ? value : `=?base64?${Buffer.from(value).toString("base64")}?=`;
}

/** Results between eras: what 2026-07-28 demands of every result, and what earlier revisions do not know of. */
import type { Discovery, JsonObject } from "../exchange.ts";
import { isObject, metaKeys } from "../wire/message.ts";
import { modernVersions } from "../wire/era.ts";
import { withoutTasks } from "./tasks.ts";

/** Results that must say how long and for whom they may be kept (MCP 2026-07-28, caching). */
const cacheable = new Set(["server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"]);

/** Nothing is said for the upstream that it did not say: what has no hints may not be kept. */
export function modernResult(method: string, result: JsonObject, serverInfo: JsonObject | undefined): JsonObject {
  const meta = isObject(result["_meta"]) ? result["_meta"] : {};
  const complete: JsonObject = { resultType: "complete", ...result };
  if (serverInfo !== undefined && !Object.hasOwn(meta, metaKeys.serverInfo)) complete["_meta"] = { ...meta, [metaKeys.serverInfo]: serverInfo };
  if (!cacheable.has(method) || complete["resultType"] !== "complete") return complete;
  return { ttlMs: 0, cacheScope: "private", ...complete };
}

export function legacyResult(result: JsonObject): JsonObject {
  const { resultType: _type, ttlMs: _ttl, cacheScope: _scope, ...rest } = result;
  return rest;
}

export function initializeResult({ era, capabilities, serverInfo, instructions }: Discovery, protocolVersion: string): JsonObject {
  return { protocolVersion, capabilities: era === "legacy" ? capabilities : withoutTasks(capabilities), serverInfo, ...(instructions === undefined ? {} : { instructions }) };
}

export function discoverResult({ era, capabilities, instructions, ttlMs, cacheScope, serverInfo }: Discovery): JsonObject {
  const result = { supportedVersions: [...modernVersions], capabilities: era === "modern" ? capabilities : withoutTasks(capabilities), ...(instructions === undefined ? {} : { instructions }), ttlMs, cacheScope };
  return modernResult("server/discover", result, serverInfo);
}

/** The handshake of legacy clients (MCP 2025-11-25 lifecycle): the client's version if it is served, else the latest that is. */
import { initializeResult } from "../eras/results.ts";
import type { ClientFacts, JsonObject } from "../exchange.ts";
import { legacyVersions } from "../wire/era.ts";
import { errorCodes, isObject, WireError, type Message } from "../wire/message.ts";
import type { Call, FrontOptions } from "./call.ts";

/** @throws WireError when the request is not what an initialize must be. */
export function factsOfInitialize({ params, id }: Message): ClientFacts {
  const { protocolVersion, capabilities, clientInfo } = params ?? {};
  if (typeof protocolVersion !== "string" || !isObject(capabilities) || !isObject(clientInfo)) throw new WireError(400, errorCodes.invalidParams, "initialize needs protocolVersion, capabilities and clientInfo", id);
  return { era: "legacy", protocolVersion: legacyVersions.includes(protocolVersion) ? protocolVersion : (legacyVersions[0] ?? ""), capabilities, info: clientInfo };
}

/** @throws as `Target.discover` does. */
export async function answerInitialize({ endpoint, target, caller, info }: Call, facts: ClientFacts, session: string, { discoveries, limits }: FrontOptions): Promise<JsonObject> {
  const discovery = await target.discover({ caller, client: facts, session, requestId: info.requestId, signal: AbortSignal.timeout(limits.inputTimeout) });
  discoveries.remember(endpoint, discovery);
  return initializeResult(discovery, facts.protocolVersion);
}

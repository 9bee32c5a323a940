/**
 * Resource URIs under an endpoint of several servers: `sallyport://<server>/<the upstream's own URI>`, so that each leads back to its
 * server alone, whatever two servers call alike. Template expressions (RFC 6570) survive, since nothing of the URI is rewritten.
 */
import type { JsonObject } from "../exchange.ts";
import { isObject } from "../wire/message.ts";

export function exposedUri(server: string, uri: string): string {
  return `sallyport://${server}/${uri}`;
}

export function ownerOf(exposed: string): { server: string; uri: string } | undefined {
  const match = /^sallyport:\/\/([a-z0-9_-]{1,100})\/(.+)$/s.exec(exposed);
  return match?.[1] !== undefined && match[2] !== undefined ? { server: match[1], uri: match[2] } : undefined;
}

/** A tool's definition, its user interface (MCP Apps, `_meta.ui.resourceUri`) named as it is read here. */
export function mapTool(server: string, tool: JsonObject): JsonObject {
  const meta = tool["_meta"];
  if (!isObject(meta)) return tool;
  const ui = isObject(meta["ui"]) ? mapMember(server, meta["ui"], "resourceUri") : meta["ui"];
  return { ...tool, _meta: mapMember(server, ui === undefined ? meta : { ...meta, ui }, "ui/resourceUri") };
}

/** A result of tools/call, prompts/get or resources/read: links and embedded resources are named as they are read here. */
export function mapResult(server: string, result: JsonObject): JsonObject {
  const mapped = { ...result };
  if (Array.isArray(result["content"])) mapped["content"] = result["content"].map((block: unknown) => mapBlock(server, block));
  if (Array.isArray(result["contents"])) mapped["contents"] = result["contents"].map((entry: unknown) => (isObject(entry) ? mapMember(server, entry, "uri") : entry));
  if (Array.isArray(result["messages"])) {
    mapped["messages"] = result["messages"].map((message: unknown) => {
      if (!isObject(message)) return message;
      const { content } = message;
      return { ...message, content: Array.isArray(content) ? content.map((block: unknown) => mapBlock(server, block)) : mapBlock(server, content) };
    });
  }
  return mapped;
}

function mapBlock(server: string, block: unknown): unknown {
  if (!isObject(block)) return block;
  if (block["type"] === "resource_link") return mapMember(server, block, "uri");
  if (block["type"] === "resource" && isObject(block["resource"])) return { ...block, resource: mapMember(server, block["resource"], "uri") };
  return block;
}

function mapMember(server: string, object: JsonObject, member: string): JsonObject {
  const uri = object[member];
  return typeof uri === "string" ? { ...object, [member]: exposedUri(server, uri) } : object;
}

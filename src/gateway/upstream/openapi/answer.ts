/** What an API answered, as the result of a tool call (MCP, CallToolResult). */
import { parseLosslessJson } from "../../../kernel/json.ts";
import type { OutboundResponse } from "../../../net/outbound.ts";
import type { JsonObject } from "../../exchange.ts";
import { isObject } from "../../wire/message.ts";

const isJson = /^[\w.+-]+\/(?:[\w.+-]*\+)?json$/;
const isText = /^(?:text\/[\w.+-]+|application\/(?:xml|[\w.-]+\+xml|javascript|x-www-form-urlencoded|yaml|x-yaml|x-ndjson|sql|graphql))$/;

/** @param maxBytes of the answer's body; the client of the network keeps to it already. */
export function resultOf({ status, headers, body, url }: OutboundResponse, maxBytes: number): JsonObject {
  const type = (headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const failed = status < 200 || status >= 300;
  const content: JsonObject[] = failed ? [{ type: "text", text: `The API answered with HTTP status ${status}` }] : [];
  const result: JsonObject = { content, ...(failed ? { isError: true } : {}) };
  if (body.byteLength === 0) {
    if (!failed) content.push({ type: "text", text: `The API answered with HTTP status ${status} and no content` });
    return result;
  }
  const text = isJson.test(type) || isText.test(type) || (type === "" && !body.includes(0)) ? new TextDecoder().decode(body) : undefined;
  if (text === undefined) {
    // The address is the gateway's word for it: the real one may carry what only the gateway knows.
    const mimeType = /^[\w.+-]+\/[\w.+-]+$/.test(type) ? type : "application/octet-stream";
    content.push({ type: "resource", resource: { uri: `response:${new URL(url).pathname}`, mimeType, blob: Buffer.from(body).toString("base64") } });
    return result;
  }
  content.push({ type: "text", text });
  if (!isJson.test(type)) return result;
  try {
    const value = parseLosslessJson(text, { maxBytes, maxDepth: 96, maxKeys: 300_000, maxItems: 1_000_000 });
    result["structuredContent"] = isObject(value) ? value : { result: value };
  } catch {
    // It says that it is JSON and is not: the text is all there is.
  }
  return result;
}

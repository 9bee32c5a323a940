/**
 * The pins on the wire: which item a message asks for, and what of an answer may be shown. Answers that list or introduce are read whole;
 * when nothing has to go, the bytes that came are the bytes that are sent.
 */
import { parseLosslessJson, parseUntrustedJson } from "../kernel/json.ts";
import type { ServerState } from "../snapshot/index.ts";
import type { Gate, ItemKind } from "../trust/index.ts";
import type { Discovery, ListenFilter, Notification, Target } from "./exchange.ts";
import { redact, type Permission } from "./permission.ts";
import type { Results } from "./results.ts";
import { UpstreamError } from "./upstream/http.ts";
import { errorCodes, isObject, WireError, type Members, type RequestId } from "./wire/message.ts";

/** Method → the kind of item that its name means. */
export const itemKinds: Readonly<Record<string, ItemKind>> = {
  "tools/call": "tool",
  "prompts/get": "prompt",
  "resources/read": "resource",
  "resources/subscribe": "resource",
  "resources/unsubscribe": "resource",
};

const lists: Readonly<Record<string, { member: string; kind: Exclude<ItemKind, "server"> }>> = {
  "tools/list": { member: "tools", kind: "tool" },
  "prompts/list": { member: "prompts", kind: "prompt" },
  "resources/list": { member: "resources", kind: "resource" },
  "resources/templates/list": { member: "resourceTemplates", kind: "resourceTemplate" },
};

/** @returns the upstream's own name for what is asked for. @throws WireError for what is withheld, as if it did not exist. */
export async function admit(gate: Gate, server: ServerState, method: string, name: string, id?: RequestId): Promise<string> {
  const kind = itemKinds[method];
  if (kind === undefined) return name;
  const admission = gate.admit(server, kind, name);
  const { open, ...rest } = admission instanceof Promise ? await admission : admission;
  if (!open) throw new WireError(200, errorCodes.invalidParams, kind === "resource" ? "Resource not found" : `Unknown ${kind}`, id, kind === "resource" ? { uri: name } : undefined);
  return (rest as { name: string }).name;
}

/** A server behind its pins and the policies: only what is approved and permitted is shown, listed or called. */
export function vettedTarget({ gate, permission, results }: { gate: Gate; permission: Permission; results: Results }, server: ServerState, target: Target): Target {
  const changed = ({ method }: Notification) => {
    const kinds = announcedKinds(Buffer.from(method));
    if (kinds.length > 0) gate.changed(server, kinds);
  };
  return {
    async discover(asking) {
      const discovery = await target.discover(asking);
      const { instructions } = vetResult(gate, server, "initialize", { serverInfo: discovery.serverInfo, ...(discovery.instructions === undefined ? {} : { instructions: discovery.instructions }) });
      return { ...discovery, instructions: typeof instructions === "string" ? instructions : undefined } satisfies Discovery;
    },
    async request(exchange) {
      const { method, params } = exchange;
      const member = method.startsWith("resources/") ? "uri" : "name";
      const name = params?.[member];
      const asked = typeof name === "string" ? await admit(gate, server, method, name) : undefined;
      const { caller, requestId, address = "" } = exchange;
      const fields = asked === undefined ? [] : await permission.require({ caller, server, method, name: asked, arguments: params?.["arguments"], requestId, address });
      const result = await target.request(asked === undefined || asked === name ? exchange : { ...exchange, params: { ...params, [member]: asked } });
      const shown = redact(vetResult(permission.through(gate, caller), server, method, result), fields);
      return results.concerns(method) ? results.judge({ caller, server, method, name: asked ?? "", requestId }, shown) : shown;
    },
    async listen(listening) {
      const { resourceSubscriptions, ...kinds } = listening.filter;
      const open = await Promise.all((resourceSubscriptions ?? []).map((uri) => admit(gate, server, "resources/subscribe", uri).catch(() => undefined)));
      const filter: ListenFilter = { ...kinds, ...(resourceSubscriptions === undefined ? {} : { resourceSubscriptions: open.filter((uri) => uri !== undefined) }) };
      return target.listen({
        ...listening,
        filter,
        notify(notification) {
          changed(notification);
          listening.notify(notification);
        },
      });
    },
    async inputSchema(tool, asking) {
      const name = await admit(gate, server, "tools/call", tool).catch(() => undefined);
      return name === undefined ? undefined : target.inputSchema(name, asking);
    },
    release: (session) => target.release(session),
  };
}

/** The kinds of items that a piece of an event stream announces a change of. */
export function announcedKinds(chunk: Buffer): ItemKind[] {
  if (!chunk.includes("/list_changed")) return [];
  return (["tool", "prompt", "resource"] as const).filter((kind) => chunk.includes(`notifications/${kind}s/list_changed`)).flatMap((kind) => (kind === "resource" ? ["resource", "resourceTemplate"] : [kind]));
}

/** Methods whose answers are read before they are sent on. */
export function isVetted(method: string | undefined): method is string {
  return method !== undefined && (method in lists || method === "initialize" || method === "server/discover");
}

/** @returns the result as it may be shown: the same object when nothing has to go. */
export function vetResult(gate: Gate, server: ServerState, method: string, result: Members): Members {
  const list = lists[method];
  if (list) {
    const items = result[list.member];
    if (!Array.isArray(items)) return result;
    const shown = gate.shown(server, list.kind, items as unknown[]);
    return shown === items ? result : { ...result, [list.member]: shown };
  }
  const meta = isObject(result["_meta"]) ? result["_meta"]["io.modelcontextprotocol/serverInfo"] : undefined;
  const info = isObject(result["serverInfo"]) ? result["serverInfo"] : isObject(meta) ? meta : {};
  const { name, title } = info as { name?: unknown; title?: unknown };
  if (result["instructions"] === undefined || gate.introduces(server, { name, title, instructions: result["instructions"] })) return result;
  const { instructions: _withheld, ...rest } = result;
  return rest;
}

/** The whole body of an answer, JSON or event stream, as it may be shown. @throws UpstreamError for what is not JSON that all parsers read alike. */
export function vetBody(gate: Gate, server: ServerState, method: string, body: Buffer, contentType: string, limit: number): Buffer {
  return eachMessage(body, contentType, (bytes) => vetMessage(gate, server, method, bytes, limit));
}

/** The whole body of an answer without the values of these fields. */
export function redactBody(fields: readonly string[], body: Buffer, contentType: string, limit: number): Buffer {
  return eachMessage(body, contentType, (bytes) => {
    const message = readWhole(() => parseLosslessJson(bytes, limitsOf(limit)));
    return isObject(message) && isObject(message["result"]) ? JSON.stringify({ ...message, result: redact(message["result"], fields) }) : undefined;
  });
}

/** @param change returns undefined for a message that stays as it is. */
function eachMessage(body: Buffer, contentType: string, change: (bytes: Buffer) => string | undefined): Buffer {
  if (!/^text\/event-stream\b/i.test(contentType)) {
    const changed = change(body);
    return changed === undefined ? body : Buffer.from(changed);
  }
  const text = body.toString("utf8");
  let touched = false;
  const events = text.split(/(?<=\r\n\r\n|\n\n|\r\r)/).map((event) => {
    const data = [...event.matchAll(/^data:[ ]?(.*)$/gm)].map((match) => (match[1] ?? "").replace(/\r$/, ""));
    if (data.every((line) => line === "")) return event;
    const changed = change(Buffer.from(data.join("\n")));
    if (changed === undefined) return event;
    touched = true;
    const others = event.split(/\r\n|\n|\r/).filter((line) => line !== "" && !line.startsWith("data:"));
    return `${[...others, `data: ${changed}`].join("\n")}\n\n`;
  });
  return touched ? Buffer.from(events.join("")) : body;
}

const limitsOf = (limit: number) => ({ maxBytes: limit, maxItems: 2_000_000, maxDepth: 128, limitName: "SALLYPORT_RESPONSE_LIMIT" });

function readWhole(read: () => unknown): unknown {
  try {
    return read();
  } catch (cause) {
    throw new UpstreamError("broken", "The upstream answered with JSON that parsers do not read alike", cause);
  }
}

/** @returns undefined when the message stays as it is. */
function vetMessage(gate: Gate, server: ServerState, method: string, bytes: Buffer, limit: number): string | undefined {
  const limits = limitsOf(limit);
  const message = readWhole(() => parseUntrustedJson(bytes, limits));
  if (!isObject(message) || !isObject(message["result"])) return undefined;
  const { result } = message;
  const vetted = vetResult(gate, server, method, result);
  if (vetted === result) return undefined;
  // Numbers that a double cannot hold are written back as they came.
  const exact = parseLosslessJson(bytes, limits) as Members;
  const exactResult = exact["result"] as Members;
  const list = lists[method];
  if (!list) {
    const { instructions: _withheld, ...rest } = exactResult;
    return JSON.stringify({ ...exact, result: rest });
  }
  const [given, exactly] = [result[list.member] as unknown[], exactResult[list.member] as unknown[]];
  const shown = (vetted[list.member] as unknown[]).map((item) => exactly[given.indexOf(item)] ?? item);
  return JSON.stringify({ ...exact, result: { ...exactResult, [list.member]: shown } });
}

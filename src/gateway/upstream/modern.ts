/**
 * Speaks 2026-07-28 to an upstream: every request by itself with its `_meta` envelope, mirrored headers, discovery cached by its own hints.
 * Questions (`input_required`) are results like others here: the front asks, and the call is made anew.
 */
import type { Log } from "../../kernel/log.ts";
import type { Discovery, Exchange, JsonObject, Notification } from "../exchange.ts";
import { errorCodes, WireError } from "../wire/message.ts";
import { discoveryOf, envelope, mirroredHeaders, type Carry } from "./carriage.ts";
import { UpstreamError } from "./http.ts";
import { declaredFor, EraChanged, holderOf, type Context, type Leg } from "./leg.ts";
import { createModernListening } from "./modern-listening.ts";
import { hasValidHeaders, paramHeaders } from "./tool-headers.ts";
import { progressTokenOf, wireError, withMeta } from "./rpc.ts";
import { createToolMemory } from "./tools.ts";

export interface ModernOptions {
  carry: Carry;
  /** Ends what the transport keeps open. */
  closeTransport(): Promise<void>;
  server: string;
  version: string;
  log: Log;
  now: () => number;
}

const mostDiscoveries = 256;

export function createModern(options: ModernOptions): Leg {
  const { carry, version, log, now } = options;
  const tools = createToolMemory(now);
  const discoveries = new Map<string, { discovery: Discovery; until: number }>();
  const discovering = new Map<string, Promise<Discovery>>();
  const listening = createModernListening(options, () => {
    tools.forget();
    discoveries.clear();
  });

  const ask = async (context: Context, method: string, params: JsonObject | undefined, { extra = [], logLevel, onNotification = () => undefined }: { extra?: readonly string[]; logLevel?: string | undefined; onNotification?: (notification: Notification) => void } = {}): Promise<JsonObject> => {
    const full = withMeta(params, envelope({ client: context.client, version }, logLevel));
    const { status, message } = await carry({ holder: holderOf(context), principalId: context.caller.userId, credential: context.credential, method, params: full, headers: [...mirroredHeaders(method, full), ...extra], deadline: context.deadline, onNotification });
    if (message.kind === "result") return message.result;
    const { error } = message;
    if (error.code === -32022) throw new EraChanged("The upstream does not speak 2026-07-28");
    // A server of before answers what it takes for a request without a session.
    if ((status === 400 || status === 404) && (error.code === -32000 || error.code === -32001)) throw new EraChanged("The upstream wants a session");
    throw wireError(error, status);
  };
  const memoryKey = (context: Context) => `${holderOf(context)}\n${JSON.stringify(declaredFor("modern", context.client))}`;
  const listTools = (context: Context) => (cursor: string | undefined) => ask(context, "tools/list", cursor === undefined ? undefined : { cursor }).then(usable);
  const schemaOf = (tool: string, context: Context) => tools.schema(memoryKey(context), tool, listTools(context));
  /** Clients must not use tools that break the rules of mirrored headers. */
  const usable = (page: JsonObject): JsonObject => {
    const listed = page["tools"];
    if (!Array.isArray(listed) || listed.every(hasValidHeaders)) return page;
    const kept = (listed as unknown[]).filter(hasValidHeaders);
    log.warn("upstream.tools.dropped", { server: options.server, count: listed.length - kept.length, reason: "x-mcp-header" });
    return { ...page, tools: kept };
  };

  const call = async (exchange: Exchange, context: Context): Promise<JsonObject> => {
    const { method, params, logLevel } = exchange;
    const token = progressTokenOf(params);
    const onNotification = (notification: Notification) => {
      if (notification.method === "notifications/progress" && (token === undefined || !sameToken(notification.params?.["progressToken"], token))) return;
      exchange.notify(notification);
    };
    const name = params?.["name"];
    if (method !== "tools/call" || typeof name !== "string") return ask(context, method, params, { logLevel, onNotification });
    for (let attempt = 0; ; attempt++) {
      const extra = paramHeaders(await schemaOf(name, context), params?.["arguments"]);
      try {
        return await ask(context, method, params, { extra, logLevel, onNotification });
      } catch (error) {
        if (!(error instanceof WireError) || error.code !== errorCodes.headerMismatch) throw error;
        // The tool's schema is not what it was: nothing has run, so that it may be read again (once).
        if (attempt > 0) throw new UpstreamError("broken", "The upstream refuses the headers of the gateway's requests", error);
        tools.forget(memoryKey(context));
      }
    }
  };

  const discover = async (context: Context): Promise<Discovery> => {
    const result = await ask(context, "server/discover", undefined);
    const discovery = discoveryOf(result);
    const key = discovery.cacheScope === "public" ? "" : holderOf(context);
    if (discovery.ttlMs > 0) {
      if (discoveries.size >= mostDiscoveries) discoveries.delete(discoveries.keys().next().value ?? "");
      discoveries.set(key, { discovery, until: now() + discovery.ttlMs });
    }
    return discovery;
  };

  return {
    async discover(context) {
      const holder = holderOf(context);
      const known = discoveries.get("") ?? discoveries.get(holder);
      if (known && known.until > now()) return { ...known.discovery, ttlMs: known.until - now() };
      const running = discovering.get(holder) ?? discover(context).finally(() => discovering.delete(holder));
      discovering.set(holder, running);
      return running;
    },
    async request(exchange, context) {
      const result = await call(exchange, context);
      if (exchange.method !== "tools/list") return result;
      const page = usable(result);
      tools.remember(memoryKey(context), exchange.params?.["cursor"], page);
      return page;
    },
    listen: listening.listen,
    inputSchema: schemaOf,
    release: () => undefined,
    async close() {
      await listening.close();
      await options.closeTransport();
    },
  };
}

function sameToken(a: unknown, b: unknown): boolean {
  return a === b || (JSON.isRawJSON(a) && JSON.isRawJSON(b) && a.rawJSON === b.rawJSON);
}

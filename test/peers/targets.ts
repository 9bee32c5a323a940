/** Targets in this process, for tests of what is composed of them: they offer what a table says, answer calls by a function, and can fail, stall and change. */
import { WireError } from "../../src/gateway/wire/message.ts";
import type { Asking, Discovery, Exchange, JsonObject, Listened, Listening, Peer } from "../../src/gateway/exchange.ts";

export interface Offer {
  era?: "modern" | "legacy";
  capabilities?: JsonObject;
  instructions?: string;
  tools?: (asking: Asking) => JsonObject[];
  prompts?: JsonObject[];
  resources?: JsonObject[];
  resourceTemplates?: JsonObject[];
  ttlMs?: number;
  cacheScope?: "public" | "private";
  pageSize?: number;
  answer?: (exchange: Exchange) => Promise<JsonObject> | JsonObject;
}

export interface FakePeer extends Peer {
  offer: Offer;
  /** Every request and discovery that arrived. */
  readonly asked: { method: string; params: JsonObject | undefined; caller: string }[];
  readonly listeners: Set<Listening>;
  /** "fail" answers every request with an error, "stall" never. */
  state: "up" | "fail" | "stall";
  notify(method: string, params?: JsonObject): void;
}

export function fakePeer(offer: Offer): FakePeer {
  const capabilities = (): JsonObject => peer.offer.capabilities ?? { ...(peer.offer.tools ? { tools: { listChanged: true } } : {}), ...(peer.offer.prompts ? { prompts: { listChanged: true } } : {}), ...(peer.offer.resources || peer.offer.resourceTemplates ? { resources: { listChanged: true, subscribe: true } } : {}) };
  const meet = async (method: string, params: JsonObject | undefined, asking: Pick<Asking, "caller" | "signal">): Promise<void> => {
    peer.asked.push({ method, params, caller: asking.caller.userId });
    if (peer.state === "fail") throw new Error("down");
    if (peer.state === "stall") await new Promise((_, reject) => asking.signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true }));
  };
  const hints = () => (peer.offer.era === "legacy" ? {} : { resultType: "complete", ttlMs: peer.offer.ttlMs ?? 0, cacheScope: peer.offer.cacheScope ?? "private" });
  const page = (member: string, all: JsonObject[], params: JsonObject | undefined): JsonObject => {
    const size = peer.offer.pageSize ?? all.length;
    const start = Number(params?.["cursor"] ?? 0);
    return { ...hints(), [member]: all.slice(start, start + size), ...(start + size < all.length ? { nextCursor: String(start + size) } : {}) };
  };
  const peer: FakePeer = {
    offer,
    asked: [],
    listeners: new Set(),
    state: "up",
    transport: "streamable-http",
    eras: async () => [peer.offer.era ?? "modern"],
    async discover(asking): Promise<Discovery> {
      await meet("server/discover", undefined, asking);
      return { era: peer.offer.era ?? "modern", serverInfo: { name: "fake", version: "1" }, capabilities: capabilities(), instructions: peer.offer.instructions, protocolVersions: ["2026-07-28"], ttlMs: peer.offer.ttlMs ?? 0, cacheScope: peer.offer.cacheScope ?? "private" };
    },
    async request(exchange) {
      await meet(exchange.method, exchange.params, exchange);
      const { method, params } = exchange;
      if (method === "tools/list" && peer.offer.tools) return page("tools", peer.offer.tools(exchange), params);
      if (method === "prompts/list" && peer.offer.prompts) return page("prompts", peer.offer.prompts, params);
      if (method === "resources/list" && peer.offer.resources) return page("resources", peer.offer.resources, params);
      if (method === "resources/templates/list" && peer.offer.resourceTemplates) return page("resourceTemplates", peer.offer.resourceTemplates, params);
      if (method.endsWith("/list") || !peer.offer.answer) throw new WireError(404, -32601, "Method not found");
      return peer.offer.answer(exchange);
    },
    async listen(listening): Promise<Listened> {
      await meet("subscriptions/listen", { ...listening.filter }, listening);
      peer.listeners.add(listening);
      const ended = new Promise<void>((resolve) => listening.signal.addEventListener("abort", () => resolve(), { once: true })).then(() => void peer.listeners.delete(listening));
      return { filter: listening.filter, ended };
    },
    inputSchema: async (name, asking) => (peer.offer.tools?.(asking) ?? []).find((tool) => tool["name"] === name)?.["inputSchema"] as JsonObject | undefined,
    release: () => undefined,
    notify: (method, params) => peer.listeners.forEach((listening) => listening.notify({ method, ...(params ? { params } : {}) })),
  };
  return peer;
}

/** The input schemas of an upstream's tools, as each holder of a credential was shown them: calls of 2026-07-28 mirror arguments by them. */
import type { JsonObject } from "../exchange.ts";
import { isObject } from "../wire/message.ts";

interface Known {
  schemas: Map<string, JsonObject>;
  isComplete: boolean;
  at: number;
}

export interface ToolMemory {
  /** A page of `tools/list` went by. */
  remember(key: string, cursor: unknown, page: JsonObject): void;
  /** From memory, else by listing all pages. @returns undefined when there is no such tool. */
  schema(key: string, tool: string, list: (cursor: string | undefined) => Promise<JsonObject>): Promise<JsonObject | undefined>;
  /** Of one key, or of all. */
  forget(key?: string): void;
}

/** Milliseconds: a schema that changed unannounced is noticed by the upstream, which then refuses the headers (-32020). */
const lifetime = 300_000;
const mostKeys = 256;
const mostPages = 100;
const mostTools = 5000;

export function createToolMemory(now: () => number): ToolMemory {
  const memory = new Map<string, Known>();
  const listing = new Map<string, Promise<void>>();

  const remember = (key: string, cursor: unknown, page: JsonObject) => {
    const before = cursor === undefined ? undefined : memory.get(key);
    const known: Known = before ?? { schemas: new Map(), isComplete: false, at: now() };
    for (const tool of Array.isArray(page["tools"]) ? (page["tools"] as unknown[]) : []) {
      if (isObject(tool) && typeof tool["name"] === "string" && isObject(tool["inputSchema"]) && known.schemas.size < mostTools) known.schemas.set(tool["name"], tool["inputSchema"]);
    }
    known.isComplete = typeof page["nextCursor"] !== "string" && (cursor === undefined || before !== undefined);
    memory.delete(key);
    memory.set(key, known);
    if (memory.size > mostKeys) memory.delete(memory.keys().next().value ?? "");
  };
  const listAll = async (key: string, list: (cursor: string | undefined) => Promise<JsonObject>) => {
    let cursor: string | undefined;
    for (let page = 0; page < mostPages; page++) {
      const result = await list(cursor);
      remember(key, cursor, result);
      const next = result["nextCursor"];
      if (typeof next !== "string" || next === cursor) return;
      cursor = next;
    }
  };

  return {
    remember,
    async schema(key, tool, list) {
      const known = memory.get(key);
      const isFresh = known !== undefined && now() - known.at < lifetime;
      const found = isFresh ? known.schemas.get(tool) : undefined;
      if (found !== undefined || (isFresh && known.isComplete)) return found;
      const running = listing.get(key) ?? listAll(key, list).finally(() => listing.delete(key));
      listing.set(key, running);
      await running;
      return memory.get(key)?.schemas.get(tool);
    },
    forget(key) {
      if (key === undefined) memory.clear();
      else memory.delete(key);
    },
  };
}

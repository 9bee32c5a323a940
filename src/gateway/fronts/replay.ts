/**
 * Events kept so that a client of 2025 can resume a broken stream with Last-Event-ID (MCP Streamable HTTP, resumability). Bounded per session
 * and in all: the oldest go first. An event id names its stream and its place; a session finds only its own.
 */
import { newToken } from "../../kernel/ids.ts";
import type { Limits } from "./limits.ts";

export interface ReplayStore {
  /** One per session. */
  open(): SessionReplay;
  readonly bytes: number;
}

export interface SessionReplay {
  /** @returns the key of a new stream. */
  stream(): string;
  /** Keeps the event. @returns its id. */
  append(stream: string, data: string): string;
  /** The events after this one; undefined when the session has no such stream. */
  after(eventId: string): { stream: string; events: { id: string; data: string }[] } | undefined;
  close(): void;
}

interface Kept {
  owner: object;
  bytes: number;
}

export function createReplayStore(limits: Limits): ReplayStore {
  /** All events by number, oldest first. */
  const order = new Map<number, Kept>();
  const forget = new WeakMap<object, (number: number) => void>();
  let bytes = 0;
  let count = 0;
  const drop = (number: number) => {
    const kept = order.get(number);
    if (!kept) return;
    order.delete(number);
    bytes -= kept.bytes;
    forget.get(kept.owner)?.(number);
  };
  return {
    get bytes() {
      return bytes;
    },
    open() {
      const owner = {};
      const streams = new Set<string>();
      const events = new Map<number, { stream: string; id: string; place: number; data: string }>();
      const prefix = newToken(9);
      let own = 0;
      let named = 0;
      forget.set(owner, (number) => {
        own -= (events.get(number)?.data.length ?? 0) + overhead;
        events.delete(number);
      });
      return {
        stream() {
          const key = `${prefix}.${++named}`;
          // Far more streams than can still have events: the oldest names go.
          if (streams.size >= 1000) streams.delete(streams.values().next().value ?? "");
          streams.add(key);
          return key;
        },
        append(stream, data) {
          const number = ++count;
          const id = `${stream}.${number}`;
          const size = data.length + overhead;
          events.set(number, { stream, id, place: number, data });
          order.set(number, { owner, bytes: size });
          own += size;
          bytes += size;
          while (own > limits.replayPerSession && events.size > 0) {
            limits.counters.replayPerSession++;
            drop(events.keys().next().value ?? 0);
          }
          while (bytes > limits.replay && order.size > 0) {
            limits.counters.replay++;
            drop(order.keys().next().value ?? 0);
          }
          return id;
        },
        after(eventId) {
          const [first = "", second = "", place = ""] = eventId.split(".");
          const stream = `${first}.${second}`;
          if (!streams.has(stream) || !/^\d{1,15}$/.test(place)) return undefined;
          return { stream, events: [...events.values()].filter((event) => event.stream === stream && event.place > Number(place)).map(({ id, data }) => ({ id, data })) };
        },
        close() {
          for (const number of [...events.keys()]) drop(number);
          streams.clear();
        },
      };
    },
  };
}

/** What an event costs besides its text. */
const overhead = 200;

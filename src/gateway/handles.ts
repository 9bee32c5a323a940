/**
 * Handles that somebody mints and a client brings back (sessions, requestState, cursors, task and event ids) are handed out as
 * `<handle>.<MAC>`, the MAC over whom and what they are for: in another principal's hands, at another server or as another kind of handle,
 * they are unknown (MCP security best practices, session hijacking). The handle itself stays as it was minted, byte for byte.
 */
import { timingSafeEqual } from "node:crypto";
import type { Vault } from "../storage/index.ts";

export type HandleKind = "session" | "front-session" | "request-state" | "parked-call" | "cursor" | "task" | "event" | "question";

export interface Handles {
  bind(kind: HandleKind, raw: string, holder: Holder): string;
  /** @returns the handle as minted, or undefined when it is not this holder's. */
  open(kind: HandleKind, bound: string, holder: Holder): string | undefined;
}

export interface Holder {
  principalId: string;
  /** What it was minted for: the server's id or the endpoint's path, and whatever else it must not be used for. */
  place: string;
}

const remembered = 10_000;
const macLength = 43;

export function createHandles(vault: Vault): Handles {
  /** What was opened lately, so that a warm call needs no MAC. */
  const opened = new Map<string, string>();
  const macOf = (kind: HandleKind, raw: string, { principalId, place }: Holder) => vault.keyedHash("mcp-handle", `${kind}\n${principalId}\n${place.length}\n${place}\n${raw}`);
  return {
    bind: (kind, raw, holder) => `${raw}.${macOf(kind, raw, holder)}`,
    open(kind, bound, holder) {
      const key = `${kind}\n${holder.principalId}\n${holder.place.length}\n${holder.place}\n${bound}`;
      const known = opened.get(key);
      if (known !== undefined) return known;
      const raw = bound.slice(0, -macLength - 1);
      if (bound.charAt(raw.length) !== ".") return undefined;
      const given = Buffer.from(bound.slice(raw.length + 1));
      const expected = Buffer.from(macOf(kind, raw, holder));
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
      if (bound.length < 1024) {
        if (opened.size >= remembered) opened.delete(opened.keys().next().value ?? "");
        opened.set(key, raw);
      }
      return raw;
    },
  };
}

/**
 * Session ids that upstreams mint are handed to clients bound to the principal and the server they were minted for:
 * `<id>.<MAC>`. Another principal's replay is an unknown session (MCP security best practices, session hijacking).
 */
import { timingSafeEqual } from "node:crypto";
import type { Vault } from "../storage/index.ts";

export interface SessionBinding {
  bind(upstreamId: string, principalId: string, serverId: string): string;
  /** @returns the upstream's id, or undefined when the handle is not this principal's for this server. */
  open(handle: string, principalId: string, serverId: string): string | undefined;
}

const remembered = 10_000;

export function createSessionBinding(vault: Vault): SessionBinding {
  const opened = new Map<string, string>();
  const macOf = (id: string, principalId: string, serverId: string) => vault.keyedHash("mcp-session", `${principalId}\n${serverId}\n${id}`);
  return {
    bind: (id, principalId, serverId) => `${Buffer.from(id).toString("base64url")}.${macOf(id, principalId, serverId)}`,
    open(handle, principalId, serverId) {
      const key = `${principalId}\n${serverId}\n${handle}`;
      const known = opened.get(key);
      if (known !== undefined) return known;
      const [encoded = "", mac = "", ...rest] = handle.split(".");
      if (rest.length > 0 || handle.length > 2048) return undefined;
      const id = Buffer.from(encoded, "base64url").toString();
      const expected = Buffer.from(macOf(id, principalId, serverId));
      const given = Buffer.from(mac);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
      if (opened.size >= remembered) opened.delete(opened.keys().next().value ?? "");
      opened.set(key, id);
      return id;
    },
  };
}

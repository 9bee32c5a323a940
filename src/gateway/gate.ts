/**
 * The one place where the gateway asks about a tool: may this caller see it in a list, may this caller call it with these arguments.
 * Lists, calls, meta-tools and bundles all ask here. What a server may show at all, to anybody, is for its pins to say (src/trust).
 */
import type { Principal } from "../kernel/principal.ts";
import { authorize, type Access, type Decision } from "../policy/index.ts";
import type { ServerState } from "../snapshot/index.ts";
import type { ItemKind, Pins } from "../trust/index.ts";
import type { JsonObject } from "./exchange.ts";
import type { Permission } from "./permission.ts";

export interface ToolGate {
  /**
   * Names what `listed` and the pins answer for this server now: principals of one view see the same of it, so that lists can be kept per
   * view and not per principal. Undefined: the principal may not use the server at all.
   */
  view(principal: Principal, server: ServerState): string | undefined;
  /** @param definition as the upstream gave it. */
  listed(principal: Principal, server: ServerState, kind: Exclude<ItemKind, "server">, definition: JsonObject): boolean;
  /** @param toolName the upstream's own name. */
  callable(principal: Principal, server: ServerState, toolName: string, args: JsonObject | undefined): Decision;
  /** @param name the upstream's own. */
  usable(principal: Principal, server: ServerState, kind: "prompt" | "resource", name: string): Decision;
}

export interface ToolGateOptions {
  access: Access;
  permission: Pick<Permission, "lists" | "view">;
  pins: Pick<Pins, "of" | "onChange">;
  now: () => number;
}

export function createToolGate({ access, permission, pins, now }: ToolGateOptions): ToolGate {
  const use = (principal: Principal, server: ServerState, item: "tool" | "prompt" | "resource", name: string) => authorize(access, principal, { kind: "use-item", server, item, name });
  /** By server id: how often its pins changed, and when approvals of its items end. */
  const pinned = new Map<string, { changes: number; ends: readonly number[] }>();
  const compile = (serverId: string) => {
    const ends = [...new Set([...(pins.of(serverId)?.items() ?? [])].map(({ until }) => until))].filter(Number.isFinite);
    const state = { changes: (pinned.get(serverId)?.changes ?? 0) + 1, ends };
    pinned.set(serverId, state);
    return state;
  };
  pins.onChange((serverId) => void compile(serverId));
  const pinsView = (serverId: string): string => {
    const { changes, ends } = pinned.get(serverId) ?? compile(serverId);
    return ends.length === 0 ? String(changes) : `${changes}.${ends.filter((end) => end <= now()).length}`;
  };
  return {
    view(principal, server) {
      if (!authorize(access, principal, { kind: "call-server", server }).allowed) return undefined;
      const tools = principal.restrictions?.tools;
      return `${pinsView(server.id)} ${permission.view(principal)}${tools === undefined ? "" : ` ${JSON.stringify(tools)}`}`;
    },
    listed(principal, server, kind, definition) {
      const name = definition[kind === "resource" ? "uri" : kind === "resourceTemplate" ? "uriTemplate" : "name"];
      return typeof name === "string" && use(principal, server, kind === "resourceTemplate" ? "resource" : kind, name).allowed && permission.lists(principal, server, kind, name);
    },
    callable: (principal, server, toolName) => use(principal, server, "tool", toolName),
    usable: use,
  };
}

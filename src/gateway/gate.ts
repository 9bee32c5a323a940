/**
 * The one place where the gateway asks about a tool: may this caller see it in a list, may this caller call it with these arguments.
 * Lists, calls, meta-tools and bundles all ask here; what else comes to decide (approval, policy) decides here.
 */
import type { Principal } from "../kernel/principal.ts";
import { authorize, type Decision } from "../policy/index.ts";
import type { ServerState, Snapshot } from "../snapshot/index.ts";
import type { JsonObject } from "./exchange.ts";

export interface ToolGate {
  /**
   * Names what `listed` answers for this server: principals of one view see the same of it, so that lists can be kept per view and not
   * per principal. Undefined: the principal may not use the server at all.
   */
  view(principal: Principal, server: ServerState): string | undefined;
  /** @param tool its definition as the upstream gave it. */
  listed(principal: Principal, server: ServerState, tool: JsonObject): boolean;
  /** @param toolName the upstream's own name. */
  callable(principal: Principal, server: ServerState, toolName: string, args: JsonObject | undefined): Decision;
}

export function createToolGate(snapshot: Pick<Snapshot, "isGranted">): ToolGate {
  const use = (principal: Principal, server: ServerState) => authorize(snapshot, principal, { kind: "call-server", server });
  return {
    view: (principal, server) => (use(principal, server).allowed ? "" : undefined),
    listed: (principal, server) => use(principal, server).allowed,
    callable: use,
  };
}

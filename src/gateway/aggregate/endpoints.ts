/**
 * The endpoints that stand for several servers: /mcp (everything that the caller may use) and /bundles/{name}/mcp.
 * All of them share what is known of the servers behind.
 */
import type { Audit } from "../../audit/index.ts";
import type { Principal } from "../../kernel/principal.ts";
import type { ServerState, Snapshot } from "../../snapshot/index.ts";
import type { Storage } from "../../storage/index.ts";
import type { Gate } from "../../trust/index.ts";
import type { Peer, Target } from "../exchange.ts";
import type { ToolGate } from "../gate.ts";
import type { Permission } from "../permission.ts";
import type { Results } from "../results.ts";
import type { Limiter } from "../limits/refusal.ts";
import { createCatalog } from "../lists/catalog.ts";
import { createComposite } from "./composite.ts";
import { createCursors } from "./cursors.ts";
import { createMerge } from "./merge.ts";
import { everythingShape } from "./shape.ts";

export interface EndpointsOptions {
  snapshot: Snapshot;
  storage: Pick<Storage, "vault">;
  audit: Pick<Audit, "record">;
  gate: ToolGate;
  permission: Permission;
  results: Results;
  trust: Gate;
  limits: Limiter;
  /** One upstream as a target. */
  peer(server: ServerState): Peer;
  version: string;
  now: () => number;
  /** Whether /mcp lists only find_tools and call_tool, unless a request says otherwise. */
  discover: boolean;
  /** Milliseconds that a fan-out waits for upstreams. */
  deadline: number;
  /** Milliseconds for which an upstream's list is used at least before it is asked again. */
  refresh: number;
  /** Milliseconds for which the last known good list of a failing upstream is shown. */
  keep: number;
  /** Milliseconds that an upstream has for one whole list. */
  timeout: number;
  /** Entries of one page. */
  pageSize: number;
}

export interface Endpoints {
  /**
   * @param name of the bundle; ignored for "all". @param discover overrides the setting (`?tools=discover`, `?tools=all`).
   * @returns undefined when there is no such endpoint for this principal.
   */
  target(kind: "all" | "bundle", name: string, principal: Principal, discover?: boolean): Target | undefined;
}

export function createEndpoints(options: EndpointsOptions): Endpoints {
  const { snapshot, storage, gate } = options;
  const listeners = new Set<() => void>();
  let seen = new WeakMap<Principal, readonly ServerState[]>();
  snapshot.onReload(() => {
    seen = new WeakMap();
    for (const listener of listeners) listener();
  });
  /** Kept per verified token until anything is decided anew. */
  const visible = (principal: Principal): readonly ServerState[] => {
    let servers = seen.get(principal);
    if (!servers) {
      servers = [...snapshot.servers.values()].filter((server) => gate.view(principal, server) !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
      seen.set(principal, servers);
    }
    return servers;
  };
  const shared = {
    ...options,
    catalog: createCatalog({ ...options, patience: options.deadline }),
    merge: createMerge(options),
    cursors: createCursors(storage.vault),
    visible,
    sessions: new Map<string, Set<string>>(),
    onChange(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const everything = { full: createComposite(shared, everythingShape(false)), discover: createComposite(shared, everythingShape(true)) };
  return {
    target(kind, _name, _principal, discover = options.discover) {
      return kind === "all" ? (discover ? everything.discover : everything.full) : undefined;
    },
  };
}

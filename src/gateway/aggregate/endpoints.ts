/**
 * The endpoints that stand for several servers: /mcp (everything that the caller may use) and /bundles/{name}/mcp.
 * All of them share what is known of the servers behind.
 */
import type { Audit } from "../../audit/index.ts";
import type { Principal } from "../../kernel/principal.ts";
import type { BundleState, ServerState, Snapshot } from "../../snapshot/index.ts";
import type { Storage } from "../../storage/index.ts";
import type { Gate, Pins } from "../../trust/index.ts";
import { bundleShape } from "../bundles/shape.ts";
import { statusOf } from "../bundles/status.ts";
import type { ToolStatus } from "../bundles/schema.ts";
import type { Listening, Peer, Target } from "../exchange.ts";
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
  pins: Pick<Pins, "onChange">;
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
  /** Most servers that one endpoint asks. */
  mostServers: number;
  /** Entries of one page. */
  pageSize: number;
}

export interface Endpoints {
  /**
   * @param name of the bundle; ignored for "all". @param discover overrides the setting (`?tools=discover`, `?tools=all`).
   * @returns undefined when there is no such endpoint for this principal.
   */
  target(kind: "all" | "bundle", name: string, principal: Principal, discover?: boolean): Target | undefined;
  /** What of a bundle's tools the caller could call now. */
  statusOf(bundle: BundleState, caller: Principal, requestId: string): Promise<ToolStatus[]>;
}

export function createEndpoints(options: EndpointsOptions): Endpoints {
  const { snapshot, storage, gate } = options;
  const listeners = new Set<(serverId?: string) => void>();
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
    onChange(listener: (serverId?: string) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  // What was approved may be listed at once, and is what the server says now.
  options.pins.onChange((serverId) => {
    shared.catalog.expire(serverId);
    for (const listener of listeners) listener(serverId);
  });
  const everything = { full: createComposite(shared, everythingShape(false)), discover: createComposite(shared, everythingShape(true)) };
  const bundles = new WeakMap<BundleState, { full: Target; discover: Target }>();
  const isOpen = (bundle: BundleState | undefined, { userId }: Principal) => bundle?.enabled === true && bundle.users.has(userId);
  const targetsOf = (bundle: BundleState) => {
    let targets = bundles.get(bundle);
    if (!targets) {
      const make = (discover: boolean): Target => {
        const target = createComposite(shared, bundleShape(bundle, discover));
        return { ...target, listen: (listening) => listenUntilChanged(target, bundle, listening) };
      };
      targets = { full: make(false), discover: make(true) };
      bundles.set(bundle, targets);
    }
    return targets;
  };
  /** Who listens to a bundle that is changed or withdrawn is told, and listens to what it has become from then on. */
  const listenUntilChanged = async (target: Target, bundle: BundleState, listening: Listening) => {
    const changed = new AbortController();
    const stop = shared.onChange((serverId) => {
      if (serverId !== undefined) return;
      const now = snapshot.bundles.get(bundle.name);
      if (now === bundle && isOpen(now, listening.caller)) return;
      stop();
      const { toolsListChanged, promptsListChanged, resourcesListChanged } = listening.filter;
      for (const [kind, wanted] of [["tools", toolsListChanged], ["prompts", promptsListChanged], ["resources", resourcesListChanged]] as const) if (wanted) listening.notify({ method: `notifications/${kind}/list_changed` });
      changed.abort();
    });
    listening.signal.addEventListener("abort", stop, { once: true });
    return target.listen({ ...listening, notify: (notification) => listening.notify(notification), signal: AbortSignal.any([listening.signal, changed.signal]) });
  };

  return {
    target(kind, name, principal, wanted) {
      if (kind === "all") return (wanted ?? options.discover) ? everything.discover : everything.full;
      const bundle = snapshot.bundles.get(name);
      if (!bundle || !isOpen(bundle, principal)) return undefined;
      const { full, discover } = targetsOf(bundle);
      return (wanted ?? bundle.discover) ? discover : full;
    },
    statusOf: (bundle, caller, requestId) => statusOf({ ...shared, snapshot, gate, trust: options.trust, deadline: options.deadline }, bundle, caller, requestId),
  };
}

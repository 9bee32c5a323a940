/** Whether a caller could call what a bundle chose, and if not, why: for the makers of bundles. */
import type { Principal } from "../../kernel/principal.ts";
import type { BundleState, ServerState, Snapshot } from "../../snapshot/index.ts";
import type { Gate } from "../../trust/index.ts";
import { gather } from "../aggregate/gather.ts";
import { itemOf } from "../aggregate/shape.ts";
import type { Asking, JsonObject } from "../exchange.ts";
import type { ToolGate } from "../gate.ts";
import type { Catalog } from "../lists/catalog.ts";
import { obstacle } from "./arguments.ts";
import type { ToolStatus } from "./schema.ts";
import { nameOf } from "./shape.ts";

export interface StatusOptions {
  snapshot: Pick<Snapshot, "servers">;
  catalog: Catalog;
  gate: ToolGate;
  trust: Pick<Gate, "shown">;
  /** Milliseconds. */
  deadline: number;
}

export async function statusOf({ snapshot, catalog, gate, trust, deadline }: StatusOptions, bundle: BundleState, caller: Principal, requestId: string): Promise<ToolStatus[]> {
  const asking: Asking = { caller, client: { era: "modern", protocolVersion: "2026-07-28", capabilities: {}, info: undefined }, session: undefined, requestId, signal: AbortSignal.timeout(deadline) };
  const usable = [...new Set(bundle.tools.map(({ server }) => server))].flatMap((name) => snapshot.servers.get(name) ?? []).filter((server) => gate.view(caller, server) !== undefined);
  const { found } = await gather(usable, (server) => catalog.list("tools", server, asking), deadline);
  const lists = new Map(found.map(({ server, held }) => [server.name, { server, items: held.value.items }]));
  const whyNot = (server: ServerState, items: readonly JsonObject[], tool: string, rules: NonNullable<BundleState["tools"][number]["arguments"]>): string | undefined => {
    const shown = (trust.shown(server, "tool", items) as readonly JsonObject[]).find((definition) => itemOf("tools", definition) === tool);
    if (!shown) return items.some((definition) => itemOf("tools", definition) === tool) ? "The tool is not approved" : "The server has no such tool";
    if (!gate.listed(caller, server, "tool", shown)) return "You may not use the tool";
    return obstacle(shown["inputSchema"], rules);
  };
  return bundle.tools.map((chosen) => {
    const { server, tool } = chosen;
    const list = lists.get(server);
    const isUsable = usable.some(({ name }) => name === server);
    const reason = list ? whyNot(list.server, list.items, tool, chosen.arguments ?? {}) : isUsable ? "The server does not answer" : "There is no such server, or you may not use it";
    return { name: nameOf(chosen), server, tool, available: reason === undefined, reason: reason ?? null };
  });
}

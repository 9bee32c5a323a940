/** Carries modern messages over channels (stdio): one channel for each holder, on which calls go side by side. */
import type { Channel, JsonObject } from "../exchange.ts";
import { createConnection, type Connection } from "./connection.ts";
import type { PeerLimits } from "./limits.ts";
import type { Carriage, Carry } from "./carriage.ts";
import { createPool } from "./pool.ts";
import { progressTokenOf, withMeta } from "./rpc.ts";
import { isObject, metaKeys } from "../wire/message.ts";

export interface ModernChannelOptions {
  open(carriage: Pick<Carriage, "principalId" | "credential">): Promise<Channel>;
  limits: PeerLimits;
}

interface Line {
  connection: Connection;
  calls: Map<number, { carriage: Carriage; token: unknown }>;
  count: number;
  readonly isAlive: boolean;
  close(): Promise<void>;
}

export function carryOverChannel({ open, limits }: ModernChannelOptions): { carry: Carry; close(): Promise<void> } {
  const pool = createPool<Line>(limits);

  const openLine = async (carriage: Carriage): Promise<Line> => {
    const calls: Line["calls"] = new Map();
    const connection = createConnection(await open(carriage), (message) => {
      // 2026-07-28 has no requests of a server's own.
      if (message.kind === "request") return connection.tell({ jsonrpc: "2.0", id: message.id, error: { code: -32601, message: "Method not found" } });
      const { method, params } = message;
      const meta = params?.["_meta"];
      const subscription = isObject(meta) ? meta[metaKeys.subscriptionId] : undefined;
      const token = method === "notifications/progress" ? params?.["progressToken"] : undefined;
      const id = subscription ?? token;
      const call = typeof id === "number" ? calls.get(id) : id === undefined ? [...calls.values()].findLast(({ carriage: { method: called } }) => called !== "subscriptions/listen") : undefined;
      if (!call) return;
      call.carriage.deadline.touch();
      const told: JsonObject | undefined = token === undefined ? params : { ...params, progressToken: call.token };
      call.carriage.onNotification({ method, ...(told === undefined ? {} : { params: told }) });
    });
    return {
      connection,
      calls,
      count: 0,
      get isAlive() {
        return connection.isAlive;
      },
      close: connection.close,
    };
  };

  return {
    async carry(carriage) {
      const { item: line, giveBack } = await pool.lease({ id: carriage.holder, principalId: carriage.principalId, isShared: true, session: undefined }, () => openLine(carriage));
      line.count += 1;
      const id = line.count;
      const token = progressTokenOf(carriage.params);
      line.calls.set(id, { carriage, token });
      try {
        const params = token === undefined ? carriage.params : withMeta(carriage.params, { progressToken: id });
        return { status: 200, message: await line.connection.request(id, { jsonrpc: "2.0", id, method: carriage.method, params }, carriage.deadline) };
      } finally {
        line.calls.delete(id);
        giveBack(true);
      }
    },
    close: pool.close,
  };
}

/** Inspections by the clock: every enabled server once an interval, few at a time, spread out so that they never come in a burst. */
import type { ServerState, Snapshot } from "../snapshot/index.ts";

export interface ScheduleOptions {
  snapshot: Snapshot;
  inspect: (server: ServerState) => Promise<unknown>;
  /** Milliseconds between two inspections of one server. */
  interval: number;
  /** Inspections at once. */
  parallel?: number;
}

/** @returns a function that stops the clock. */
export function scheduleInspections({ snapshot, inspect, interval, parallel = 4 }: ScheduleOptions): () => void {
  let position = 0;
  let running = 0;
  let due = 0;
  // Ten ticks an interval: each is due its share of the servers.
  const timer = setInterval(() => {
    const servers = [...snapshot.servers.values()].filter(({ enabled }) => enabled);
    due = Math.min(servers.length, due + servers.length / 10);
    while (due >= 1 && running < parallel) {
      due -= 1;
      const server: ServerState | undefined = servers[position++ % servers.length];
      if (!server) return;
      running++;
      void inspect(server)
        .catch(() => undefined)
        .finally(() => running--);
    }
  }, interval / 10);
  timer.unref();
  return () => clearInterval(timer);
}

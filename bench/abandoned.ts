/** What clients leave behind that initialize and never come back: heap while their sessions live, and after their lifetime. Needs --expose-gc. */
import { initialize, openDoor } from "../test/fronts/harness.ts";
import { vocabularyTarget } from "../test/fronts/vocabulary-target.ts";
import { row } from "./harness.ts";

const sessions = Number(process.argv[2] ?? 10_000);
let clock = Date.now();
const target = vocabularyTarget("modern");
const door = await openDoor(target, { now: () => clock, settings: { SALLYPORT_SESSIONS_PER_USER: String(sessions), SALLYPORT_SESSIONS: String(sessions) } });

async function heap(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return process.memoryUsage().heapUsed / 1_048_576;
}

async function abandon(count: number): Promise<void> {
  for (let done = 0; done < count; done += 50) {
    await Promise.all(Array.from({ length: Math.min(50, count - done) }, () => door.post("/servers/x/mcp", initialize("2025-11-25", { elicitation: {}, sampling: {}, roots: {} }))));
  }
}

async function expire(): Promise<void> {
  clock += 2 * 3_600_000;
  while (door.gateway.gauges().sessions > 0) await new Promise((resolve) => setTimeout(resolve, 500));
  // Node keeps idle connections of its own for a while.
  await new Promise((resolve) => setTimeout(resolve, 5000));
  target.exchanges.length = 0;
  target.released.length = 0;
}

await abandon(500);
await expire();
const before = await heap();
await abandon(sessions);
const open = door.gateway.gauges().sessions;
const during = await heap();
await expire();
const after = await heap();
console.log(`${sessions} clients that initialize and leave`);
row("", "heap MB", "sessions", "KB a session");
row("before", before, 0, "");
row("while they live", during, open, ((during - before) * 1024) / open);
row("after their lifetime", after, door.gateway.gauges().sessions, "");
await door.close();
if (after - before > Math.max(2, before * 0.1)) {
  console.log(`Abandoned sessions left ${(after - before).toFixed(1)} MB behind`);
  process.exitCode = 1;
}

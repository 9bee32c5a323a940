/** Waits between attempts: longer each time, never in step with others. */
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const first = 500;
const longest = 60_000;

/** Milliseconds before attempt n (0, 1, …): half of it fixed, half of it chance. */
export function backoff(attempt: number): number {
  const full = Math.min(longest, first * 2 ** Math.min(attempt, 20));
  return full / 2 + randomInt(Math.ceil(full / 2));
}

/** @returns false when the signal aborted meanwhile. */
export async function pauseFor(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  return sleep(milliseconds, true, { signal, ref: false }).catch(() => false);
}

/** Calls in flight to one upstream: so many at once, so many waiting, and none at all for a while after it failed again and again. */
import { UpstreamError } from "./http.ts";
import { limitSettings, type PeerLimits } from "./limits.ts";

export interface Gate {
  /** @returns what ends the call's stay, once; UpstreamError when there is no room, or the upstream is being left alone. */
  enter(signal: AbortSignal): Promise<() => void>;
  /** How a call ended. @param error undefined for an answer, whatever it said. */
  report(error: unknown): void;
  /** "open": nobody is let through until the cooldown is over; "half-open": one call finds out. */
  readonly state: "closed" | "open" | "half-open";
}

type Bounds = Pick<PeerLimits, "concurrency" | "queue" | "failures" | "cooldown">;

/** What says that the upstream is in trouble; a refused credential or an answer too large says nothing of the kind. */
const troubles = new Set<UpstreamError["reason"]>(["unreachable", "timeout", "broken"]);

/** @param now milliseconds, monotonic. */
export function createGate(limits: Bounds, { now = () => performance.now(), onTrouble = () => undefined }: { now?: () => number; onTrouble?: () => void } = {}): Gate {
  let inside = 0;
  const waiting = new Set<() => void>();
  let failures = 0;
  let openedAt: number | undefined;
  /** When the call that finds out went through; it may never report. */
  let probedAt: number | undefined;

  const admit = () => {
    inside += 1;
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      inside -= 1;
      const [next] = waiting;
      next?.();
    };
  };
  const requireClosed = () => {
    if (openedAt === undefined) return;
    const left = openedAt + limits.cooldown - now();
    if (left > 0) throw new UpstreamError("unreachable", `The upstream failed ${failures} times in a row and is left alone for another ${Math.ceil(left / 1000)} s (${limitSettings.failures}, ${limitSettings.cooldown})`);
    if (probedAt !== undefined && now() - probedAt < limits.cooldown) throw new UpstreamError("unreachable", `The upstream failed ${failures} times in a row and is being tried again (${limitSettings.failures})`);
    probedAt = now();
  };

  return {
    get state() {
      return openedAt === undefined ? "closed" : now() - openedAt < limits.cooldown ? "open" : "half-open";
    },
    async enter(signal) {
      requireClosed();
      if (inside < limits.concurrency) return admit();
      if (waiting.size >= limits.queue) throw new UpstreamError("busy", `Too many calls are waiting for this upstream (${limitSettings.queue}=${limits.queue})`);
      return new Promise((resolve, reject) => {
        const go = () => {
          settle();
          resolve(admit());
        };
        const onAbort = () => {
          settle();
          const reason: unknown = signal.reason;
          reject(reason instanceof UpstreamError && reason.reason === "timeout" ? new UpstreamError("busy", `The upstream has too many calls in flight for this one (${limitSettings.concurrency}=${limits.concurrency})`) : (reason as Error));
        };
        const settle = () => {
          waiting.delete(go);
          signal.removeEventListener("abort", onAbort);
        };
        waiting.add(go);
        signal.addEventListener("abort", onAbort, { once: true });
        if (signal.aborted) onAbort();
      });
    },
    report(error) {
      if (error instanceof UpstreamError && !troubles.has(error.reason)) {
        probedAt = undefined;
        return;
      }
      if (!(error instanceof UpstreamError)) {
        failures = 0;
        openedAt = probedAt = undefined;
        return;
      }
      failures += 1;
      if (failures < limits.failures) return;
      const isNew = openedAt === undefined;
      openedAt = now();
      probedAt = undefined;
      if (isNew) onTrouble();
    },
  };
}

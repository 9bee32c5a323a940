/** The clocks of one call to an upstream: until the answer begins, of silence within it, and of the whole, whatever progress it reports. */
import { UpstreamError } from "./http.ts";
import { limitSettings, type PeerLimits } from "./limits.ts";

export interface Deadline {
  /** Aborts with an UpstreamError when a clock ran out, or with the caller's own reason. */
  readonly signal: AbortSignal;
  /** A request goes out: its answer must begin in time. */
  begin(): void;
  /** Something arrived. */
  touch(): void;
  /** While the client is asked, no clock runs. @returns what ends the pause. */
  pause(): () => void;
  /** Stops the clocks. */
  end(): void;
}

type Times = Pick<PeerLimits, "start" | "idle" | "total">;

export function createDeadline({ start, idle, total }: Times, parent?: AbortSignal): Deadline {
  const controller = new AbortController();
  const began = performance.now();
  let last = began;
  let answered = false;
  let paused = 0;
  let pausedAt = 0;
  let pausedFor = 0;
  let ended = false;
  let timer: NodeJS.Timeout | undefined;

  const end = () => {
    ended = true;
    clearTimeout(timer);
    parent?.removeEventListener("abort", onParent);
  };
  const onParent = () => {
    end();
    controller.abort(parent?.reason);
  };
  const late = (limit: keyof Times, what: string) => {
    end();
    controller.abort(new UpstreamError("timeout", `${what} (${limitSettings[limit]})`));
  };
  const check = () => {
    const now = performance.now();
    const quietAt = last + (answered ? idle : start);
    const overAt = began + total + pausedFor;
    if (now >= overAt) return late("total", `The upstream took longer than ${total / 1000} s in all`);
    if (now >= quietAt) return answered ? late("idle", `The upstream was silent for ${idle / 1000} s`) : late("start", `The upstream did not answer within ${start / 1000} s`);
    timer = setTimeout(check, Math.ceil(Math.min(quietAt, overAt) - now));
  };

  const rearm = () => {
    if (paused > 0 || ended || controller.signal.aborted) return;
    clearTimeout(timer);
    check();
  };

  if (parent?.aborted) controller.abort(parent.reason);
  else {
    parent?.addEventListener("abort", onParent, { once: true });
    check();
  }
  return {
    signal: controller.signal,
    begin() {
      answered = false;
      last = performance.now();
      rearm();
    },
    touch() {
      last = performance.now();
      if (answered) return;
      answered = true;
      rearm();
    },
    pause() {
      if (paused++ === 0) {
        pausedAt = performance.now();
        clearTimeout(timer);
      }
      let isPaused = true;
      return () => {
        if (!isPaused) return;
        isPaused = false;
        if (--paused > 0) return;
        last = performance.now();
        pausedFor += last - pausedAt;
        rearm();
      };
    },
    end,
  };
}

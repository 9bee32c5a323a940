/** What one upstream may cost, and which setting says so: the error that a limit causes names its setting. */
import type { Config } from "../../config/index.ts";

export interface PeerLimits {
  /** Milliseconds, as all times here: until an answer must have begun. */
  start: number;
  /** Silence within an answer. */
  idle: number;
  /** A whole call, whatever progress it reports; time in which the client is asked does not count. */
  total: number;
  /** Bytes of one message, and of one event. */
  message: number;
  /** Bytes of all that one call brings. */
  stream: number;
  /** Calls in flight to one upstream, and calls that wait for their turn. */
  concurrency: number;
  queue: number;
  /** Sessions (or channels) held open at one upstream, by all and by one principal. */
  sessions: number;
  sessionsPerPrincipal: number;
  sessionIdle: number;
  sessionLifetime: number;
  /** Questions that a server may ask in the midst of one call. */
  questions: number;
  /** Failures in a row after which an upstream is left alone, and for how long. */
  failures: number;
  cooldown: number;
  /** How long it is believed which eras an upstream speaks. */
  eras: number;
}

export const limitSettings = {
  start: "SALLYPORT_UPSTREAM_TIMEOUT",
  idle: "SALLYPORT_STREAM_IDLE_TIMEOUT",
  total: "SALLYPORT_CALL_TIMEOUT",
  message: "SALLYPORT_UPSTREAM_MESSAGE_LIMIT",
  stream: "SALLYPORT_UPSTREAM_STREAM_LIMIT",
  concurrency: "SALLYPORT_UPSTREAM_CONCURRENCY",
  queue: "SALLYPORT_UPSTREAM_QUEUE",
  sessions: "SALLYPORT_UPSTREAM_SESSIONS",
  sessionsPerPrincipal: "SALLYPORT_UPSTREAM_SESSIONS_PER_USER",
  sessionIdle: "SALLYPORT_UPSTREAM_SESSION_IDLE",
  sessionLifetime: "SALLYPORT_UPSTREAM_SESSION_LIFETIME",
  questions: "SALLYPORT_UPSTREAM_QUESTIONS",
  failures: "SALLYPORT_UPSTREAM_FAILURES",
  cooldown: "SALLYPORT_UPSTREAM_COOLDOWN",
  eras: "SALLYPORT_UPSTREAM_ERA_LIFETIME",
} as const satisfies Record<keyof PeerLimits, keyof Config>;

const seconds = new Set<keyof PeerLimits>(["start", "idle", "total", "sessionIdle", "sessionLifetime", "cooldown", "eras"]);

export function peerLimits(config: Pick<Config, (typeof limitSettings)[keyof PeerLimits]>): PeerLimits {
  const entries = Object.entries(limitSettings) as [keyof PeerLimits, (typeof limitSettings)[keyof PeerLimits]][];
  return Object.fromEntries(entries.map(([name, setting]) => [name, config[setting] * (seconds.has(name) ? 1000 : 1)])) as unknown as PeerLimits;
}

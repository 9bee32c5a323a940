/** What clients may hold at once, each of them and all together; every refusal names its setting and is counted. */
import type { Config } from "../../config/index.ts";
import { errorCodes, WireError } from "../wire/message.ts";

export interface FrontLimits {
  sessionsPerUser: number;
  sessions: number;
  /** Milliseconds, as all times here. */
  sessionIdle: number;
  sessionLifetime: number;
  streamsPerUser: number;
  streams: number;
  streamLifetime: number;
  /** Silence after which a comment goes out on an open stream. */
  keepAlive: number;
  parkedPerUser: number;
  parked: number;
  /** How long a client may take to answer a question. */
  inputTimeout: number;
  /** Bytes of events kept for resumption, of a session and of all. */
  replayPerSession: number;
  replay: number;
  /** Calls in flight within one session. */
  callsPerSession: number;
  /** Resources that one session or listener follows. */
  subscriptions: number;
  /** Messages of one batch. */
  batch: number;
  /** Bytes that may wait for a slow reader before its stream is cut. */
  streamBuffer: number;
}

export type LimitName = Extract<keyof FrontLimits, string>;

/** Which setting sets each limit. */
export const limitSettings = {
  sessionsPerUser: "SALLYPORT_SESSIONS_PER_USER",
  sessions: "SALLYPORT_SESSIONS",
  sessionIdle: "SALLYPORT_SESSION_IDLE",
  sessionLifetime: "SALLYPORT_SESSION_LIFETIME",
  streamsPerUser: "SALLYPORT_STREAMS_PER_USER",
  streams: "SALLYPORT_STREAMS",
  streamLifetime: "SALLYPORT_STREAM_LIFETIME",
  keepAlive: "SALLYPORT_STREAM_KEEP_ALIVE",
  parkedPerUser: "SALLYPORT_PARKED_CALLS_PER_USER",
  parked: "SALLYPORT_PARKED_CALLS",
  inputTimeout: "SALLYPORT_INPUT_TIMEOUT",
  replayPerSession: "SALLYPORT_REPLAY_PER_SESSION",
  replay: "SALLYPORT_REPLAY",
  callsPerSession: "SALLYPORT_CALLS_PER_SESSION",
  subscriptions: "SALLYPORT_SUBSCRIPTIONS",
  batch: "SALLYPORT_BATCH_LIMIT",
  streamBuffer: "SALLYPORT_STREAM_BUFFER",
} as const satisfies Record<LimitName, keyof Config>;

/** Settings give times in seconds. */
export function frontLimits(config: Pick<Config, (typeof limitSettings)[LimitName]>): FrontLimits {
  const times = new Set<string>(["sessionIdle", "sessionLifetime", "streamLifetime", "keepAlive", "inputTimeout"]);
  return Object.fromEntries(Object.entries(limitSettings).map(([name, setting]) => [name, config[setting] * (times.has(name) ? 1000 : 1)])) as unknown as FrontLimits;
}

/** How often each limit took effect since the start, for metrics. */
export type LimitCounters = Record<LimitName, number>;

export interface Limits extends Readonly<FrontLimits> {
  readonly counters: LimitCounters;
  /** Counts and makes the error. */
  reached(name: LimitName, what: string): WireError;
  /** Things held at once, by principal and in all. */
  quota(perUser: LimitName, inAll: LimitName, what: string): Quota;
}

export interface Quota {
  /** @returns what gives it back; giving back twice is harmless. @throws WireError when there are too many. */
  take(principalId: string): () => void;
  readonly held: number;
  heldBy(principalId: string): number;
}

export function createLimits(values: FrontLimits): Limits {
  const counters = Object.fromEntries(Object.keys(limitSettings).map((name) => [name, 0])) as LimitCounters;
  const reached = (name: LimitName, what: string): WireError => {
    counters[name]++;
    return new WireError(429, errorCodes.limitReached, `${what} (${limitSettings[name]})`);
  };
  return {
    ...values,
    counters,
    reached,
    quota(perUser, inAll, what) {
      const byUser = new Map<string, number>();
      let held = 0;
      return {
        get held() {
          return held;
        },
        heldBy: (principalId) => byUser.get(principalId) ?? 0,
        take(principalId) {
          const own = byUser.get(principalId) ?? 0;
          if (own >= values[perUser]) throw reached(perUser, `Too many ${what} of yours`);
          if (held >= values[inAll]) throw reached(inAll, `Too many ${what}`);
          byUser.set(principalId, own + 1);
          held++;
          let given = true;
          return () => {
            if (!given) return;
            given = false;
            held--;
            const left = (byUser.get(principalId) ?? 1) - 1;
            if (left === 0) byUser.delete(principalId);
            else byUser.set(principalId, left);
          };
        },
      };
    },
  };
}

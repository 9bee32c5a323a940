/**
 * The sessions of legacy clients, however they are carried: bounded by principal and in all, ended when idle or too old. At a limit the
 * longest idle of those that count makes room; only where all are busy is the newcomer refused.
 */
import type { LimitName, Limits } from "./limits.ts";

export interface Seat {
  readonly principalId: string;
  readonly createdAt: number;
  /** Whether something of it is going on: calls or an open stream. */
  busy(): boolean;
  /** Called once, whoever ended it. */
  ended(): void;
}

export interface SessionTable<S extends Seat> {
  /** @throws WireError when there is no room. */
  add(id: string, seat: S): void;
  /** Finds and marks as used just now. */
  use(id: string): S | undefined;
  /** Finds and leaves it as unused as it was. */
  peek(id: string): S | undefined;
  ids(which: (seat: S) => boolean): string[];
  end(id: string): void;
  readonly size: number;
  /** Ends all. */
  stop(): void;
}

const sweepEvery = 15_000;

export function createSessionTable<S extends Seat>(limits: Limits, now: () => number, sweep = sweepEvery): SessionTable<S> {
  /** The longest unused first. */
  const seats = new Map<string, { seat: S; usedAt: number; release(): void }>();
  const quota = limits.quota("sessionsPerUser", "sessions", "sessions");

  const end = (id: string) => {
    const found = seats.get(id);
    if (!found) return;
    seats.delete(id);
    found.release();
    found.seat.ended();
  };
  const makeRoom = (limit: LimitName, counts: (seat: S) => boolean) => {
    for (const [id, { seat }] of seats) {
      if (!counts(seat) || seat.busy()) continue;
      limits.counters[limit]++;
      return end(id);
    }
  };
  const timer = setInterval(() => {
    for (const [id, { seat, usedAt }] of [...seats]) {
      const idle = now() - usedAt > limits.sessionIdle && !seat.busy();
      const old = now() - seat.createdAt > limits.sessionLifetime;
      if (!idle && !old) continue;
      limits.counters[idle ? "sessionIdle" : "sessionLifetime"]++;
      end(id);
    }
  }, sweep);
  timer.unref();

  return {
    get size() {
      return seats.size;
    },
    add(id, seat) {
      if (quota.heldBy(seat.principalId) >= limits.sessionsPerUser) makeRoom("sessionsPerUser", ({ principalId }) => principalId === seat.principalId);
      else if (quota.held >= limits.sessions) makeRoom("sessions", () => true);
      seats.set(id, { seat, usedAt: now(), release: quota.take(seat.principalId) });
    },
    use(id) {
      const found = seats.get(id);
      if (!found) return undefined;
      seats.delete(id);
      seats.set(id, { ...found, usedAt: now() });
      return found.seat;
    },
    peek: (id) => seats.get(id)?.seat,
    ids: (which) => [...seats].flatMap(([id, { seat }]) => (which(seat) ? [id] : [])),
    end,
    stop() {
      clearInterval(timer);
      for (const id of [...seats.keys()]) end(id);
    },
  };
}

/**
 * Rates, concurrency and daily quotas per principal, server and tool. Which limits a request falls under is looked up once per
 * principal, server and tool; counting is arithmetic in memory, and only a slice that is spent costs a query.
 */
import type { Audit } from "../../audit/index.ts";
import type { LimitState, Snapshot } from "../../snapshot/index.ts";
import { createPlaceCounter, createTokenCounter, type Counted, type Counter } from "./counter.ts";
import type { Ledger } from "./ledger.ts";
import type { Limiter, LimitKind, Refusal, Release, Taken } from "./refusal.ts";

/** Limits that hold for every principal alone, from settings; 0 is none. */
export interface DefaultLimits {
  perSecond: number;
  perDay: number;
  /** Within one process. */
  concurrent: number;
}

export interface LimiterOptions {
  snapshot: Pick<Snapshot, "limits" | "onReload">;
  defaults: DefaultLimits;
  /** Shared by all processes. */
  ledger: Ledger;
  /** Of this process alone. */
  local: Ledger;
  audit: Pick<Audit, "record">;
  now: () => number;
}

export interface Limits extends Limiter {
  /** Refusals since the start, by limit. */
  readonly refusals: ReadonlyMap<string, number>;
  /** Returns what was taken and not used. */
  close(): Promise<void>;
}

interface Rule extends Pick<LimitState, "id" | "name" | "user" | "server" | "tool" | "perSecond" | "burst" | "concurrent" | "perDay"> {
  ledger: Ledger;
}

interface Applied {
  counter: Counter;
  limit: string;
  kind: LimitKind;
}

const day = 24 * 3600 * 1000;
/** Milliseconds between looks at what is idle, and after which it is. */
const [sweepEvery, idleAfter, reportEvery] = [5000, 10_000, 10_000];
const mostSubjects = 20_000;
const nothing: Release = () => undefined;

export function createLimits({ snapshot, defaults, ledger, local, audit, now }: LimiterOptions): Limits {
  let rules: readonly Rule[] = [];
  let compiledFrom: readonly LimitState[] | undefined;
  let subjects = new Map<string, readonly Applied[]>();
  const counters = new Map<string, Counter>();
  const refusals = new Map<string, number>();
  const reported = new Map<string, { at: number; count: number }>();

  const compile = (): void => {
    if (compiledFrom === snapshot.limits) return;
    compiledFrom = snapshot.limits;
    const own = { user: "*", server: undefined, tool: undefined, burst: undefined, perSecond: undefined, concurrent: undefined, perDay: undefined };
    rules = [
      ...(defaults.concurrent > 0 ? [{ ...own, id: "concurrent", name: "SALLYPORT_CONCURRENT_REQUESTS", concurrent: defaults.concurrent, ledger: local }] : []),
      ...(defaults.perSecond > 0 ? [{ ...own, id: "rate", name: "SALLYPORT_REQUESTS_PER_SECOND", perSecond: defaults.perSecond, ledger }] : []),
      ...(defaults.perDay > 0 ? [{ ...own, id: "quota", name: "SALLYPORT_REQUESTS_PER_DAY", perDay: defaults.perDay, ledger }] : []),
      ...snapshot.limits.map((limit) => ({ ...limit, ledger })),
    ];
    // What a changed rule had counted goes on under its id; its slices are of another size.
    subjects = new Map();
  };
  compile();
  snapshot.onReload(compile);

  const counterOf = (key: string, make: () => Counter): Counter => {
    let counter = counters.get(key);
    if (!counter) counters.set(key, (counter = make()));
    return counter;
  };
  /** Concurrency first and quota last: a request that is refused has cost no quota. */
  const applied = (userId: string, serverId: string | undefined, tool: string | undefined, today: number): Applied[] => {
    const found: Applied[] = [];
    for (const { id, name, user, server, tool: toolMatch, perSecond, burst, concurrent, perDay, ledger: kept } of rules) {
      const parts = [subjectOf(user, userId), subjectOf(server, serverId), subjectOf(toolMatch, tool)];
      if (parts.includes(undefined)) continue;
      const key = [id, ...parts].join("|");
      if (concurrent !== undefined) found.push({ limit: `${name} (${concurrent} at once)`, kind: "concurrency", counter: counterOf(`${key}|concurrent|${concurrent}`, () => createPlaceCounter({ ledger: kept, key: `${key}|concurrent`, now }, concurrent, kept === local ? concurrent : clamp(concurrent / 8, 1, 16))) });
      if (perSecond !== undefined) {
        const capacity = burst ?? Math.max(1, Math.ceil(perSecond));
        found.push({ limit: `${name} (${perSecond} per second)`, kind: "rate", counter: counterOf(`${key}|rate|${perSecond}|${capacity}`, () => createTokenCounter({ ledger: kept, key: `${key}|rate`, now }, { capacity, perMillisecond: perSecond / 1000 }, clamp(Math.min(perSecond / 4, capacity / 4), 1, 1000), () => 1000)) });
      }
      if (perDay !== undefined) found.push({ limit: `${name} (${perDay} per day)`, kind: "quota", counter: counterOf(`${key}|day|${perDay}|${today}`, () => createTokenCounter({ ledger: kept, key: `${key}|day|${today}`, now }, { capacity: perDay, perMillisecond: 0 }, clamp(perDay / 100, 1, 1000), () => day - (now() % day))) });
    }
    return found.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  };

  const refuse = (userId: string, { limit, kind }: Applied, wait: number, tool: string | undefined): Refusal => {
    refusals.set(limit, (refusals.get(limit) ?? 0) + 1);
    const key = `${userId}|${limit}`;
    const last = reported.get(key) ?? { at: 0, count: 0 };
    last.count++;
    if (now() - last.at >= reportEvery) {
      audit.record({ type: "limit.exceeded", actorId: userId, detail: { limit, kind, tool, count: last.count } });
      last.at = now();
      last.count = 0;
    }
    if (reported.size < mostSubjects) reported.set(key, last);
    return { limit, kind, retryAfter: Math.max(1, Math.ceil(wait / 1000)) };
  };

  const releaseOf = (list: readonly Applied[]): Release => {
    let done = false;
    return () => {
      if (done) return;
      done = true;
      for (const { counter } of list) counter.release();
    };
  };
  /** All or none. Goes on by itself for as long as nothing has to be waited for. */
  const takeFrom = (list: readonly Applied[], from: number, userId: string, tool: string | undefined): Taken | Promise<Taken> => {
    for (let index = from; index < list.length; index++) {
      const entry = list[index];
      if (!entry) break;
      const refused = (wait: number): Refusal => {
        for (const { counter } of list.slice(0, index)) counter.undo();
        return refuse(userId, entry, wait, tool);
      };
      const counted: Counted | Promise<Counted> = entry.counter.take();
      if (counted instanceof Promise) return counted.then((later) => (later === true ? takeFrom(list, index + 1, userId, tool) : refused(later)));
      if (counted !== true) return refused(counted);
    }
    return releaseOf(list);
  };

  const sweep = async (): Promise<void> => {
    const at = now();
    for (const [key, { at: last }] of reported) if (at - last > 60_000) reported.delete(key);
    for (const [key, counter] of counters) {
      if (counter.busy || at - counter.usedAt < idleAfter) {
        await counter.trim();
        continue;
      }
      counters.delete(key);
      // Who holds a list with this counter looks it up anew.
      subjects = new Map();
      await counter.settle();
    }
    await ledger.renew();
  };
  const timer = setInterval(() => void sweep(), sweepEvery);
  timer.unref();

  return {
    refusals,
    take({ userId }, server, tool) {
      if (rules.length === 0) return nothing;
      const today = Math.floor(now() / day);
      const key = `${userId}|${server?.id ?? ""}|${today}|${tool ?? ""}`;
      let list = subjects.get(key);
      if (!list) {
        list = applied(userId, server?.id, tool, today);
        if (subjects.size >= mostSubjects) subjects.clear();
        subjects.set(key, list);
      }
      return list.length === 0 ? nothing : takeFrom(list, 0, userId, tool);
    },
    async close() {
      clearInterval(timer);
      for (const counter of counters.values()) await counter.settle();
    },
  };
}

const order: readonly LimitKind[] = ["concurrency", "rate", "quota"];

/** @returns what a rule counts under; undefined when the rule does not concern the subject. */
function subjectOf(match: string | undefined, actual: string | undefined): string | undefined {
  if (match === undefined) return "";
  return match === "*" || match === actual ? actual : undefined;
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, Math.floor(value)));
}

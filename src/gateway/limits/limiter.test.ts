import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { createDatabase, databases } from "../../../test/world.ts";
import type { Principal } from "../../kernel/principal.ts";
import { Secret } from "../../kernel/secret.ts";
import type { LimitState } from "../../snapshot/index.ts";
import { openStorage, type Storage } from "../../storage/index.ts";
import { createPlaceCounter } from "./counter.ts";
import { createLocalLedger, createSharedLedger, type Ledger } from "./ledger.ts";
import { createLimits, type DefaultLimits, type Limits } from "./limiter.ts";
import type { Refusal, Release, Taken } from "./refusal.ts";

const none: DefaultLimits = { perSecond: 0, perDay: 0, concurrent: 0 };
const limit = (fields: Partial<LimitState>): LimitState => ({ id: fields.name ?? "rule", name: "rule", user: undefined, server: undefined, tool: undefined, perSecond: undefined, burst: undefined, concurrent: undefined, perDay: undefined, revision: 1, createdAt: 0, updatedAt: 0, ...fields });
const principal = (userId: string) => ({ userId }) as Principal;
const server = (name: string) => ({ id: name, name });
const wasRefused = (taken: Taken): taken is Refusal => typeof taken !== "function";

const running: Limits[] = [];
afterEach(async () => {
  for (const limits of running.splice(0)) await limits.close();
});

function limitsOf(rules: LimitState[], { defaults = none, ledger, now = () => clock.at }: { defaults?: DefaultLimits; ledger?: Ledger; now?: () => number } = {}) {
  const events: object[] = [];
  const listeners: (() => void)[] = [];
  const snapshot = { limits: rules, onReload: (listener: () => void) => void listeners.push(listener) };
  const local = createLocalLedger(now);
  const limits = createLimits({ snapshot, defaults, ledger: ledger ?? local, local, audit: { record: (event) => void events.push(event) }, now });
  running.push(limits);
  return {
    limits,
    events,
    set(next: LimitState[]) {
      snapshot.limits = next;
      for (const listener of listeners) listener();
    },
    take: async (user = "anna", on: string | undefined = "mail", tool: string | undefined = "send") => limits.take(principal(user), on === undefined ? undefined : server(on), tool),
    /** How many of so many requests in a row are let through. */
    async through(count: number, user?: string, on?: string, tool?: string) {
      let passed = 0;
      for (let turn = 0; turn < count; turn++) {
        const taken = await this.take(user, on, tool);
        if (!wasRefused(taken)) {
          taken();
          passed++;
        }
      }
      return passed;
    },
  };
}

/** A Tuesday at noon, UTC. */
const clock = { at: Date.UTC(2026, 10, 24, 12) };

describe("a rate", () => {
  it("lets a burst through, then so many per second, and says when to come back", async () => {
    const world = limitsOf([limit({ perSecond: 2, burst: 5, user: "*" })]);
    expect(await world.through(20)).toBe(5);
    expect(await world.take()).toEqual({ limit: "rule (2 per second)", kind: "rate", retryAfter: 1 });
    clock.at += 1000;
    expect(await world.through(20)).toBe(2);
    clock.at += 60_000;
    expect(await world.through(20)).toBe(5);
  });

  it("never lets more through in any time than rate times time and the burst", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 40 }), fc.array(fc.tuple(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 1, max: 30 })), { maxLength: 20 }), async (perSecond, burst, steps) => {
        const world = limitsOf([limit({ perSecond, burst })]);
        const began = clock.at;
        let passed = 0;
        for (const [pause, count] of steps) {
          clock.at += pause;
          passed += await world.through(count);
        }
        expect(passed).toBeLessThanOrEqual(burst + (perSecond * (clock.at - began)) / 1000 + 1);
      }),
      { numRuns: 60 },
    );
  });
});

describe("a quota", () => {
  it("lasts for a day of UTC", async () => {
    clock.at = Date.UTC(2026, 10, 25, 12);
    const world = limitsOf([limit({ perDay: 3, user: "*" })]);
    expect(await world.through(5)).toBe(3);
    expect(await world.take()).toMatchObject({ kind: "quota", retryAfter: 12 * 3600 });
    clock.at += 12 * 3600 * 1000;
    expect(await world.through(5)).toBe(3);
    clock.at -= 12 * 3600 * 1000;
  });
});

describe("concurrency", () => {
  it("is freed by each answer, once", async () => {
    const world = limitsOf([limit({ concurrent: 2 })]);
    const [first, second] = [await world.take(), await world.take()] as Release[];
    expect(await world.take()).toMatchObject({ kind: "concurrency", retryAfter: 1 });
    clock.at += 1000;
    first?.();
    first?.();
    expect(wasRefused(await world.take())).toBe(false);
    expect(wasRefused(await world.take())).toBe(true);
    second?.();
  });
});

describe("places of a process", () => {
  it("are returned while it is busy, as far as it does not need them", async () => {
    const ledger = createLocalLedger(() => clock.at);
    const [busy, other] = [0, 1].map(() => createPlaceCounter({ ledger, key: "places", now: () => clock.at }, 8, 4));
    const [first, second] = [await busy?.take(), await busy?.take()];
    expect([first, second]).toEqual([true, true]);
    for (let turn = 0; turn < 4; turn++) await other?.take();
    expect(await other?.take()).toBeTypeOf("number");
    await busy?.trim();
    clock.at += 1000;
    expect([await other?.take(), await other?.take()]).toEqual([true, true]);
    expect(await other?.take()).toBeTypeOf("number");
    busy?.release();
    await busy?.trim();
    await busy?.trim();
    clock.at += 1000;
    expect(await other?.take()).toBe(true);
  });
});

describe("what a limit counts together", () => {
  it.each<[string, Partial<LimitState>, [string, string | undefined, string | undefined][], number]>([
    ["each user alone", { user: "*" }, [["anna", "mail", "send"], ["ben", "mail", "send"]], 2],
    ["all users together", {}, [["anna", "mail", "send"], ["ben", "files", "read"]], 1],
    ["one user", { user: "anna" }, [["anna", "mail", "send"], ["anna", "mail", "send"], ["ben", "mail", "send"], ["ben", "mail", "send"]], 3],
    ["each server alone", { server: "*" }, [["anna", "mail", "send"], ["ben", "mail", "send"], ["anna", "files", "read"]], 2],
    ["one server", { server: "mail" }, [["anna", "mail", "send"], ["anna", "files", "read"], ["anna", "files", "read"]], 3],
    ["one tool for each user", { server: "mail", tool: "send", user: "*" }, [["anna", "mail", "send"], ["anna", "mail", "send"], ["anna", "mail", "read"], ["ben", "mail", "send"]], 3],
    ["nothing of a server for what no server answers", { server: "*" }, [["anna", undefined, undefined], ["anna", undefined, undefined]], 2],
  ])("%s", async (_, fields, requests, passed) => {
    const world = limitsOf([limit({ ...fields, perDay: 1 })]);
    let count = 0;
    for (const [user, on, tool] of requests) if (!wasRefused(await world.limits.take(principal(user), on === undefined ? undefined : server(on), tool))) count++;
    expect(count).toBe(passed);
  });

  it("is all or nothing: a request that one limit refuses costs no other", async () => {
    const world = limitsOf([limit({ name: "day", perDay: 10 }), limit({ name: "rate", perSecond: 1, burst: 2 }), limit({ name: "at-once", concurrent: 1 })]);
    expect(await world.through(50)).toBe(2);
    clock.at += 10_000;
    expect(await world.through(50)).toBe(2);
    world.set([limit({ name: "day", perDay: 10 })]);
    expect(await world.through(50)).toBe(6);
  });
});

describe("limits", () => {
  it("cost nothing when none is set", () => {
    const { limits } = limitsOf([]);
    expect(limits.take(principal("a"), server("x"), "t")).toBe(limits.take(principal("b"), server("y"), "u"));
  });

  it("come from settings for every principal alone, and change while it runs", async () => {
    const world = limitsOf([], { defaults: { perSecond: 0, perDay: 2, concurrent: 0 } });
    expect([await world.through(5, "anna"), await world.through(5, "ben")]).toEqual([2, 2]);
    world.set([limit({ server: "mail", perDay: 1 })]);
    expect(await world.through(5, "cleo")).toBe(1);
  });

  it("tell of refusals: a counter for each, an event for the first of many", async () => {
    const world = limitsOf([limit({ perDay: 1 })]);
    await world.through(101);
    expect(world.limits.refusals.get("rule (1 per day)")).toBe(100);
    expect(world.events).toEqual([{ type: "limit.exceeded", actorId: "anna", detail: { limit: "rule (1 per day)", kind: "quota", tool: "send", count: 1 } }]);
    clock.at += 60_000;
    await world.through(1);
    expect(world.events).toHaveLength(2);
    expect(world.events[1]).toMatchObject({ detail: { count: 100 } });
  });

  it("answer at once while a slice lasts", async () => {
    const { limits } = limitsOf([limit({ perDay: 10_000 })]);
    await limits.take(principal("anna"), server("mail"), "send");
    for (let turn = 0; turn < 40; turn++) expect(limits.take(principal("anna"), server("mail"), "send")).toBeTypeOf("function");
  });
});

describe.each(databases)("limits of several processes on %s", (kind) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-limits-"));
  const opened: Storage[] = [];
  afterAll(async () => {
    for (const storage of opened) await storage.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const key = new Secret(randomBytes(32).toString("base64url"));
  const failures: unknown[] = [];
  const processes = async (count: number) => {
    const config = { SALLYPORT_DATA_DIR: join(folder, randomBytes(4).toString("hex")), SALLYPORT_DATABASE_URL: kind === "postgres" ? new Secret(await createDatabase()) : undefined, SALLYPORT_ENCRYPTION_KEY: key, SALLYPORT_ENCRYPTION_KEY_PREVIOUS: undefined };
    // Two connections of one process to an embedded database would wait for each other without end: there, all share one.
    const storages: Storage[] = [];
    for (let index = 0; index < count; index++) storages.push((kind === "sqlite" && storages[0]) || (await openStorage({ config, onError: () => undefined })));
    opened.push(...new Set(storages));
    return (rules: LimitState[]) => storages.map((storage, index) => limitsOf(rules, { ledger: createSharedLedger({ storage, now: () => clock.at, holder: String(index), onError: (error) => failures.push(error) }) }));
  };

  it("share a quota without ever exceeding it", async () => {
    const worlds = (await processes(3))([limit({ perDay: 500 })]);
    const passed = await Promise.all(worlds.map((world) => world.through(400)));
    const all = passed.reduce((sum, count) => sum + count, 0);
    expect(failures).toEqual([]);
    expect(all).toBeLessThanOrEqual(500);
    // What is left is what the others hold of their slices of 5.
    expect(all).toBeGreaterThan(500 - 3 * 5);
  });

  it("share a rate and places", async () => {
    const [first, second] = (await processes(2))([limit({ name: "rate", perSecond: 10, burst: 20 })]);
    const passed = (await Promise.all([first?.through(30), second?.through(30)])) as number[];
    expect((passed[0] ?? 0) + (passed[1] ?? 0)).toBeLessThanOrEqual(20);
    expect((passed[0] ?? 0) + (passed[1] ?? 0)).toBeGreaterThan(20 - 2 * 2);
    const [one, two] = (await processes(2))([limit({ name: "places", concurrent: 3 })]);
    const taken = (await Promise.all([one?.take(), two?.take(), one?.take(), two?.take(), one?.take()])) as Taken[];
    expect(taken.filter((entry) => !wasRefused(entry))).toHaveLength(3);
    for (const entry of taken) if (!wasRefused(entry)) entry();
    await one?.limits.close();
    clock.at += 1000;
    const again = (await Promise.all([two?.take(), two?.take(), two?.take()])) as Taken[];
    expect(again.filter((entry) => !wasRefused(entry))).toHaveLength(3);
  });

  it("return what a process that stops has not used", async () => {
    const [first, second] = (await processes(2))([limit({ perDay: 1000 })]);
    await first?.through(1);
    await first?.limits.close();
    expect(await second?.through(1100)).toBe(999);
  });

  it("go on alone while the database is away", async () => {
    const [only] = (await processes(1))([limit({ perDay: 5 })]);
    await opened.at(-1)?.db.schema.dropTable("budgets").execute();
    expect(await only?.through(9)).toBe(5);
    expect(failures.length).toBeGreaterThan(0);
    failures.length = 0;
  });
});

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kysely, sql } from "kysely";
import { Migrator } from "kysely/migration";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { createDatabase, databases } from "../../test/world.ts";
import { Problem } from "../kernel/problem.ts";
import { Secret } from "../kernel/secret.ts";
import { createLog } from "../ops/index.ts";
import { openStorage, type Storage } from "../storage/index.ts";
import { migrations } from "../storage/migrations/index.ts";
import { openPostgres } from "../storage/postgres.ts";
import { openSqlite } from "../storage/sqlite.ts";
import { formatVerifierKey, generateSigner, parseCheckpoint } from "./checkpoint.ts";
import { exportLines } from "./export.ts";
import { createVerifier, openAudit, verifyProof, type Audit, type Report } from "./index.ts";
import { verifyConsistency } from "./merkle.ts";
import { prove, proveConsistency, readLog, readPage } from "./reader.ts";
import { verifiersOf } from "./store.ts";

interface Where {
  folder: string;
  url: string | undefined;
  key: string;
}

const day = 86_400_000;

describe.each(databases)("the audit trail on %s", (kind) => {
  const root = mkdtempSync(join(tmpdir(), "sallyport-audit-"));
  const open: { storage: Storage; audit: Audit }[] = [];
  const said: string[] = [];
  let number = 0;
  let skew = 0;
  afterEach(async () => {
    skew = 0;
    said.length = 0;
    for (const { storage, audit } of open.splice(0)) {
      await audit.close();
      await storage.close();
    }
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const place = async (): Promise<Where> => ({ folder: join(root, String(number++)), url: kind === "postgres" ? await createDatabase() : undefined, key: randomBytes(32).toString("base64url") });
  const start = async (where: Where, options: Partial<Parameters<typeof openAudit>[0]> = {}) => {
    const storage = await openStorage({ config: { SALLYPORT_DATA_DIR: where.folder, SALLYPORT_DATABASE_URL: where.url === undefined ? undefined : new Secret(where.url), SALLYPORT_ENCRYPTION_KEY: new Secret(where.key), SALLYPORT_ENCRYPTION_KEY_PREVIOUS: undefined }, onError: () => undefined });
    const audit = await openAudit({ storage, log: createLog({ level: "debug", write: (line) => void said.push(line) }), host: "sallyport.example", now: () => Date.now() + skew, ...options });
    const opened = { storage, audit };
    open.push(opened);
    return opened;
  };
  const stop = async (opened: { storage: Storage; audit: Audit }) => {
    open.splice(open.indexOf(opened), 1);
    await opened.audit.close();
    await opened.storage.close();
  };
  const exported = async ({ storage, audit }: { storage: Storage; audit: Audit }) => {
    const lines: string[] = [];
    const mismatches: string[] = [];
    for await (const line of exportLines((after) => readLog(storage.db, audit, after), "2026-11-23T00:00:00.000Z", (text) => mismatches.push(text))) lines.push(line);
    return { lines, mismatches };
  };
  const verify = (lines: readonly string[], options: Parameters<typeof createVerifier>[0] = {}): Report => {
    const verifier = createVerifier(options);
    for (const line of lines) verifier.line(line);
    return verifier.finish();
  };
  const change = (storage: Storage, audit: Audit, name: string) =>
    storage.write(async (transaction) => {
      await transaction.insertInto("meta").values({ key: name, value: "x" }).execute();
      await audit.recordIn(transaction, { type: "server.created", subject: "server:1", actorId: "u1", detail: { name } });
    });
  const changes = async (storage: Storage) => (await storage.db.selectFrom("meta").select("key").where("key", "!=", "key-check").orderBy("key").execute()).map(({ key }) => key);
  const list = async (storage: Storage, query: Partial<Parameters<typeof readPage>[1]> = {}) => (await readPage(storage.db, { limit: 500, ...query })).items;

  it("numbers events without a gap, and verifies", async () => {
    const { storage, audit } = await start(await place());
    for (let index = 0; index < 1200; index++) audit.record({ type: "call.completed", actorId: `u${index % 3}`, detail: { method: "tools/call", bytes: index } });
    await change(storage, audit, "one");
    await audit.flush();
    const { lines, mismatches } = await exported({ storage, audit });
    const report = verify(lines, { keys: await verifiersOf(storage.db) });
    expect(report).toMatchObject({ ok: true, problems: [], first: 1, trust: "given key" });
    expect(report.covered).toBe(report.last);
    expect(report.last).toBeGreaterThanOrEqual(1203);
    expect(mismatches).toEqual([]);
    expect(await storage.db.selectFrom("audit_outbox").selectAll().execute()).toEqual([]);
  });

  it("finds events by type, actor, outcome, subject and time, back and onwards", async () => {
    const { storage, audit } = await start(await place());
    skew = -day;
    audit.record({ type: "user.created", actorId: "a%b", subject: "user:1", detail: { scopes: ["admin"] } });
    await audit.flush();
    skew = 0;
    for (let index = 0; index < 30; index++) {
      audit.record({ type: index % 2 === 0 ? "call.completed" : "call.failed", actorId: `u${index % 3}`, subject: `server:${index % 5}`, detail: { milliseconds: index } });
      if (index % 10 === 0) await audit.flush();
    }
    await audit.flush();
    expect(await list(storage, { type: "call.failed" })).toHaveLength(15);
    expect(await list(storage, { type: "call.failed", actor: "u1" })).toHaveLength(5);
    expect(await list(storage, { outcome: "failure", subject: "server:1" })).toHaveLength(3);
    expect(await list(storage, { actor: "a%b" })).toMatchObject([{ type: "user.created", detail: { scopes: ["admin"] } }]);
    for (const no of ["a_b", "a%", "%", "u", "a%b\ntype:call.failed"]) expect(await list(storage, { actor: no }), no).toEqual([]);
    expect(await list(storage, { until: Date.now() - day / 2 })).toMatchObject([{ actorId: "a%b" }]);
    expect((await list(storage, { from: Date.now() - day / 2, type: "user.created" }))).toEqual([]);
    const all = (await list(storage)).map(({ sequence }) => sequence);
    expect(all).toEqual(Array.from({ length: all.length }, (_, index) => all.length - index));
    const [back, onwards]: [number[], number[]] = [[], []];
    for (let before: number | undefined = Number.MAX_SAFE_INTEGER; before !== undefined; ) {
      const page = await readPage(storage.db, { limit: 7, before });
      back.push(...page.items.map(({ sequence }) => sequence));
      before = page.next;
    }
    for (let after: number | undefined = 0; after !== undefined; ) {
      const page = await readPage(storage.db, { limit: 7, after });
      onwards.push(...page.items.map(({ sequence }) => sequence));
      after = page.next;
    }
    expect(back).toEqual(all);
    expect(onwards).toEqual([...all].reverse());
  });

  it("has the event of a change that was made, and none of a change that was not", async () => {
    const { storage, audit } = await start(await place());
    await change(storage, audit, "made");
    await expect(
      storage.write(async (transaction) => {
        await audit.recordIn(transaction, { type: "server.created", detail: { name: "not made" } });
        throw new Error("on purpose");
      }),
    ).rejects.toThrow("on purpose");
    await audit.flush();
    expect((await list(storage, { type: "server.created" })).map(({ detail }) => detail)).toEqual([{ name: "made" }]);
  });

  it("refuses changes while the outbox cannot be written", async () => {
    const { storage, audit } = await start(await place());
    await breakTable(storage, "audit_outbox");
    await expect(change(storage, audit, "lost")).rejects.toSatisfy((error) => error instanceof Problem && error.status === 503);
    expect(await changes(storage)).toEqual([]);
    await mendTable(storage, "audit_outbox");
    await change(storage, audit, "kept");
    expect(await changes(storage)).toEqual(["kept"]);
  });

  it("refuses changes while the log cannot be written, keeps calls up to a bound, and says how many were lost", async () => {
    const { storage, audit } = await start(await place(), { capacity: 10 });
    await breakTable(storage, "audit_segments");
    for (let index = 0; index < 25; index++) audit.record({ type: "call.completed", detail: { bytes: index } });
    await audit.flush();
    await expect(change(storage, audit, "lost")).rejects.toSatisfy((error) => error instanceof Problem && error.status === 503);
    expect(await changes(storage)).toEqual([]);
    expect(said.join("")).toContain("audit.queue.full");
    await mendTable(storage, "audit_segments");
    await audit.flush();
    await change(storage, audit, "kept");
    await audit.flush();
    expect((await list(storage, { type: "call.completed" })).map(({ detail }) => detail["bytes"])).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect(await list(storage, { type: "audit.events.lost" })).toMatchObject([{ detail: { count: 15 }, severity: "critical", outcome: "failure" }]);
    expect(await changes(storage)).toEqual(["kept"]);
    expect(verify((await exported({ storage, audit })).lines)).toMatchObject({ ok: true });
  });

  it("does not start when the log cannot be written, or was cut", async () => {
    const where = await place();
    const first = await start(where);
    for (let index = 0; index < 10; index++) first.audit.record({ type: "call.completed" });
    await first.audit.flush();
    await breakTable(first.storage, "audit_segments");
    first.audit.record({ type: "call.completed" });
    await first.audit.flush();
    await sql`insert into audit_outbox (id, at, type, severity, outcome, detail) values ('x', 1, 'y', 'info', 'success', '{}')`.execute(first.storage.db);
    await expect(start(where)).rejects.toThrow("The audit log cannot be written");
    await mendTable(first.storage, "audit_segments");
    await stop(first);
    const cut = await openStorage({ config: { SALLYPORT_DATA_DIR: where.folder, SALLYPORT_DATABASE_URL: where.url === undefined ? undefined : new Secret(where.url), SALLYPORT_ENCRYPTION_KEY: new Secret(where.key), SALLYPORT_ENCRYPTION_KEY_PREVIOUS: undefined }, onError: () => undefined });
    await cut.db.updateTable("audit_chain").set({ size: 1 }).execute();
    await cut.close();
    await expect(start(where)).rejects.toThrow("entries were taken away");
  });

  it("takes in the events of an older database, in their order, and says so", async () => {
    const where = await place();
    const dialect = where.url === undefined ? openSqlite(join(where.folder, "sallyport.db")).dialect : openPostgres(new Secret(where.url), () => undefined).dialect;
    const old = new Kysely<Record<string, never>>({ dialect });
    const older = Object.fromEntries(Object.entries(migrations).filter(([name]) => name < "0009"));
    const { error } = await new Migrator({ db: old, provider: { getMigrations: async () => older } }).migrateToLatest();
    expect(error).toBeUndefined();
    for (let index = 0; index < 600; index++) await sql`insert into audit_events (id, at, type, severity, outcome, actor_id, detail) values (${`old-${index}`}, ${1_700_000_000_000 + index}, ${index === 3 ? "of.another.time" : "user.created"}, 'notice', 'success', 'u', ${'{"z":1,"a":"\\ud800"}'})`.execute(old);
    await old.destroy();
    const { storage, audit } = await start(where);
    const first = await list(storage, { after: 0 });
    expect(first.slice(0, 4)).toMatchObject([{ sequence: 1, id: "old-0", at: "2023-11-14T22:13:20.000Z" }, { id: "old-1" }, { id: "old-2" }, { id: "old-3", type: "of.another.time" }]);
    expect(await list(storage, { after: 600, limit: 1 })).toMatchObject([{ sequence: 601, type: "audit.log.started", detail: { adopted: 600 } }]);
    expect(verify((await exported({ storage, audit })).lines)).toMatchObject({ ok: true });
  });

  it("does not take in what somebody wrote into the outbox", async () => {
    const { storage, audit } = await start(await place());
    await sql`insert into audit_outbox (id, at, type, severity, outcome, actor_id, detail) values ('forged-1', 1, 'audit.key.created', 'notice', 'success', 'u', '{"key":"mine"}')`.execute(storage.db);
    await sql`insert into audit_outbox (id, at, type, severity, outcome, actor_id, detail, seal) values ('forged-2', 1, 'user.created', 'notice', 'success', 'u', '{}', 'AAAA')`.execute(storage.db);
    await audit.flush();
    expect(await list(storage, { type: "audit.row.refused" })).toMatchObject([{ detail: { event: "forged-2", type: "user.created" } }, { detail: { event: "forged-1" } }]);
    expect(await list(storage, { actor: "u" })).toEqual([]);
  });

  it("proves single events, and that it only grew", async () => {
    const { storage, audit } = await start(await place());
    const keys = await verifiersOf(storage.db);
    const anchor = parseCheckpoint((await audit.log.checkpoint()).note)?.checkpoint;
    for (let index = 0; index < 700; index++) audit.record({ type: "call.completed", detail: { bytes: index } });
    await audit.flush();
    const items = await list(storage);
    for (const { id, sequence } of [items[0], items[100], items[400], items.at(-1)].filter((item) => item !== undefined)) {
      const proof = await prove(storage.db, audit.log, id, keys);
      expect(proof?.sequence).toBe(sequence);
      expect(proof && verifyProof(proof, { keys })).toEqual([]);
      expect(proof && verifyProof({ ...proof, entry: `${proof.entry} ` }, { keys })).toEqual([expect.stringContaining("not number")]);
      expect(proof && verifyProof(proof, { keys: [formatVerifierKey(generateSigner("other").signer)] })).toEqual([expect.stringContaining("signed by nobody")]);
    }
    expect(await prove(storage.db, audit.log, "01a207a1-8a08-7394-b358-6f50b029e855", keys)).toBeUndefined();
    const grown = await proveConsistency(storage.db, audit.log, anchor?.size ?? 0);
    expect(verifyConsistency({ old: grown?.old ?? 0, oldRoot: anchor?.root ?? "", size: grown?.size ?? 0, root: parseCheckpoint(grown?.checkpoint ?? "")?.checkpoint.root ?? "", proof: grown?.hashes ?? [] })).toBe(true);
  });

  it("goes on under a new key, which the old one vouches for", async () => {
    const { storage, audit } = await start(await place());
    const [first = ""] = await verifiersOf(storage.db);
    audit.record({ type: "call.completed" });
    const { verifier } = await audit.rotateKey();
    audit.record({ type: "call.completed" });
    await audit.flush();
    const { lines } = await exported({ storage, audit });
    const newest = parseCheckpoint((await audit.log.checkpoint()).note);
    expect(newest?.signatures.map(({ id }) => id)).toEqual([verifier.split("+")[1]]);
    for (const key of [first, verifier]) expect(verify(lines, { keys: [key] }), key).toMatchObject({ ok: true, problems: [] });
  });

  it("removes what is older than the retention time, and still verifies; not when somebody else removes it", async () => {
    const { storage, audit } = await start(await place(), { retentionDays: 30, keepsBodies: true });
    const keys = await verifiersOf(storage.db);
    skew = -90 * day;
    for (let index = 0; index < 700; index++) audit.record({ type: "call.completed", detail: { bytes: index }, ...(index === 5 ? { body: { request: "secret argument" } } : {}) });
    await audit.flush();
    const before = (await audit.log.checkpoint()).note;
    skew = 0;
    for (let index = 0; index < 300; index++) audit.record({ type: "call.completed", detail: { bytes: index } });
    await audit.flush();
    const through = await audit.retain();
    expect(through).toBeGreaterThanOrEqual(700);
    expect(await audit.retain()).toBeUndefined();
    const { lines } = await exported({ storage, audit });
    expect(verify(lines, { keys })).toMatchObject({ ok: true, problems: [], first: (through ?? 0) + 1 });
    // The checkpoint of that size is the last one an anchor may have.
    expect(verify(lines, { keys, anchors: [before] })).toMatchObject({ ok: true });
    expect(await storage.db.selectFrom("audit_bodies").selectAll().execute()).toEqual([]);
    expect(await list(storage, { until: Date.now() - 60 * day })).toEqual([]);
    const kept = await list(storage);
    const proof = await prove(storage.db, audit.log, kept.at(-1)?.id ?? "", keys);
    expect(proof && verifyProof(proof, { keys })).toEqual([]);

    // The same, done by somebody who can write the tables but not sign.
    const checkpoint = await audit.log.checkpoint();
    for (let index = 0; index < 10; index++) audit.record({ type: "call.completed" });
    await audit.flush();
    await audit.log.checkpoint();
    await storage.db.deleteFrom("audit_segments").where("last", "<=", checkpoint.size).execute();
    await storage.db.updateTable("audit_chain").set({ removed: checkpoint.size }).execute();
    const report = verify((await exported({ storage, audit })).lines, { keys });
    expect(report.problems.join()).toContain("the log does not say that retention removed them");
  });

  it("seals what calls carry, and keeps it out of everything else", async () => {
    const { storage, audit } = await start(await place(), { keepsBodies: true });
    audit.record({ type: "call.completed", body: { request: "canary-argument", response: "y".repeat(70_000) } });
    await audit.flush();
    const { openBody } = await import("./bodies.ts");
    const [event] = await list(storage, { type: "call.completed" });
    expect(event?.body).toMatch(/^[0-9a-f]{64}$/);
    expect(event && (await openBody(storage.db, storage.vault, event))).toEqual({ request: "canary-argument", response: "y".repeat(65_536), truncated: true });
    expect(JSON.stringify([await storage.db.selectFrom("audit_segments").selectAll().execute(), await storage.db.selectFrom("audit_bodies").selectAll().execute()])).not.toContain("canary-argument");
    await expect(openBody(storage.db, storage.vault, { id: event?.id ?? "", body: "0".repeat(64) })).rejects.toThrow("committed to");
    const off = await start(await place());
    off.audit.record({ type: "call.completed", body: { request: "canary-argument" } });
    await off.audit.flush();
    expect(await off.storage.db.selectFrom("audit_bodies").selectAll().execute()).toEqual([]);
  });

  it("stops rather than go on after somebody cut the log beneath it", async () => {
    const { storage, audit } = await start(await place());
    for (let index = 0; index < 10; index++) audit.record({ type: "call.completed" });
    await audit.flush();
    await storage.db.updateTable("audit_chain").set({ size: 2 }).execute();
    audit.record({ type: "call.completed" });
    await audit.flush();
    await expect(change(storage, audit, "refused")).rejects.toSatisfy((error) => error instanceof Problem && error.status === 503);
  });

  const writer = (where: Where, name: string, count: number) => spawn(process.execPath, ["--disable-warning=ExperimentalWarning", "test/peers/audit-writer.ts", where.folder, where.url ?? "", where.key, name, String(count)], { stdio: ["ignore", "pipe", "inherit"] });
  const exit = (child: ReturnType<typeof writer>) => new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));

  it("survives kill -9 in the middle of writing and signing", async () => {
    const where = await place();
    let made = 0;
    for (const milliseconds of [30, 90, 160, 250, 340]) {
      const child = writer(where, `w${milliseconds}`, 0);
      const ended = exit(child);
      await new Promise((resolve) => child.stdout?.once("data", resolve));
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      child.kill("SIGKILL");
      await ended;
      const opened = await start(where);
      const { lines } = await exported(opened);
      expect(verify(lines, { keys: await verifiersOf(opened.storage.db) })).toMatchObject({ ok: true, problems: [] });
      const events = lines.flatMap((line) => (line.includes('"type":"server.created"') ? [(JSON.parse(line) as { event: { detail: { name: string } } }).event.detail.name] : []));
      expect(events.sort()).toEqual(await changes(opened.storage));
      expect(events.length).toBeGreaterThan(made);
      made = events.length;
      await stop(opened);
    }
  }, 60_000);

  it("is one log for several processes", async () => {
    const where = await place();
    await stop(await start(where));
    const children = ["a", "b", "c"].slice(0, kind === "postgres" ? 3 : 2).map((name) => writer(where, name, 40));
    expect(await Promise.all(children.map(exit))).toEqual(children.map(() => 0));
    const opened = await start(where);
    const { lines } = await exported(opened);
    expect(verify(lines, { keys: await verifiersOf(opened.storage.db) })).toMatchObject({ ok: true, problems: [] });
    for (const name of ["a", "b", "c"].slice(0, children.length)) expect(lines.filter((line) => line.includes(`"subject":"writer:${name}"`))).toHaveLength(40 * 21);
  }, 60_000);
});

async function breakTable(storage: Storage, table: string): Promise<void> {
  if (storage.kind === "sqlite") await sql`create trigger broken before insert on ${sql.table(table)} begin select raise(abort, 'on purpose'); end`.execute(storage.db);
  else {
    await sql`create or replace function broken() returns trigger language plpgsql as 'begin raise exception ''on purpose''; end'`.execute(storage.db);
    await sql`create trigger broken before insert on ${sql.table(table)} for each row execute function broken()`.execute(storage.db);
  }
}

async function mendTable(storage: Storage, table: string): Promise<void> {
  await (storage.kind === "sqlite" ? sql`drop trigger broken` : sql`drop trigger broken on ${sql.table(table)}`).execute(storage.db);
}

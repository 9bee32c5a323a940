/** What an audit event costs on SQLite, recorded, chained, in the tree and stored; beside a plain insert of one row with two indexes, in batches. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openAudit } from "../src/audit/index.ts";
import { newId } from "../src/kernel/ids.ts";
import { Secret } from "../src/kernel/secret.ts";
import { createLog } from "../src/ops/index.ts";
import { openStorage } from "../src/storage/index.ts";
import { median, row } from "./harness.ts";

const rounds = 5;
const perRound = 40_000;
/** As many as arrive within a tenth of a second at 5,000 calls per second. */
const perFlush = 500;
const folder = mkdtempSync(join(tmpdir(), "sallyport-bench-audit-"));
const users = Array.from({ length: 16 }, () => newId());
const servers = Array.from({ length: 5 }, () => `server:${newId()}`);
const pick = (list: readonly string[], index: number) => list[index % list.length] ?? "";

interface Cost {
  cpu: number;
  perSecond: number;
}

async function measure(batch: (count: number) => Promise<void> | void): Promise<Cost> {
  const costs: Cost[] = [];
  for (let round = -1; round < rounds; round++) {
    const [before, began] = [process.cpuUsage(), performance.now()];
    for (let count = 0; count < perRound; count += perFlush) await batch(perFlush);
    const used = process.cpuUsage(before);
    if (round >= 0) costs.push({ cpu: (used.user + used.system) / perRound, perSecond: (perRound / (performance.now() - began)) * 1000 });
  }
  return { cpu: median(costs.map(({ cpu }) => cpu)), perSecond: median(costs.map(({ perSecond }) => perSecond)) };
}

const plain = new DatabaseSync(join(folder, "plain.db"));
plain.exec("pragma journal_mode = wal; pragma synchronous = full; pragma secure_delete = on; create table events (sequence integer primary key autoincrement, id text, at integer, type text, severity text, outcome text, actor_id text, subject text, request_id text, detail text); create index events_type on events (type, sequence); create index events_actor on events (actor_id, sequence)");
const insert = plain.prepare("insert into events (id, at, type, severity, outcome, actor_id, subject, request_id, detail) values (?, ?, ?, ?, ?, ?, ?, ?, ?)");
const rows = await measure((count) => {
  plain.exec("begin");
  for (let index = 0; index < count; index++) insert.run(newId(), Date.now(), "call.completed", "info", "success", pick(users, index), pick(servers, index), newId(), JSON.stringify({ method: "tools/call", tool: "echo", status: 200, milliseconds: 4.85, bytes: 197 }));
  plain.exec("commit");
});
plain.close();

const storage = await openStorage({ config: { SALLYPORT_DATA_DIR: folder, SALLYPORT_DATABASE_URL: undefined, SALLYPORT_ENCRYPTION_KEY: new Secret(randomBytes(32).toString("base64url")), SALLYPORT_ENCRYPTION_KEY_PREVIOUS: undefined }, onError: (error) => console.error(error) });
const audit = await openAudit({ storage, log: createLog({ level: "error" }), host: "bench" });
const record = (count: number) => {
  for (let index = 0; index < count; index++) audit.record({ type: "call.completed", actorId: pick(users, index), subject: pick(servers, index), requestId: newId(), detail: { method: "tools/call", tool: "echo", status: 200, milliseconds: 4.85, bytes: 197 } });
};
const log = await measure((count) => {
  record(count);
  return audit.flush();
});
await audit.close();
await storage.close();
rmSync(folder, { recursive: true, force: true });

console.log(`audit events on SQLite, ${perFlush} a batch, ${perRound} a round, medians of ${rounds} rounds; wanted: at least 10,000 per second`);
row("", "CPU µs each", "x plain", "per second");
row("a row each, two indexes", rows.cpu, 1, rows.perSecond.toFixed(0));
row("audit.record, chained and stored", log.cpu, log.cpu / rows.cpu, log.perSecond.toFixed(0));

/**
 * The audit trail. Events of changes are written in the transaction of what they report, so neither exists without the other; the rest is
 * queued and written in batches within a tenth of a second. All of them end in one tamper-evident log (entry.ts, log.ts). The queue is
 * bounded, and a loss is itself an event; while the log cannot be written, changes are refused.
 */
import { newId } from "../kernel/ids.ts";
import type { Log as Journal } from "../kernel/log.ts";
import { problem } from "../kernel/problem.ts";
import type { Storage, Write } from "../storage/index.ts";
import { sealBody } from "./bodies.ts";
import type { AuditEvent, CallBody, EventName } from "./catalogue.ts";
import { addTo, newBatch, queue, rowOf } from "./entry.ts";
import { openLog, sealRow, segmentSize, type Log, type Waiting } from "./log.ts";

export { exportLines, logPage } from "./export.ts";
export { auditRoutes } from "./routes.ts";
export { createVerifier, proofSchema, verifyProof, type Report } from "./verify.ts";
export { toOcsf } from "./ocsf.ts";
export { toSyslog } from "./syslog.ts";
export { eventSchemaDocument, eventsPage } from "./page.ts";

export interface Audit {
  /** Queues an event; never throws and never waits. `body` is kept only when `keepsBodies`. */
  record<N extends EventName>(event: AuditEvent<N> & { body?: CallBody }): void;
  /** Writes an event within a transaction: the change and its event are one. @throws Problem 503 when the trail cannot be written: then the change must not be made. */
  recordIn<N extends EventName>(transaction: Write, event: AuditEvent<N>): Promise<void>;
  /** Whether what calls carry is kept, sealed (SALLYPORT_AUDIT_BODIES): ask before making a text of it. */
  readonly keepsBodies: boolean;
  /** Resolves when everything recorded so far is in the log. */
  flush(): Promise<void>;
  /** Resolves when something was appended by this process, or after so many milliseconds. */
  appended(milliseconds: number): Promise<void>;
  readonly log: Log;
  /** A new key for checkpoints, and a checkpoint signed by it and the one before. */
  rotateKey(): Promise<{ keyId: string; verifier: string }>;
  /** Removes entries that are older than the retention time. @returns how far, or undefined when there was nothing to remove. */
  retain(): Promise<number | undefined>;
  close(): Promise<void>;
}

export interface AuditOptions {
  storage: Storage;
  /** The log on standard output: told when the trail cannot be written. */
  log: Journal;
  /** Host of the deployment, with port: how its log is called. */
  host: string;
  keepsBodies?: boolean;
  /** 0 keeps everything. */
  retentionDays?: number;
  now?: () => number;
  /** Most events held in memory while the database is away. */
  capacity?: number;
  /** Milliseconds between batches. */
  interval?: number;
}

const day = 86_400_000;
const [chores, retentionChores] = [1000, 3_600_000];

/** @throws Error when the log cannot be written: then nothing should start. */
export async function openAudit({ storage, log: journal, host, keepsBodies = false, retentionDays = 0, now = Date.now, capacity = 50_000, interval = 100 }: AuditOptions): Promise<Audit> {
  /** The last one is being filled; the first one may be on its way to the database. */
  const waiting: Waiting[] = [];
  let held = 0;
  const listeners = new Set<() => void>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let lost = 0;
  let leaving: Waiting | undefined;
  let failing = false;
  let closed = false;
  /** Something of this process, or of one that ended early, may be in the outbox. */
  let lookIntoOutbox = true;

  const recordIn: Audit["recordIn"] = async (transaction, event) => {
    if (failing) throw unwritable();
    const at = now();
    await transaction.insertInto("audit_outbox").values(sealRow(storage.vault, rowOf(event, newId(at), at))).execute().catch((cause: unknown) => Promise.reject(unwritable(cause)));
    lookIntoOutbox = true;
    schedule();
  };
  const record: Audit["record"] = ({ body, ...event }) => {
    if (held >= capacity) {
      if (lost++ === 0) journal.error("audit.queue.full", { count: held });
      return;
    }
    const at = now();
    const id = newId(at);
    let batch = waiting.at(-1);
    if (batch === undefined || batch === leaving || batch.ends.length >= segmentSize) waiting.push((batch = { ...newBatch(), bodies: [] }));
    if (body === undefined || !keepsBodies) addTo(batch, queue(event, id, at));
    else {
      const { envelope, commitment } = sealBody(storage.vault, id, body);
      addTo(batch, queue(event, id, at, commitment));
      batch.bodies.push({ event_id: id, at, envelope });
    }
    held++;
    schedule();
  };
  const drain = async (): Promise<void> => {
    try {
      while (waiting.length > 0 || lookIntoOutbox) {
        if (lookIntoOutbox) {
          lookIntoOutbox = false;
          const taken = await log.writeOutbox().catch((error: unknown) => {
            lookIntoOutbox = true;
            throw error;
          });
          lookIntoOutbox ||= taken === segmentSize;
        } else if (waiting[0]) {
          leaving = waiting[0];
          await log.write(leaving);
          held -= leaving.ends.length;
          waiting.shift();
        }
        failing = false;
        if (lost > 0 && held < capacity) {
          const count = lost;
          lost = 0;
          record({ type: "audit.events.lost", detail: { count } });
        }
        for (const listener of listeners) listener();
        // Between batches others have their turn.
        if (waiting.length > 0 || lookIntoOutbox) await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      failing = true;
      journal.error("audit.write.failed", { error, count: held });
    }
  };
  const write = (): Promise<void> => (writing = writing.then(drain));
  function schedule(): void {
    if (failing || closed) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      void write();
    }, interval);
  }
  const flush = () => {
    lookIntoOutbox = true;
    return write();
  };

  const log = await openLog({ storage, host, now, recordIn });
  await flush();
  if (failing) throw new Error("The audit log cannot be written");
  await log.checkpoint();

  const guarded = (what: string, work: () => Promise<unknown>) => void work().catch((error: unknown) => journal.error(what, { error }));
  // Tries again after a failure, looks for what another process left in the outbox, and signs what has been unsigned for a minute.
  const chore = setInterval(() => {
    guarded("audit.checkpoint.failed", async () => {
      await flush();
      if (!failing && log.isCheckpointDue()) await log.checkpoint();
    });
  }, chores);
  const audit: Audit = {
    record,
    recordIn,
    keepsBodies,
    flush,
    log,
    appended: (milliseconds) =>
      new Promise((resolve) => {
        const done = () => {
          clearTimeout(limit);
          listeners.delete(done);
          resolve();
        };
        const limit = setTimeout(done, milliseconds);
        listeners.add(done);
      }),
    async rotateKey() {
      const key = await log.rotateKey();
      await flush();
      await log.checkpoint();
      return key;
    },
    async retain() {
      if (retentionDays === 0) return undefined;
      const before = now() - retentionDays * day;
      const through = await log.removable(before);
      if (through === undefined) return undefined;
      // First it is said, in the log and under a signature; only then done. Killed between the two, it is said again and done.
      await storage.write((transaction) => recordIn(transaction, { type: "audit.removed", detail: { through, days: retentionDays } }));
      await flush();
      if (failing) throw unwritable();
      await log.checkpoint();
      await log.remove(through, before);
      return through;
    },
    async close() {
      clearTimeout(timer);
      clearInterval(chore);
      clearInterval(retaining);
      closed = true;
      for (const listener of listeners) listener();
      await flush();
      if (!failing) await log.checkpoint();
    },
  };
  const retaining = setInterval(() => guarded("audit.retention.failed", () => audit.retain()), retentionChores);
  chore.unref();
  retaining.unref();
  return audit;
}

function unwritable(cause?: unknown): Error {
  return problem("unavailable", { detail: "The audit trail cannot be written, so the change was not made", headers: { "retry-after": "2" }, cause });
}

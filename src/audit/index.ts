/**
 * The audit trail. Administrative events are written in the transaction of what they report, so neither exists without the other;
 * the rest is queued and written in batches within milliseconds. The queue is bounded, and a loss is itself reported.
 */
import { newId } from "../kernel/ids.ts";
import type { Log } from "../kernel/log.ts";
import type { Storage, Tables, Write } from "../storage/index.ts";
import type { Insertable } from "kysely";
import { catalogue, type AuditEvent, type EventName } from "./catalogue.ts";

export { auditRoutes } from "./routes.ts";

export interface Audit {
  /** Queues an event; never throws and never waits. */
  record<N extends EventName>(event: AuditEvent<N>): void;
  /** Writes an event within a transaction: the change and its event are one. */
  recordIn<N extends EventName>(transaction: Write, event: AuditEvent<N>): Promise<void>;
  /** Resolves when everything recorded so far is stored. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

type Row = Insertable<Tables["audit_events"]>;
/** Rows of one insert: small, so that writing never holds up a call for long. */
const batch = 100;

export interface AuditOptions {
  storage: Storage;
  log: Log;
  /** Most events held in memory while the database is away. */
  capacity?: number;
  /** Milliseconds between batches. */
  interval?: number;
}

export function createAudit({ storage, log, capacity = 50_000, interval = 50 }: AuditOptions): Audit {
  const queue: Row[] = [];
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let lost = 0;

  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      const rows = queue.slice(0, batch);
      try {
        await storage.db.insertInto("audit_events").values(rows).execute();
        queue.splice(0, rows.length);
        if (lost > 0) {
          log.error("audit.events.lost", { count: lost });
          lost = 0;
        }
      } catch (error) {
        log.error("audit.write.failed", { error, count: queue.length });
        return;
      }
    }
  };
  const write = (): Promise<void> => (writing = writing.then(drain));
  const schedule = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      void write().then(() => {
        if (queue.length > 0) schedule();
      });
    }, interval);
  };

  return {
    record(event) {
      if (queue.length >= capacity) {
        if (lost++ === 0) log.error("audit.queue.full", { count: queue.length });
        return;
      }
      queue.push(rowOf(event));
      schedule();
    },
    async recordIn(transaction, event) {
      await transaction.insertInto("audit_events").values(rowOf(event)).execute();
    },
    flush: write,
    async close() {
      clearTimeout(timer);
      await write();
    },
  };
}

function rowOf(event: AuditEvent): Row {
  const { severity, detail: known } = catalogue[event.type];
  const detail: Record<string, unknown> = {};
  for (const field of known) {
    const value = (event.detail as Record<string, unknown> | undefined)?.[field];
    if (value !== undefined) detail[field] = typeof value === "string" ? value.slice(0, 512) : value;
  }
  return {
    id: newId(),
    at: Date.now(),
    type: event.type,
    severity,
    outcome: event.outcome ?? (event.type.endsWith(".denied") ? "denied" : /failed|refused|blocked|throttled/.test(event.type) ? "failure" : "success"),
    actor_id: event.actorId ?? null,
    subject: event.subject ?? null,
    request_id: event.requestId ?? null,
    detail: JSON.stringify(detail),
  };
}

/**
 * The audit trail. Administrative events are written in the transaction of what they report, so neither exists without the other;
 * the rest is queued and written in batches within milliseconds. The queue is bounded, and a loss is itself reported.
 */
import { newId } from "../kernel/ids.ts";
import type { Log } from "../kernel/log.ts";
import type { Storage, Tables, Write } from "../storage/index.ts";
import { CompiledQuery, type Insertable, type Kysely } from "kysely";
import { catalogue, type AuditEvent, type EventName, type Outcome } from "./catalogue.ts";

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

/** Values in the order of `columns`. */
type Row = readonly (string | number | null)[];
const columns = ["id", "at", "type", "severity", "outcome", "actor_id", "subject", "request_id", "detail"] as const satisfies readonly (keyof Insertable<Tables["audit_events"]>)[];
/** Most rows of one transaction: few enough that writing never holds up a call for long. */
const batch = 256;
/** Rows of one statement: few sizes, so that each statement is compiled once. */
const sizes = [64, 16, 4, 1] as const;

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
  const blank = Object.fromEntries(columns.map((column) => [column, ""])) as unknown as Insertable<Tables["audit_events"]>;
  const statements = new Map(sizes.map((size) => [size, storage.db.insertInto("audit_events").values(Array.from({ length: size }, () => blank)).compile().sql]));
  const insert = async (database: Kysely<Tables>, rows: readonly Row[]): Promise<void> => {
    for (let start = 0; start < rows.length; ) {
      const size = sizes.find((candidate) => candidate <= rows.length - start) ?? 1;
      await database.executeQuery(CompiledQuery.raw(statements.get(size) ?? "", rows.slice(start, start + size).flat()));
      start += size;
    }
  };

  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      const rows = queue.slice(0, batch);
      try {
        await storage.db.transaction().execute((transaction) => insert(transaction, rows));
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
      await insert(transaction, [rowOf(event)]);
    },
    flush: write,
    async close() {
      clearTimeout(timer);
      await write();
    },
  };
}

/** What an event's name says of how it went, unless the event itself says otherwise. */
function outcomeOf(type: EventName): Outcome {
  if (type.endsWith(".denied")) return "denied";
  return /\.(?:failed|refused|blocked|throttled)$/.test(type) ? "failure" : "success";
}

function rowOf(event: AuditEvent): Row {
  const { severity, detail: known } = catalogue[event.type];
  const detail: Record<string, unknown> = {};
  for (const field of known) {
    const value = (event.detail as Record<string, unknown> | undefined)?.[field];
    if (value !== undefined) detail[field] = typeof value === "string" ? value.slice(0, 512) : value;
  }
  return [newId(), Date.now(), event.type, severity, event.outcome ?? outcomeOf(event.type), event.actorId ?? null, event.subject ?? null, event.requestId ?? null, JSON.stringify(detail)];
}

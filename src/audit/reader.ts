/** Reading the log: pages of events, newest first or onwards from one, and proofs. */
import type { Database } from "../storage/index.ts";
import type { Log } from "./log.ts";
import { consistencyProof, inclusionProof, leafHash } from "./merkle.ts";
import type { LogPage } from "./export.ts";
import type { Audit } from "./index.ts";
import { checkpointAt, findEntry, latestCheckpoint, notesBetween, parseEntry, readHead, readLines, scan, treeSource, verifiersOf, type Filter } from "./store.ts";
import type { Entry, StoredEvent } from "./entry.ts";
import { formatTlogProof, type Proof } from "./verify.ts";

export interface Found extends StoredEvent {
  sequence: number;
}

export interface Query extends Filter {
  /** Only events before or after this sequence number. */
  before?: number | undefined;
  after?: number | undefined;
  limit: number;
}

export interface Page {
  items: Found[];
  /** Where the next page begins. An empty page may have one: each looks at so much of the log and no more. */
  next: number | undefined;
}

function fits({ event }: Entry, { type, outcome, actor, subject, from, until }: Filter): boolean {
  const at = Date.parse(event.at);
  return (type === undefined || event.type === type) && (outcome === undefined || event.outcome === outcome) && (actor === undefined || event.actorId === actor) && (subject === undefined || event.subject === subject) && (from === undefined || at >= from) && (until === undefined || at <= until);
}

/** Newest first; with `after`, oldest first from there on. */
export async function readPage(db: Database, query: Query): Promise<Page> {
  const { limit } = query;
  const order = query.after === undefined ? "desc" : "asc";
  const cursor = query.after ?? query.before ?? Number.MAX_SAFE_INTEGER;
  const items: Found[] = [];
  let next: number | undefined;
  for await (const part of scan(db, order, cursor, query)) {
    next = part.next;
    for (const { lines, first } of part.segments) {
      const inOrder = order === "desc" ? lines.map((line, index) => ({ line, sequence: first + index })).reverse() : lines.map((line, index) => ({ line, sequence: first + index }));
      for (const { line, sequence } of inOrder) {
        if (order === "desc" ? sequence >= cursor : sequence <= cursor) continue;
        const entry = parseEntry({ line });
        if (!fits(entry, query)) continue;
        items.push({ ...entry.event, sequence: entry.sequence });
        if (items.length === limit) return { items, next: sequence };
      }
    }
  }
  return { items, next };
}

/** That the event is in the log, against a checkpoint that covers it. @throws RemovedError @returns undefined when there is no such event. */
export async function prove(db: Database, log: Log, id: string, keys: readonly string[]): Promise<(Proof & { sequence: number }) | undefined> {
  const found = await findEntry(db, id);
  if (!found) return undefined;
  const { size, note } = await log.checkpoint();
  const { removed } = await readHead(db);
  const source = await treeSource(db, removed, leafHash);
  const index = found.sequence - 1;
  return { format: "sallyport-audit-proof/1", entry: found.line, proof: formatTlogProof(index, await inclusionProof(source, index, size), note), keys: [...keys], sequence: found.sequence };
}

/** That the log as a checkpoint shows it now continues the log of `old` entries. @throws RemovedError @returns undefined when it has fewer. */
export async function proveConsistency(db: Database, log: Log, old: number): Promise<{ old: number; size: number; hashes: string[]; checkpoint: string } | undefined> {
  const { size, note } = await log.checkpoint();
  if (old > size) return undefined;
  const { removed } = await readHead(db);
  return { old, size, hashes: await consistencyProof(await treeSource(db, removed, leafHash), old, size), checkpoint: note };
}

const entriesPerPage = 2000;

/** A page of the log itself. The first one, without `after`, signs a checkpoint over everything there is. */
export async function readLog(db: Database, audit: Pick<Audit, "flush" | "log">, after: number | undefined): Promise<LogPage> {
  if (after === undefined) await audit.flush();
  const { size } = after === undefined ? await audit.log.checkpoint() : ((await latestCheckpoint(db)) ?? { size: 0 });
  const { removed } = await readHead(db);
  const base = removed === 0 ? undefined : await checkpointAt(db, removed);
  const from = Math.max(after ?? 0, removed);
  const { lines, last, wrongTerms } = await readLines(db, from, entriesPerPage);
  const entries = lines.slice(0, Math.max(0, size - from));
  const through = Math.min(last, size);
  const isLast = entries.length === 0 || through >= size;
  return {
    origin: audit.log.origin,
    keys: await verifiersOf(db),
    size,
    ...(base && after === undefined ? { start: { size: base.size, hash: base.hash, frontier: [...base.frontier], checkpoint: base.note } } : {}),
    entries,
    // What is said of entries that are not there (any more) belongs to the end: the reader shall see it.
    checkpoints: await notesBetween(db, from, isLast ? Number.MAX_SAFE_INTEGER : through),
    next: isLast ? null : through,
    mismatches: wrongTerms.map((first) => `The segment of entries ${first} and following is not what it says it is`),
  };
}

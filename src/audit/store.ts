/** The audit tables: the head of the log, its segments, nodes, checkpoints. Knows how they are stored, not what they prove. */
import { sql } from "kysely";
import type { Database, Storage, Write } from "../storage/index.ts";
import { addTo, newBatch, type Batch, type Entry, type Head, type OutboxRow } from "./entry.ts";
import type { Node, TreeSource } from "./merkle.ts";

export interface Segment {
  first: number;
  last: number;
  terms: string;
  /** As stored: entries, in their order. */
  lines: string[];
}

export interface StoredCheckpoint extends Head {
  at: number;
  note: string;
}

const joined = (frontier: readonly string[]) => frontier.join(" ");
const split = (text: string) => (text === "" ? [] : text.split(" "));

export async function readHead(db: Database): Promise<Head & { origin: string; removed: number; adopted: number }> {
  const row = await db.selectFrom("audit_chain").selectAll().where("id", "=", 1).executeTakeFirst();
  if (!row) throw new Error("The audit log has lost its head");
  return { origin: row.origin ?? "", size: row.size, hash: row.hash, frontier: split(row.frontier), removed: row.removed, adopted: row.adopted };
}

export function readOutbox(db: Database, limit: number): Promise<(OutboxRow & { sequence: number; seal: string | null })[]> {
  return db.selectFrom("audit_outbox").selectAll().orderBy("sequence").limit(limit).execute();
}

export interface Appended {
  before: Head;
  after: Head;
  /** Lines. */
  entries: string;
  batch: Batch;
  nodes: readonly Node[];
  bodies: readonly { event_id: string; at: number; envelope: string }[];
  /** Rows of the outbox that the entries came from. */
  taken: readonly number[];
}

/** @returns false when another process has appended meanwhile: then nothing may be committed. */
export async function appendSegment(transaction: Write, { before, after, entries, batch, nodes, bodies, taken }: Appended): Promise<boolean> {
  // The first statement, so that it also takes the lock: whoever comes second waits, and then finds another head.
  const moved = await transaction.updateTable("audit_chain").set({ size: after.size, hash: after.hash, frontier: joined(after.frontier) }).where("id", "=", 1).where("size", "=", before.size).where("hash", "=", before.hash).executeTakeFirst();
  if (Number(moved.numUpdatedRows) !== 1) return false;
  await transaction.insertInto("audit_segments").values({ first: before.size + 1, last: after.size, first_at: batch.firstAt, last_at: batch.lastAt, terms: termsOf(batch), entries }).execute();
  if (nodes.length > 0) await transaction.insertInto("audit_nodes").values(nodes.map(({ level, index, hash }) => ({ level, position: index, hash }))).execute();
  for (const body of bodies) await transaction.insertInto("audit_bodies").values(body).execute();
  if (taken.length > 0) await transaction.deleteFrom("audit_outbox").where("sequence", "in", taken).execute();
  return true;
}

/** PostgreSQL has no NUL in texts, and a term is a line. */
const oneLine = (text: string) => text.replaceAll(/[\u0000-\u001F]/g, " ");

function termsOf({ types, outcomes, actors, subjects }: Pick<Batch, "types" | "outcomes" | "actors" | "subjects">): string {
  const named = (name: string, values: ReadonlySet<string>) => [...values].map((value) => `${name}:${oneLine(value)}`);
  return `\n${[...named("type", types), ...named("outcome", outcomes), ...named("actor", actors), ...named("subject", subjects)].join("\n")}\n`;
}

export function parseEntry(row: { line: string }): Entry {
  return JSON.parse(row.line) as Entry;
}

export interface Filter {
  type?: string | undefined;
  outcome?: string | undefined;
  actor?: string | undefined;
  subject?: string | undefined;
  /** Milliseconds since the epoch, inclusive. */
  from?: number | undefined;
  until?: number | undefined;
}

/** Segments looked at for one answer; beyond them the reader asks again from where it ended. */
const window = 4000;

/** Where the window ends that begins at `cursor`: the sequence number of its last segment, or undefined when the log ends in it. */
async function windowEnd(db: Database, order: "asc" | "desc", cursor: number): Promise<number | undefined> {
  const row = await db
    .selectFrom("audit_segments")
    .select("first")
    .$if(order === "desc", (q) => q.where("first", "<", cursor))
    .$if(order === "asc", (q) => q.where("last", ">", cursor))
    .orderBy(order === "desc" ? "first" : "last", order)
    .offset(window)
    .limit(1)
    .executeTakeFirst();
  return row?.first;
}

/**
 * Segments that may hold what the filter asks for, a few at a time, newest first before `cursor` or oldest first after it.
 * @returns for the last of them, where to go on; undefined when there is no more.
 */
export async function* scan(db: Database, order: "asc" | "desc", cursor: number, filter: Filter): AsyncGenerator<{ segments: Segment[]; next: number | undefined }> {
  const end = await windowEnd(db, order, cursor);
  const matching = (["type", "outcome", "actor", "subject"] as const).flatMap((name) => (filter[name] === undefined ? [] : [`%\n${name}:${oneLine(filter[name]).replaceAll(/[\\%_]/g, String.raw`\$&`)}\n%`]));
  for (let at = cursor; ; ) {
    let query = db.selectFrom("audit_segments").select(["first", "last", "terms", "entries"]).orderBy("first", order).limit(4);
    query = order === "desc" ? query.where("first", "<", at).$if(end !== undefined, (q) => q.where("first", ">=", end ?? 0)) : query.where("last", ">", at).$if(end !== undefined, (q) => q.where("first", "<", end ?? 0));
    for (const pattern of matching) query = query.where(sql<boolean>`terms like ${pattern} escape '\\'`);
    if (filter.from !== undefined) query = query.where("last_at", ">=", filter.from);
    if (filter.until !== undefined) query = query.where("first_at", "<=", filter.until);
    const rows = await query.execute();
    const segments = rows.map(({ first, last, terms, entries }) => ({ first, last, terms, lines: entries.split("\n") }));
    const final = segments.at(-1);
    if (final === undefined || segments.length < 4) {
      yield { segments, next: end === undefined ? undefined : order === "desc" ? end : end - 1 };
      return;
    }
    at = order === "desc" ? final.first : final.last;
    yield { segments, next: at };
  }
}

/** Lines of the entries (after, …], whole segments, until there are `enough`. */
export async function readLines(db: Database, after: number, enough: number): Promise<{ lines: string[]; last: number; wrongTerms: number[] }> {
  const lines: string[] = [];
  const wrongTerms: number[] = [];
  let last = after;
  while (lines.length < enough) {
    const rows = await db.selectFrom("audit_segments").select(["first", "last", "terms", "entries"]).where("last", ">", last).orderBy("last").limit(8).execute();
    for (const row of rows) {
      if (lines.length >= enough) break;
      const all = row.entries.split("\n");
      if (all.length !== row.last - row.first + 1 || !hasTerms(row.terms, all)) wrongTerms.push(row.first);
      lines.push(...(row.first <= last ? all.slice(last - row.first + 1) : all));
      last = row.last;
    }
    if (rows.length < 8) break;
  }
  return { lines, last, wrongTerms };
}

/** The terms are no part of the chain, but hide an event from a search when they lie. */
function hasTerms(terms: string, lines: readonly string[]): boolean {
  try {
    const found = newBatch();
    for (const line of lines) {
      const { type, outcome, actorId, subject } = parseEntry({ line }).event;
      addTo(found, { text: "", at: 0, type, outcome, actorId, subject });
    }
    return terms === termsOf(found);
  } catch {
    return false;
  }
}

/** @returns the entry of an event, by the event's id, whose first 48 bits are about its time (RFC 9562 section 5.7). */
export async function findEntry(db: Database, id: string): Promise<{ line: string; sequence: number } | undefined> {
  const time = Number.parseInt(id.replace("-", "").slice(0, 12), 16);
  if (!Number.isFinite(time)) return undefined;
  const slack = 10_000;
  for (let after = 0; ; ) {
    const rows = await db.selectFrom("audit_segments").select(["first", "last", "entries"]).where("last_at", ">=", time - slack).where("first_at", "<=", time + slack).where("last", ">", after).orderBy("last").limit(16).execute();
    for (const { first, entries } of rows) {
      const lines = entries.split("\n");
      const index = lines.findIndex((line) => line.includes(`"id":"${id}"`) && parseEntry({ line }).event.id === id);
      if (index !== -1) return { line: lines[index] ?? "", sequence: first + index };
    }
    if (rows.length < 16) return undefined;
    after = rows.at(-1)?.last ?? after;
  }
}

export async function latestCheckpoint(db: Database): Promise<StoredCheckpoint | undefined> {
  const row = await db.selectFrom("audit_checkpoints").selectAll().orderBy("size", "desc").limit(1).executeTakeFirst();
  return row && { ...row, frontier: split(row.frontier) };
}

export async function checkpointAt(db: Database, size: number): Promise<StoredCheckpoint | undefined> {
  const row = await db.selectFrom("audit_checkpoints").selectAll().where("size", "=", size).executeTakeFirst();
  return row && { ...row, frontier: split(row.frontier) };
}

export async function notesBetween(db: Database, after: number, through: number): Promise<{ size: number; note: string }[]> {
  return db.selectFrom("audit_checkpoints").select(["size", "note"]).where("size", ">", after).where("size", "<=", through).orderBy("size").execute();
}

export async function putCheckpoint(storage: Storage, { size, hash, frontier, at, note }: StoredCheckpoint): Promise<void> {
  await storage.write((transaction) => transaction.insertInto("audit_checkpoints").values({ size, hash, frontier: joined(frontier), at, note }).onConflict((conflict) => conflict.column("size").doNothing()).execute());
}

/** Proofs from the tables. */
export async function treeSource(db: Database, removed: number, leafOf: (line: string) => string): Promise<TreeSource> {
  const base = removed === 0 ? undefined : await checkpointAt(db, removed);
  return {
    removed: { size: base?.size ?? 0, frontier: base?.frontier ?? [] },
    async leaves(from, to) {
      const { lines } = await readLines(db, from, to - from);
      return lines.slice(0, to - from).map(leafOf);
    },
    async nodes(level, from, to) {
      const rows = await db.selectFrom("audit_nodes").select("hash").where("level", "=", level).where("position", ">=", from).where("position", "<", to).orderBy("position").execute();
      return rows.map(({ hash }) => hash);
    },
  };
}

/** Every key that ever signed, oldest first. */
export async function verifiersOf(db: Database): Promise<string[]> {
  return (await db.selectFrom("audit_keys").select("verifier").orderBy("created_at").execute()).map(({ verifier }) => verifier);
}

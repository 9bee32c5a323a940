/**
 * An entry of the log: the event as canonical JSON (RFC 8785), its sequence number, and the hash of the entry before it. The text that is
 * stored is exactly the text that is hashed, so a reader needs nothing but it. Written by hand because every call makes one.
 */
import { canonicalize } from "../kernel/canonical.ts";
import { catalogue, type AuditEvent, type EventName, type Outcome } from "./catalogue.ts";
import { leafHashOf, pushLeaf, type Node } from "./merkle.ts";

/** As it stands in the log. */
export interface StoredEvent {
  id: string;
  /** ISO 8601, UTC. */
  at: string;
  type: string;
  severity: string;
  outcome: string;
  actorId?: string;
  /** "kind:id" */
  subject?: string;
  requestId?: string;
  detail: Record<string, unknown>;
  /** SHA-256 of what was captured of the call, when it was: a commitment, see bodies.ts. */
  body?: string;
}

export interface Entry {
  event: StoredEvent;
  /** Hash of the entry before; zeros for the first. */
  previous: string;
  /** From 1, without gaps. */
  sequence: number;
}

/** An event on its way into the log: its text, and what it will be found by. */
export interface Queued {
  text: string;
  at: number;
  type: string;
  outcome: string;
  actorId: string | undefined;
  subject: string | undefined;
}

export const beforeTheFirst = "0".repeat(64);
const longestText = 512;
const longestList = 100;

/** What an event's name says of how it went, unless the event itself says otherwise. */
function outcomeOf(type: string): Outcome {
  if (type.endsWith(".denied")) return "denied";
  return /\.(?:failed|refused|blocked|throttled|lost|exceeded)$/.test(type) ? "failure" : "success";
}

/** Per type, what does not change from event to event. Canonical JSON orders members by name. */
const shapes = new Map(
  (Object.keys(catalogue) as EventName[]).map((type) => [type, { outcome: outcomeOf(type), severity: catalogue[type].severity, fields: [...catalogue[type].detail].sort(), start: `,"severity":"${catalogue[type].severity}"`, end: `"type":"${type}"}` }]),
);

let [clock, shown] = [0, ""];
function timeText(at: number): string {
  if (at !== clock) [clock, shown] = [at, new Date(at).toISOString()];
  return shown;
}

const cut = (text: string) => (text.length > longestText ? text.slice(0, longestText) : text).toWellFormed();
const quote = (text: string) => JSON.stringify(cut(text));
const present = (text: string | undefined) => (text === undefined ? undefined : cut(text));

/** @returns undefined for what has no place in an event. */
function valueText(value: unknown): string | undefined {
  if (typeof value === "string") return quote(value);
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : undefined;
  if (typeof value === "boolean") return value ? "true" : "false";
  return Array.isArray(value) ? `[${value.slice(0, longestList).map((each) => quote(String(each))).join(",")}]` : undefined;
}

function detailText(fields: readonly string[], detail: Readonly<Record<string, unknown>> | undefined): string {
  let text = "";
  if (detail) {
    for (const field of fields) {
      const value = valueText(detail[field]);
      if (value !== undefined) text += `${text === "" ? "" : ","}"${field}":${value}`;
    }
  }
  return `{${text}}`;
}

/** Columns of an event that waits in the outbox. */
export interface OutboxRow {
  id: string;
  at: number;
  type: string;
  severity: string;
  outcome: string;
  actor_id: string | null;
  subject: string | null;
  request_id: string | null;
  /** Canonical JSON object; of rows older than the log, any JSON object. */
  detail: string;
}

export function rowOf(event: AuditEvent, id: string, at: number): OutboxRow {
  const shape = shapes.get(event.type);
  if (!shape) throw new Error(`${event.type} is not in the catalogue`);
  return { id, at, type: event.type, severity: shape.severity, outcome: event.outcome ?? shape.outcome, actor_id: present(event.actorId) ?? null, subject: present(event.subject) ?? null, request_id: present(event.requestId) ?? null, detail: detailText(shape.fields, event.detail) };
}

/** @param body the commitment to what was captured, if anything was. */
export function queue(event: AuditEvent, id: string, at: number, body?: string): Queued {
  const shape = shapes.get(event.type);
  if (!shape) throw new Error(`${event.type} is not in the catalogue`);
  const { requestId, type } = event;
  const [actorId, subject] = [present(event.actorId), present(event.subject)];
  const outcome = event.outcome ?? shape.outcome;
  let text = actorId === undefined ? "{" : `{"actorId":${JSON.stringify(actorId)},`;
  text += `"at":"${timeText(at)}",${body === undefined ? "" : `"body":"${body}",`}"detail":${detailText(shape.fields, event.detail)},"id":"${id}","outcome":"${outcome}"`;
  if (requestId !== undefined) text += `,"requestId":${quote(requestId)}`;
  text += shape.start;
  text += subject === undefined ? `,${shape.end}` : `,"subject":${JSON.stringify(subject)},${shape.end}`;
  return { text, at, type, outcome, actorId, subject };
}

const wellFormed = (detail: Record<string, unknown>) => Object.fromEntries(Object.entries(detail).map(([name, value]) => [name, typeof value === "string" ? value.toWellFormed() : Array.isArray(value) ? value.map((each) => String(each).toWellFormed()) : value]));

/** A row of the outbox, which may be older than the log, and of a type that there is no longer. */
export function queueRow(row: OutboxRow): Queued {
  const { id, at, type, severity, outcome, actor_id: actorId, subject, request_id: requestId } = row;
  const event = { ...(actorId === null ? {} : { actorId }), at: new Date(at).toISOString(), detail: wellFormed(JSON.parse(row.detail) as Record<string, unknown>), id, outcome, ...(requestId === null ? {} : { requestId: requestId.toWellFormed() }), severity, ...(subject === null ? {} : { subject: subject.toWellFormed() }), type };
  return { text: canonicalize(event), at, type, outcome, actorId: actorId ?? undefined, subject: subject ?? undefined };
}

/** Where the log stands: what is needed to append to it. */
export interface Head {
  /** Entries so far. */
  size: number;
  /** Hash of the last entry. */
  hash: string;
  frontier: readonly string[];
}

/**
 * Events that will be written together. Their texts are kept as bytes outside the heap: thousands of strings that live for a tenth of a
 * second cost the garbage collector more than making and hashing them does.
 */
export interface Batch {
  bytes: Buffer;
  /** Where each text ends. */
  ends: number[];
  types: Set<string>;
  outcomes: Set<string>;
  actors: Set<string>;
  subjects: Set<string>;
  firstAt: number;
  lastAt: number;
}

export function newBatch(): Batch {
  return { bytes: Buffer.alloc(16_384), ends: [], types: new Set(), outcomes: new Set(), actors: new Set(), subjects: new Set(), firstAt: Infinity, lastAt: 0 };
}

export function addTo(batch: Batch, { text, at, type, outcome, actorId, subject }: Queued): void {
  const start = batch.ends.at(-1) ?? 0;
  // A UTF-16 unit is at most three bytes of UTF-8.
  const most = start + text.length * 3;
  if (most > batch.bytes.length) {
    const larger = Buffer.alloc(Math.max(most, batch.bytes.length * 2));
    batch.bytes.copy(larger, 0, 0, start);
    batch.bytes = larger;
  }
  batch.ends.push(start + batch.bytes.write(text, start));
  batch.types.add(type);
  batch.outcomes.add(outcome);
  if (actorId !== undefined) batch.actors.add(actorId);
  if (subject !== undefined) batch.subjects.add(subject);
  if (at < batch.firstAt) batch.firstAt = at;
  if (at > batch.lastAt) batch.lastAt = at;
}

const [newline, opening] = [0x0a, Buffer.from('{"event":')];
/** What stands around an event, at most. */
const around = 128;

/** Chains events to a head. The hash of an entry is its leaf in the Merkle tree. @returns their entries as lines. */
export function append(head: Head, { bytes, ends }: Pick<Batch, "bytes" | "ends">): { head: Head; entries: string; nodes: Node[] } {
  const frontier = [...head.frontier];
  const nodes: Node[] = [];
  let { size, hash } = head;
  const lines = Buffer.alloc((ends.at(-1) ?? 0) + ends.length * around);
  let [at, start] = [0, 0];
  for (const end of ends) {
    // The byte before a line is the zero under which leaves are hashed, and then the line break.
    const before = at++;
    lines[before] = 0;
    lines.set(opening, at);
    at += opening.length;
    at += bytes.copy(lines, at, start, end);
    at += lines.write(`,"previous":"${hash}","sequence":${size + 1}}`, at, "latin1");
    hash = leafHashOf(lines.subarray(before, at));
    lines[before] = newline;
    pushLeaf(frontier, size++, hash, (node) => nodes.push(node));
    start = end;
  }
  return { head: { size, hash, frontier }, entries: lines.toString("utf8", 1, at), nodes };
}

/** For texts that are at hand. */
export function appendTexts(head: Head, events: readonly string[]): { head: Head; entries: string[]; nodes: Node[] } {
  const bytes = Buffer.from(events.join(""));
  let end = 0;
  const done = append(head, { bytes, ends: events.map((text) => (end += Buffer.byteLength(text))) });
  return { ...done, entries: events.length === 0 ? [] : done.entries.split("\n") };
}

/**
 * An entry of the log: the event as canonical JSON (RFC 8785), its sequence number, and the hash of the entry before it. The text that is
 * stored is exactly the text that is hashed, so a reader needs nothing but it. Written by hand because every call makes one.
 */
import { canonicalize } from "../kernel/canonical.ts";
import { catalogue, type AuditEvent, type EventName, type Outcome } from "./catalogue.ts";
import { leafHash, pushLeaf, type Node } from "./merkle.ts";

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

export function entryText(event: string, previous: string, sequence: number): string {
  return `{"event":${event},"previous":"${previous}","sequence":${sequence}}`;
}

/** Where the log stands: what is needed to append to it. */
export interface Head {
  /** Entries so far. */
  size: number;
  /** Hash of the last entry. */
  hash: string;
  frontier: readonly string[];
}

/** Chains events to a head. The hash of an entry is its leaf in the Merkle tree. */
export function append(head: Head, events: readonly string[]): { head: Head; entries: string[]; nodes: Node[] } {
  const frontier = [...head.frontier];
  const nodes: Node[] = [];
  let { size, hash } = head;
  const entries = events.map((event) => {
    const entry = entryText(event, hash, size + 1);
    hash = leafHash(entry);
    pushLeaf(frontier, size++, hash, (node) => nodes.push(node));
    return entry;
  });
  return { head: { size, hash, frontier }, entries, nodes };
}

/** The audit trail over HTTP: events in pages, the log for export and verification, proofs, checkpoints, and what auditors alone may open. */
import { z } from "zod";
import { problem } from "../kernel/problem.ts";
import type { Principal } from "../kernel/principal.ts";
import { route, type RequestInfo, type Route } from "../net/route.ts";
import type { Storage } from "../storage/index.ts";
import { openBody } from "./bodies.ts";
import { catalogue, type EventName } from "./catalogue.ts";
import type { Audit } from "./index.ts";
import { logPage } from "./export.ts";
import { RemovedError } from "./merkle.ts";
import { prove, proveConsistency, readLog, readPage, type Page } from "./reader.ts";
import { findEntry, parseEntry, verifiersOf } from "./store.ts";
import { proofSchema } from "./verify.ts";

const names = Object.keys(catalogue) as [EventName, ...EventName[]];
const eventSchema = z.object({
  sequence: z.number(),
  id: z.string(),
  at: z.string(),
  type: z.string(),
  severity: z.string(),
  outcome: z.string(),
  actorId: z.string().nullable(),
  subject: z.string().nullable(),
  requestId: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
  body: z.boolean().describe("Whether what the call carried was kept, for auditors"),
});
const sequence = z.string().regex(/^\d{1,15}$/).transform(Number);
const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
const eventId = z.strictObject({ id: z.uuid() });
/** Milliseconds that an answer without events may be held back; short, since a stopping process waits for it. */
const longestWait = 5000;
/** Milliseconds for which a reader's reading is one event. */
const sameReading = 60_000;

export function auditRoutes({ storage, audit, now = Date.now }: { storage: Storage; audit: Audit; now?: () => number }): Route[] {
  const { db } = storage;
  const readings = new Map<string, number>();
  /** Reading leaves an event too; following the log would otherwise see nothing but itself. */
  const read = (what: string, { userId }: Principal, { id }: RequestInfo) => {
    const key = `${userId} ${what}`;
    if (now() - (readings.get(key) ?? 0) < sameReading) return;
    for (const [other, at] of readings) if (now() - at >= sameReading) readings.delete(other);
    readings.set(key, now());
    audit.record({ type: "audit.read", actorId: userId, requestId: id, detail: { what } });
  };
  const access = { scopes: ["admin"], or: "audit:read" } as const;
  const gone = (error: unknown): never => {
    throw error instanceof RemovedError ? problem("not-found", { detail: error.message }) : error;
  };

  return [
    route({
      method: "get",
      path: "/api/v1/audit/events",
      operationId: "listAuditEvents",
      summary: "Read audit events, newest first, or onwards from one",
      tag: "Audit",
      access,
      query: z.strictObject({
        type: z.enum(names).optional(),
        outcome: z.enum(["success", "failure", "denied"]).optional(),
        actor: z.string().max(100).optional().describe("User id"),
        subject: z.string().max(200).optional().describe("Such as server:<id>"),
        from: time.optional().describe("Not earlier (RFC 3339)"),
        until: time.optional().describe("Not later (RFC 3339)"),
        before: sequence.optional().describe("Sequence number: only older events"),
        after: sequence.optional().describe("Sequence number: only newer events, oldest first"),
        wait: z.string().regex(/^\d{1,2}$/).transform(Number).pipe(z.number().max(30)).default(0).describe("Seconds to wait for events after `after`; the answer may come sooner, and empty"),
        limit: z.string().regex(/^\d{1,4}$/).transform(Number).pipe(z.number().min(1).max(500)).default(100),
      }),
      responses: { 200: { description: "A page of events", schema: z.object({ items: z.array(eventSchema), nextBefore: z.number().nullable(), nextAfter: z.number().nullable() }) } },
      async handler({ query, principal, request }) {
        const { after, wait, limit } = query;
        if (after !== undefined && query.before !== undefined) throw problem("invalid", { detail: "before: give either before or after", errors: [{ field: "before", message: "Give either before or after" }] });
        await audit.flush();
        read("events", principal, request);
        const deadline = performance.now() + Math.min(wait * 1000, longestWait);
        let cursor = after;
        let page: Page = await readPage(db, { ...query, limit });
        while (cursor !== undefined && page.items.length === 0) {
          cursor = page.next ?? cursor;
          const left = deadline - performance.now();
          if (left <= 0) break;
          // What other processes append is found by looking again.
          if (page.next === undefined) await audit.appended(Math.min(left, 1000));
          page = await readPage(db, { ...query, after: cursor, limit });
        }
        const items = page.items.map(({ body, actorId, subject, requestId, ...event }) => ({ ...event, actorId: actorId ?? null, subject: subject ?? null, requestId: requestId ?? null, body: body !== undefined }));
        return { status: 200, body: { items, nextBefore: after === undefined ? (page.next ?? null) : null, nextAfter: after === undefined ? null : (page.next ?? items.at(-1)?.sequence ?? cursor ?? null) } };
      },
    }),
    route({
      method: "get",
      path: "/api/v1/audit/log",
      operationId: "readAuditLog",
      summary: "Read the log itself, in pages: entries exactly as they are hashed, and checkpoints",
      tag: "Audit",
      access,
      query: z.strictObject({ after: sequence.optional().describe("Sequence number of the last entry read; absent for the beginning, which also signs a checkpoint") }),
      responses: { 200: { description: "A page of the log", schema: logPage } },
      async handler({ query, principal, request }) {
        read("log", principal, request);
        return { status: 200, body: await readLog(db, audit, query.after) };
      },
    }),
    route({
      method: "get",
      path: "/api/v1/audit/checkpoint",
      operationId: "readAuditCheckpoint",
      summary: "The newest signed checkpoint (C2SP tlog-checkpoint), to keep elsewhere",
      tag: "Audit",
      access,
      responses: { 200: { description: "Signed note", schema: z.string(), contentType: "text/plain; charset=utf-8" } },
      async handler() {
        await audit.flush();
        return { status: 200, body: (await audit.log.checkpoint()).note };
      },
    }),
    route({
      method: "get",
      path: "/api/v1/audit/consistency",
      operationId: "proveAuditConsistency",
      summary: "Proof that the log continues what an older checkpoint saw (RFC 9162 section 2.1.4)",
      tag: "Audit",
      access,
      query: z.strictObject({ from: sequence.describe("Size in the older checkpoint") }),
      responses: { 200: { description: "The proof", schema: z.object({ old: z.number(), size: z.number(), hashes: z.array(z.string()), checkpoint: z.string() }) }, 404: { description: "The log has fewer entries, or retention has removed what the proof needs" } },
      async handler({ query }) {
        await audit.flush();
        const proof = await proveConsistency(db, audit.log, query.from).catch(gone);
        if (!proof) throw problem("not-found", { detail: "The log has fewer entries" });
        return { status: 200, body: proof };
      },
    }),
    route({
      method: "get",
      path: "/api/v1/audit/events/{id}/proof",
      operationId: "proveAuditEvent",
      summary: "Proof that an event is in the log (C2SP tlog-proof)",
      tag: "Audit",
      access,
      params: eventId,
      responses: { 200: { description: "The proof", schema: proofSchema.extend({ sequence: z.number() }) }, 404: { description: "There is no such event" } },
      async handler({ params }) {
        await audit.flush();
        const proof = await prove(db, audit.log, params.id, await verifiersOf(db)).catch(gone);
        if (!proof) throw problem("not-found", { detail: "There is no such event" });
        return { status: 200, body: proof };
      },
    }),
    route({
      method: "get",
      path: "/api/v1/audit/events/{id}/body",
      operationId: "openAuditBody",
      summary: "What the call of an event carried: for auditors, and each opening is an event",
      tag: "Audit",
      access: { scopes: ["audit:read"] },
      params: eventId,
      responses: { 200: { description: "What was kept", schema: z.object({ request: z.string().optional(), response: z.string().optional(), truncated: z.boolean() }) }, 404: { description: "Nothing was kept of it" } },
      async handler({ params, principal, request }) {
        await audit.flush();
        const entry = await findEntry(db, params.id);
        const body = entry && (await openBody(db, storage.vault, parseEntry(entry).event));
        if (!body) throw problem("not-found", { detail: "Nothing was kept of what this event is about" });
        await storage.write((transaction) => audit.recordIn(transaction, { type: "audit.body.read", actorId: principal.userId, requestId: request.id, detail: { event: params.id } }));
        return { status: 200, body };
      },
    }),
    route({
      method: "post",
      path: "/api/v1/audit/keys",
      operationId: "rotateAuditKey",
      stepUp: true,
      summary: "Sign checkpoints with a new key from now on",
      tag: "Audit",
      access: { scopes: ["admin"] },
      responses: { 201: { description: "The new key; the log says that it is good, under the old one", schema: z.object({ keyId: z.string(), verifier: z.string() }) } },
      async handler() {
        return { status: 201, body: await audit.rotateKey() };
      },
    }),
  ];
}

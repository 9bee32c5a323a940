/** Reading the audit trail: newest first, filtered, in pages. Administrators only. */
import { z } from "zod";
import { route, type Route } from "../net/route.ts";
import type { Storage } from "../storage/index.ts";
import { catalogue, type EventName } from "./catalogue.ts";
import type { Audit } from "./index.ts";

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
});

export function auditRoutes({ storage, audit }: { storage: Storage; audit: Audit }): Route[] {
  return [
    route({
      method: "get",
      path: "/api/v1/audit/events",
      operationId: "listAuditEvents",
      summary: "Read audit events, newest first",
      tag: "Audit",
      access: { scopes: ["admin"] },
      query: z.strictObject({
        type: z.enum(names).optional(),
        actor: z.string().max(100).optional().describe("User id"),
        subject: z.string().max(200).optional().describe("Such as server:<id>"),
        before: z.string().regex(/^\d{1,15}$/).transform(Number).optional().describe("Sequence number: only older events"),
        limit: z.string().regex(/^\d{1,4}$/).transform(Number).pipe(z.number().min(1).max(500)).default(100),
      }),
      responses: { 200: { description: "A page of events", schema: z.object({ items: z.array(eventSchema), nextBefore: z.number().nullable() }) } },
      async handler({ query, principal, request }) {
        await audit.flush();
        const rows = await storage.db
          .selectFrom("audit_events")
          .selectAll()
          .$if(query.type !== undefined, (q) => q.where("type", "=", query.type ?? ""))
          .$if(query.actor !== undefined, (q) => q.where("actor_id", "=", query.actor ?? ""))
          .$if(query.subject !== undefined, (q) => q.where("subject", "=", query.subject ?? ""))
          .$if(query.before !== undefined, (q) => q.where("sequence", "<", query.before ?? 0))
          .orderBy("sequence", "desc")
          .limit(query.limit)
          .execute();
        audit.record({ type: "audit.read", actorId: principal.userId, requestId: request.id });
        const items = rows.map((row) => ({
          sequence: row.sequence,
          id: row.id,
          at: new Date(row.at).toISOString(),
          type: row.type,
          severity: row.severity,
          outcome: row.outcome,
          actorId: row.actor_id,
          subject: row.subject,
          requestId: row.request_id,
          detail: JSON.parse(row.detail) as Record<string, unknown>,
        }));
        return { status: 200, body: { items, nextBefore: items.length === query.limit ? (items.at(-1)?.sequence ?? null) : null } };
      },
    }),
  ];
}

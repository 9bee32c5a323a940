/**
 * An event in the Open Cybersecurity Schema Framework 1.6.0: authentication, account change, user access, entity management, application
 * lifecycle, and API activity for the rest. What has no attribute there is kept under `unmapped`.
 */
import type { StoredEvent } from "./entry.ts";

interface Class {
  category: number;
  uid: number;
  /** activity_id by the last part of the event's name; 99 is "other". */
  activities: Record<string, number>;
}

const crud = { created: 1, stored: 1, imported: 1, read: 2, accessed: 2, listed: 2, updated: 3, changed: 3, enabled: 3, disabled: 3, approved: 3, rejected: 3, held: 3, deleted: 4, removed: 4, retired: 4 };
/** By the beginning of an event's name; the longest that fits. */
const classes: [prefix: string, Class][] = [
  ["authentication.", { category: 3, uid: 3002, activities: { succeeded: 1, failed: 1, throttled: 1, ended: 2 } }],
  ["user.", { category: 3, uid: 3001, activities: { created: 1, enabled: 2, "password.changed": 3, disabled: 5, deleted: 6 } }],
  ["setup.completed", { category: 3, uid: 3001, activities: { completed: 1 } }],
  ["grant.", { category: 3, uid: 3005, activities: { created: 1, removed: 2 } }],
  ["server.", { category: 3, uid: 3004, activities: crud }],
  ["server.started", { category: 6, uid: 6002, activities: { started: 3 } }],
  ["server.stopped", { category: 6, uid: 6002, activities: { stopped: 4 } }],
];
const fallback: Class = { category: 6, uid: 6003, activities: crud };
const severities: Record<string, number> = { info: 1, notice: 2, warning: 3, critical: 5 };

function classOf(type: string): Class {
  return classes.filter(([prefix]) => type.startsWith(prefix)).sort(([a], [b]) => b.length - a.length)[0]?.[1] ?? fallback;
}

/** One OCSF event. @param host of the deployment. */
export function toOcsf(event: StoredEvent, sequence: number, { host, version }: { host: string; version: string }): Record<string, unknown> {
  const { type, severity, outcome, actorId, subject, requestId, detail, at, id } = event;
  const { category, uid, activities } = classOf(type);
  const parts = type.split(".");
  const activity = activities[parts.slice(-2).join(".")] ?? activities[parts.at(-1) ?? ""] ?? 99;
  const [kind, ...rest] = (subject ?? "").split(":");
  const target = rest.join(":");
  const actor = { user: { uid: actorId ?? "unknown" } };
  const user = { uid: kind === "user" ? target : typeof detail["user"] === "string" ? detail["user"] : (actorId ?? "unknown") };
  const own: Record<number, Record<string, unknown>> = {
    3001: { user, actor },
    3002: { user, actor, service: { name: "Sallyport" } },
    3004: { entity: { uid: target || "unknown", type: kind || "server" }, actor },
    3005: { user, actor, privileges: ["tools:call"], resource: { uid: target, type: kind } },
    6002: { app: { name: "Sallyport", vendor_name: "Sallyport", version } },
    6003: { actor, api: { operation: type, request: { uid: requestId ?? id } }, src_endpoint: { name: "not recorded" }, ...(subject === undefined ? {} : { resources: [{ uid: target, type: kind }] }) },
  };
  return {
    activity_id: activity,
    category_uid: category,
    class_uid: uid,
    type_uid: uid * 100 + activity,
    ...(activity === 99 ? { activity_name: parts.at(-1) } : {}),
    time: Date.parse(at),
    severity_id: severities[severity] ?? 0,
    status_id: outcome === "success" ? 1 : 2,
    ...(outcome === "success" ? {} : { status_detail: typeof detail["reason"] === "string" ? detail["reason"] : outcome }),
    message: type,
    metadata: { version: "1.6.0", uid: id, sequence, event_code: type, original_time: at, log_name: host, product: { name: "Sallyport", vendor_name: "Sallyport", version }, ...(requestId === undefined ? {} : { correlation_uid: requestId }) },
    ...own[uid],
    ...(Object.keys(detail).length === 0 ? {} : { unmapped: detail }),
  };
}

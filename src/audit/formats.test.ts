import { describe, expect, it } from "vitest";
import { catalogue, type EventName } from "./catalogue.ts";
import { queue, type StoredEvent } from "./entry.ts";
import { toOcsf } from "./ocsf.ts";
import { toSyslog } from "./syslog.ts";

const of = (type: EventName, extra: object = {}) => JSON.parse(queue({ type, actorId: "u1", subject: "server:s1", requestId: "r1", ...extra }, "01a207a1-8a08-7394-b358-6f50b029e855", 1_800_000_000_000).text) as StoredEvent;
const names = Object.keys(catalogue) as EventName[];
const about = { host: "sallyport.example", version: "1" };

/** What OCSF 1.6.0 requires of the classes that are used, beside what it requires of every event. */
const required: Record<number, string[]> = { 3001: ["user"], 3002: ["user", "service"], 3004: ["entity"], 3005: ["user", "privileges"], 6002: ["app"], 6003: ["actor", "api", "src_endpoint"] };

describe("OCSF", () => {
  it.each(names)("has %s with what its class requires", (name) => {
    const event = toOcsf(of(name), 7, about) as { class_uid: number; activity_id: number; type_uid: number; category_uid: number };
    for (const field of ["activity_id", "category_uid", "class_uid", "type_uid", "time", "severity_id", "metadata", ...(required[event.class_uid] ?? ["no such class"])]) expect(event).toHaveProperty(field);
    expect(event.type_uid).toBe(event.class_uid * 100 + event.activity_id);
    expect(Math.floor(event.class_uid / 1000)).toBe(event.category_uid);
  });

  it.each([
    ["authentication.password.succeeded", 300201, 1],
    ["authentication.password.failed", 300201, 2],
    ["user.created", 300101, 1],
    ["user.password.changed", 300103, 1],
    ["grant.removed", 300502, 1],
    ["server.updated", 300403, 1],
    ["server.started", 600203, 1],
    ["call.completed", 600399, 1],
  ] as const)("says of %s %d, status %d", (name, type, status) => {
    expect(toOcsf(of(name), 7, about)).toMatchObject({ type_uid: type, status_id: status });
  });
});

describe("syslog", () => {
  it("is a line of RFC 5424", () => {
    const line = toSyslog(of("call.failed", { detail: { reason: "timeout" } }), 7, "sallyport.example");
    expect(line).toBe('<108>1 2027-01-15T08:00:00.000Z sallyport.example sallyport - call.failed [sallyport@32473 sequence="7" id="01a207a1-8a08-7394-b358-6f50b029e855" type="call.failed" outcome="failure" actor="u1" subject="server:s1" request="r1"] \uFEFF{"reason":"timeout"}');
  });

  it("lets nobody write lines or parameters of his own", () => {
    const line = toSyslog({ ...of("call.failed"), type: "call.\nfailed é", actorId: 'x"] \n<0>1 \\', subject: "a]b" }, 7, "host\nname");
    expect(line).not.toContain("\n");
    expect(line).toContain(String.raw`actor="x\"\] ␣<0>1 \\"`.replace("␣", " "));
    expect(line).toContain(String.raw`subject="a\]b"`);
    expect(line.split(" ")[2]).toBe("host_name");
  });
});

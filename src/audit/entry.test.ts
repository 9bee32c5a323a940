import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalize } from "../kernel/canonical.ts";
import { newId } from "../kernel/ids.ts";
import { catalogue, type AuditEvent, type EventName } from "./catalogue.ts";
import { appendTexts, beforeTheFirst, queue, queueRow, rowOf } from "./entry.ts";

const names = Object.keys(catalogue) as EventName[];
const text = fc.oneof(fc.string({ unit: "binary", maxLength: 30 }), fc.constant("\uD800"), fc.constant(`${"x".repeat(511)}\u{1F600}`));
const value = fc.oneof(text, fc.double(), fc.integer(), fc.boolean(), fc.array(text, { maxLength: 3 }), fc.constant(undefined));
/** An event with anything in its detail fields, and fields that are not its. */
const events = fc.constantFrom(...names).chain((type) =>
  fc.record(
    { type: fc.constant(type), outcome: fc.constantFrom("success", "failure", "denied"), actorId: text, subject: text, requestId: text, detail: fc.dictionary(fc.constantFrom(...catalogue[type].detail, "password", "extra"), value) },
    { requiredKeys: ["type"] },
  ),
) as fc.Arbitrary<AuditEvent>;

describe("an entry", () => {
  it("is canonical JSON, whatever the event says", () => {
    fc.assert(
      fc.property(events, (event) => {
        const { text: written } = queue(event, newId(), 1_800_000_000_000, "ab".repeat(32));
        const [entry = ""] = appendTexts({ size: 0, hash: beforeTheFirst, frontier: [] }, [written]).entries;
        expect(canonicalize(JSON.parse(entry))).toBe(entry);
      }),
      { numRuns: 500 },
    );
  });

  it("is the same by way of the outbox", () => {
    fc.assert(
      fc.property(events, (event) => {
        const id = newId();
        expect(queueRow(rowOf(event, id, 1_800_000_000_000)).text).toBe(queue(event, id, 1_800_000_000_000).text);
      }),
      { numRuns: 300 },
    );
  });

  it("has only the detail fields of its type, cut to a length", () => {
    fc.assert(
      fc.property(events, (event) => {
        const { detail } = JSON.parse(queue(event, newId(), 0).text) as { detail: Record<string, unknown> };
        const known: readonly string[] = catalogue[event.type].detail;
        for (const [field, content] of Object.entries(detail)) {
          expect(known).toContain(field);
          expect(typeof content === "string" ? content.length : 0).toBeLessThanOrEqual(512);
        }
      }),
      { numRuns: 300 },
    );
  });
});

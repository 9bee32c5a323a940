import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createEventReader, type ServerEvent } from "./events.ts";

const read = (chunks: readonly Uint8Array[], maxSize = 10_000): ServerEvent[] => {
  const events: ServerEvent[] = [];
  const reader = createEventReader(maxSize, (event) => void events.push(event));
  for (const chunk of chunks) reader.push(chunk);
  return events;
};
const bytes = (text: string) => new TextEncoder().encode(text);

describe("the reader of event streams", () => {
  it.each([
    ["data: a\n\n", [{ event: "message", data: "a", id: undefined }]],
    ["event: endpoint\ndata: /messages?s=1\n\n", [{ event: "endpoint", data: "/messages?s=1", id: undefined }]],
    ["id: 7\ndata:a\ndata: b\n\n", [{ event: "message", data: "a\nb", id: "7" }]],
    [": comment\n\ndata: a\r\n\r\ndata: b\r\rdata: c\n\n", [{ event: "message", data: "a", id: undefined }, { event: "message", data: "b", id: undefined }, { event: "message", data: "c", id: undefined }]],
    ["\uFEFFdata: a\n\n", [{ event: "message", data: "a", id: undefined }]],
    ["data: unfinished\n", []],
    ["id: 1\nretry: 5\nevent: x\n\n", []],
  ])("reads %j", (text, events) => {
    expect(read([bytes(text)])).toEqual(events);
  });

  it("reads the same however the bytes are cut", () => {
    const line = fc.constantFrom("data: ä€😀", "data:", "id: 1", "event: x", ": c", "retry: 10", "", "nonsense");
    fc.assert(
      fc.property(fc.array(fc.tuple(line, fc.constantFrom("\n", "\r\n", "\r")), { maxLength: 30 }), fc.array(fc.nat(12), { maxLength: 60 }), (lines, cuts) => {
        const all = bytes(lines.map(([text, end]) => text + end).join(""));
        const chunks: Uint8Array[] = [];
        let from = 0;
        for (const cut of cuts) {
          chunks.push(all.subarray(from, from + cut));
          from += cut;
        }
        chunks.push(all.subarray(from));
        expect(read(chunks)).toEqual(read([all]));
      }),
    );
  });

  it("remembers the last id and how long to wait", () => {
    const reader = createEventReader(100, () => undefined);
    reader.push(bytes("id: 5\nretry: 1500\ndata: x\n\ndata: y\n\n"));
    expect([reader.lastId, reader.retry]).toEqual(["5", 1500]);
  });

  it("gives up on an event beyond the limit, in one line or in many, and on what is not UTF-8", () => {
    expect(() => read([bytes(`data: ${"x".repeat(200)}`)], 100)).toThrow(RangeError);
    expect(() => read(Array.from({ length: 50 }, () => bytes("data: x\n")), 100)).toThrow(RangeError);
    expect(() => read([new Uint8Array([0x64, 0x3a, 0xff])])).toThrow(TypeError);
    expect(read([bytes(": keep-alive\n\n".repeat(1000)), bytes("data: a\n\n")], 100)).toHaveLength(1);
  });

  it("reads a long line in many pieces in linear time", () => {
    const began = performance.now();
    const chunk = bytes("x".repeat(1000));
    expect(read([bytes("data: "), ...Array.from({ length: 10_000 }, () => chunk), bytes("\n\n")], 20_000_000)[0]?.data).toHaveLength(10_000_000);
    expect(performance.now() - began).toBeLessThan(5000);
  });
});

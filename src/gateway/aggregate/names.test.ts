import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exposedName, plainName } from "./names.ts";

const serverName = fc.stringMatching(/^[a-z0-9_-]{1,100}$/);
const knotty = fc.stringMatching(/^[a_]{1,6}$/);
const item = fc.oneof(fc.stringMatching(/^[A-Za-z0-9_.-]{1,128}$/), knotty, fc.string({ minLength: 1, maxLength: 200 }));
const pair = fc.tuple(fc.oneof(serverName, knotty), item);

describe("the name of a server's tool", () => {
  it("reads server__tool", () => {
    expect(exposedName("calendar", "create_event")).toBe("calendar__create_event");
  });

  it("differs for different pairs", () => {
    fc.assert(
      fc.property(pair, pair, ([a, b], [c, d]) => {
        fc.pre(a !== c || b !== d);
        expect(exposedName(a, b)).not.toBe(exposedName(c, d));
      }),
      { numRuns: 2000 },
    );
  });

  it("differs where a separator could be read in two ways", () => {
    const names = [["a", "b__c"], ["a__b", "c"], ["a_", "_c"], ["a", "__c"], ["a__", "c"], ["a", "_c"], ["a_", "c"]].map(([server = "", tool = ""]) => exposedName(server, tool));
    expect(new Set(names).size).toBe(names.length);
  });

  it("cannot be forged by a tool that is called like a marked name", () => {
    const marked = exposedName("a__b", "c");
    fc.assert(fc.property(serverName, fc.constantFrom(marked, marked.slice(2), marked.slice(marked.indexOf("__") + 2)), (server, tool) => server === "a__b" || exposedName(server, tool) !== marked));
  });

  it("is always 1 to 128 acceptable characters", () => {
    fc.assert(fc.property(pair, ([server, tool]) => /^[A-Za-z0-9_.-]{1,128}$/.test(exposedName(server, tool))));
  });

  it("leads back to its pair, if it is plain", () => {
    fc.assert(
      fc.property(pair, ([server, tool]) => {
        const back = plainName(exposedName(server, tool));
        if (back) expect(back).toEqual({ server, item: tool });
      }),
    );
    expect(plainName("calendar__create__event")).toEqual({ server: "calendar", item: "create__event" });
  });

  it("is not read from what is no such name", () => {
    for (const name of ["", "tool", "__tool", "server__", "a-X".padEnd(23, "A") + "__b__", "Server_", "se rver__x y"]) expect(plainName(name)).toBeUndefined();
  });
});

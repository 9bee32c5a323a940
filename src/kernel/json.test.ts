import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memberSpan, parseUntrustedJson, replaceSpan } from "./json.ts";
import { Problem } from "./problem.ts";

const refusal = (text: string | Uint8Array, limits = {}): string => {
  try {
    parseUntrustedJson(text, limits);
  } catch (error) {
    if (error instanceof Problem) return `${error.status} ${error.message}`;
    throw error;
  }
  return "accepted";
};

describe("the parser for untrusted JSON", () => {
  it("reads back whatever JSON.stringify wrote", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!/"(?:__proto__|constructor|prototype)"/.test(text));
        expect(parseUntrustedJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it("never throws anything but a problem, whatever the bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void refusal(bytes)), { numRuns: 2000 });
    const alphabet = fc.constantFrom("{", "}", "[", "]", '"', ",", ":", "\\", "1", "e", "-", ".", "true", "null", " ", "a");
    fc.assert(fc.property(fc.array(alphabet, { maxLength: 60 }), (parts) => void refusal(parts.join(""))), { numRuns: 5000 });
  });

  it("accepts exactly what JSON.parse accepts, less what it refuses on purpose", () => {
    const alphabet = fc.constantFrom("{", "}", "[", "]", '"a"', '"b"', ",", ":", "1", "-2.5e3", "true", "null", " ");
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 30 }), (parts) => {
        const text = parts.join("");
        let plain = true;
        try {
          JSON.parse(text);
        } catch {
          plain = false;
        }
        const ours = refusal(text);
        if (!plain) expect(ours).not.toBe("accepted");
        else if (ours !== "accepted") expect(ours).toContain("occurs twice");
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['{"a":1,"a":2}', "occurs twice"],
    ['{"a":1,"\\u0061":2}', "occurs twice"],
    ['{"b":{"x":1},"c":[{"y":1,"y":2}]}', "occurs twice"],
    ['{"__proto__":1}', "reserved"],
    ['{"\\u005f_proto__":1}', "reserved"],
    ['[{"constructor":{"prototype":1}}]', "reserved"],
    ['{"prototype":1}', "reserved"],
    ["1e400", "too large"],
    [`[-1e999]`, "too large"],
    ["9".repeat(400), "too large"],
    ["\uFEFF{}", "byte order mark"],
    ["{} {}", "Not valid JSON"],
    ["[1,]", "Not valid JSON"],
    ["NaN", "Not valid JSON"],
    ["'a'", "Not valid JSON"],
    ["{a:1}", "Not valid JSON"],
    ['{"\\ud800":1}', "Unicode"],
    ['"abc', "not closed"],
    ["", "Not valid JSON"],
    ["[".repeat(65) + "]".repeat(65), "deeper than 64"],
    [`[${"1,".repeat(100_001)}1]`, "More than 100000"],
  ])("refuses %.60s", (text, why) => {
    expect(refusal(text)).toMatch(/^400 /);
    expect(refusal(text)).toContain(why);
  });

  it("accepts 64 levels, sibling keys of the same name, and numbers beyond 2^53", () => {
    expect(refusal("[".repeat(64) + "]".repeat(64))).toBe("accepted");
    expect(refusal('[{"a":1},{"a":1}]')).toBe("accepted");
    expect(refusal('{"n":9007199254740993123}')).toBe("accepted");
  });

  it("refuses bytes that are not UTF-8", () => {
    for (const bytes of [[0x22, 0xff, 0x22], [0x22, 0xc0, 0xaf, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22]]) expect(refusal(Uint8Array.from(bytes))).toBe("400 Not valid UTF-8");
  });

  it("refuses more bytes than the limit, naming the setting", () => {
    expect(refusal(`"${"a".repeat(100)}"`, { maxBytes: 50 })).toMatch(/^413 .*SALLYPORT_BODY_LIMIT/);
  });

  it("stays linear on hostile input", () => {
    for (const text of ["[".repeat(500_000), `"${"\\".repeat(900_000)}`, `{${Array.from({ length: 90_000 }, (_, index) => `"${index}":1`).join(",")}}`, '"\\"'.repeat(200_000)]) {
      const began = performance.now();
      refusal(text);
      expect(performance.now() - began).toBeLessThan(500);
    }
  });
});

describe("spans", () => {
  const text = '{ "jsonrpc":"2.0", "params" : {"n": 12345678901234567890, "na\\u006de" :"old", "o":[1,{"name":2}]} }';

  it("finds a member's source by path, whatever the escapes and spaces", () => {
    const span = memberSpan(text, ["params", "name"]);
    expect(span && text.slice(span.start, span.end)).toBe('"old"');
    expect(memberSpan(text, ["params", "missing"])).toBeUndefined();
    expect(memberSpan(text, ["jsonrpc", "name"])).toBeUndefined();
  });

  it("replaces one member and leaves every other byte", () => {
    const span = memberSpan(text, ["params", "name"]);
    if (!span) throw new Error("no span");
    expect(replaceSpan(text, span, '"new"')).toBe(text.replace('"old"', '"new"'));
  });

  it("agrees with JSON.parse on every member of every object", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), (object) => {
        const source = JSON.stringify(object, undefined, 1);
        for (const key of Object.keys(object)) {
          const span = memberSpan(source, [key]);
          expect(span && JSON.parse(source.slice(span.start, span.end))).toEqual(JSON.parse(JSON.stringify(object[key])));
        }
      }),
    );
  });
});

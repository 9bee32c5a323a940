import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeUtf8, memberSpan, parseLosslessJson, parseUntrustedJson, replaceSpan } from "./json.ts";
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
        else if (ours !== "accepted") expect(ours).toMatch(/occurs twice|too large/);
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
    for (const bytes of [[0x22, 0xff, 0x22], [0x22, 0xc0, 0xaf, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22]]) expect(refusal(Uint8Array.from(bytes))).toBe("400 Not valid UTF-8 at position 1");
    expect(refusal(Uint8Array.from([...Buffer.from("ü".repeat(5000)), 0x80]))).toBe("400 Not valid UTF-8 at position 10000");
    expect(refusal(Uint8Array.from([0x22, 0xe2, 0x82]))).toMatch(/^400 Not valid UTF-8 at position/);
    expect(() => decodeUtf8(Uint8Array.from([0x61, 0xff]))).toThrow("Not valid UTF-8 at position 1");
  });

  it("refuses bytes with a byte order mark, and texts with a lone surrogate", () => {
    expect(refusal(Uint8Array.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]))).toContain("byte order mark");
    expect(refusal('{"a\ud800b":1}')).toBe("400 Not valid Unicode at position 3");
    expect(refusal('["😀"]')).toBe("accepted");
  });

  it("counts bytes, not letters, against the limit", () => {
    expect(refusal(`"${"€".repeat(20)}"`, { maxBytes: 61 })).toMatch(/^413 /);
    expect(refusal(`"${"€".repeat(20)}"`, { maxBytes: 62 })).toBe("accepted");
  });

  it("refuses more members than the limit, which follows maxItems where only that is given", () => {
    const members = (count: number) => `{${Array.from({ length: count }, (_, index) => `"k${index}":1`).join(",")}}`;
    expect(refusal(members(10_000))).toBe("accepted");
    expect(refusal(members(10_001))).toContain("More than 10000 members");
    expect(refusal(`[${Array.from({ length: 10_001 }, () => '{"a":1}').join(",")}]`)).toContain("More than 10000 members");
    expect(refusal(members(20_000), { maxItems: 50_000 })).toBe("accepted");
    expect(refusal(members(5), { maxKeys: 4 })).toContain("More than 4 members");
  });

  it("finds a duplicate among few keys and among many, before and after nested objects", () => {
    for (const count of [1, 2, 7, 8, 9, 10, 40]) {
      const keys = Array.from({ length: count }, (_, index) => `"k${index}":{"k0":1,"deep":{"k0":[{"k0":2}]}}`);
      expect(refusal(`{${keys.join(",")}}`), String(count)).toBe("accepted");
      for (const again of ["k0", `k${count - 1}`, "\\u006b0"]) expect(refusal(`{${keys.join(",")},"${again}":1}`), `${count} ${again}`).toMatch(/occurs twice|too large/);
    }
  });

  it.each([
    ["", "a value at position 0"],
    ["[1,]", "a value at position 3"],
    ["[1 2]", "',' or ']' at position 3"],
    ['{"a":1', "',' or '}' at position 6"],
    ['{"a" 1}', "':' at position 5"],
    ["{a:1}", "a key in double quotes at position 1"],
    ['{"a":1,}', "a key in double quotes at position 7"],
    ["{} {}", "nothing more at position 3"],
    ["[1}", "',' or ']' at position 2"],
    ["01", "nothing more at position 1"],
    ["-", "a value at position 0"],
    ["[tru]", "a value at position 1"],
    ['["a\nb"]', "no control character or unknown escape in a string at position 3"],
    ['["\\x41"]', "no control character or unknown escape in a string at position 2"],
  ])("says where %j stops being JSON", (text, expected) => {
    expect(refusal(text)).toBe(`400 Not valid JSON: expected ${expected}`);
  });

  it("finds a fault in every text that JSON.parse refuses, at or after the longest sound beginning", () => {
    const alphabet = fc.constantFrom("{", "}", "[", "]", '"a"', '"b"', '"\\q"', ",", ":", "1", "-2.5e3", "01", "true", "nul", " ", "\n");
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 30 }), (parts) => {
        const told = /position (\d+)$/.exec(refusal(parts.join("")));
        if (told) expect(Number(told[1])).toBeLessThanOrEqual(parts.join("").length);
      }),
      { numRuns: 5000 },
    );
  });

  it("refuses more bytes than the limit, naming the setting", () => {
    expect(refusal(`"${"a".repeat(100)}"`, { maxBytes: 50 })).toMatch(/^413 .*SALLYPORT_BODY_LIMIT/);
  });

  it("stays linear on hostile input", () => {
    for (const text of ["[".repeat(500_000), `"${"\\".repeat(900_000)}`, '"\\'.repeat(500_000), "1".repeat(1_000_000), `["${'\\"'.repeat(500_000)}"]`, `{"${"\\u0061".repeat(170_000)}":1}`, " ".repeat(1_000_000), `[${"[],".repeat(90_000)}x`, `{${Array.from({ length: 90_000 }, (_, index) => `"${index}":1`).join(",")}}`, '"\\"'.repeat(200_000)]) {
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

describe("the lossless parser", () => {
  it.each(["9007199254740993", "-12345678901234567890", "0.1000000000000000055511151231257827", "-0", "1e-400", "123456789012345678e2"])("writes %s back as it was", (number) => {
    const text = `{"n":[${number}],"s":"${number}"}`;
    expect(JSON.stringify(parseLosslessJson(text))).toBe(text);
  });

  it("gives ordinary numbers as numbers", () => {
    expect(parseLosslessJson('[1,1.5,-3e2,1.0,100000000000000000000,"1e5 9007199254740993"]')).toEqual([1, 1.5, -300, 1, 1e20, "1e5 9007199254740993"]);
  });

  it("keeps every number of any text", () => {
    const number = fc.tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.nat(12)).map(([whole, exponent]) => (exponent === 0 ? String(whole) : `${whole}e-${exponent}`));
    fc.assert(
      fc.property(number, (text) => {
        const again = JSON.stringify(parseLosslessJson(`[${text}]`)).slice(1, -1);
        const value = (decimal: string) => {
          const [mantissa = "", exponent = "0"] = decimal.split("e");
          const [whole = "", fraction = ""] = mantissa.split(".");
          return BigInt(whole + fraction) * 10n ** BigInt(40 + Number(exponent) - fraction.length);
        };
        expect(value(again)).toBe(value(text));
      }),
    );
  });

  it("refuses what the untrusted parser refuses", () => {
    expect(() => parseLosslessJson('{"a":12345678901234567890,"a":2}')).toThrow(Problem);
  });
});

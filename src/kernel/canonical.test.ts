import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalize } from "./canonical.ts";
import { digestOf, parseDigest, sameText, sha256Hex } from "./digest.ts";
import { Problem } from "./problem.ts";

/** The same value with the keys of every object in another order. */
const shuffled = (value: unknown, turn: number): unknown => {
  if (Array.isArray(value)) return value.map((element) => shuffled(element, turn));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const at = entries.length === 0 ? 0 : turn % entries.length;
  return Object.fromEntries([...entries.slice(at), ...entries.slice(0, at)].reverse().map(([key, member]) => [key, shuffled(member, turn)]));
};
const wellFormed = fc.jsonValue({ maxDepth: 5, stringUnit: "grapheme" });

describe("canonical JSON", () => {
  it("writes the example of RFC 8785 section 3.2.2", () => {
    const value = { numbers: [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 0.000000000000000000000000001], string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"/", literals: [null, true, false] };
    expect(canonicalize(value)).toBe('{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}');
  });

  it("sorts keys by UTF-16 code units, as in RFC 8785 section 3.2.3", () => {
    const value = { "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis" };
    expect([...canonicalize(value).matchAll(/:"([^"]*)"/g)].map(([, text]) => text)).toEqual(["Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign", "Emoji: Grinning Face", "Hebrew Letter Dalet With Dagesh"]);
  });

  it.each([
    ["0000000000000000", "0"],
    ["8000000000000000", "0"],
    ["0000000000000001", "5e-324"],
    ["8000000000000001", "-5e-324"],
    ["7fefffffffffffff", "1.7976931348623157e+308"],
    ["ffefffffffffffff", "-1.7976931348623157e+308"],
    ["4340000000000000", "9007199254740992"],
    ["c340000000000000", "-9007199254740992"],
    ["4430000000000000", "295147905179352830000"],
    ["44b52d02c7e14af5", "9.999999999999997e+22"],
    ["44b52d02c7e14af6", "1e+23"],
    ["44b52d02c7e14af7", "1.0000000000000001e+23"],
    ["444b1ae4d6e2ef4e", "999999999999999700000"],
    ["444b1ae4d6e2ef4f", "999999999999999900000"],
    ["444b1ae4d6e2ef50", "1e+21"],
    ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
    ["3eb0c6f7a0b5ed8d", "0.000001"],
    ["41b3de4355555553", "333333333.3333332"],
    ["41b3de4355555554", "333333333.33333325"],
    ["41b3de4355555555", "333333333.3333333"],
    ["41b3de4355555556", "333333333.3333334"],
    ["41b3de4355555557", "333333333.33333343"],
    ["becbf647612f3696", "-0.0000033333333333333333"],
    ["43143ff3c1cb0959", "1424953923781206.2"],
  ])("writes the double %s of RFC 8785 appendix B as %s", (bits, text) => {
    expect(canonicalize(Buffer.from(bits, "hex").readDoubleBE())).toBe(text);
  });

  it("is the same whatever the order of keys, and only then", () => {
    fc.assert(
      fc.property(wellFormed, wellFormed, fc.nat(20), (value, other, turn) => {
        expect(canonicalize(shuffled(value, turn))).toBe(canonicalize(value));
        expect(digestOf(value) === digestOf(other)).toBe(canonicalize(value) === canonicalize(other));
      }),
    );
  });

  it("means the same value, and writing it again changes nothing", () => {
    fc.assert(
      fc.property(wellFormed, (value) => {
        const text = canonicalize(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalize(JSON.parse(text))).toBe(text);
      }),
    );
  });

  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  const hole: unknown[] = [];
  hole[1] = 1;
  it.each([["undefined", undefined], ["a member that is undefined", { a: undefined }], ["a function", { a: () => 1 }], ["a symbol", Symbol("a")], ["a bigint", 1n], ["NaN", Number.NaN], ["infinity", [Number.POSITIVE_INFINITY]], ["a date", new Date(0)], ["a map", new Map()], ["an instance", { a: new (class A {})() }], ["a hole", hole], ["a lone surrogate", "\ud800"], ["a lone surrogate in a key", { "\udc00": 1 }], ["a circle", circle]])("refuses %s", (_, value) => {
    expect(() => canonicalize(value)).toThrow(Problem);
  });

  it("says where it met what it cannot write", () => {
    expect(() => canonicalize({ tools: [{ name: "a" }, { name: undefined }] })).toThrow("a value of type undefined at tools.1.name");
  });

  it("takes as many levels as it was given and no more", () => {
    const nested = (levels: number) => JSON.parse("[".repeat(levels) + "]".repeat(levels)) as unknown;
    expect(canonicalize(nested(128))).toHaveLength(256);
    expect(() => canonicalize(nested(129))).toThrow(/too many levels/);
    expect(() => canonicalize(nested(100_000))).toThrow(/too many levels/);
    expect(() => canonicalize(nested(4), { maxDepth: 3 })).toThrow(/too many levels/);
  });
});

describe("digests", () => {
  it("hashes as SHA-256 does (FIPS 180-4)", () => {
    expect(sha256Hex("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(sha256Hex(Buffer.from("abc"))).toBe(sha256Hex("abc"));
  });

  it("carries its algorithm, and is read back only as it was written", () => {
    const digest = digestOf({ b: 1, a: [] });
    expect(digest).toBe(`sha256:${sha256Hex('{"a":[],"b":1}')}`);
    expect(parseDigest(digest)).toBe(digest);
    for (const text of [digest.slice(7), digest.toUpperCase(), `${digest} `, `${digest}\n`, digest.slice(0, -1), `sha512:${digest.slice(7)}`, ""]) expect(parseDigest(text), text).toBeUndefined();
  });

  it("compares texts of any length", () => {
    expect(sameText("secret", "secret")).toBe(true);
    expect(sameText("", "")).toBe(true);
    for (const other of ["Secret", "secre", "secret ", "", "ſecret"]) expect(sameText("secret", other), other).toBe(false);
  });
});

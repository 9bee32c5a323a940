/** How arguments travel: the examples of the specification, and what hostile ones cannot do. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Operation, Parameter, Place, Style } from "./operations.ts";
import { isLinear } from "./patterns.ts";
import { requestOf } from "./target.ts";

const none = { headers: [], key: "none" };
const parameter = (place: Place, style: Style, explode: boolean, name = "color", isJson = false): Parameter => ({ argument: name, name, in: place, style, explode, isJson });
const operation = (path: string, ...parameters: Parameter[]): Operation => ({ method: "GET", path, parameters, body: undefined });
const urlOf = (made: Operation, args: Record<string, unknown>, base = "https://api.example/v1") => requestOf(base, made, args, none, []).url.slice("https://api.example/v1".length);

const array = ["blue", "black", "brown"];
const object = { R: 100, G: 200, B: 150 };

describe("arguments", () => {
  // OpenAPI 3.1.1, Style Examples.
  it.each<[Place, Style, boolean, unknown, string]>([
    ["path", "simple", false, "blue", "/blue"], ["path", "simple", false, array, "/blue,black,brown"], ["path", "simple", false, object, "/R,100,G,200,B,150"], ["path", "simple", true, object, "/R=100,G=200,B=150"],
    ["path", "label", false, "blue", "/.blue"], ["path", "label", false, array, "/.blue,black,brown"], ["path", "label", true, array, "/.blue.black.brown"], ["path", "label", true, object, "/.R=100.G=200.B=150"],
    ["path", "matrix", false, "blue", "/;color=blue"], ["path", "matrix", false, array, "/;color=blue,black,brown"], ["path", "matrix", true, array, "/;color=blue;color=black;color=brown"], ["path", "matrix", false, object, "/;color=R,100,G,200,B,150"], ["path", "matrix", true, object, "/;R=100;G=200;B=150"],
    ["query", "form", true, "blue", "/?color=blue"], ["query", "form", true, "", "/?color="], ["query", "form", false, array, "/?color=blue,black,brown"], ["query", "form", true, array, "/?color=blue&color=black&color=brown"], ["query", "form", false, object, "/?color=R,100,G,200,B,150"], ["query", "form", true, object, "/?R=100&G=200&B=150"],
    ["query", "spaceDelimited", false, array, "/?color=blue%20black%20brown"], ["query", "pipeDelimited", false, array, "/?color=blue%7Cblack%7Cbrown"], ["query", "deepObject", true, object, "/?color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"],
  ])("in %s travel in style %s, explode %s: %j", (place, style, explode, value, expected) => {
    expect(urlOf(operation(place === "path" ? "/{color}" : "/", parameter(place, style, explode)), { color: value })).toBe(expected);
  });

  it.each(["..", ".", "../x", "a/../b", "%2e%2e", "%2E%2E%2Fadmin", "..%2f..%2fetc", "..\\..\\x", "%252e%252e", "a/..", "..;/x", "", "\u0000", ["..", "x"], { "..": "" }].map((value) => [value]))("that leave their segment are refused: %j", (value) => {
    expect(() => urlOf(operation("/pets/{color}", parameter("path", "simple", false)), { color: value })).toThrow();
  });

  it.each([["a/b", "/pets/a%2Fb"], ["?x=1", "/pets/%3Fx%3D1"], ["#x", "/pets/%23x"], ["a b", "/pets/a%20b"], ["é", "/pets/%C3%A9"], ["a&b=c", "/pets/a%26b%3Dc"], ["//evil.example", "/pets/%2F%2Fevil.example"], ["@evil.example", "/pets/%40evil.example"]])("stay within their segment: %j", (value, expected) => {
    expect(urlOf(operation("/pets/{color}", parameter("path", "simple", false)), { color: value })).toBe(expected);
  });

  it("of any kind never change where a call goes", () => {
    const made = operation("/pets/{color}/x", parameter("path", "simple", false), parameter("query", "form", true, "q"));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("..", "%2e%2e/", "//h", "\\\\h", "@h", ";", "\t", "\r\n"), fc.array(fc.string({ unit: "binary" }))), fc.string({ unit: "binary" }), (color, q) => {
        let url: URL;
        try {
          url = new URL(requestOf("https://api.example/v1", made, { color, q }, none, []).url);
        } catch {
          return;
        }
        expect(url.origin).toBe("https://api.example");
        expect(url.pathname.split("/")).toHaveLength(5);
        expect(url.pathname.startsWith("/v1/pets/") && url.pathname.endsWith("/x")).toBe(true);
        expect([...url.searchParams.keys()]).toEqual(["q"]);
      }),
      { numRuns: 2000 },
    );
  });

  it("that travel in headers cannot start another header", () => {
    const made = operation("/", parameter("header", "simple", false, "X-Mine"));
    expect(requestOf("https://api.example", made, { "X-Mine": "a b" }, none, []).headers).toMatchObject({ "x-mine": "a b" });
    for (const value of ["a\r\nb: c", "a\nb", "\u0000", "é", ""]) expect(() => requestOf("https://api.example", made, { "X-Mine": value }, none, [])).toThrow();
  });

  it("cannot take the place of a stored credential, which goes where its scheme says", () => {
    const made = operation("/", parameter("header", "simple", false, "X-Key"), parameter("query", "form", true, "q"));
    const credential = { headers: ["x-key", "stored", "mykey", "s3"], key: "stored" };
    const { url, headers } = requestOf("https://api.example", made, { "X-Key": "mine", q: "1" }, credential, [{ scheme: "MyKey", name: "api_key", in: "query" }]);
    expect(headers?.["x-key"]).toBe("stored");
    expect(headers?.["mykey"]).toBeUndefined();
    expect(url).toBe("https://api.example/?q=1&api_key=s3");
  });
});

describe("patterns", () => {
  it.each(["^[a-z]+$", "^\\d{4}-\\d{2}$", "^abc", "^[^/]*$"])("%s is run", (pattern) => expect(isLinear(pattern)).toBe(true));
  it.each(["(a+)+$", "^(a|a)*$", "^(a+)+$", "a*b", "^a*a*$", "^(?=a)", "^(.)\\1$", "^a?a?a?a?a?a?a?a+$", "^[a-z]*[a-z]*$", `^${"a".repeat(300)}`])("%s is not", (pattern) => expect(isLinear(pattern)).toBe(false));
});

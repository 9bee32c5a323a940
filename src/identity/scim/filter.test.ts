import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../kernel/problem.ts";
import { fits, parseFilter, parsePath } from "./filter.ts";
import { applyPatch, stepsOf } from "./patch.ts";

const ada = { userName: "Ada@corp.example", active: true, name: { familyName: "Lovelace" }, emails: [{ value: "ada@corp.example", type: "work", primary: true }, { value: "ada@home.example", type: "home" }], meta: { lastModified: "2026-01-01T00:00:00Z" } };

describe("SCIM filters", () => {
  it.each([
    ['userName eq "ada@CORP.example"', true],
    ['USERNAME Eq "ada@corp.example"', true],
    ['urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ada"', true],
    ['name.familyName co "love"', true],
    ['emails co "home.example"', true],
    ['emails.type eq "work"', true],
    ['emails[type eq "work" and value co "@corp"]', true],
    ['emails[type eq "work" and value co "@home"]', false],
    ["active eq true", true],
    ["active eq false", false],
    ["title pr", false],
    ["emails pr and not (title pr)", true],
    ['userName eq "x" or userName eq "y" or active eq true', true],
    ['(userName eq "x" or active eq true) and name.familyName ew "lace"', true],
    ['userName ne "x"', true],
    ['meta.lastModified gt "2025-12-31T00:00:00Z"', true],
    ['userName eq "quote \\" and \\u0041"', false],
  ])("%s → %j", (filter, expected) => {
    expect(fits(ada, parseFilter(filter))).toBe(expected);
  });

  it("bind and tighter than or", () => {
    expect(fits(ada, parseFilter('active eq true or active eq false and userName eq "x"'))).toBe(true);
  });

  it.each(["", "userName", "userName eq", "userName like \"x\"", "userName eq x", 'userName eq "x', '(userName eq "x"', 'userName eq "x")', "and", 'emails[type eq "work"', "not active eq true", `userName eq "${"x".repeat(3000)}"`, Array.from({ length: 100 }, () => "active eq true").join(" or "), `${"(".repeat(20)}active pr${")".repeat(20)}`])("refuse %j", (filter) => {
    expect(() => parseFilter(filter)).toThrow(Problem);
  });

  it("never do anything but parse or refuse, and quickly", () => {
    const word = fc.constantFrom("userName", "eq", "and", "or", "not", "pr", "(", ")", "[", "]", '"x"', "true", "1", " ", "emails", '"', "\\");
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.array(word, { maxLength: 40 }).map((words) => words.join(" "))), (text) => {
        const began = performance.now();
        try {
          fits(ada, parseFilter(text));
        } catch (error) {
          expect(error).toBeInstanceOf(Problem);
        }
        expect(performance.now() - began).toBeLessThan(100);
      }),
      { numRuns: 2000 },
    );
  });

  it("read paths of PATCH", () => {
    expect(parsePath('emails[type eq "work"].value')).toMatchObject({ attribute: "emails", sub: "value" });
    expect(parsePath("urn:ietf:params:scim:schemas:core:2.0:User:name.givenName")).toMatchObject({ attribute: "name", sub: "givenname" });
    for (const bad of ["", "a b", "members[", "[x]", "a.b.c.d"]) expect(() => parsePath(bad), bad).toThrow(Problem);
  });
});

describe("SCIM PATCH", () => {
  const known = ["userName", "name", "emails", "active"];
  const patch = (...operations: Parameters<typeof stepsOf>[0]) => applyPatch(ada, stepsOf(operations), known);

  it("replaces without a path, one attribute after the other", () => {
    expect(patch({ op: "replace", value: { active: false, "name.familyName": "King", nobodyKnows: 1 } })).toMatchObject({ active: false, name: { familyName: "King" } });
  });
  it("changes the element that a filter finds, and makes it where there is none", () => {
    expect(patch({ op: "replace", path: 'emails[type eq "work"].value', value: "new@corp.example" })["emails"]).toEqual([{ value: "new@corp.example", type: "work", primary: true }, ada.emails[1]]);
    expect(patch({ op: "add", path: 'emails[type eq "other"].value', value: "o@x.example" })["emails"]).toContainEqual({ type: "other", value: "o@x.example" });
  });
  it("removes elements, members and attributes", () => {
    expect(patch({ op: "remove", path: 'emails[type eq "home"]', value: undefined })["emails"]).toEqual([ada.emails[0]]);
    expect(patch({ op: "remove", path: "name.familyName", value: undefined })["name"]).toEqual({});
    expect(patch({ op: "remove", path: "emails", value: undefined })).not.toHaveProperty("emails");
  });
  it("leaves the given resource as it was", () => {
    const before = JSON.stringify(ada);
    patch({ op: "remove", path: "emails", value: undefined }, { op: "replace", path: "active", value: false });
    expect(JSON.stringify(ada)).toBe(before);
  });
});

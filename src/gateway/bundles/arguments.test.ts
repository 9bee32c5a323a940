import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../exchange.ts";
import { obstacle, sentArguments, shownSchema, type ArgumentRules } from "./arguments.ts";

const schema = { type: "object", properties: { to: { type: "string" }, from: { type: "string", description: "Sender" }, copies: { type: "integer" } }, required: ["to", "from"], "x-kept": 1 };
const refused = (rules: ArgumentRules, args: JsonObject) => {
  try {
    return sentArguments(schema, rules, args);
  } catch (error) {
    return (error as { code: number; message: string }).code;
  }
};

describe("a pinned argument", () => {
  const rules: ArgumentRules = { from: { pin: "desk@example.com" } };

  it("is not in the schema, which is closed behind it", () => {
    expect(shownSchema(schema, rules)).toEqual({ type: "object", properties: { to: { type: "string" }, copies: { type: "integer" } }, required: ["to"], additionalProperties: false, "x-kept": 1 });
  });

  it("is sent, and nobody overrides it, not even with the same value", () => {
    expect(refused(rules, { to: "a" })).toEqual({ to: "a", from: "desk@example.com" });
    expect(refused(rules, { to: "a", from: "eve@example.com" })).toBe(-32602);
    expect(refused(rules, { to: "a", from: "desk@example.com" })).toBe(-32602);
    expect(refused(rules, { to: "a", other: 1 })).toBe(-32602);
  });
});

describe("other rules", () => {
  it("hide an argument, give defaults, describe anew", () => {
    expect(shownSchema(schema, { copies: { hide: true }, from: { default: "me", description: "Who sends" } })).toEqual({ type: "object", properties: { to: { type: "string" }, from: { type: "string", description: "Who sends", default: "me" } }, required: ["to"], additionalProperties: false, "x-kept": 1 });
    expect(refused({ copies: { hide: true } }, { to: "a", from: "b", copies: 2 })).toBe(-32602);
    expect(refused({ from: { default: "me" } }, { to: "a" })).toEqual({ to: "a", from: "me" });
    expect(refused({ from: { default: "me" } }, { to: "a", from: "you" })).toEqual({ to: "a", from: "you" });
  });
});

describe("rules are not kept", () => {
  it.each<[string, unknown, ArgumentRules]>([
    ["for an argument that there is not", schema, { nobody: { pin: 1 } }],
    ["for a required argument that is hidden without a value", schema, { to: { hide: true } }],
    ["with a schema without properties", { type: "object" }, { to: { pin: 1 } }],
    ["with a schema of alternatives", { ...schema, anyOf: [{ required: ["to"] }] }, { to: { pin: 1 } }],
    ["with patterns of names", { ...schema, patternProperties: { "^t": {} } }, { to: { pin: 1 } }],
    ["with a reference to the argument", { ...schema, $defs: { a: { $ref: "#/properties/to" } } }, { to: { pin: 1 } }],
  ])("%s", (_, given, rules) => {
    expect(obstacle(given, rules)).toBeTypeOf("string");
  });

  it("but with everything plain they are", () => {
    expect(obstacle(schema, { to: { pin: 1 }, copies: { hide: true }, from: { default: "a" } })).toBeUndefined();
  });
});

describe("whatever the schema, the rules and the arguments", () => {
  const name = fc.constantFrom("a", "b", "c", "d", "toString");
  const rule = fc.oneof(fc.record({ pin: fc.jsonValue() }), fc.constant({ hide: true as const }), fc.record({ default: fc.jsonValue() }));
  it("what is shown is what may be given, and what is pinned is what is sent", () => {
    fc.assert(
      fc.property(fc.dictionary(name, fc.constant({ type: "string" })), fc.uniqueArray(name), fc.dictionary(name, rule), fc.dictionary(name, fc.jsonValue()), (properties, required, rules, args) => {
        const given = { type: "object", properties, required: required.filter((one) => Object.hasOwn(properties, one)) };
        fc.pre(obstacle(given, rules) === undefined);
        const shown = shownSchema(given, rules);
        const isClosed = shown["additionalProperties"] === false;
        const fits = !isClosed || Object.keys(args).every((one) => Object.hasOwn(shown["properties"] as object, one));
        let sent: JsonObject | undefined;
        try {
          sent = sentArguments(given, rules, args);
        } catch {
          sent = undefined;
        }
        expect(sent !== undefined).toBe(fits);
        if (!sent) return;
        for (const [one, { pin, hide }] of Object.entries(rules as ArgumentRules)) {
          if (hide) expect(Object.hasOwn(sent, one)).toBe(false);
          else if (Object.hasOwn(rules[one] ?? {}, "pin")) expect(sent[one]).toEqual(pin);
        }
      }),
    );
  });
});

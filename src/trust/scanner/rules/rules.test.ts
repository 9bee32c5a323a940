import { describe, expect, it } from "vitest";
import { scanTool, type ToolDefinition } from "../index.ts";
import { defaultLimits } from "../limits.ts";
import { view } from "../view.ts";
import { rules } from "./index.ts";
import type { Example } from "./rule.ts";

const asTool = (example: Example): ToolDefinition => (typeof example === "string" ? { name: "do_it", description: example, inputSchema: { type: "object" } } : example);
const told = (example: Example): string => (typeof example === "string" ? example : JSON.stringify(example)).slice(0, 90);

describe.each(rules.map((rule) => [rule.id, rule] as const))("rule %s", (_, rule) => {
  it.each(rule.examples.bad.map((example) => [told(example), example] as const))("finds %s", (_text, example) => {
    const drafts = rule.check(view("tool", asTool(example), null, defaultLimits));
    expect(drafts.filter((draft) => draft.effect !== "note")).not.toHaveLength(0);
  });

  it.each(rule.examples.good.map((example) => [told(example), example] as const))("lets pass %s", (_text, example) => {
    const drafts = rule.check(view("tool", asTool(example), null, defaultLimits));
    expect(drafts.filter((draft) => draft.effect !== "note")).toEqual([]);
  });

  it.each(rule.examples.bad.map((example) => [told(example), example] as const))("stops the tool that says %s", (_text, example) => {
    expect(scanTool(asTool(example)).verdict).not.toBe("pass");
  });

  it.each(rule.examples.good.map((example) => [told(example), example] as const))("does not block the tool that says %s", (_text, example) => {
    expect(scanTool(asTool(example)).verdict).not.toBe("block");
  });
});

describe("the rules", () => {
  it("have distinct ids, so that a finding names one", () => {
    expect(new Set(rules.map((rule) => rule.id)).size).toBe(rules.length);
  });

  it("name a risk of the OWASP list and a SAFE technique", () => {
    for (const rule of rules) {
      expect(rule.owasp).toMatch(/^MCP(?:0[1-9]|10)$/);
      expect(rule.safe).toMatch(/^SAFE-T\d{4}$/);
    }
  });
});

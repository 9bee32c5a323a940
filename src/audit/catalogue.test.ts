import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { catalogue } from "./catalogue.ts";
import { mappingOf } from "./mapping.ts";

const names = Object.keys(catalogue);
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "src/*.ts"], { encoding: "utf8" }).split("\n").filter((file) => file !== "" && !file.endsWith(".test.ts") && !/^src\/audit\/(?:catalogue|mapping|ocsf|page)\.ts$/.test(file) && existsSync(file));
const sources = files.map((file) => readFileSync(file, "utf8")).join("\n");

describe("the catalogue of events", () => {
  it("has no event that nothing records", () => {
    const written = new Set([...sources.matchAll(/["'`]([a-z]+(?:[.-][a-z]+)+)["'`]/g)].map(([, name]) => name));
    const begun = [...sources.matchAll(/`([a-z-]+\.)\$\{/g)].map(([, beginning]) => beginning ?? "");
    expect(names.filter((name) => !written.has(name) && !begun.some((beginning) => name.startsWith(beginning)))).toEqual([]);
  });

  it("names an event by parts in lower case, with a sentence, and details without blanks", () => {
    for (const [name, { description, detail }] of Object.entries(catalogue)) {
      expect(name).toMatch(/^[a-z]+(?:-[a-z]+)*(?:\.[a-z]+(?:-[a-z]+)*)+$/);
      expect(description).toMatch(/^[A-Z].{10,}[^.]$/);
      for (const field of detail) expect(field).toMatch(/^[a-zA-Z]+$/);
    }
  });

  it("says of each what it is evidence of", () => {
    for (const name of names) expect(mappingOf(name).asvs).toMatch(/^16\.3\.[1-4]$/);
    expect(mappingOf("authentication.password.failed").asvs).toBe("16.3.1");
    expect(mappingOf("authorization.denied").asvs).toBe("16.3.2");
    expect(mappingOf("call.failed").asvs).toBe("16.3.4");
  });

  it("has no detail that is called like a secret", () => {
    const asksForSecrets = /password|secret|token|authorization|cookie|arguments|result|body/i;
    expect(Object.entries(catalogue).flatMap(([name, { detail }]) => detail.filter((field) => asksForSecrets.test(field)).map((field) => `${name}: ${field}`))).toEqual([]);
  });
});

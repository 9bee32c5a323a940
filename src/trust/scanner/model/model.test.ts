import { existsSync, readFileSync, statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { scanTool, type ToolDefinition, type Verdict } from "../index.ts";
import { featureCount } from "./features.ts";
import { parseWeights } from "./linear.ts";

const url = new URL("./weights.json", import.meta.url);

describe("the weights", () => {
  it("are small enough to ship", () => {
    expect(statSync(url).size).toBeLessThan(300_000);
  });
  it("are refused when they were made for other features", () => {
    const file = JSON.parse(readFileSync(url, "utf8")) as Parameters<typeof parseWeights>[0];
    expect(parseWeights(file).bytes.length).toBe(featureCount);
    expect(() => parseWeights({ ...file, features: 1 })).toThrow("train.ts");
  });
});

interface Labelled extends ToolDefinition {
  readonly label: string;
}
const corpora = new URL("../../../../../shared/corpora/", import.meta.url);
const files = ["benign-docker", "benign-toucan", "malicious-mcpsafety"];
const present = files.every((file) => existsSync(new URL(`${file}.json`, corpora)));

describe.skipIf(!present)("on the labelled corpora (skipped where they are absent)", () => {
  const verdicts = (file: string): Verdict[] => (JSON.parse(readFileSync(new URL(`${file}.json`, corpora), "utf8")) as Labelled[])
    .map(({ name, description, inputSchema }) => scanTool({ name, description, inputSchema }).verdict);
  const share = (list: readonly Verdict[], stopped: (verdict: Verdict) => boolean): number => list.filter(stopped).length / list.length;

  it("stops at most one honest tool in a hundred and blocks at most one in a thousand", () => {
    const honest = [...verdicts("benign-docker"), ...verdicts("benign-toucan")];
    expect(share(honest, (verdict) => verdict !== "pass")).toBeLessThanOrEqual(0.01);
    expect(share(honest, (verdict) => verdict === "block")).toBeLessThanOrEqual(0.001);
  });
  it("stops nine in ten malicious tools and blocks six in ten", () => {
    const malicious = verdicts("malicious-mcpsafety");
    expect(share(malicious, (verdict) => verdict !== "pass")).toBeGreaterThanOrEqual(0.9);
    expect(share(malicious, (verdict) => verdict === "block")).toBeGreaterThanOrEqual(0.6);
  });
});

/** The suite's client set: the driver passes it by itself, and what it does through the gateway makes the gateway's own requests pass. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startWorld, type World } from "../world.ts";
import { complaints, revisions, runConformance, scoredScenarios, type Revision, type Verdict } from "./harness.ts";

const driver = `${process.execPath} ${import.meta.dirname}/client-driver.ts`;

describe("the driver by itself", () => {
  const verdicts = new Map<string, Verdict>();
  beforeAll(async () => {
    for (const requirements of revisions) verdicts.set(requirements, await runConformance({ command: "client", url: driver, requirements }));
  }, 180_000);

  it.each([
    ["2025-11-25", 18],
    ["2026-07-28", 32],
  ] as const)("passes every scored scenario of %s", (revision, total) => {
    const verdict = verdicts.get(revision);
    if (!verdict) throw new Error("no verdict");
    expect(complaints(verdict, scoredScenarios(revision, "client"))).toEqual([]);
    expect(verdict.scored).toEqual({ total, passed: total, failing: [] });
    expect(verdict.exitCode).toBe(0);
  });
});

describe("through the gateway", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.end());

  const throughGateway = async (requirements: Revision) =>
    runConformance({
      command: "client",
      url: driver,
      requirements,
      scenarios: scoredScenarios(requirements, "client").filter((scenario) => !scenario.startsWith("auth/")),
      env: { CONFORMANCE_GATEWAY_URL: world.url, CONFORMANCE_GATEWAY_TOKEN: await world.admin() },
    });

  it.each([
    ["2025-11-25", 4],
    ["2026-07-28", 7],
  ] as const)("passes every scored scenario of %s that wants no authorization", async (requirements, total) => {
    const verdict = await throughGateway(requirements);
    expect(complaints(verdict)).toEqual([]);
    expect(verdict.scored).toEqual({ total, passed: total, failing: [] });
  }, 120_000);
});

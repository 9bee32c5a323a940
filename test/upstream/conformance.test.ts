/**
 * The suite's client set with a client of the other era: the gateway then has to translate, so that every request, header and session the
 * suite judges is made by a peer. (Authorization at upstreams is another matter.)
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { complaints, runConformance, scoredScenarios } from "../conformance/harness.ts";
import { startWorld, type World } from "../world.ts";

const driver = `${process.execPath} ${import.meta.dirname}/../conformance/client-driver.ts`;

describe("a client of the other era", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.end());

  it.each([
    ["2025-11-25", "2026-07-28", 4],
    ["2026-07-28", "2025-11-25", 7],
  ] as const)("makes the gateway pass every scored scenario of %s by itself", async (requirements, version, total) => {
    const scenarios = scoredScenarios(requirements, "client").filter((scenario) => !scenario.startsWith("auth/"));
    const verdict = await runConformance({ command: "client", url: driver, requirements, scenarios, env: { CONFORMANCE_GATEWAY_URL: world.url, CONFORMANCE_GATEWAY_TOKEN: await world.admin(), CONFORMANCE_CLIENT_VERSION: version } });
    expect(complaints(verdict)).toEqual([]);
    expect(verdict.scored).toEqual({ total, passed: total, failing: [] });
  }, 120_000);
});

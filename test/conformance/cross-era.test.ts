/**
 * The official suite across eras: its scenarios of one revision before a server that speaks only the other, with the gateway in between.
 * What cannot pass is written down below with its reason; nothing else may fail, and what is written down must.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEverything, type EverythingPeer } from "../peers/everything.ts";
import { startWorld, type World } from "../world.ts";
import { expectedFailures } from "./expected-failures.ts";
import { runThroughGateway, type Gateway } from "./gateway.ts";
import { complaints, scoredScenarios, type Revision, type Verdict } from "./harness.ts";

let world: World;
let gateway: Gateway;
beforeAll(async () => {
  world = await startWorld();
  gateway = { baseUrl: world.url, adminToken: await world.admin() };
});
afterAll(() => world.end());

describe.each<[Revision, "legacy" | "modern", number]>([
  ["2026-07-28", "legacy", 34],
  ["2025-11-25", "modern", 26],
])("scenarios of %s before a %s server", (requirements, era, least) => {
  let peer: EverythingPeer;
  let verdict: Verdict;
  beforeAll(async () => {
    peer = await startEverything({ era });
    verdict = await runThroughGateway(gateway, { name: `only-${era}`, url: peer.url, requirements });
  }, 180_000);
  afterAll(() => peer.close());

  it(`pass, at least ${least} of those that are scored`, () => {
    const expected = Object.keys(expectedFailures[requirements]);
    const scored = scoredScenarios(requirements, "server");
    expect(complaints(verdict, scored).filter((complaint) => !expected.some((scenario) => complaint.includes(` ${scenario} `)))).toEqual([]);
    expect(verdict.scored.failing.toSorted()).toEqual(expected.toSorted());
    expect(verdict.scored.passed).toBeGreaterThanOrEqual(least);
  });
});

/** Through the gateway, with authentication on, the official suite finds exactly what it finds directly; and the mirrored headers are checked even for an upstream that ignores them. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endpointToken } from "../endpoint-token.ts";
import { startEverything, type EverythingPeer } from "../peers/everything.ts";
import { featureNames, tryFeatures } from "../peers/features.ts";
import { startV1Server } from "../peers/v1.ts";
import { startWorld, type World } from "../world.ts";
import { parity, registerUpstream, runThroughGateway, type Gateway } from "./gateway.ts";
import { complaints, revisions, type Difference, type Verdict } from "./harness.ts";

let world: World;
let gateway: Gateway;
beforeAll(async () => {
  world = await startWorld();
  gateway = { baseUrl: world.url, adminToken: await world.admin() };
});
afterAll(() => world.end());

describe("a server of both eras", () => {
  const peers: EverythingPeer[] = [];
  const found = new Map<string, { through: Verdict; differences: Difference[] }>();
  beforeAll(async () => {
    await Promise.all(
      revisions.map(async (requirements) => {
        const [direct, behind] = await Promise.all([startEverything(), startEverything()]);
        peers.push(direct, behind);
        found.set(requirements, await parity(gateway, direct.url, { name: `everything-${requirements}`, url: behind.url, requirements }));
      }),
    );
  }, 180_000);
  afterAll(() => Promise.all(peers.map((peer) => peer.close())));

  it.each(revisions)("gets the same verdict on every check of %s", (revision) => {
    expect(found.get(revision)?.differences).toEqual([]);
    expect(found.get(revision)?.through.exitCode).toBe(0);
    expect(found.get(revision)?.through.scored.failing).toEqual([]);
  });

  it("never sees the caller's token", () => {
    const heard = peers.flatMap(({ requests }) => requests.map(({ rawHeaders, body, url }) => `${rawHeaders.join("\n")}\n${body}\n${url}`));
    expect(heard.length).toBeGreaterThan(200);
    // Every access token begins as this one does: its header, with the key that signed it.
    const header = gateway.adminToken.slice(0, gateway.adminToken.indexOf(".") + 1);
    expect(heard.filter((request) => request.includes(header))).toEqual([]);
  });
});

it("checks the mirrored headers for an upstream that does not", async () => {
  const peer = await startEverything({ validateHeaders: false });
  const scenarios = ["http-header-validation", "http-custom-header-server-validation"];
  const verdict = await runThroughGateway(gateway, { name: "trusting", url: peer.url, requirements: "2026-07-28", scenarios });
  await peer.close();
  expect(complaints(verdict)).toEqual([]);
  expect(scenarios.map((scenario) => verdict.checks.filter((check) => check.scenario === scenario && check.status === "SUCCESS").length)).toEqual([14, 10]);
});

/** Peers, and the clients that speak their era. */
const sameEra = [
  ["both eras", () => startEverything(), ["v1", "v2-legacy", "v2-modern"]],
  ["2025", () => startEverything({ era: "legacy" }), ["v1", "v2-legacy"]],
  ["2026", () => startEverything({ era: "modern" }), ["v2-modern"]],
  ["the SDK v1", () => startV1Server(), ["v1", "v2-legacy"]],
] as const;

it.each(sameEra)("has every feature of a server of %s for the clients of its era", async (era, start, kinds) => {
  const peer = await start();
  const url = await registerUpstream(gateway, `features-of-${era.toLowerCase().replaceAll(" ", "-")}`, peer.url);
  for (const kind of kinds) expect(await tryFeatures(kind, url, { token: await endpointToken(gateway.baseUrl, url, gateway.adminToken) }), kind).toEqual(Object.fromEntries(featureNames.map((feature) => [feature, "works"])));
  await peer.close();
});

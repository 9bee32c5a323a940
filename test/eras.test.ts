/**
 * The matrix of eras: every kind of client at every kind of upstream, through the product, feature by feature. Each cell works or is refused as
 * docs/eras.md says, which is written from the same data; no cell hangs. `UPDATE_DOCS=1` writes the page.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eraPage, refusals, served } from "./eras.ts";
import { clientKinds, type ClientKind } from "./peers/clients.ts";
import { featureNames, tryFeatures, type Feature, type Outcome } from "./peers/features.ts";
import { startUpstream, type Upstream, type UpstreamKind } from "./peers/upstreams.ts";
import { startWorld, type World } from "./world.ts";

const page = new URL("../docs/eras.md", import.meta.url);

describe.each(served)("a server of kind %s", (kind) => {
  let world: World;
  let upstream: Upstream;
  beforeAll(async () => {
    world = await startWorld({ settings: { SALLYPORT_APPROVAL: "off" } });
    upstream = await startUpstream(kind);
    const registered = await world.fetch("/api/v1/servers", { token: await world.admin(), json: { name: "peer", ...upstream.registration } });
    if (registered.status !== 201) throw new Error(await registered.text());
  });
  afterAll(async () => {
    await world.end();
    await upstream.close();
  });

  it.each(clientKinds)("serves the %s client as the page says", async (client) => {
    const token = await world.tokenAt("/servers/peer/mcp", await world.admin());
    const found = await tryFeatures(client, `${world.url}/servers/peer/${client === "sse-2024" ? "sse" : "mcp"}`, { token });
    expect(summary(found)).toEqual(expectedOf(client, kind));
  }, 120_000);
});

const summary = (found: Record<Feature, Outcome>) => Object.fromEntries(featureNames.map((feature) => [feature, typeof found[feature] === "string" ? found[feature] : `refused: ${found[feature].refused}`]));

function expectedOf(client: ClientKind, upstream: UpstreamKind) {
  return Object.fromEntries(
    featureNames.map((feature) => {
      const refusal = refusals(client, upstream)[feature];
      return [feature, refusal === undefined ? "works" : (expect.stringContaining(refusal.error) as string)];
    }),
  );
}

it("has a page that says so", () => {
  const written = eraPage();
  if (process.env["UPDATE_DOCS"]) writeFileSync(page, written);
  expect(readFileSync(page, "utf8")).toBe(written);
});

/**
 * The matrix of eras: every kind of client at every kind of upstream, through the product, feature by feature. Each cell works or is refused as
 * docs/eras.md says, which is written from the same data; no cell hangs. `UPDATE_DOCS=1` writes the page.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eraPage, refusals } from "./eras.ts";
import { clientKinds, connectClient, type ClientKind, type TestClient } from "./peers/clients.ts";
import { featureNames, tryFeature, tryFeatures, type Feature, type Outcome } from "./peers/features.ts";
import { startUpstream, upstreamKinds, type Upstream, type UpstreamKind } from "./peers/upstreams.ts";
import { startWorld, type World } from "./world.ts";

const page = new URL("../docs/eras.md", import.meta.url);

describe.each(upstreamKinds)("a server of kind %s", (kind) => {
  let world: World;
  let upstream: Upstream;
  beforeAll(async () => {
    world = await startWorld({ settings: { SALLYPORT_APPROVAL: "off", SALLYPORT_STDIO_ALLOW: process.execPath } });
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

describe("one endpoint over servers of three eras", () => {
  const group = { old: "v1-http", fresh: "v2-stateless", ancient: "v1-sse" } as const;
  let world: World;
  const upstreams: Upstream[] = [];
  beforeAll(async () => {
    world = await startWorld({ settings: { SALLYPORT_APPROVAL: "off" } });
    for (const [name, kind] of Object.entries(group)) {
      const upstream = await startUpstream(kind);
      upstreams.push(upstream);
      const registered = await world.fetch("/api/v1/servers", { token: await world.admin(), json: { name, ...upstream.registration } });
      if (registered.status !== 201) throw new Error(await registered.text());
    }
  });
  afterAll(async () => {
    await world.end();
    await Promise.all(upstreams.map((upstream) => upstream.close()));
  });

  it.each(clientKinds.flatMap((client) => Object.entries(group).map(([server, kind]) => [client, server, kind] as const)))("serves the %s client everything of '%s' (%s)", async (kind, server, upstream) => {
    const client = await connectClient(kind, `${world.url}/${kind === "sse-2024" ? "sse" : "mcp"}`, { token: await world.tokenAt("/mcp", await world.admin()) });
    const found: Partial<Record<Feature, Outcome>> = {};
    for (const feature of featureNames) found[feature] = await tryFeature(feature, atGroup(client, server), { name: (tool) => `${server}__${tool}` });
    await client.close();
    expect(summary(found as Record<Feature, Outcome>)).toEqual(expectedOf(kind, upstream));
  }, 60_000);
});

/** The client as it is at an endpoint of several servers, where resources are named after their server. */
function atGroup(client: TestClient, server: string): TestClient {
  const prefix = `sallyport://${server}/`;
  return Object.defineProperties(Object.create(client) as TestClient, {
    readResource: { value: (uri: string) => client.readResource(prefix + uri) },
    subscribe: { value: (uri: string) => client.subscribe(prefix + uri) },
    updated: { get: () => client.updated.map((uri) => uri.replace(prefix, "")) },
  });
}

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

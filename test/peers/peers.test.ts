/** Every kind of client at a peer that speaks its era, feature by feature: what works here must work through the gateway. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientKinds, connectClient, type ClientKind, type TestClient } from "./clients.ts";
import { startEverything } from "./everything.ts";
import { beyond, featureNames, tryFeature, tryFeatures } from "./features.ts";
import type { Peer } from "./listener.ts";
import { startMisbehaving } from "./misbehaving.ts";
import { startUpstream, upstreamKinds } from "./upstreams.ts";
import { startSseServer, startV1Server } from "./v1.ts";

const peers: Record<string, () => Promise<Peer>> = {
  "v2 of both eras": () => startEverything(),
  "v2 of 2025 only": () => startEverything({ era: "legacy" }),
  "v2 of 2026 only": () => startEverything({ era: "modern" }),
  "v2 with pages of five": () => startEverything({ pageSize: 5 }),
  "v1 over Streamable HTTP": () => startV1Server(),
  "v1 over HTTP+SSE": () => startSseServer(),
};

/** Which kinds of client speak an era of which peer. */
const pairs: Record<ClientKind, readonly string[]> = {
  v1: ["v2 of both eras", "v2 of 2025 only", "v2 with pages of five", "v1 over Streamable HTTP"],
  "v2-legacy": ["v2 of both eras", "v2 of 2025 only", "v1 over Streamable HTTP"],
  "v2-modern": ["v2 of both eras", "v2 of 2026 only", "v2 with pages of five"],
  "sse-2024": ["v1 over HTTP+SSE"],
};

describe.each(clientKinds.flatMap((kind) => pairs[kind].map((peer) => [kind, peer] as const)))("the %s client at %s", (kind, name) => {
  let peer: Peer;
  let client: TestClient;
  beforeAll(async () => {
    peer = await (peers[name] as () => Promise<Peer>)();
    client = await connectClient(kind, peer.url);
  });
  afterAll(async () => {
    await client.close();
    await peer.close();
  });

  it.each(featureNames)("has %s", async (feature) => {
    const refusal = beyond[kind][feature];
    expect(await tryFeature(feature, client)).toEqual(refusal === undefined ? "works" : expect.objectContaining({ refused: expect.stringContaining(refusal) as string }));
  });
});

describe("a row of the matrix", () => {
  it("tells refusals from hangs", async () => {
    const [dead, silent] = await Promise.all([startMisbehaving("dead-port"), startMisbehaving("never-answers")]);
    expect((await tryFeatures("v1", dead.url)).list).toMatchObject({ refused: expect.any(String) as string });
    const row = await tryFeatures("v1", silent.url, { timeout: 300 });
    expect(row.call).toBe("hangs");
    expect(row.subscribe).toMatchObject({ code: -32601 });
    await Promise.all([dead.close(), silent.close()]);
  });

  it.each(upstreamKinds)("has an upstream of kind %s", async (kind) => {
    const upstream = await startUpstream(kind);
    expect(upstream.registration.transport).toBe(kind === "stdio" ? "stdio" : kind === "v1-sse" ? "sse" : "streamable-http");
    await upstream.close();
  });
});

describe("peers of one era", () => {
  it("refuse the other's clients", async () => {
    const [legacy, modern] = await Promise.all([startEverything({ era: "legacy" }), startEverything({ era: "modern" })]);
    await expect(connectClient("v2-modern", legacy.url)).rejects.toThrow();
    await expect(connectClient("v2-legacy", modern.url)).rejects.toThrow();
    await Promise.all([legacy.close(), modern.close()]);
  });

  it("hold no session after the client left", async () => {
    const peer = await startEverything({ era: "legacy" });
    const client = await connectClient("v1", peer.url);
    expect(peer.sessions()).toBe(1);
    await client.close();
    expect(peer.sessions()).toBe(0);
    await peer.close();
  });
});

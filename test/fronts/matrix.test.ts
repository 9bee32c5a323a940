/** Every kind of client before a target of either era, feature by feature: the fronts without any upstream's own trouble. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientKinds, connectClient, type TestClient } from "../peers/clients.ts";
import { beyond, featureNames, tryFeature } from "../peers/features.ts";
import { openDoor, type Door } from "./harness.ts";
import { vocabularyTarget, type VocabularyTarget } from "./vocabulary-target.ts";

describe.each(clientKinds.flatMap((kind) => (["legacy", "modern"] as const).map((era) => [kind, era] as const)))("the %s client before a %s target", (kind, era) => {
  let door: Door;
  let target: VocabularyTarget;
  let client: TestClient;
  beforeAll(async () => {
    target = vocabularyTarget(era);
    door = await openDoor(target);
    client = await connectClient(kind, `${door.url}/servers/x/${kind === "sse-2024" ? "sse" : "mcp"}`, { token: "alice" });
  });
  afterAll(async () => {
    await client.close();
    await door.close();
  });

  it.each(featureNames)("has %s", async (feature) => {
    const refusal = beyond[kind][feature];
    expect(await tryFeature(feature, client)).toEqual(refusal === undefined ? "works" : expect.objectContaining({ refused: expect.any(String) as string }));
  });
});

/** The everything-peer passes the official suite by itself; only then does a difference through the gateway say anything about the gateway. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEverything, type EverythingPeer } from "../peers/everything.ts";
import { listen } from "../peers/listener.ts";
import { compareVerdicts, complaints, revisions, runConformance, scoredScenarios, type Verdict } from "./harness.ts";

/** Scored scenarios and checks that succeed, in scenarios scored or not. */
const expected = { "2025-11-25": { scored: 30, checks: 84 }, "2026-07-28": { scored: 37, checks: 196 } };

describe("the everything-peer", () => {
  let peer: EverythingPeer;
  const verdicts = new Map<string, Verdict>();
  beforeAll(async () => {
    peer = await startEverything();
    await Promise.all(revisions.map(async (requirements) => verdicts.set(requirements, await runConformance({ command: "server", url: peer.url, requirements }))));
  }, 120_000);
  afterAll(() => peer.close());

  it.each(revisions)("passes every check of %s, scored or not", (revision) => {
    const verdict = verdicts.get(revision);
    if (!verdict) throw new Error("no verdict");
    expect(complaints(verdict)).toEqual([]);
    expect(verdict.exitCode).toBe(0);
    expect(verdict.scored).toEqual({ total: expected[revision].scored, passed: expected[revision].scored, failing: [] });
    expect(verdict.checks.filter(({ status }) => status === "SUCCESS")).toHaveLength(expected[revision].checks);
  });
});

describe("a peer that never looks at the mirrored headers", () => {
  it("fails header validation, so that the gateway's own can be told from it", async () => {
    const peer = await startEverything({ validateHeaders: false });
    const verdict = await runConformance({ command: "server", url: peer.url, requirements: "2026-07-28", scenarios: ["http-header-validation", "http-custom-header-server-validation", "tools-call-simple-text"] });
    await peer.close();
    const failing = new Set(verdict.checks.filter(({ status }) => status === "FAILURE").map(({ scenario }) => scenario));
    expect(failing).toEqual(new Set(["http-header-validation", "http-custom-header-server-validation"]));
  });
});

describe("the harness", () => {
  it("adds the token, passes the answer on untouched and lets a foreign Host through", async () => {
    const peer = await startEverything();
    const direct = await runConformance({ command: "server", url: peer.url, requirements: "2026-07-28", scenarios: ["tools-call-with-progress", "dns-rebinding-protection"] });
    peer.requests.length = 0;
    const through = await runConformance({ command: "server", url: peer.url, requirements: "2026-07-28", scenarios: ["tools-call-with-progress", "dns-rebinding-protection"], token: "made-for-this-test" });
    expect(compareVerdicts(direct, through)).toEqual([]);
    expect(peer.requests.every(({ rawHeaders }) => rawHeaders.join("\n").includes("authorization\nBearer made-for-this-test"))).toBe(true);
    expect(peer.requests.some(({ rawHeaders }) => rawHeaders.includes("http://evil.example.com"))).toBe(true);
    await peer.close();
  });

  it("finds a dead server guilty of everything", async () => {
    const verdict = await runConformance({ command: "server", url: "http://127.0.0.1:9/mcp", requirements: "2025-11-25", scenarios: ["ping"] });
    expect(verdict.exitCode).not.toBe(0);
    expect(verdict.scored).toEqual({ total: 1, passed: 0, failing: ["ping"] });
  });

  it("runs the authorization suite against an issuer", async () => {
    const { port, close } = await listen((_request, response) => void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ issuer: `http://127.0.0.1:${port}` })));
    const scenario = "authorization-server-metadata-endpoint";
    const verdict = await runConformance({ command: "authorization", url: `http://127.0.0.1:${port}`, scenarios: [scenario], options: ["--client-id", "ci"] });
    await close();
    expect(verdict.scored).toEqual({ total: 1, passed: 0, failing: [scenario] });
  });

  it("names each check that differs", () => {
    const verdict = (status: "SUCCESS" | "FAILURE"): Verdict => ({ exitCode: 0, checks: [{ scenario: "s", id: "i", name: "n", ordinal: 1, status }], scored: { total: 1, passed: 1, failing: [] }, milliseconds: 0, output: "" });
    expect(compareVerdicts(verdict("SUCCESS"), verdict("FAILURE"))).toEqual([{ check: "s i n 1", direct: "SUCCESS", through: "FAILURE" }]);
    expect(compareVerdicts(verdict("SUCCESS"), { ...verdict("SUCCESS"), checks: [] })).toEqual([{ check: "s i n 1", direct: "SUCCESS", through: "ABSENT" }]);
  });

  it("reads the scored scenarios from the suite's own lists", () => {
    expect(revisions.map((revision) => [scoredScenarios(revision, "server").length, scoredScenarios(revision, "client").length])).toEqual([[30, 18], [37, 32]]);
  });
});

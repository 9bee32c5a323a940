/** Upstreams at their worst: each fault ends in an error that says what happened, within its limit, and is felt by nobody else. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ServerPeer } from "../../src/gateway/upstream/peers.ts";
import { UpstreamError } from "../../src/gateway/upstream/http.ts";
import { startMisbehaving, type MisbehavingKind, type MisbehavingPeer } from "../peers/misbehaving.ts";
import { clientOf, openUpstreams, soon, type Upstreams } from "./harness.ts";

const MiB = 1_048_576;
type Reason = UpstreamError["reason"];
/** What a call ends in: the reason, and what the message says. */
const faults: [MisbehavingKind, Reason, RegExp][] = [
  ["never-answers", "timeout", /within 0\.7 s \(SALLYPORT_UPSTREAM_TIMEOUT\)/],
  ["silent-socket", "timeout", /SALLYPORT_UPSTREAM_TIMEOUT/],
  ["dead-port", "unreachable", /cannot be reached/],
  ["reset-mid-stream", "broken", /ended before the answer/],
  ["no-response", "broken", /ended before the answer/],
  ["drips", "timeout", /1\.8 s in all \(SALLYPORT_CALL_TIMEOUT\)/],
  ["endless-stream", "too-large", /SALLYPORT_UPSTREAM_STREAM_LIMIT/],
  ["endless-event", "too-large", /SALLYPORT_UPSTREAM_MESSAGE_LIMIT/],
  ["huge", "too-large", /larger than 1048576 bytes \(SALLYPORT_UPSTREAM_MESSAGE_LIMIT\)/],
  ["huge-chunked", "too-large", /SALLYPORT_UPSTREAM_MESSAGE_LIMIT/],
  ["gzip-bomb", "broken", /compressed/],
  ["wrong-content-type", "broken", /other than JSON/],
  ["invalid-json", "broken", /not acceptable JSON/],
  ["invalid-event", "broken", /not acceptable JSON/],
  ["wrong-id", "broken", /another request/],
  ["batch", "broken", /a batch/],
  ["redirect", "refused", /redirects, which is not followed/],
  ["unauthorized", "refused", /refused the stored credentials/],
  ["rate-limited", "busy", /fewer calls/],
  ["leaks", "broken", /^The upstream failed \(HTTP 500\)$/],
];

let upstreams: Upstreams;
beforeAll(() => {
  upstreams = openUpstreams({ start: 700, idle: 1200, total: 1800, message: MiB, stream: 2 * MiB });
});
afterAll(() => upstreams.close());
// Packing the bomb takes a while, once.
beforeAll(async () => {
  const bomb = await startMisbehaving("gzip-bomb");
  await upstreams.tool(upstreams.peer(bomb.url), "add").catch(() => undefined);
  await bomb.close();
});

let bad: MisbehavingPeer | undefined;
afterEach(async () => {
  await bad?.close();
  bad = undefined;
});
const callsTo = ({ requests }: MisbehavingPeer) => requests.filter(({ body }) => body.includes('"tools/call"')).length;

describe.each([["modern"], ["legacy"]] as const)("a call of a %s client", (era) => {
  const client = clientOf(era);

  it.each(faults)("to an upstream that is %s ends as %s", async (kind, reason, says) => {
    bad = await startMisbehaving(kind);
    const began = performance.now();
    const error = await upstreams.tool(upstreams.peer(bad.url), "add", {}, { client }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UpstreamError);
    expect(error).toMatchObject({ reason, message: expect.stringMatching(says) as string });
    expect(performance.now() - began).toBeLessThan(3000);
    // It may have run: nobody calls a second time.
    expect(callsTo(bad)).toBeLessThanOrEqual(1);
    expect(await soon(() => bad?.held() === 0)).toBe(true);
    // What is written but not read stays in the buffers of the sockets.
    expect(bad.written()).toBeLessThan(16 * MiB);
  });

  it("takes the first of two answers", async () => {
    bad = await startMisbehaving("duplicate-response");
    expect((await upstreams.tool(upstreams.peer(bad.url), "add", {}, { client })).text).toBe("first");
  });
});

it("never puts a question to the client that 2026-07-28 does not allow", async () => {
  bad = await startMisbehaving("request-on-stream");
  const exchange = upstreams.exchange("tools/call", { name: "add", arguments: {} });
  await expect(upstreams.peer(bad.url).request(exchange)).rejects.toMatchObject({ reason: "broken" });
  expect(exchange.questions).toEqual([]);
});

it("ends a call at its deadline to the tenth of a second", async () => {
  bad = await startMisbehaving("never-answers");
  const peer = upstreams.peer(bad.url);
  await peer.eras();
  await peer.inputSchema("add", upstreams.exchange("tools/list"));
  const began = performance.now();
  await expect(upstreams.tool(peer, "add")).rejects.toMatchObject({ reason: "timeout" });
  expect(Math.abs(performance.now() - began - 700)).toBeLessThan(100);
});

it("asks again only where nothing can have happened", async () => {
  bad = await startMisbehaving("reset-mid-stream");
  const peer = upstreams.peer(bad.url);
  expect((await upstreams.call(peer, "tools/list")).result["tools"]).toHaveLength(1);
  await expect(upstreams.tool(peer, "add")).rejects.toMatchObject({ reason: "broken" });
  expect(callsTo(bad)).toBe(1);
});

describe("an upstream that fails again and again", () => {
  let own: Upstreams;
  let peer: ServerPeer;
  afterEach(() => own.close());

  it("is left alone, tried by one call after a while, and back at once when it answers", async () => {
    own = openUpstreams({ start: 150, failures: 3, cooldown: 300 });
    bad = await startMisbehaving("never-answers");
    peer = own.peer(bad.url);
    for (let count = 0; count < 3; count++) await expect(own.tool(peer, "add")).rejects.toMatchObject({ reason: "timeout" });
    expect(peer.state.circuit).toBe("open");
    expect(own.troubles).toEqual(["upstream"]);
    const sent = bad.requests.length;
    await expect(own.tool(peer, "add")).rejects.toThrow(/left alone for another 1 s \(SALLYPORT_UPSTREAM_FAILURES, SALLYPORT_UPSTREAM_COOLDOWN\)/);
    expect(bad.requests).toHaveLength(sent);
    await new Promise((resolve) => setTimeout(resolve, 320));
    const results = await Promise.allSettled([own.tool(peer, "add"), own.call(peer, "tools/list"), own.call(peer, "tools/list")]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(bad.requests.length).toBeLessThanOrEqual(sent + 1);
    await new Promise((resolve) => setTimeout(resolve, 320));
    expect((await own.call(peer, "tools/list")).result["tools"]).toHaveLength(1);
    expect(peer.state.circuit).toBe("closed");
  });

  it("is not blamed for refused credentials or for answers too large", async () => {
    own = openUpstreams({ failures: 2, message: 10_000 });
    bad = await startMisbehaving("huge");
    peer = own.peer(bad.url);
    for (let count = 0; count < 4; count++) await expect(own.tool(peer, "add")).rejects.toMatchObject({ reason: "too-large" });
    expect(peer.state.circuit).toBe("closed");
  });
});

it("holds so many calls and no more, and lets none of it be felt elsewhere", async () => {
  const own = openUpstreams({ concurrency: 2, queue: 3, start: 700 });
  bad = await startMisbehaving("never-answers");
  const good = await startMisbehaving("recorder");
  const peer = own.peer(bad.url);
  const other = own.peer(good.url, "streamable-http", "other");
  await Promise.all([own.call(peer, "tools/list"), own.call(other, "tools/list")]);
  const calls = Array.from({ length: 8 }, () => own.tool(peer, "add").catch((error: UpstreamError) => error.message));
  const began = performance.now();
  for (let count = 0; count < 10; count++) await Promise.all([own.tool(other, "add"), own.tool(other, "add")]);
  expect(performance.now() - began).toBeLessThan(400);
  const messages = await Promise.all(calls);
  expect(messages.filter((message) => /waiting for this upstream \(SALLYPORT_UPSTREAM_QUEUE=3\)/.test(String(message)))).toHaveLength(3);
  expect(messages.filter((message) => /SALLYPORT_UPSTREAM_CONCURRENCY=2|SALLYPORT_UPSTREAM_TIMEOUT|left alone/.test(String(message)))).toHaveLength(5);
  await own.close();
  await good.close();
});

it("does not take a method for one that could not be a header", async () => {
  bad = await startMisbehaving("recorder");
  const peer = upstreams.peer(bad.url);
  await expect(upstreams.call(peer, "tools/list\r\nx-evil: 1")).rejects.toMatchObject({ code: -32601 });
  expect(peer.state.circuit).toBe("closed");
});


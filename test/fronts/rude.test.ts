/** Clients as production has them: they vanish in the middle, stop reading, flood, and come back. The door holds nothing for them. */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { initialize, modern, openDoor, type Door } from "./harness.ts";
import { vocabularyTarget, type VocabularyTarget } from "./vocabulary-target.ts";

let door: Door;
let target: VocabularyTarget;
beforeEach(async () => {
  target = vocabularyTarget("legacy");
  door = await openDoor(target, { settings: { SALLYPORT_STREAM_BUFFER: "65536", SALLYPORT_STREAM_KEEP_ALIVE: "1" } });
});
afterEach(() => door.close());

const path = "/servers/x/mcp";

/** One request, written by hand, on a socket that nobody reads unless told so. */
async function dial(method: string, headers: Record<string, string>, body = "", at = path): Promise<Socket> {
  const { hostname, port, host } = new URL(door.url);
  const socket = connect(Number(port), hostname);
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.on("error", () => undefined);
  const lines = Object.entries({ host, authorization: "Bearer alice", ...(body === "" ? {} : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }), ...headers }).map(([name, value]) => `${name}: ${value}`);
  socket.write(`${method} ${at} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${body}`);
  return socket;
}

const sessionOf = async () => (await door.post(path, initialize())).headers.get("mcp-session-id") ?? "";
const idle = { sessions: 0, streams: 0, parkedCalls: 0, replayBytes: 0 };

describe("a client that vanishes", () => {
  it("leaves no stream, no call and no work behind, however many there were", async () => {
    const session = await sessionOf();
    const { message, headers } = modern("tools/call", { name: "test_slow", arguments: { milliseconds: 60_000 } });
    const listen = modern("subscriptions/listen", { notifications: { toolsListChanged: true } });
    const sockets = await Promise.all([
      dial("GET", { "mcp-session-id": session }),
      ...Array.from({ length: 20 }, () => dial("POST", headers, JSON.stringify(message))),
      ...Array.from({ length: 20 }, () => dial("POST", listen.headers, JSON.stringify(listen.message))),
      ...Array.from({ length: 10 }, () => dial("GET", {}, "", "/servers/x/sse")),
    ]);
    await vi.waitFor(() => expect([door.gateway.gauges().streams, target.exchanges.length, target.listeners()]).toEqual([31, 20, 21]));
    for (const socket of sockets) socket.resetAndDestroy();
    await vi.waitFor(() => expect(door.gateway.gauges().streams).toBe(0));
    expect(target.exchanges.every(({ signal }) => signal.aborted)).toBe(true);
    // Only the session's own listener waits a while for its client to come back.
    expect(target.listeners()).toBe(1);
    expect(door.gateway.gauges().sessions).toBe(1);
  });

  it("costs no processor time afterwards", async () => {
    const sockets = await Promise.all(Array.from({ length: 30 }, () => dial("GET", {}, "", "/servers/x/sse")));
    await vi.waitFor(() => expect(door.gateway.gauges().streams).toBe(30));
    for (const socket of sockets) socket.resetAndDestroy();
    await vi.waitFor(() => expect(door.gateway.gauges()).toEqual(idle));
    const before = process.cpuUsage();
    await sleep(1000);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000_000).toBeLessThan(0.5);
  });

  it("in the middle of its own body is not waited for", async () => {
    const socket = await dial("POST", { "content-length": "1000", "content-type": "application/json" });
    socket.write('{"jsonrpc":');
    await sleep(50);
    socket.resetAndDestroy();
    await vi.waitFor(() => expect(door.logLines.some((line) => line.includes('"status":499') || line.includes('"status":400'))).toBe(true));
  });
});

describe("a client that stops reading", () => {
  it("is cut off before what waits for it grows", async () => {
    const session = await sessionOf();
    const socket = await dial("GET", { "mcp-session-id": session });
    socket.pause();
    await vi.waitFor(() => expect(target.listeners()).toBe(1));
    for (let round = 0; round < 400 && door.gateway.gauges().streams > 0; round++) {
      for (let index = 0; index < 500; index++) target.publish({ kind: "tools_list_changed" });
      await sleep(5);
    }
    expect(door.gateway.gauges().streams).toBe(0);
    expect(door.gateway.counters.streamBuffer).toBe(1);
    socket.destroy();
  }, 20_000);

  it("is reminded that the stream lives, so that a dead peer is found out", async () => {
    const socket = await dial("GET", {}, "", "/servers/x/sse");
    let heard = "";
    socket.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    await vi.waitFor(() => expect(heard).toContain(": still here"), 3000);
    socket.destroy();
  });
});

describe("one request's fault", () => {
  it("does not poison what comes after it on the same connection", async () => {
    const good = modern("tools/list");
    const bad = { ...good, headers: { ...good.headers, "mcp-method": "server/discover" } };
    for (const [{ message, headers }, status] of [[bad, 400], [good, 200], [bad, 400]] as const) expect((await door.post(path, message, { headers })).status).toBe(status);
    expect((await door.post(path, initialize())).status).toBe(200);
    expect((await door.post(path, good.message, { headers: good.headers })).status).toBe(200);
  });
});

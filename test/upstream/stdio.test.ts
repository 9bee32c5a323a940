/** Peers over channels: a child's standard streams, in either era, one child for each holder. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, it } from "vitest";
import type { Channel, JsonObject, OpenChannel } from "../../src/gateway/exchange.ts";
import { UpstreamError } from "../../src/gateway/upstream/http.ts";
import { clientOf, openUpstreams, soon, type Upstreams } from "./harness.ts";

/** The plainest of channels: lines of JSON to and from a child. */
function childChannel(era: string, alive: Set<number>): OpenChannel {
  return async () => {
    const child = spawn(process.execPath, [`${import.meta.dirname}/../peers/everything-stdio.ts`, "--era", era], { stdio: ["pipe", "pipe", "ignore"] });
    const pid = child.pid ?? 0;
    alive.add(pid);
    child.once("exit", () => alive.delete(pid));
    child.stdin.on("error", () => undefined);
    const channel: Channel = {
      send: async (message) => void child.stdin.write(`${JSON.stringify(message)}\n`),
      receive(onMessage, onClosed) {
        createInterface(child.stdout).on("line", (line) => onMessage(JSON.parse(line) as JsonObject));
        child.once("exit", () => onClosed(new UpstreamError("broken", "The server's process ended")));
      },
      close: async () => void child.kill("SIGKILL"),
    };
    return channel;
  };
}

describe.each([["legacy", ["legacy"]], ["modern", ["modern"]], ["both", ["modern", "legacy"]]] as const)("a child that speaks %s", (kind, eras) => {
  const alive = new Set<number>();
  let upstreams: Upstreams | undefined;
  afterEach(async () => {
    await upstreams?.close();
    expect(await soon(() => alive.size === 0)).toBe(true);
  });

  it("is found out, called, asked, listened to, and cancelled", async () => {
    upstreams = openUpstreams({ start: 20_000, idle: 20_000, total: 30_000 }, { stdio: () => childChannel(kind, alive) });
    const peer = upstreams.peer("http://127.0.0.1/stdio", "stdio");
    expect(await peer.eras("legacy")).toEqual(eras);
    for (const era of ["modern", "legacy"] as const) {
      const asked = { client: clientOf(era), ...(era === "legacy" ? { session: "one" } : {}) };
      const spoken = (eras as readonly string[]).includes(era) ? era : eras[0];
      expect((await peer.discover(upstreams.exchange("server/discover", undefined, asked))).era).toBe(spoken);
      expect((await upstreams.tool(peer, "test_simple_text", {}, asked)).text).toContain("simple text");
      const [first, second] = await Promise.all([upstreams.tool(peer, "test_tool_with_progress", {}, asked), upstreams.tool(peer, "test_tool_with_progress", {}, asked)]);
      for (const { notified } of [first, second]) expect(notified.map(({ params }) => [params?.["progressToken"], params?.["progress"]])).toEqual([["client-token", 0], ["client-token", 50], ["client-token", 100]]);
      if (spoken === "legacy") expect((await upstreams.tool(peer, "test_sampling", { prompt: "Say" }, asked)).text).toBe("LLM response: an answer of the model");
      const listening = upstreams.listening({ toolsListChanged: true }, asked);
      expect((await peer.listen(listening)).filter).toEqual({ toolsListChanged: true });
      await upstreams.tool(peer, "test_trigger_tool_change", {}, asked);
      // A child's changes are its own: only who shares the child hears of them.
      if (spoken === "modern" || era === "legacy") expect(await soon(() => listening.heard.length === 1)).toBe(true);
      listening.stop.abort();
      const stop = new AbortController();
      const exchange = upstreams.exchange("tools/call", { name: "test_slow", arguments: { milliseconds: 20_000 }, _meta: { progressToken: 1 } }, { ...asked, signal: stop.signal });
      await expect(peer.request({ ...exchange, notify: () => stop.abort(new Error("no longer wanted")) })).rejects.toMatchObject({ reason: "client-left" });
    }
    peer.release("one");
  }, 60_000);
});

it("is one child for each user", async () => {
  const alive = new Set<number>();
  const upstreams = openUpstreams({ start: 20_000, idle: 20_000, total: 30_000 }, { stdio: () => childChannel("both", alive) });
  const peer = upstreams.peer("http://127.0.0.1/stdio", "stdio");
  const pids = await Promise.all(["ada", "ada", "bob"].map(async (user) => (JSON.parse((await upstreams.tool(peer, "test_process", {}, { user })).text) as { pid: number }).pid));
  expect(pids[0]).toBe(pids[1]);
  expect(pids[2]).not.toBe(pids[0]);
  await upstreams.close();
  expect(await soon(() => alive.size === 0)).toBe(true);
}, 60_000);

it("is refused where there are no children", async () => {
  const upstreams = openUpstreams();
  await expect(upstreams.peer("http://127.0.0.1/stdio", "stdio").eras()).rejects.toThrow("runs no stdio servers");
  await upstreams.close();
});

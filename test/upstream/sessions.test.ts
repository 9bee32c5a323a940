/** What a peer keeps at an upstream for whom, and that it leaves nothing behind; and upstreams that forget, fall silent, change or come back. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { ServerPeer } from "../../src/gateway/upstream/peers.ts";
import { startEverything, type EverythingPeer } from "../peers/everything.ts";
import { listen, type RecordedRequest } from "../peers/listener.ts";
import { startMisbehaving } from "../peers/misbehaving.ts";
import { startSseServer, startV1Server } from "../peers/v1.ts";
import { clientOf, openUpstreams, soon, type Upstreams } from "./harness.ts";

const open: { close(): Promise<void> }[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  open.push(thing);
  return thing;
};
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});
const rest = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const headerOf = ({ rawHeaders }: RecordedRequest, name: string) => rawHeaders[rawHeaders.findIndex((header, index) => index % 2 === 0 && header.toLowerCase() === name) + 1 || rawHeaders.length];
const legacy = clientOf("legacy");

describe("sessions", () => {
  it("are never shared: neither between principals, nor between sessions of one, nor between what clients declared, nor between calls at once", async () => {
    const server = keep(await startEverything({ era: "legacy" }));
    const upstreams = keep(openUpstreams({ sessions: 500, sessionsPerPrincipal: 100, concurrency: 100 }));
    const peer = upstreams.peer(server.url);
    const command = fc.record({ user: fc.constantFrom("ada", "bob", "cem"), session: fc.constantFrom(undefined, "s1", "s2"), capable: fc.boolean(), slow: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 2, maxLength: 12 }), async (commands) => {
        await Promise.all(
          commands.map(async ({ user, session, capable, slow }) => {
            const holder = `${user}/${session ? `${user}-${session}-${capable}` : "none"}/${capable}`;
            const client = clientOf(session ? "legacy" : "modern", capable ? { sampling: {} } : {});
            const asked = { user, client, ...(session ? { session: `${user}-${session}-${capable}` } : {}) };
            const { text } = await upstreams.tool(peer, "test_echo", { holder }, asked);
            expect(text).toBe(JSON.stringify({ holder }));
            if (slow) await upstreams.tool(peer, "test_tool_with_progress", {}, asked);
          }),
        );
        const holders = new Map<string, Set<string>>();
        // Of all runs so far: what one left idle is there for the next.
        for (const request of server.requests) {
          const holder = /"holder":"([^"]+)"/.exec(request.body)?.[1];
          if (holder === undefined) continue;
          const id = String(headerOf(request, "mcp-session-id"));
          holders.set(id, (holders.get(id) ?? new Set()).add(holder));
        }
        expect([...holders.values()].filter((of) => of.size > 1)).toEqual([]);
      }),
      { numRuns: 25 },
    );
  }, 60_000);

  it("bring each question to the caller in whose call it arose", async () => {
    const server = keep(await startV1Server());
    const upstreams = keep(openUpstreams());
    const peer = upstreams.peer(server.url);
    const users = ["ada", "bob", "cem", "dan"];
    const answers = await Promise.all(
      users.flatMap((user) => [0, 1, 2].map(async (turn) => (await upstreams.tool(peer, "test_sampling", { prompt: `${user}-${turn}` }, { user, answer: async ({ params }) => {
        await rest(Math.abs(20 - turn * 7));
        return { role: "assistant", model: "test", content: { type: "text", text: `${user} heard ${JSON.stringify(params?.["messages"])}` } };
      } })).text)),
    );
    users.forEach((user, index) => [0, 1, 2].forEach((turn) => {
      expect(answers[index * 3 + turn]).toContain(`${user} heard`);
      expect(answers[index * 3 + turn]).toContain(`${user}-${turn}`);
    }));
  });

  it("serve one call after another, and are ended when they have not been used for a while", async () => {
    const server = keep(await startV1Server());
    const upstreams = keep(openUpstreams({ sessionIdle: 300 }));
    const peer = upstreams.peer(server.url);
    for (let count = 0; count < 5; count++) await upstreams.tool(peer, "test_simple_text");
    expect(server.sessions()).toBe(1);
    expect(await soon(() => server.sessions() === 0)).toBe(true);
    expect(server.requests.filter(({ method }) => method === "DELETE").length).toBeGreaterThanOrEqual(1);
  });

  it("end with the client's own, and all of them with the peer", async () => {
    const server = keep(await startV1Server());
    const upstreams = keep(openUpstreams());
    const peer = upstreams.peer(server.url);
    await upstreams.tool(peer, "test_simple_text", {}, { client: legacy, session: "one" });
    await upstreams.tool(peer, "test_simple_text", {}, { client: legacy, session: "two" });
    await upstreams.tool(peer, "test_simple_text");
    expect(server.sessions()).toBe(3);
    peer.release("one");
    expect(await soon(() => server.sessions() === 2)).toBe(true);
    await peer.close();
    expect(server.sessions()).toBe(0);
  });

  it("are replaced when they are old, even if they are busy all the time", async () => {
    const server = keep(await startV1Server());
    const upstreams = keep(openUpstreams({ sessionLifetime: 300 }));
    const peer = upstreams.peer(server.url);
    const end = performance.now() + 800;
    while (performance.now() < end) await upstreams.tool(peer, "test_simple_text");
    expect(server.requests.filter(({ body }) => body.includes('"initialize"')).length).toBeGreaterThanOrEqual(3);
    expect(await soon(() => server.sessions() <= 1)).toBe(true);
  });

  it("are so many and no more, of one principal and of all; unused ones make room", async () => {
    const server = keep(await startV1Server());
    const upstreams = keep(openUpstreams({ sessions: 3, sessionsPerPrincipal: 2 }));
    const peer = upstreams.peer(server.url);
    const slow = (user: string) => upstreams.tool(peer, "test_slow", { milliseconds: 400 }, { user });
    const results = await Promise.allSettled([slow("ada"), slow("ada"), slow("ada"), slow("bob"), slow("cem")]);
    const refused = results.flatMap((result) => (result.status === "rejected" ? [String((result.reason as Error).message)] : []));
    expect(refused).toHaveLength(2);
    expect(refused.some((message) => message.includes("SALLYPORT_UPSTREAM_SESSIONS_PER_USER"))).toBe(true);
    expect(refused.some((message) => message.includes("SALLYPORT_UPSTREAM_SESSIONS)"))).toBe(true);
    expect((await upstreams.tool(peer, "test_simple_text", {}, { user: "dan" })).text).toContain("simple text");
    expect(await soon(() => server.sessions() <= 3)).toBe(true);
  });

  it("that the upstream forgot are opened anew once, and the call is made", async () => {
    const server = keep(await startEverything({ era: "legacy" }));
    const upstreams = keep(openUpstreams());
    const peer = upstreams.peer(server.url);
    for (const asked of [{}, { client: legacy, session: "mine" }]) {
      await upstreams.tool(peer, "test_simple_text", {}, asked);
      const id = server.requests.map((request) => headerOf(request, "mcp-session-id")).findLast((found) => found !== undefined);
      await fetch(server.url, { method: "DELETE", headers: { "mcp-session-id": String(id), "mcp-protocol-version": "2025-11-25" } });
      const before = server.requests.filter(({ body }) => body.includes('"initialize"')).length;
      expect((await upstreams.tool(peer, "test_simple_text", {}, asked)).text).toContain("simple text");
      expect(server.requests.filter(({ body }) => body.includes('"initialize"')).length).toBe(before + 1);
    }
  });

  it("do not pile up when clients leave abruptly, whatever they were doing", async () => {
    const server = keep(await startV1Server());
    const upstreams = keep(openUpstreams({ concurrency: 20, queue: 500, sessions: 20, sessionsPerPrincipal: 20, start: 5000 }));
    const peer = upstreams.peer(server.url);
    const cpu = process.cpuUsage();
    for (let round = 0; round < 10; round++) {
      await Promise.allSettled(
        Array.from({ length: 20 }, (_, index) => {
          const stop = new AbortController();
          setTimeout(() => stop.abort(new Error("left")), (index * 7) % 40);
          return upstreams.tool(peer, "test_slow", { milliseconds: 3000 }, { signal: stop.signal });
        }),
      );
    }
    expect(await soon(() => server.sessions() <= 20, 5000)).toBe(true);
    await rest(200);
    const after = process.cpuUsage();
    await rest(500);
    // Nothing spins when everybody has gone.
    expect(process.cpuUsage(after).user).toBeLessThan(150_000);
    expect(process.cpuUsage(cpu).user).toBeLessThan(8_000_000);
    expect((await upstreams.tool(peer, "test_simple_text")).text).toContain("simple text");
  });
});

describe("finding out what an upstream speaks", () => {
  it("leaves no session behind, however often", async () => {
    const server = keep(await startV1Server());
    const upstreams = keep(openUpstreams());
    const peer = upstreams.peer(server.url);
    for (let count = 0; count < 20; count++) {
      peer.forget();
      await peer.eras();
    }
    expect(server.sessions()).toBe(0);
  });

  it("is done once for all who want to know, and sends nothing that could be taken for a call", async () => {
    const server = keep(await startV1Server());
    const upstreams = keep(openUpstreams());
    const peer = upstreams.peer(server.url);
    await Promise.all(Array.from({ length: 10 }, () => peer.eras("legacy")));
    expect(server.requests.filter(({ body }) => body.includes("server/discover"))).toHaveLength(1);
    expect(server.requests.every(({ method, body }) => method !== "POST" || /"(?:server\/discover|initialize|notifications\/initialized)"/.test(body))).toBe(true);
  });

  it("takes a refusal, a failure or silence for no evidence", async () => {
    const upstreams = keep(openUpstreams({ start: 200 }));
    for (const kind of ["unauthorized", "rate-limited", "silent-socket", "dead-port"] as const) {
      const bad = keep(await startMisbehaving(kind));
      const peer = upstreams.peer(bad.url);
      await expect(peer.eras()).rejects.toMatchObject({ name: "UpstreamError" });
      expect(peer.state.eras).toBeUndefined();
    }
  });

  it.each([["legacy", "modern"], ["modern", "legacy"]] as const)("is done anew when a %s upstream has become %s", async (before, after) => {
    const first = await startEverything({ era: before });
    const port = Number(new URL(first.url).port);
    const upstreams = keep(openUpstreams());
    const peer: ServerPeer = upstreams.peer(first.url);
    for (const client of [clientOf("modern"), legacy]) await upstreams.tool(peer, "test_simple_text", {}, { client });
    await first.close();
    await rest(50);
    const second: EverythingPeer = keep(await startEverything({ era: after, port }));
    for (const client of [clientOf("modern"), legacy]) expect((await upstreams.tool(peer, "test_simple_text", {}, { client })).text).toContain("simple text");
    expect(peer.state.eras).toEqual([after]);
    expect(second.requests.filter(({ body }) => body.includes('"tools/call"')).length).toBeGreaterThanOrEqual(2);
  });

  it("prefers the client's era where the upstream has both", async () => {
    const server = keep(await startEverything());
    const upstreams = keep(openUpstreams());
    const peer = upstreams.peer(server.url);
    await upstreams.tool(peer, "test_simple_text", { era: "modern" });
    await upstreams.tool(peer, "test_simple_text", { era: "legacy" }, { client: legacy, session: "one" });
    const calls = server.requests.filter(({ body }) => body.includes('"tools/call"'));
    expect(calls.map((request) => headerOf(request, "mcp-session-id") !== undefined)).toEqual([false, true]);
  });
});

describe("listening", () => {
  it("does not insist on a GET stream that an upstream does not have, and says so", async () => {
    const server = keep(await startV1Server({ jsonOnly: true }));
    const upstreams = keep(openUpstreams());
    const peer = upstreams.peer(server.url);
    const listening = upstreams.listening({ toolsListChanged: true });
    expect((await peer.listen(listening)).filter).toEqual({});
    for (let count = 0; count < 5; count++) await upstreams.tool(peer, "test_simple_text");
    await rest(500);
    expect(server.requests.filter(({ method }) => method === "GET").length).toBeLessThanOrEqual(3);
    listening.stop.abort();
  });

  it.each([["modern"], ["legacy"]] as const)("passes on a storm of changes as a few, the last one included (%s upstream)", async (era) => {
    const server = keep(await startEverything({ era }));
    const upstreams = keep(openUpstreams());
    const listening = upstreams.listening({ toolsListChanged: true });
    await upstreams.peer(server.url).listen(listening);
    for (let count = 0; count < 100; count++) {
      server.bus.publish({ kind: "tools_list_changed" });
      if (count % 10 === 0) await rest(10);
    }
    await rest(1300);
    expect(listening.heard.length).toBeGreaterThanOrEqual(2);
    expect(listening.heard.length).toBeLessThanOrEqual(3);
    listening.stop.abort();
  });

  it("holds one stream at the upstream for all who listen with one credential, and none when the last has left", async () => {
    const server = keep(await startEverything({ era: "modern" }));
    const upstreams = keep(openUpstreams());
    const peer = upstreams.peer(server.url);
    const listeners = ["ada", "bob", "cem"].map((user) => upstreams.listening({ toolsListChanged: true }, { user }));
    await Promise.all(listeners.map((listening) => peer.listen(listening)));
    const follower = upstreams.listening({ resourceSubscriptions: ["test://watched-resource"] }, { user: "dan" });
    await peer.listen(follower);
    expect(server.requests.filter(({ body }) => body.includes("subscriptions/listen"))).toHaveLength(2);
    server.bus.publish({ kind: "tools_list_changed" });
    server.bus.publish({ kind: "resource_updated", uri: "test://watched-resource" });
    expect(await soon(() => listeners.every(({ heard }) => heard.length === 1) && follower.heard.length === 1)).toBe(true);
    for (const { stop } of [...listeners, follower]) stop.abort();
  });

  it.each([["modern"], ["legacy"]] as const)("goes on after the upstream was away (%s)", async (era) => {
    const first = await startEverything({ era });
    const port = Number(new URL(first.url).port);
    const upstreams = keep(openUpstreams());
    const listening = upstreams.listening({ toolsListChanged: true, resourceSubscriptions: ["test://watched-resource"] });
    await upstreams.peer(first.url).listen(listening);
    await first.close();
    await rest(300);
    const second = keep(await startEverything({ era, port }));
    expect(
      await soon(() => {
        second.bus.publish({ kind: "resource_updated", uri: "test://watched-resource" });
        return listening.heard.some(({ method }) => method === "notifications/resources/updated");
      }, 10_000),
    ).toBe(true);
    listening.stop.abort();
  }, 20_000);

  it("opens a stream anew that has been silent for long: its other end may be gone", async () => {
    const server = keep(await startMisbehaving("recorder"));
    const upstreams = keep(openUpstreams({ idle: 250 }));
    const peer = upstreams.peer(server.url);
    await peer.eras("legacy");
    const listening = upstreams.listening({ toolsListChanged: true }, { client: legacy, session: "one" });
    await peer.listen(listening);
    expect(await soon(() => server.requests.filter(({ method }) => method === "GET").length >= 4, 4000)).toBe(true);
    expect(server.held()).toBeLessThanOrEqual(2);
    listening.stop.abort();
    peer.release("one");
  });
});

describe("HTTP+SSE", () => {
  it("holds one stream for each holder, and closes it when it is no longer used", async () => {
    const server = keep(await startSseServer());
    const upstreams = keep(openUpstreams({ sessionIdle: 300 }));
    const peer = upstreams.peer(server.url, "sse");
    await Promise.all(["ada", "bob"].map((user) => upstreams.tool(peer, "test_simple_text", {}, { user })));
    expect(server.sessions()).toBe(2);
    expect(await soon(() => server.sessions() === 0)).toBe(true);
    expect((await upstreams.tool(peer, "test_simple_text")).text).toContain("simple text");
  });

  it("tells at once that the stream broke", async () => {
    const server = await startSseServer();
    const upstreams: Upstreams = keep(openUpstreams());
    const peer = upstreams.peer(server.url, "sse");
    const call = upstreams.tool(peer, "test_slow", { milliseconds: 5000 });
    call.catch(() => undefined);
    await soon(() => server.sessions() === 1 && server.requests.some(({ body }) => body.includes("test_slow")));
    const began = performance.now();
    await server.close();
    await expect(call).rejects.toMatchObject({ reason: "broken" });
    expect(performance.now() - began).toBeLessThan(1000);
  });

  it("takes the messages of nobody to another origin, whatever the server says", async () => {
    const elsewhere = keep(await startMisbehaving("recorder"));
    const server = keep(await listen((_request, response) => void response.writeHead(200, { "content-type": "text/event-stream" }).write(`event: endpoint\ndata: ${elsewhere.url}\n\n`)));
    const upstreams = keep(openUpstreams());
    await expect(upstreams.tool(upstreams.peer(`http://127.0.0.1:${server.port}/sse`, "sse"), "add")).rejects.toMatchObject({ reason: "refused", message: expect.stringContaining("another origin") as string });
    expect(elsewhere.requests).toEqual([]);
  });
});

/** The misbehaving peers misbehave as they say, and no worse: they stop when they are let go. */
import { request } from "node:http";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { bombMembers, misbehavingKinds, startMisbehaving, type MisbehavingKind, type MisbehavingOptions } from "./misbehaving.ts";

const message = (method: string, params: object = {}) => ({ method: "POST", headers: { "content-type": "application/json", accept: "application/json, text/event-stream" }, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }) });
const call = message("tools/call", { name: "add", arguments: {} });

async function withPeer<T>(kind: MisbehavingKind, use: (url: string, peer: Awaited<ReturnType<typeof startMisbehaving>>) => Promise<T>, options: MisbehavingOptions = {}): Promise<T> {
  const peer = await startMisbehaving(kind, options);
  try {
    return await use(peer.url, peer);
  } finally {
    await peer.close();
  }
}

const broken: readonly MisbehavingKind[] = ["redirect", "leaks", "unauthorized", "rate-limited", "wrong-content-type", "dead-port", "silent-socket", "not-http"];

describe("a misbehaving peer", () => {
  it.each(misbehavingKinds.filter((kind) => !broken.includes(kind)))("keeps the handshake and the list while it is %s", (kind) =>
    withPeer(kind, async (url) => {
      expect(await (await fetch(url, message("initialize", { protocolVersion: "2025-11-25" }))).json()).toMatchObject({ result: { protocolVersion: "2025-11-25" } });
      expect(await (await fetch(url, message("server/discover"))).json()).toMatchObject({ result: { supportedVersions: ["2026-07-28"] } });
      expect(await (await fetch(url, message("tools/list"))).json()).toMatchObject({ result: { tools: [{ name: "add" }] } });
    }),
  );

  it.each(["never-answers", "silent-socket", "drips"] as const)("leaves a caller waiting: %s", (kind) =>
    withPeer(kind, async (url) => {
      await expect(fetch(url, { ...call, signal: AbortSignal.timeout(300) }).then((response) => response.text())).rejects.toMatchObject({ name: "TimeoutError" });
    }),
  );

  it.each(["reset-mid-stream", "dead-port", "not-http"] as const)("breaks the connection: %s", (kind) =>
    withPeer(kind, async (url) => {
      await expect(fetch(url, call).then((response) => response.text())).rejects.toThrow();
    }),
  );

  it.each(["endless-stream", "endless-event", "huge", "huge-chunked"] as const)("sends on only while it is read: %s", (kind) =>
    withPeer(kind, async (url, peer) => {
      const response = await fetch(url, call);
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(peer.written()).toBeLessThan(32 * 1024 * 1024);
      await response.body?.cancel();
      for (let turn = 0; turn < 50 && peer.held() > 0; turn++) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(peer.held()).toBe(0);
    }),
  );

  it("announces a huge answer honestly when it is small enough to read", () =>
    withPeer("huge", async (url) => expect((await (await fetch(url, call)).text()).length).toBe(200_000), { bytes: 200_000 }));

  it("compresses a gigabyte into a megabyte", () =>
    withPeer("gzip-bomb", async (url) => {
      const packed = await new Promise<Buffer>((resolve, reject) => {
        request(url, { method: "POST", headers: { "content-type": "application/json" } }, (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => resolve(Buffer.concat(chunks)));
        })
          .on("error", reject)
          .end(call.body);
      });
      expect(packed.length).toBeLessThan(2 * 1024 * 1024);
      expect(gunzipSync(packed.subarray(0, packed.length / bombMembers)).length * bombMembers).toBe(1024 ** 3);
    }));

  it("says what each of the small lies says", async () => {
    const answer = (kind: MisbehavingKind) => withPeer(kind, async (url) => (await fetch(url, { ...call, redirect: "manual" })).text());
    expect(JSON.parse(await answer("wrong-id"))).toMatchObject({ id: "someone-elses" });
    expect(JSON.parse(await answer("batch"))).toHaveLength(2);
    expect((await answer("duplicate-response")).match(/"result"/g)).toHaveLength(2);
    expect(await answer("request-on-stream")).toContain("elicitation/create");
    expect(await answer("invalid-json")).toMatch(/\[$/);
    expect(await withPeer("redirect", async (url) => (await fetch(url, { ...call, redirect: "manual" })).headers.get("location"))).toContain("169.254.169.254");
    expect(await withPeer("no-get", async (url) => (await fetch(url, { headers: { accept: "text/event-stream" } })).status)).toBe(405);
  });

  it("starts to answer only after the time it was given", () =>
    withPeer("slow-start", async (url) => {
      const started = performance.now();
      expect(await (await fetch(url, call)).json()).toMatchObject({ result: { content: [{ text: "late" }] } });
      expect(performance.now() - started).toBeGreaterThanOrEqual(195);
    }, { milliseconds: 200 }));

  it("records headers and bodies as they came", () =>
    withPeer("recorder", async (url, peer) => {
      await (await fetch(url, { ...call, headers: { ...call.headers, "X-Canary": "seen" } })).text();
      expect(peer.requests[0]?.rawHeaders).toContain("seen");
      expect(peer.requests[0]?.body).toBe(call.body);
    }));

  it("changes its tool after the calls it was given, without a word", () =>
    withPeer("rug-pull", async (url) => {
      const described = async () => ((await (await fetch(url, message("tools/list"))).json()) as { result: { tools: { description: string }[] } }).result.tools[0]?.description;
      expect(await described()).toBe("Adds two numbers");
      await (await fetch(url, call)).text();
      expect(await described()).toBe("Adds two numbers");
      await (await fetch(url, call)).text();
      expect(await described()).toContain("id_rsa");
    }, { after: 2 }));
});

/** Ten thousand random requests over every route and the gateway: never a 5xx, never a stack trace, and the product stays up. */
import { connect } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startWorld, type World } from "./world.ts";

const requests = 10_000;

describe("random requests", () => {
  let world: World;
  let token = "";
  beforeAll(async () => {
    // Nothing leaves this machine: names do not resolve to anything allowed, loopback is not allow-listed.
    world = await startWorld({ settings: { SALLYPORT_UPSTREAM_ALLOW: "", SALLYPORT_LOG_LEVEL: "error" } });
    token = await world.admin();
  });
  afterAll(() => world.end());

  it(`never lead to a 5xx (${requests} of them)`, async () => {
    const hostileText = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.constantFrom("", "__proto__", "constructor", "' or 1=1--", "'; drop table servers;--", "../../etc/passwd", "%00", "\u0000", "\r\nx: y", "${7*7}", "{{7*7}}", "<script>alert(1)</script>", "a".repeat(5000), "-1", "1e400", "NaN", "𝒳", "\ud800", "%", "_", "*", '"', "*:*", "NEAR(a b)", "name:x AND"),
    );
    const value: fc.Arbitrary<unknown> = fc.oneof({ depthSize: "small" }, hostileText, fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.array(hostileText, { maxLength: 3 }), fc.dictionary(hostileText, hostileText, { maxKeys: 3 }));
    const fields = ["name", "url", "title", "description", "tags", "transport", "authMode", "headers", "enabled", "username", "password", "scopes", "disabled", "token", "grant_type", "scope", "jsonrpc", "method", "id", "params"];
    const object = fc.dictionary(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...fields) }, { weight: 1, arbitrary: hostileText }), value, { maxKeys: 6 });
    const body = fc.oneof(object.map((entry) => JSON.stringify(entry)), object.map((entry) => new URLSearchParams(Object.entries(entry).map(([name, field]) => [name, typeof field === "string" ? field : JSON.stringify(field)])).toString()), hostileText, fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString("latin1")));
    const contentType = fc.constantFrom("application/json", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "text/xml", "", "multipart/form-data", "application/octet-stream");
    const paths = [...world.routes.map((route) => route.path), "/servers/{name}/mcp"];
    const sample = fc.sample(
      fc.record({
        path: fc.constantFrom(...paths),
        parameter: hostileText,
        query: fc.option(fc.dictionary(fc.constantFrom("q", "limit", "cursor", "sort", "tag", "owner", "token", "before", "type", "zzz"), hostileText, { maxKeys: 3 })),
        method: fc.constantFrom("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"),
        body,
        contentType,
        authorization: fc.oneof({ weight: 6, arbitrary: fc.constant("good") }, { weight: 1, arbitrary: hostileText }),
        header: fc.constantFrom("if-match", "accept", "mcp-session-id", "mcp-method", "x-forwarded-for", "content-encoding", "range", "if-none-match"),
        headerValue: hostileText,
      }),
      { numRuns: requests, seed: 20260728 },
    );
    const statuses = new Map<number, number>();
    const latin = (text: string) => text.replaceAll(/[^\u0020-\u007e\u00a0-\u00ff]/g, "");
    const one = async (input: (typeof sample)[number]) => {
      const path = input.path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(input.parameter.toWellFormed()) || "x");
      const query = input.query ? `?${new URLSearchParams(Object.entries(input.query).map(([name, text]) => [name, text.toWellFormed()]))}` : "";
      const mayHaveBody = !["GET", "HEAD"].includes(input.method);
      const response = await fetch(world.url + path + query, {
        method: input.method,
        redirect: "manual",
        headers: { ...(input.contentType && mayHaveBody ? { "content-type": input.contentType } : {}), authorization: input.authorization === "good" ? `Bearer ${token}` : latin(input.authorization), [input.header]: latin(input.headerValue) },
        ...(mayHaveBody ? { body: input.body } : {}),
      });
      const text = await response.text();
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      if (response.status >= 500 || /\n\s+at |node:internal|\/src\/|SQLITE|sqlite|SyntaxError/.test(path.endsWith(".css") || path === "/docs" || path === "/openapi.json" ? "" : text)) throw new Error(`${input.method} ${path}: ${response.status} ${text.slice(0, 300)}\n${JSON.stringify(input)}\n${world.logLines.slice(-3).join("")}`);
    };
    for (let start = 0; start < sample.length; start += 16) await Promise.all(sample.slice(start, start + 16).map(one));
    expect([...statuses.values()].reduce((sum, count) => sum + count, 0)).toBe(requests);
    expect([...statuses.keys()].length).toBeGreaterThan(5);
    expect((await world.fetch("/healthz/ready")).status).toBe(200);
    expect(Object.keys(Object.prototype)).toEqual([]);
  }, 180_000);

  it("leave the product up when they are not even HTTP", async () => {
    const { port } = new URL(world.url);
    await Promise.all(
      fc.sample(fc.uint8Array({ minLength: 1, maxLength: 500 }), { numRuns: 300, seed: 7 }).map(
        (bytes) =>
          new Promise<void>((resolve) => {
            const socket = connect(Number(port), "127.0.0.1", () => socket.end(Buffer.from(bytes)));
            socket.on("error", () => resolve());
            socket.on("close", () => resolve());
            socket.resume();
          }),
      ),
    );
    expect((await world.fetch("/healthz")).status).toBe(200);
  });
});

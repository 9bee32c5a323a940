/** HTTP hardening: what is answered at all, and with which headers. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openInbound } from "../src/net/inbound.ts";
import { createLog } from "../src/ops/index.ts";
import { startWorld, type World } from "./world.ts";

describe("the listener", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ settings: { SALLYPORT_BODY_LIMIT: "20000" } });
  });
  afterAll(() => world.end());

  /** Sends raw bytes and returns everything that comes back until the server closes or falls silent. */
  const raw = (text: string, { wait = 1500 } = {}): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(Number(new URL(world.url).port), "127.0.0.1", () => socket.write(text));
      let answer = "";
      const done = () => {
        socket.destroy();
        resolve(answer);
      };
      const timer = setTimeout(done, wait);
      socket.on("data", (chunk) => {
        answer += chunk.toString();
        if (answer.includes("\r\n\r\n")) {
          clearTimeout(timer);
          setTimeout(done, 30);
        }
      });
      socket.on("close", done);
      socket.on("error", done);
    });
  const host = () => new URL(world.url).host;
  const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);

  it("puts the security headers on every class of response", async () => {
    const token = await world.admin();
    const responses = [await world.fetch("/healthz"), await world.fetch("/api/v1/servers", { token }), await world.fetch("/api/v1/servers"), await world.fetch("/nothing"), await world.fetch("/servers/x/mcp", { method: "POST" }), await world.fetch("/servers/x/mcp", { token, json: {} }), await world.fetch("/docs"), await world.fetch("/healthz", { headers: { origin: "https://evil.example" } }), await world.fetch("/token", { method: "POST", body: "<x/>", headers: { "content-type": "text/xml" } })];
    expect(responses.map((response) => response.status)).toEqual([200, 200, 401, 404, 401, 404, 200, 403, 415]);
    for (const response of responses) {
      expect(response.headers.get("content-security-policy")).toMatch(/default-src 'none'/);
      expect(response.headers.get("content-security-policy")).toMatch(/frame-ancestors 'none'/);
      expect(response.headers.get("content-security-policy")).not.toMatch(/unsafe|\*/);
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      expect(response.headers.get("referrer-policy")).toMatch(/^(?:no-referrer|same-origin)$/);
      expect(response.headers.get("cross-origin-opener-policy")).toBe("same-origin");
      expect(response.headers.get("cross-origin-resource-policy")).toBe("same-origin");
      expect(response.headers.get("permissions-policy")).toContain("camera=()");
      expect(response.headers.get("server")).toBeNull();
      expect(response.headers.get("x-powered-by")).toBeNull();
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
      expect(response.headers.get("cache-control")).toMatch(/no-store|max-age/);
    }
  });

  it.each([
    ["a foreign Host", (h: string) => `GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n${h ? "" : ""}`, 421],
    ["two Host headers", (h: string) => `GET /healthz HTTP/1.1\r\nHost: ${h}\r\nHost: ${h}\r\nConnection: close\r\n\r\n`, 400],
    ["no Host header", () => "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
    ["an absolute-form target", (h: string) => `GET http://${h}/healthz HTTP/1.1\r\nHost: ${h}\r\nConnection: close\r\n\r\n`, 400],
    ["a target with two slashes", (h: string) => `GET //evil.example/ HTTP/1.1\r\nHost: ${h}\r\nConnection: close\r\n\r\n`, 400],
    ["TRACE", (h: string) => `TRACE /healthz HTTP/1.1\r\nHost: ${h}\r\nConnection: close\r\n\r\n`, 405],
    ["both Content-Length and Transfer-Encoding", (h: string) => `POST /token HTTP/1.1\r\nHost: ${h}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ["two different Content-Lengths", (h: string) => `POST /token HTTP/1.1\r\nHost: ${h}\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde`, 400],
    ["an obsolete line folding", (h: string) => `GET /healthz HTTP/1.1\r\nHost: ${h}\r\nX: a\r\n b\r\nConnection: close\r\n\r\n`, 400],
    ["a header name with a space", (h: string) => `GET /healthz HTTP/1.1\r\nHost: ${h}\r\nX Y: a\r\nConnection: close\r\n\r\n`, 400],
    ["a NUL in a header", (h: string) => `GET /healthz HTTP/1.1\r\nHost: ${h}\r\nX: a\u0000b\r\nConnection: close\r\n\r\n`, 400],
    ["headers beyond 16 KiB", (h: string) => `GET /healthz HTTP/1.1\r\nHost: ${h}\r\nX: ${"a".repeat(20_000)}\r\nConnection: close\r\n\r\n`, 431],
    ["a chunk size that overflows", (h: string) => `POST /token HTTP/1.1\r\nHost: ${h}\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n`, 400],
    ["nonsense", () => "\u0016\u0003\u0001\u0002\u0000\r\n\r\n", 400],
  ])("refuses %s", async (_what, message, expected) => {
    expect(statusOf(await raw(message(host())))).toBe(expected);
  });

  it.each([["application/xml"], ["text/xml; charset=utf-8"], ["image/svg+xml"], ["application/soap+xml"], ["application/json; x=text/xml"]])("answers a body of type %s with 415", async (type) => {
    const response = await world.fetch("/api/v1/servers", { token: await world.admin(), method: "POST", body: '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', headers: { "content-type": type } });
    expect(response.status).toBe(415);
  });

  it("answers XML that calls itself JSON or a form with 415, on the API and the gateway alike", async () => {
    const token = await world.admin();
    const bomb = ' \n<!DOCTYPE lolz [<!ENTITY lol "lol">]><lolz>&lol;</lolz>';
    expect((await world.fetch("/api/v1/servers", { token, method: "POST", body: bomb, headers: { "content-type": "application/json" } })).status).toBe(415);
    expect((await world.fetch("/token", { method: "POST", body: bomb, headers: { "content-type": "application/x-www-form-urlencoded" } })).status).toBe(415);
  });

  it("answers another media type with 415 and a compressed body likewise", async () => {
    const token = await world.admin();
    expect((await world.fetch("/api/v1/servers", { token, method: "POST", body: "a: b", headers: { "content-type": "text/yaml" } })).status).toBe(415);
    expect((await world.fetch("/api/v1/servers", { token, method: "POST", body: "x", headers: { "content-type": "application/json", "content-encoding": "gzip" } })).status).toBe(415);
  });

  it("answers a body beyond the limit with 413 that names the setting", async () => {
    const response = await world.fetch("/api/v1/servers", { token: await world.admin(), method: "POST", body: JSON.stringify({ description: "x".repeat(30_000) }), headers: { "content-type": "application/json" } });
    expect(response.status).toBe(413);
    expect(((await response.json()) as { detail: string }).detail).toContain("SALLYPORT_BODY_LIMIT");
  });

  it("answers an Origin of its own, and refuses a foreign one and null", async () => {
    expect((await world.fetch("/healthz", { headers: { origin: world.url } })).status).toBe(200);
    expect((await world.fetch("/healthz", { headers: { origin: "http://127.0.0.1:1" } })).status).toBe(403);
    expect((await world.fetch("/healthz", { headers: { origin: "null" } })).status).toBe(403);
  });

  it("serves its pages without any script", async () => {
    const page = await (await world.fetch("/docs")).text();
    expect(page).toContain("/api/v1/servers/{name}");
    expect(page).not.toMatch(/<script|\sstyle=|\son\w+=/);
    expect((await world.fetch("/assets/pages.css")).headers.get("content-type")).toContain("text/css");
  });
});

describe("binding", () => {
  const options = { port: 0, publicUrl: undefined, allowedHosts: [], allowedOrigins: [], tls: undefined, trustedProxyHops: 0, maxConnections: 10, log: createLog({ level: "silent" }), onRefused: () => undefined };

  it.each([["0.0.0.0"], ["::"], ["*"], ["0"], ["[::]"], ["0x0.0.0.0"]])("refuses every interface (%s) without acknowledgement", async (host) => {
    await expect(openInbound({ ...options, host, allowAllInterfaces: false })).rejects.toThrow();
  });

  it("refuses a public address without acknowledgement", async () => {
    await expect(openInbound({ ...options, host: "8.8.8.8", allowAllInterfaces: false })).rejects.toThrow(/public address/);
  });

  it("accepts every interface on acknowledgement", async () => {
    const inbound = await openInbound({ ...options, host: "0.0.0.0", allowAllInterfaces: true });
    expect(inbound.isLoopback).toBe(false);
    await inbound.stop(0);
  });

  it("accepts loopback, by address and by name", async () => {
    for (const host of ["127.0.0.1", "localhost"]) {
      const inbound = await openInbound({ ...options, host, allowAllInterfaces: false });
      expect(inbound.isLoopback).toBe(true);
      await inbound.stop(0);
    }
  });

  const privateAddress = Object.values(networkInterfaces()).flat().find((entry) => entry?.family === "IPv4" && /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)/.test(entry.address))?.address;
  it.skipIf(privateAddress === undefined)("accepts a specific private address of this machine", async () => {
    const inbound = await openInbound({ ...options, host: privateAddress ?? "", allowAllInterfaces: false });
    expect(inbound.isLoopback).toBe(false);
    await inbound.stop(0);
  });
});

describe("TLS", () => {
  it("serves HTTPS with HSTS from a configured certificate, and nothing older than TLS 1.2", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-tls-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], { stdio: "ignore" });
    const world = await startWorld({ settings: { SALLYPORT_TLS_CERT_FILE: cert, SALLYPORT_TLS_KEY_FILE: key } });
    const get = (options: object) =>
      new Promise<{ status: number; hsts: string | undefined }>((resolve, reject) => {
        // The certificate was made a moment ago for this test; what is tested is the server's side.
        httpsRequest(`${world.url}/healthz`, { ca: [execFileSync("cat", [cert])], ...options }, (response) => {
          response.resume();
          resolve({ status: response.statusCode ?? 0, hsts: response.headers["strict-transport-security"] });
        }).on("error", reject).end();
      });
    expect(world.url).toMatch(/^https:/);
    expect(await get({})).toEqual({ status: 200, hsts: "max-age=31536000" });
    await expect(get({ maxVersion: "TLSv1.1", minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" })).rejects.toThrow();
    await world.end();
    rmSync(folder, { recursive: true });
  });
});

/** As a stranger does it: a clean copy of the repository, an empty environment, `npm start`, the setup link, a token, a real server, a call. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Secret, TOTP } from "otpauth";
import { afterAll, describe, expect, it } from "vitest";
import { visitor } from "./visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-clone-"));
const copy = join(folder, "sallyport");
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** Only what npm itself needs: no setting of ours, nothing inherited. Registry and proxy configuration of this machine stay reachable through HOME. */
const environment = (extra: Record<string, string>) => ({ PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? folder, ...extra });

interface Started {
  child: ChildProcess;
  text: string;
  seconds: number;
}

async function npmStart(port: number, data: string, within: number): Promise<Started> {
  const began = performance.now();
  const child = spawn("npm", ["start"], { cwd: copy, env: environment({ SALLYPORT_PORT: String(port), SALLYPORT_DATA_DIR: data }), stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  while (!text.includes("Sallyport is ready")) {
    if (performance.now() - began > within || child.exitCode !== null) throw new Error(`npm start did not come up:\n${text}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const seconds = (performance.now() - began) / 1000;
  await new Promise((resolve) => setTimeout(resolve, 300));
  return { child, text, seconds };
}

/** npm itself ends by the signal that it hands on; what counts is that it ends, and soon. */
const ended = (child: ChildProcess) => new Promise<boolean>((resolve) => (child.exitCode !== null || child.signalCode !== null ? resolve(true) : child.on("exit", () => resolve(true))));

describe("two commands on a clean copy", () => {
  it("start the product, and lead to a call through both doors", async () => {
    const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" }).split("\n").filter((file) => file !== "" && existsSync(file));
    for (const file of files) {
      mkdirSync(dirname(join(copy, file)), { recursive: true });
      cpSync(file, join(copy, file));
    }
    const [port, upstreamPort] = [await freePort(), await freePort()];
    const data = join(folder, "data");
    const first = await npmStart(port, data, 240_000);
    expect(first.text).toMatch(/Installing .*\n/);
    expect(first.text).toContain(`http://127.0.0.1:${port}`);
    expect(first.text).toContain(data);
    expect(first.text).toMatch(/Next +npm run sallyport -- login/);
    expect(first.text).toContain("loopback) are allowed");
    expect(statSync(join(copy, ".env")).mode & 0o777).toBe(0o600);
    const link = /http:\/\/\S+\/setup\?token=\S+/.exec(first.text)?.[0] ?? "";

    expect(await (await fetch(link)).text()).toContain("Create the first administrator");
    const base = `http://127.0.0.1:${port}`;
    const credentials = { username: "captain", password: "seven quiet harbours" };
    const browser = visitor(base);
    await browser.get(link);
    expect((await browser.submit("/setup", credentials)).status).toBe(201);
    const token = ((await (await fetch(`${base}/token`, { method: "POST", body: new URLSearchParams({ grant_type: "password", ...credentials }) })).json()) as { access_token: string }).access_token;
    const authorization = `Bearer ${token}`;

    const everything = spawn(process.execPath, ["node_modules/@modelcontextprotocol/server-everything/dist/index.js", "streamableHttp"], { env: environment({ PORT: String(upstreamPort) }), stdio: "ignore" });
    children.push(everything);
    for (let attempt = 0; attempt < 100 && !(await fetch(`http://127.0.0.1:${upstreamPort}/mcp`).then(() => true, () => false)); attempt++) await new Promise((resolve) => setTimeout(resolve, 100));
    const post = (path: string, body: unknown, headers: Record<string, string> = {}) => fetch(base + path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json", authorization, ...headers } });
    const registration = { name: "everything", url: `http://127.0.0.1:${upstreamPort}/mcp` };
    expect((await post("/api/v1/servers", registration)).status).toBe(201);

    const call = (await (await fetch(`${base}/token`, { method: "POST", body: new URLSearchParams({ grant_type: "password", ...credentials, resource: `${base}/servers/everything/mcp` }) })).json()) as { access_token: string };
    const client = new Client({ name: "stranger", version: "1" }, { versionNegotiation: { mode: "auto" } });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${base}/servers/everything/mcp`), { requestInit: { headers: { authorization: `Bearer ${call.access_token}` } } }));
    expect((await client.listTools()).tools.length).toBeGreaterThan(5);
    expect(await client.callTool({ name: "echo", arguments: { message: "hello" } })).toMatchObject({ content: [{ text: "Echo: hello" }] });
    await client.close();

    // The administrator's part needs a second factor: added in the same browser, with the secret that the page shows.
    expect((await fetch(`${base}/api/v1/audit/events`, { headers: { authorization } })).status).toBe(403);
    await browser.get("/account/factors");
    const secret = /<pre>([A-Z2-7 ]+)<\/pre>/.exec((await browser.submit("/account/factors/totp")).text)?.[1]?.replaceAll(" ", "") ?? "";
    const otp = (ahead: number) => new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + ahead * 30_000 });
    expect((await browser.submit("/account/factors/totp/confirm", { code: otp(0) })).text).toContain("recovery codes");
    const admin = `Bearer ${((await (await fetch(`${base}/token`, { method: "POST", body: new URLSearchParams({ grant_type: "password", ...credentials, otp: otp(1) }) })).json()) as { access_token: string }).access_token}`;
    const events = (await (await fetch(`${base}/api/v1/audit/events`, { headers: { authorization: admin } })).json()) as { items: { type: string; detail: { tool?: string } }[] };
    expect(events.items.map(({ type }) => type)).toEqual(expect.arrayContaining(["setup.completed", "authentication.password.succeeded", "server.created", "call.completed"]));
    expect(events.items.some(({ detail }) => detail.tool === "echo")).toBe(true);

    expect((await fetch(`${base}/api/v1/servers`)).status).toBe(401);
    const reader = { username: "reader", password: "a reader of the list", scopes: ["servers:read"] };
    expect((await post("/api/v1/users", reader, { authorization: admin })).status).toBe(201);
    const readerToken = ((await (await fetch(`${base}/token`, { method: "POST", body: new URLSearchParams({ grant_type: "password", username: reader.username, password: reader.password }) })).json()) as { access_token: string }).access_token;
    expect((await post("/api/v1/servers", registration, { authorization: `Bearer ${readerToken}` })).status).toBe(403);
    expect((await fetch(`${base}/api/v1/servers/none`, { headers: { authorization } })).status).toBe(404);
    expect((await post("/api/v1/servers", registration)).status).toBe(409);
    expect((await fetch(`${base}/api/v1/servers/everything`, { method: "DELETE", headers: { authorization, "if-match": '"old"' } })).status).toBe(412);
    expect((await post("/api/v1/servers", registration, { "content-type": "application/xml" })).status).toBe(415);
    expect((await post("/api/v1/servers", { name: "a b", url: "x" })).status).toBe(422);

    first.child.kill("SIGTERM");
    expect(await ended(first.child)).toBe(true);
    for (let attempt = 0; attempt < 50 && (await fetch(`${base}/healthz`).then(() => true, () => false)); attempt++) await new Promise((resolve) => setTimeout(resolve, 100));

    const second = await npmStart(port, data, 20_000);
    expect(second.text).not.toMatch(/Installing|setup\?token/);
    expect((await fetch(`${base}/api/v1/servers/everything`, { headers: { authorization } })).status).toBe(200);
    second.child.kill("SIGTERM");
    expect(await ended(second.child)).toBe(true);
  }, 300_000);
});

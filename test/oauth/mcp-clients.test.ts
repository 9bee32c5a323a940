/** The official SDK clients from nothing but a server's address: 401, metadata, a client metadata document, consent in a real Chromium, token, call. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2, type OAuthClientProvider } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import chromium from "@sparticuz/chromium";
import { chromium as playwright, type Browser, type BrowserContext, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runConformance } from "../conformance/harness.ts";
import { startEverything, type EverythingPeer } from "../peers/everything.ts";
import { startWorld, type World } from "../world.ts";
import { registerClient } from "./flow.ts";
import { startMetadataHost, type MetadataHost } from "./metadata-host.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-chromium-"));
let browser: Browser;
let context: BrowserContext;
let host: MetadataHost;
let world: World;
let upstream: EverythingPeer;
let listener: Server;
let redirectUri = "";
let password = "";
/** Resolves with the parameters that the browser brings back. */
let arrived: (parameters: URLSearchParams) => void = () => undefined;

beforeAll(async () => {
  process.env["TMPDIR"] = folder;
  browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox", "--disable-gpu"], headless: true });
  host = await startMetadataHost();
  world = await startWorld();
  upstream = await startEverything();
  const created = await world.fetch("/api/v1/servers", { token: await world.admin(), json: { name: "everything", url: upstream.url } });
  expect(created.status).toBe(201);
  listener = createServer((request, response) => {
    const { searchParams, pathname } = new URL(request.url ?? "", "http://localhost");
    response.end("You can close this window.");
    if (pathname === "/callback") arrived(searchParams);
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", () => resolve()));
  redirectUri = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/callback`;
  context = await browser.newContext();
  ({ password } = await world.user("mate", "tools:call"));
  await world.fetch("/api/v1/servers/everything/grants/mate", { token: await world.admin(), method: "PUT" });
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await world?.end();
  await upstream?.close();
  await host?.close();
  listener?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The product's own sign-in page, the first time that this browser comes. */
async function signInIfAsked(page: Page): Promise<void> {
  if (!new URL(page.url()).pathname.startsWith("/login")) return;
  await page.fill("input[name=username]", "mate");
  await page.fill("input[name=password]", password);
  await page.locator("input[name=password]").press("Enter");
  await page.getByRole("button", { name: "Allow" }).waitFor();
}

/** A person in Chromium: reads the consent page, checks that anybody could, and allows. */
async function consent(url: string): Promise<{ parameters: URLSearchParams; text: string }> {
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  const answer = new Promise<URLSearchParams>((resolve) => (arrived = resolve));
  await page.goto(url);
  await signInIfAsked(page);
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id }) => id)).toEqual([]);
  const text = await page.innerText("main");
  await page.getByRole("button", { name: "Allow" }).focus();
  await page.keyboard.press("Enter");
  const parameters = await answer;
  await page.close();
  expect(complaints).toEqual([]);
  return { parameters, text };
}

interface Memory {
  authorizationUrl?: string;
}

/** As a client on a person's machine keeps it. */
function createProvider(clientId: string, memory: Memory): OAuthClientProvider {
  let tokens: Awaited<ReturnType<OAuthClientProvider["tokens"]>>;
  let information: Awaited<ReturnType<OAuthClientProvider["clientInformation"]>>;
  let verifier = "";
  let discovery: unknown;
  return {
    redirectUrl: redirectUri,
    clientMetadataUrl: clientId,
    clientMetadata: { client_name: "Not used: the document says it", redirect_uris: [redirectUri] },
    clientInformation: () => information,
    saveClientInformation: (given: typeof information) => void (information = given),
    tokens: () => tokens,
    saveTokens: (given: typeof tokens) => void (tokens = given),
    codeVerifier: () => verifier,
    saveCodeVerifier: (given: string) => void (verifier = given),
    saveDiscoveryState: (given: unknown) => void (discovery = given),
    discoveryState: () => discovery,
    redirectToAuthorization: (url: URL) => void (memory.authorizationUrl = url.href),
  } as OAuthClientProvider;
}

describe("from nothing but the address", () => {
  const endpoint = () => new URL("/servers/everything/mcp", world.url);

  it("the SDK v2 client gets a token and calls", async () => {
    const memory: Memory = {};
    const clientId = host.client("/v2.json", [redirectUri]);
    const options = { authProvider: createProvider(clientId, memory) };
    const first = new TransportV2(endpoint(), options);
    await expect(new ClientV2({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } }).connect(first)).rejects.toThrow(/nauthorized/);
    const { parameters, text } = await consent(memory.authorizationUrl ?? "");
    expect(text).toContain("A client of the web");
    expect(text).toContain(host.host);
    expect(text).toContain(new URL(redirectUri).host);
    expect(text).toContain(endpoint().href);
    await first.finishAuth(parameters);
    const client = new ClientV2({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
    await client.connect(new TransportV2(endpoint(), options));
    expect((await client.listTools()).tools.length).toBeGreaterThan(3);
    expect(await client.callTool({ name: "test_simple_text", arguments: {} })).toMatchObject({ content: [{ type: "text" }] });
    await client.close();
  }, 60_000);

  it("the SDK v1 client gets a token and calls", async () => {
    const memory: Memory = {};
    const clientId = host.client("/v1.json", [redirectUri]);
    const options = { authProvider: createProvider(clientId, memory) as never };
    const first = new TransportV1(endpoint(), options);
    await expect(new ClientV1({ name: "test", version: "1" }).connect(first)).rejects.toThrow(/nauthorized/);
    const { parameters } = await consent(memory.authorizationUrl ?? "");
    await first.finishAuth(parameters.get("code") ?? "");
    const client = new ClientV1({ name: "test", version: "1" });
    await client.connect(new TransportV1(endpoint(), options));
    expect(await client.callTool({ name: "test_simple_text", arguments: {} })).toMatchObject({ content: [{ type: "text" }] });
    await client.close();
  }, 60_000);

  it("a refused person comes back with an error that the client understands", async () => {
    const memory: Memory = {};
    const transport = new TransportV2(endpoint(), { authProvider: createProvider(host.client("/no.json", [redirectUri]), memory) });
    await expect(new ClientV2({ name: "test", version: "1" }).connect(transport)).rejects.toThrow();
    const page = await context.newPage();
    const answer = new Promise<URLSearchParams>((resolve) => (arrived = resolve));
    await page.goto(memory.authorizationUrl ?? "");
    await signInIfAsked(page);
    await page.getByRole("button", { name: "Deny" }).click();
    expect(Object.fromEntries(await answer)).toMatchObject({ error: "access_denied", iss: world.publicUrl });
    await page.close();
  }, 60_000);
});

describe("the conformance suite's authorization scenarios", () => {
  it("both pass, without a warning", async () => {
    const port = await new Promise<number>((resolve) => {
      const probe = createServer().listen(0, "127.0.0.1", () => {
        const { port: free } = probe.address() as AddressInfo;
        probe.close(() => resolve(free));
      });
    });
    const { clientId } = await registerClient(world, { name: "Conformance", redirectUris: [`http://127.0.0.1:${port}/callback`, `http://localhost:${port}/callback`] });
    let visited = false;
    let said = "";
    const verdict = await runConformance({
      command: "authorization",
      url: world.url,
      options: ["--client-id", clientId, "--resource", `${world.publicUrl}/servers/everything/mcp`, "-p", String(port)],
      timeout: 60_000,
      onOutput(text) {
        said += text;
        const url = /https?:\/\/\S+\/authorize\?\S+/.exec(said)?.[0];
        if (visited || url === undefined) return;
        visited = true;
        void (async () => {
          const page = await context.newPage();
          await page.goto(url);
          await page.getByRole("button", { name: "Allow" }).click();
          await page.waitForLoadState();
          await page.close();
        })();
      },
    });
    expect(verdict.checks.filter(({ status }) => status !== "SUCCESS" && status !== "INFO"), verdict.output).toEqual([]);
    expect(new Set(verdict.checks.map(({ scenario }) => scenario)).size).toBe(2);
    expect(verdict.exitCode).toBe(0);
  }, 90_000);
});

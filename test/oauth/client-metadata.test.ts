/** Client ID metadata documents: who may be a client by them, and that nobody makes us fetch what is not public. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adminName, type World } from "../world.ts";
import { authorizationUrl, browse, callback, personOf, pkce, signIn, startOAuthWorld, type Person } from "./flow.ts";
import { startMetadataHost, type MetadataHost } from "./metadata-host.ts";

let host: MetadataHost;
beforeAll(async () => {
  host = await startMetadataHost();
});
afterAll(() => host.close());

const ask = (world: World, person: Person, clientId: string, redirectUri = callback) => browse(world, person, authorizationUrl({ clientId, redirectUri, challenge: pkce().challenge }));

describe("a client metadata document", () => {
  let world: World;
  let person: Person;
  beforeAll(async () => {
    world = await startOAuthWorld();
    person = await personOf(world, adminName);
  });
  afterAll(() => world.end());

  it("makes a client, and is not read again while it may be kept", async () => {
    const clientId = host.client("/good.json", [callback]);
    for (let time = 0; time < 3; time++) expect((await signIn(world, person, { clientId })).token_type).toBe("Bearer");
    expect(host.seen.filter((path) => path === "/good.json")).toHaveLength(1);
  });

  it("lets a program on loopback choose its port", async () => {
    const clientId = host.client("/native.json", ["http://127.0.0.1/cb"]);
    expect((await ask(world, person, clientId, "http://127.0.0.1:51234/cb")).status).toBe(303);
    expect((await ask(world, person, clientId, "http://127.0.0.1:51234/other")).status).toBe(400);
  });

  it.each<[string, (path: string) => object]>([
    ["names another client", () => ({ client_id: `${host.url}/other.json` })],
    ["names itself with a trailing slash", (path) => ({ client_id: `${host.url}${path}/` })],
    ["names nobody", () => ({ client_id: undefined })],
    ["has a secret", () => ({ client_secret: "x".repeat(40) })],
    ["wants to authenticate by a shared secret", () => ({ token_endpoint_auth_method: "client_secret_basic" })],
    ["redirects in plain text", () => ({ redirect_uris: ["http://client.example/callback", callback] })],
    ["redirects to javascript", () => ({ redirect_uris: ["javascript:alert(1)", callback] })],
    ["redirects to data", () => ({ redirect_uris: ["data:text/html,x", callback] })],
    ["redirects nowhere", () => ({ redirect_uris: [] })],
    ["redirects with credentials", () => ({ redirect_uris: ["https://user:pw@client.example/callback", callback] })],
    ["is too large", () => ({ padding: "x".repeat(6000) })],
    ["has a logo by another scheme", () => ({ logo_uri: "javascript:alert(1)" })],
  ])("is refused when it %s", async (what, changes) => {
    const path = `/${what.replaceAll(" ", "-")}.json`;
    const clientId = host.client(path, [callback], changes(path));
    const response = await ask(world, person, clientId);
    expect(response.status).toBe(400);
    expect(response.headers.get("location")).toBeNull();
  });

  it.each<[string, Parameters<MetadataHost["serve"]>[1]]>([
    ["redirects", (_request, response) => response.writeHead(302, { location: "/good.json" }).end()],
    ["is HTML", (_request, response) => response.writeHead(200, { "content-type": "text/html" }).end("<html></html>")],
    ["is JSON that calls itself HTML", (_request, response) => response.writeHead(200, { "content-type": "text/html" }).end(JSON.stringify({ client_id: `${host.url}/is-JSON-that-calls-itself-HTML`, redirect_uris: [callback], token_endpoint_auth_method: "none" }))],
    ["is a list", (_request, response) => response.writeHead(200, { "content-type": "application/json" }).end("[]")],
    ["is no JSON", (_request, response) => response.writeHead(200, { "content-type": "application/json" }).end("{")],
    ["fails", (_request, response) => response.writeHead(500, { "content-type": "application/json" }).end("{}")],
    ["hangs up", (request) => request.socket.destroy()],
    ["never answers", () => undefined],
    ["drips", (_request, response) => void response.writeHead(200, { "content-type": "application/json" }).write("{")],
  ])("is refused when its host %s", async (what, answer) => {
    const path = `/${what.replaceAll(" ", "-")}`;
    host.serve(path, answer);
    const began = performance.now();
    const response = await ask(world, person, host.url + path);
    expect(response.status).toBe(400);
    expect(await response.text()).not.toMatch(/127\.0\.0\.1:\d+\/good|\n\s+at |ECONN/);
    expect(performance.now() - began).toBeLessThan(8000);
  }, 20_000);

  it("cannot make itself act for an account, by whatever members it has", async () => {
    const clientId = host.client("/machine.json", [], { grant_types: ["client_credentials"], response_types: [], acts_as: person.userId, actsAs: adminName });
    const response = await world.fetch("/token", { method: "POST", body: new URLSearchParams({ grant_type: "client_credentials", client_id: clientId }) });
    expect(response.status).toBe(400);
  });
});

describe("nobody makes us fetch what is not public", () => {
  let world: World;
  let person: Person;
  beforeAll(async () => {
    world = await startOAuthWorld({ settings: { SALLYPORT_UPSTREAM_ALLOW: "" } });
    person = await personOf(world, adminName);
  });
  afterAll(() => world.end());

  it.each([
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "localhost", "localhost.", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "①②⑦.⓪.⓪.①", "127。0。0。1", "%31%32%37.0.0.1",
    "169.254.169.254", "0xA9FEA9FE", "2852039166", "[fd00:ec2::254]", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "[fe80::1]", "[fc00::1]", "metadata.google.internal", "intranet", "user@127.0.0.1",
  ])("at %s", async (name) => {
    const { port } = new URL(host.url);
    const before = host.seen.length;
    const response = await ask(world, person, `https://${name}:${port}/client.json`);
    expect(response.status).toBe(400);
    expect(response.headers.get("location")).toBeNull();
    expect(host.seen.length).toBe(before);
  });

  it("nor over plain http, nor what is no document's address", async () => {
    for (const clientId of ["http://client.example/c.json", "https://client.example", "https://client.example/", "https://client.example/a/../b", "https://client.example/c#x", "https://user:pw@client.example/c", "https:\\\\client.example\\c", "file:///etc/passwd"]) expect((await ask(world, person, clientId)).status, clientId).toBe(400);
  });
});

describe("where clients may come from", () => {
  it("is what SALLYPORT_OAUTH_CLIENT_HOSTS says", async () => {
    for (const [hosts, status] of [[host.host, 303], ["client.example", 400], ["none", 400]] as const) {
      const world = await startOAuthWorld({ settings: { SALLYPORT_OAUTH_CLIENT_HOSTS: hosts } });
      expect((await ask(world, await personOf(world, adminName), host.client("/listed.json", [callback]))).status, hosts).toBe(status);
      const metadata = (await (await world.fetch("/.well-known/oauth-authorization-server")).json()) as Record<string, unknown>;
      expect(metadata["client_id_metadata_document_supported"] ?? false).toBe(hosts !== "none");
      await world.end();
    }
  });

  it("is asked of a host only so often", async () => {
    const world = await startOAuthWorld();
    const person = await personOf(world, adminName);
    const before = host.seen.length;
    for (let count = 0; count < 70; count++) await ask(world, person, `${host.url}/none-${count}.json`);
    expect(host.seen.length - before).toBe(60);
    await world.end();
  });
});

describe("dynamic registration", () => {
  it("is off unless switched on, and then makes public clients only", async () => {
    const register = (world: World, metadata: object) => world.fetch("/register", { json: { redirect_uris: [callback], token_endpoint_auth_method: "none", grant_types: ["authorization_code", "refresh_token"], ...metadata } });
    const off = await startOAuthWorld();
    expect((await register(off, {})).status).toBe(404);
    await off.end();
    const on = await startOAuthWorld({ settings: { SALLYPORT_OAUTH_REGISTRATION: "enabled" } });
    const made = await register(on, { client_name: "Old client" });
    expect(made.status).toBe(201);
    const { client_id: clientId } = (await made.json()) as { client_id: string };
    expect((await signIn(on, await personOf(on, adminName), { clientId })).token_type).toBe("Bearer");
    for (const bad of [{ redirect_uris: ["javascript:alert(1)"] }, { redirect_uris: ["http://client.example/cb"] }, { token_endpoint_auth_method: "client_secret_basic" }, { grant_types: ["client_credentials"], response_types: [] }]) expect((await register(on, bad)).status, JSON.stringify(bad)).toBe(400);
    await on.end();
  });
});

/** stdio servers as an administrator registers them and users call them: real children, behind the real gateway. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { startWorld, type World } from "../world.ts";

const peers = `${import.meta.dirname}/../peers`;
const hidden = ["se", "cret of the child"].join("");

describe("a stdio server", () => {
  let world: World;
  let admin: string;
  beforeAll(async () => {
    world = await startWorld({ settings: { SALLYPORT_STDIO_ALLOW: "node", SALLYPORT_APPROVAL: "off" } });
    admin = await world.admin();
  });
  afterAll(() => world.end());

  const register = (fields: Record<string, unknown>, token = admin) => world.fetch("/api/v1/servers", { token, json: { transport: "stdio", command: "node", ...fields } });
  const connect = async (name: string, token: string, mode: "legacy" | "auto") => {
    const client = new Client({ name: "t", version: "1" }, { versionNegotiation: { mode } });
    const own = await world.tokenAt(`/servers/${name}/mcp`, token);
    await client.connect(new StreamableHTTPClientTransport(new URL(`${world.url}/servers/${name}/mcp`), { requestInit: { headers: { authorization: `Bearer ${own}` } } }));
    return client;
  };
  const processOf = async (client: Client) => JSON.parse(((await client.callTool({ name: "test_process", arguments: {} })).content as { text: string }[])[0]?.text ?? "") as { environment: Record<string, string>; arguments: string[] };

  it.each([["legacy", "auto"], ["legacy", "legacy"], ["modern", "legacy"], ["modern", "auto"]] as const)("of era %s is registered, inspected and called by a client in mode %s", async (era, mode) => {
    const name = `every-${era}-${mode}`;
    const args = [`${peers}/everything-stdio.ts`.replace("/stdio/..", ""), "--era", era];
    const response = await register({ name, args, env: { API_KEY: hidden } });
    expect(response.status, await response.clone().text()).toBe(201);
    expect(await response.json()).toMatchObject({ stdio: { command: "node", args, cwd: null, network: false, hasEnv: true } });
    const client = await connect(name, admin, mode);
    expect((await client.listTools()).tools.length).toBeGreaterThan(30);
    const seen = await processOf(client);
    expect(seen.arguments).toEqual(["--era", era]);
    expect(seen.environment["API_KEY"]).toBe(hidden);
    expect(Object.keys(seen.environment).filter((variable) => variable.startsWith("SALLYPORT"))).toEqual([]);
    await client.close();
  }, 60_000);

  it("gives each user, and each session of a user, a process of its own", async () => {
    await register({ name: "apart", args: [`${peers}/everything-stdio.ts`] });
    const other = (await world.user("other", "tools:call")).token;
    expect((await world.fetch("/api/v1/servers/apart/grants/other", { method: "PUT", token: admin })).status).toBe(204);
    const clients = await Promise.all([connect("apart", admin, "legacy"), connect("apart", admin, "legacy"), connect("apart", other, "legacy"), connect("apart", admin, "auto"), connect("apart", other, "auto")]);
    const homes = await Promise.all(clients.map(async (client) => (await processOf(client)).environment["HOME"]));
    expect(new Set(homes).size).toBe(clients.length);
    expect(await Promise.all(clients.map(async (client) => (await processOf(client)).environment["HOME"]))).toEqual(homes);
    await Promise.all(clients.map((client) => client.close()));
  }, 60_000);

  it("tells at once, in its state, why it does not start", async () => {
    await register({ name: "exits", args: [`${peers}/misbehaving-stdio.ts`, "exits"] });
    const response = await world.fetch("/api/v1/servers/exits/check", { method: "POST", token: admin });
    const { state } = (await response.json()) as { state: { status: string; detail: string } };
    expect(state.status).toBe("unreachable");
    expect(state.detail).toMatch(/exit code 3/);
    expect(state.detail).not.toContain("hunter2");
  });

  it("needs the scope admin, and a command on the list", async () => {
    const writer = (await world.user("writer", "servers:read", "servers:write")).token;
    expect((await register({ name: "mine", args: ["x.js"] }, writer)).status).toBe(403);
    expect((await register({ name: "mine", command: "python3", args: ["x.py"] })).status).toBe(422);
    expect((await register({ name: "mine", command: "/bin/sh", args: ["x"] })).status).toBe(422);
    expect((await world.fetch("/api/v1/servers", { token: writer, json: { name: "mine", url: "https://mcp.example.com/mcp" } })).status).toBe(201);
    for (const json of [{ command: "node" }, { transport: "stdio" }]) expect((await world.fetch("/api/v1/servers/mine", { method: "PATCH", token: admin, json })).status).toBe(422);
    expect((await world.fetch("/api/v1/servers/mine", { method: "PUT", token: writer, json: { transport: "stdio", command: "node" } })).status).toBe(403);
  });

  it("shows everything that it runs, whole, in the API and in the audit trail, and never its variables", async () => {
    const args = ["server.js", ...Array.from({ length: 60 }, (_, index) => `${index}${"x".repeat(500)}`)];
    expect((await register({ name: "long", args, env: { API_KEY: hidden } })).status).toBe(201);
    const shown = await (await world.fetch("/api/v1/servers/long", { token: admin })).text();
    expect(JSON.parse(shown)).toMatchObject({ stdio: { args } });
    const changed = await world.fetch("/api/v1/servers/long", { method: "PATCH", token: admin, json: { args: ["other.js"], network: true } });
    expect(await changed.json()).toMatchObject({ stdio: { command: "node", args: ["other.js"], network: true, hasEnv: true } });
    const events = await (await world.fetch("/api/v1/audit/events?limit=200", { token: await world.admin() })).text();
    const commands = (JSON.parse(events) as { items: { type: string; detail?: { name?: string; command?: string[] } }[] }).items.filter(({ detail }) => detail?.name === "long" && detail.command).map(({ detail }) => detail?.command);
    expect(commands).toContainEqual(["node", ...args, "(in a private folder, without network)"]);
    expect(commands).toContainEqual(["node", "other.js", "(in a private folder, with network)"]);
    expect(shown + events + world.logLines.join("")).not.toContain(hidden);
  });

  it("is off without a list", async () => {
    const off = await startWorld();
    const response = await off.fetch("/api/v1/servers", { token: await off.admin(), json: { name: "x", transport: "stdio", command: "node", args: ["x.js"] } });
    expect(response.status).toBe(422);
    expect(await response.text()).toContain("SALLYPORT_STDIO_ALLOW");
    await off.end();
  });
});

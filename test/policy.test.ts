/** Policies at the second door: lists and calls decided by the same rules, down to arguments; obligations; who may see and change them. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startChangeable, tool, type Changeable } from "./peers/changeable.ts";
import { databases, startWorld, type World } from "./world.ts";

describe.each(databases)("policies on %s", (database) => {
  let world: World;
  let peer: Changeable;
  let ann: string;
  let clock = 0;
  beforeAll(async () => {
    world = await startWorld({ database, now: () => Date.now() + clock });
    peer = await startChangeable();
    peer.tools = [tool("weather"), tool("population"), { ...tool("delete_city", "Deletes a city"), annotations: { destructiveHint: true } }];
    expect((await world.fetch("/api/v1/servers", { token: await world.admin(), json: { name: "cities", url: peer.url } })).status).toBe(201);
    await world.fetch("/api/v1/servers/cities/review/decisions", { token: await world.admin(), json: { decision: "approved", items: "all", reason: "for the test" } });
    ({ token: ann } = await world.user("ann", "servers:read", "tools:call"));
  });
  afterAll(async () => {
    await world.end();
    await peer.close();
  });
  beforeEach(() => {
    peer.calls.length = 0;
    peer.answer = undefined;
  });
  afterEach(async () => {
    for (const { name } of await policies()) if (name !== "granted") await manage("DELETE", `policies/${name}`);
    await manage("DELETE", "servers/cities/grants/ann");
    clock = 0;
  });

  const manage = async (method: string, path: string, json?: unknown) => world.fetch(`/api/v1/${path}`, { token: await world.admin(), method, ...(json === undefined ? {} : { json }) });
  const policies = async () => ((await (await manage("GET", "policies")).json()) as { items: { name: string; text: string }[] }).items;
  const add = async (name: string, text: string) => {
    const response = await manage("POST", "policies", { name, text });
    expect(response.status).toBe(201);
  };
  const grant = () => manage("PUT", "servers/cities/grants/ann");
  const rpc = async (method: string, params: object, token = ann) => {
    const response = await world.fetch("/servers/cities/mcp", { token, json: { jsonrpc: "2.0", id: 1, method, params }, headers: { accept: "application/json, text/event-stream" } });
    return { status: response.status, ...((await response.json()) as { result?: { tools?: { name: string }[]; content?: { text: string }[]; structuredContent?: object }; error?: { code: number; message: string; data?: Record<string, unknown> } }) };
  };
  const call = (name: string, args: object = {}) => rpc("tools/call", { name, arguments: args });
  const listed = async () => (await rpc("tools/list", {})).result?.tools?.map(({ name }) => name);

  it("permits what was granted, as long as the starter policy says so", async () => {
    expect((await call("weather")).status).toBe(404);
    await grant();
    expect((await call("weather")).result).toBeDefined();
    expect((await policies()).map(({ name }) => name)).toEqual(["granted"]);
    await manage("PATCH", "policies/granted", { enabled: false });
    expect((await call("weather")).error).toMatchObject({ code: -32602 });
    await manage("PATCH", "policies/granted", { enabled: true });
    expect((await call("weather")).result).toBeDefined();
  });

  it("lists and calls by the same rules", async () => {
    await grant();
    await add("no-deleting", 'forbid (principal, action, resource) when { resource.tier == "destructive" };');
    expect(await listed()).toEqual(["weather", "population"]);
    expect((await call("delete_city")).error).toMatchObject({ code: -32602, message: "Unknown tool" });
    expect(peer.calls).toEqual([]);
  });

  it("opens a server by policy alone, just as far as the policy goes", async () => {
    await add("ann-weather", 'permit (principal == Sallyport::User::"ann", action, resource == Sallyport::Tool::"cities/weather");');
    expect(await listed()).toEqual(["weather"]);
    expect((await call("weather")).result).toBeDefined();
    expect((await call("population")).error).toBeDefined();
  });

  it("decides by arguments", async () => {
    await grant();
    await add("own-city", 'forbid (principal, action == Sallyport::Action::"call", resource == Sallyport::Tool::"cities/weather") unless { context.arguments.hasTag("city") && context.arguments.getTag("city") == "Ulm" };');
    expect(await listed()).toContain("weather");
    expect((await call("weather", { city: "Ulm" })).result).toBeDefined();
    expect((await call("weather", { city: "Bonn" })).error).toMatchObject({ code: 403, message: "Not permitted by policy" });
    expect((await call("weather")).error).toBeDefined();
    expect(peer.calls).toEqual(["weather"]);
  });

  it("redacts fields of the result, in structured content and in text", async () => {
    await grant();
    await manage("PATCH", "policies/granted", { enabled: false });
    await add("redacting", '@redact("email") permit (principal, action, resource) when { principal.servers.contains(resource.server) };');
    peer.answer = () => ({ content: [{ type: "text", text: '{"email":"a@example.com","n":12345678901234567890}' }, { type: "text", text: "name: Ann\nemail: a@example.com" }], structuredContent: { people: [{ email: "a@example.com", name: "Ann" }] } });
    const { result } = await call("weather");
    expect(JSON.stringify(result)).not.toContain("a@example.com");
    expect(result).toMatchObject({ content: [{ text: '{"email":"[redacted]","n":12345678901234567890}' }, { text: "name: Ann\nemail: [redacted]" }], structuredContent: { people: [{ email: "[redacted]", name: "Ann" }] } });
    await manage("PATCH", "policies/granted", { enabled: true });
  });

  it("limits calls", async () => {
    await grant();
    await manage("PATCH", "policies/granted", { enabled: false });
    await add("few", '@limit("2/60") permit (principal, action, resource) when { principal.servers.contains(resource.server) };');
    expect([(await call("weather")).status, (await call("weather")).status, (await call("weather")).error?.code]).toEqual([200, 200, 429]);
    clock = 31_000;
    expect((await call("weather")).result).toBeDefined();
    await manage("PATCH", "policies/granted", { enabled: true });
  });

  it("lets a call wait for a person's consent, which is good for those arguments, once, and not from oneself", async () => {
    await grant();
    await manage("PATCH", "policies/granted", { enabled: false });
    await add("ask", '@approval("10") permit (principal, action, resource) when { principal.servers.contains(resource.server) };');
    const waiting = await call("weather", { city: "Ulm" });
    expect(waiting.error).toMatchObject({ code: 403, message: expect.stringContaining("consent") as string });
    const id = String(waiting.error?.data?.["approval"]);
    expect((await call("weather", { city: "Ulm" })).error?.data?.["approval"]).toBe(id);
    expect(await (await manage("GET", "approvals")).json()).toMatchObject({ items: [{ id, user: "ann", server: "cities", tool: "weather", policy: "ask" }] });
    expect((await world.fetch(`/api/v1/approvals/${id}`, { token: ann, json: { consent: true } })).status).toBe(403);
    expect((await manage("POST", `approvals/${id}`, { consent: true })).status).toBe(204);
    expect((await call("weather", { city: "Bonn" })).error).toBeDefined();
    expect((await call("weather", { city: "Ulm" })).result).toBeDefined();
    expect((await call("weather", { city: "Ulm" })).error).toBeDefined();
    expect(peer.calls).toEqual(["weather"]);
    await manage("PATCH", "policies/granted", { enabled: true });
  });

  it("refuses a policy that is not valid, with its position, and keeps the running set", async () => {
    await grant();
    const response = await manage("POST", "policies", { name: "broken", text: "permit (principal, action resource);" });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ errors: [{ field: "text[26..34]" }] });
    expect((await manage("PATCH", "policies/granted", { text: "permit (principal, action, resource) when { context.nothing };" })).status).toBe(422);
    expect((await call("weather")).result).toBeDefined();
  });

  it("refuses lost updates", async () => {
    await add("versioned", "forbid (principal, action, resource) when { resource.tier == \"destructive\" };");
    const etag = (await manage("GET", "policies/versioned")).headers.get("etag") ?? "";
    expect((await world.fetch("/api/v1/policies/versioned", { token: await world.admin(), method: "PATCH", json: { enabled: false }, headers: { "if-match": etag } })).status).toBe(200);
    expect((await world.fetch("/api/v1/policies/versioned", { token: await world.admin(), method: "PATCH", json: { enabled: true }, headers: { "if-match": etag } })).status).toBe(412);
  });

  it("explains a decision, with the smallest change that would allow it", async () => {
    const explained = async (name: string) => (await (await manage("POST", "policy-explanations", { user: "ann", server: "cities", name })).json()) as { allowed: boolean; because: string; reasons: { name: string }[]; wouldAllow: { policy?: string; command?: string }[] };
    const refused = await explained("weather");
    expect(refused).toMatchObject({ allowed: false, because: "No policy permits it", wouldAllow: [{}, { command: "sallyport servers grant cities ann" }] });
    await add("as-suggested", refused.wouldAllow[0]?.policy ?? "");
    expect((await call("weather")).result).toBeDefined();
    expect(await explained("weather")).toMatchObject({ allowed: true, reasons: [{ name: "as-suggested" }] });
    await add("stop", 'forbid (principal, action, resource in Sallyport::Server::"cities");');
    expect(await explained("weather")).toMatchObject({ allowed: false, reasons: [{ name: "stop" }], wouldAllow: [] });
    expect((await world.fetch("/api/v1/policy-explanations", { token: ann, json: { user: "ann", server: "cities", name: "weather" } })).status).toBe(403);
  });

  it("tells what another set would change, for whom", async () => {
    await grant();
    const [granted] = await policies();
    const compare = (...proposed: object[]) => manage("POST", "policy-differences", { policies: proposed });
    expect(await (await compare({ name: "granted", text: granted?.text })).json()).toEqual({ complete: true, differences: [] });
    expect(await (await compare({ name: "granted", text: granted?.text }, { name: "stop", text: 'forbid (principal == Sallyport::User::"ann", action, resource == Sallyport::Tool::"cities/weather");' })).json()).toEqual({ complete: true, differences: [{ user: "ann", server: "cities", kind: "tool", name: "weather", before: true, after: false }] });
    expect((await compare({ name: "granted", text: "permit" })).status).toBe(422);
  });
});

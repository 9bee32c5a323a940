/** The servers API, on both databases. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { databases, startWorld, type World } from "./world.ts";

describe.each(databases)("the servers API on %s", (database) => {
  let world: World;
  let token: string;
  beforeAll(async () => {
    world = await startWorld({ database });
    token = await world.admin();
  });
  afterAll(() => world.end());

  const register = (fields: Record<string, unknown>) => world.fetch("/api/v1/servers", { token, json: { url: "https://mcp.example.com/mcp", ...fields } });
  const message = async (response: Response) => ((await response.json()) as { errors: { field: string; message: string }[] }).errors;

  it("registers a server and stores its name in lower case", async () => {
    const response = await register({ name: "GitHub_Tools-1", title: "GitHub", description: "Issues and pull requests", tags: ["Code", "code", "vcs"] });
    expect(response.status).toBe(201);
    expect(response.headers.get("location")).toBe("/api/v1/servers/github_tools-1");
    expect(response.headers.get("etag")).toMatch(/^"[\w-]+"$/);
    expect(await response.json()).toMatchObject({ name: "github_tools-1", title: "GitHub", tags: ["code", "vcs"], enabled: true });
  });

  it("refuses a second server of the same name, whatever its case", async () => {
    await register({ name: "twice" });
    const response = await register({ name: "TWICE" });
    expect(response.status).toBe(409);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
  });

  it("lets exactly one of many simultaneous registrations of a name win", async () => {
    const statuses = await Promise.all(Array.from({ length: 20 }, () => register({ name: "race" }).then((response) => response.status)));
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 409)).toHaveLength(19);
  });

  it.each([["a b"], ["a\n"], ["a\nb"], ["ünï"], ["a/b"], ["a.b"], ["a\u0000"], ["＜"]])("refuses the name %j in the guidelines' words", async (name) => {
    const response = await register({ name });
    expect(response.status).toBe(422);
    expect(await message(response)).toContainEqual({ field: "name", message: "Name must be alphanumeric with hyphens/underscores" });
  });

  it.each([[""], ["a".repeat(101)], ["__proto__"], ["constructor"], ["all"], [7], [null], [["a"]]])("refuses the name %j", async (name) => {
    const response = await register({ name });
    expect(response.status).toBe(422);
    expect((await message(response))[0]?.field).toBe("name");
  });

  it("accepts a name of 100 characters", async () => {
    expect((await register({ name: "n".repeat(100) })).status).toBe(201);
  });

  it.each([["ftp://example.com"], ["javascript:alert(1)"], ["//example.com"], ["https://"], ["http:///x"], ["https://user:pw@example.com/mcp"], ["https://exa mple.com"], ["https://example.com:99999"], ["https://example.com/#x"], [""], [`https://${"a".repeat(3000)}.com`]])("refuses the URL %j", async (url) => {
    const response = await register({ name: "badurl", url });
    expect(response.status).toBe(422);
    expect((await message(response))[0]?.field).toBe("url");
  });

  it("refuses unknown fields", async () => {
    const response = await register({ name: "extra", isAdmin: true });
    expect(response.status).toBe(422);
    expect(await message(response)).toEqual([{ field: "isAdmin", message: "Unknown field" }]);
  });

  it("registers a server whose upstream does not answer, and says so in its state", async () => {
    const response = await register({ name: "dead", url: "http://127.0.0.1:49999/mcp" });
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ state: { status: "unreachable", detail: "The connection was refused" } });
  });

  it("never returns header values, and stores them sealed", async () => {
    const canary = `canary-${Math.trunc(performance.now())}-value`;
    const response = await register({ name: "with-headers", url: "http://127.0.0.1:49999/mcp", headers: { authorization: `Bearer ${canary}`, "X-Api-Key": canary } });
    const text = await response.text();
    expect(response.status).toBe(201);
    expect(text).not.toContain(canary);
    expect(JSON.parse(text)).toMatchObject({ authMode: "headers", hasHeaders: true });
    const row = await world.storage.db.selectFrom("servers").selectAll().where("name", "=", "with-headers").executeTakeFirstOrThrow();
    expect(JSON.stringify(row)).not.toContain(canary);
    expect(world.storage.vault.open({ table: "servers", column: "headers", row: row.id }, row.headers ?? "")).toContain(canary);
    expect(() => world.storage.vault.open({ table: "servers", column: "headers", row: "another" }, row.headers ?? "")).toThrow(/changed or moved/);
  });

  it("drops stored headers when the URL moves to another origin", async () => {
    await register({ name: "moving", url: "http://127.0.0.1:49999/mcp", headers: { authorization: "Bearer abc" } });
    const same = await world.fetch("/api/v1/servers/moving", { token, method: "PATCH", json: { url: "http://127.0.0.1:49999/other" } });
    expect(await same.json()).toMatchObject({ hasHeaders: true });
    const moved = await world.fetch("/api/v1/servers/moving", { token, method: "PATCH", json: { url: "http://127.0.0.1:49998/mcp" } });
    expect(await moved.json()).toMatchObject({ hasHeaders: false, authMode: "none" });
  });

  it.each([[{ host: "evil" }], [{ "mcp-session-id": "x" }], [{ "x\r\ny": "z" }], [{ ok: "a\r\nb: c" }], [{ "transfer-encoding": "chunked" }], [{ A: "1", a: "2" }]])("refuses the headers %j", async (headers) => {
    expect((await register({ name: "badheaders", headers })).status).toBe(422);
  });

  it("answers a lost update with 412, and the winner's change stays", async () => {
    const created = await register({ name: "etagged" });
    const etag = created.headers.get("etag") ?? "";
    const change = (title: string) => world.fetch("/api/v1/servers/etagged", { token, method: "PATCH", json: { title }, headers: { "if-match": etag } });
    const statuses = (await Promise.all([change("one"), change("two"), change("three")])).map((response) => response.status).sort();
    expect(statuses).toEqual([200, 412, 412]);
    expect((await change("late")).status).toBe(412);
    const replaced = await world.fetch("/api/v1/servers/etagged", { token, method: "PUT", json: { url: "https://mcp.example.com/mcp" }, headers: { "if-match": etag } });
    expect(replaced.status).toBe(412);
    expect((await world.fetch("/api/v1/servers/etagged", { token, method: "DELETE", headers: { "if-match": etag } })).status).toBe(412);
  });

  it("replaces, patches, clears, disables and enables", async () => {
    await register({ name: "lifecycle", title: "Before", tags: ["x"] });
    const replaced = await world.fetch("/api/v1/servers/lifecycle", { token, method: "PUT", json: { url: "https://other.example.com/mcp" } });
    expect(await replaced.json()).toMatchObject({ url: "https://other.example.com/mcp", title: null, tags: [] });
    await world.fetch("/api/v1/servers/lifecycle", { token, method: "PATCH", json: { title: "After", tags: ["y"] } });
    const patched = await world.fetch("/api/v1/servers/lifecycle", { token, method: "PATCH", json: { title: null } });
    expect(await patched.json()).toMatchObject({ title: null, tags: ["y"] });
    expect(await (await world.fetch("/api/v1/servers/lifecycle/disable", { token, method: "POST" })).json()).toMatchObject({ enabled: false });
    expect(await (await world.fetch("/api/v1/servers/lifecycle/enable", { token, method: "POST" })).json()).toMatchObject({ enabled: true });
  });

  it("deletes, and the name is free again", async () => {
    await register({ name: "gone" });
    expect((await world.fetch("/api/v1/servers/gone", { token, method: "DELETE" })).status).toBe(204);
    expect((await world.fetch("/api/v1/servers/gone", { token })).status).toBe(404);
    expect((await register({ name: "gone" })).status).toBe(201);
  });

  it("pages through everything once, in every sort order", async () => {
    for (let index = 0; index < 25; index++) await register({ name: `page-${String(index).padStart(2, "0")}`, tags: ["paged"] });
    for (const sort of ["name", "-name", "created", "-created", "updated", "-updated"]) {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const query: string = `/api/v1/servers?tag=paged&limit=7&sort=${sort}${cursor ? `&cursor=${cursor}` : ""}`;
        const page = (await (await world.fetch(query, { token })).json()) as { items: { name: string }[]; nextCursor: string | null; total: number };
        expect(page.total).toBe(25);
        seen.push(...page.items.map((item) => item.name));
        cursor = page.nextCursor;
      } while (cursor !== null);
      expect(new Set(seen).size).toBe(25);
      if (sort === "name") expect(seen).toEqual([...seen].sort());
    }
  });

  it("finds by name, title, description and tag, forgiving a typo", async () => {
    await register({ name: "weather-station", title: "Meteorology", description: "Forecasts for sailors", tags: ["climate"] });
    for (const q of ["weather", "meteorology", "sailors", "climate", "forecast", "meteorolgy"]) {
      const page = (await (await world.fetch(`/api/v1/servers?q=${q}`, { token })).json()) as { items: { name: string }[] };
      expect(page.items[0]?.name, q).toBe("weather-station");
    }
  });

  it.each([["limit=0"], ["limit=999"], ["limit=x"], ["sort=evil"], ["cursor=%00"], ["nope=1"], ["q=a&q=b"], ["enabled=maybe"]])("refuses the query %s", async (query) => {
    expect((await world.fetch(`/api/v1/servers?${query}`, { token })).status).toBe(422);
  });

  it("lets only the owner or an administrator change a server", async () => {
    const owner = await world.user("owner", "servers:read", "servers:write");
    const other = await world.user("other", "servers:read", "servers:write");
    await world.fetch("/api/v1/servers", { token: owner.token, json: { name: "owned", url: "https://mcp.example.com/mcp" } });
    for (const [method, path, json] of [["PATCH", "owned", { title: "x" }], ["PUT", "owned", { url: "https://a.example.com" }], ["DELETE", "owned", undefined], ["POST", "owned/disable", undefined], ["POST", "owned/check", undefined]] as const) {
      const response = await world.fetch(`/api/v1/servers/${path}`, { token: other.token, method, ...(json ? { json } : {}) });
      expect(response.status, `${method} ${path}`).toBe(403);
      expect(await response.json()).toMatchObject({ detail: "Insufficient permissions" });
    }
    expect((await world.fetch("/api/v1/servers/owned", { token: owner.token, method: "PATCH", json: { title: "mine" } })).status).toBe(200);
    expect((await world.fetch("/api/v1/servers/owned", { token, method: "PATCH", json: { title: "admin" } })).status).toBe(200);
  });

  it("keeps what was acknowledged over a restart", async () => {
    await register({ name: "durable", title: "Kept" });
    await world.restart();
    token = await world.admin();
    expect(await (await world.fetch("/api/v1/servers/durable", { token })).json()).toMatchObject({ title: "Kept" });
  });

  it("leaves an audit event for each change", async () => {
    const { items } = (await (await world.fetch("/api/v1/audit/events?limit=500", { token })).json()) as { items: { type: string; actorId: string }[] };
    const types = new Set(items.map((item) => item.type));
    for (const type of ["server.created", "server.updated", "server.disabled", "server.enabled", "server.deleted", "secret.stored", "user.created", "authorization.denied", "authentication.password.succeeded"]) expect(types, type).toContain(type);
  });
});

/** Groups: what members hold together, and how fast a change takes effect. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { databases, startWorld, tokenOf, type World } from "./world.ts";

describe.each(databases)("groups on %s", (database) => {
  let world: World;
  let admin = "";
  beforeAll(async () => {
    world = await startWorld({ database });
    admin = await world.admin();
  });
  afterAll(() => world.end());
  const send = (method: string, path: string, json?: unknown, headers: Record<string, string> = {}) => world.fetch(path, { token: admin, method, headers, ...(json === undefined ? {} : { json }) });
  const create = async (name: string, ...scopes: string[]) => expect((await send("POST", "/api/v1/groups", { name, scopes })).status).toBe(201);

  it("give their members scopes, at the next token", async () => {
    await create("Readers", "servers:read");
    const ada = await world.user("ada");
    expect((await world.fetch("/api/v1/servers", { token: ada.token })).status).toBe(403);
    expect((await send("PUT", "/api/v1/groups/readers/members/ada")).status).toBe(204);
    const answer = await (await world.login("ada", ada.password)).json();
    expect(answer).toMatchObject({ scope: "servers:read" });
    expect(await (await send("GET", "/api/v1/users/ada")).json()).toMatchObject({ scopes: [], effectiveScopes: ["servers:read"], groups: ["Readers"] });
    expect(await (await send("GET", "/api/v1/groups/Readers")).json()).toMatchObject({ members: ["ada"], scopes: ["servers:read"] });
  });

  it.each([
    ["a member leaves", (group: string, user: string) => send("DELETE", `/api/v1/groups/${group}/members/${user}`)],
    ["the group loses the scope", (group: string) => send("PATCH", `/api/v1/groups/${group}`, { scopes: [] })],
    ["the group goes", (group: string) => send("DELETE", `/api/v1/groups/${group}`)],
  ])("end the tokens of those who lose a scope when %s", async (what, change) => {
    const [group, user] = [`g-${what.length}`, `u-${what.length}`];
    await create(group, "servers:read");
    const { password } = await world.user(user);
    await send("PUT", `/api/v1/groups/${group}/members/${user}`);
    const token = await tokenOf(await world.login(user, password));
    expect((await world.fetch("/api/v1/servers", { token })).status).toBe(200);
    expect((await change(group, user)).status).toBeLessThan(300);
    expect((await world.fetch("/api/v1/servers", { token })).status).toBe(401);
    expect(await (await world.login(user, password)).json()).toMatchObject({ scope: "" });
  });

  it("carry grants, without ending anybody's token", async () => {
    await send("POST", "/api/v1/servers", { name: "one", url: "http://127.0.0.1:9/mcp" });
    await create("callers");
    const { token } = await world.user("caller", "tools:call");
    await send("PUT", "/api/v1/groups/callers/members/caller");
    const call = async () => (await world.fetch("/servers/one/mcp", { token, json: { jsonrpc: "2.0", id: 1, method: "ping" } })).status;
    expect(await call()).toBe(404);
    expect((await send("PUT", "/api/v1/groups/callers/grants/one")).status).toBe(204);
    expect(await (await send("GET", "/api/v1/groups/callers")).json()).toMatchObject({ servers: ["one"] });
    expect(await call()).not.toBe(404);
    await send("DELETE", "/api/v1/groups/callers/grants/one");
    expect(await call()).toBe(404);
    await send("PUT", "/api/v1/groups/callers/grants/one");
    await send("DELETE", "/api/v1/groups/callers/members/caller");
    expect(await call()).toBe(404);
  });

  it("survive a restart as they were", async () => {
    const before = await (await send("GET", "/api/v1/groups")).json();
    await world.restart();
    admin = await world.admin();
    expect(await (await send("GET", "/api/v1/groups")).json()).toEqual(before);
  });

  it("refuse a taken name, a lost update, an unknown member and hostile names", async () => {
    await create("Unique");
    expect((await send("POST", "/api/v1/groups", { name: "uNIQUE" })).status).toBe(409);
    const etag = (await send("GET", "/api/v1/groups/Unique")).headers.get("etag") ?? "";
    expect((await send("PATCH", "/api/v1/groups/Unique", { description: "x" }, { "if-match": etag })).status).toBe(200);
    expect((await send("PATCH", "/api/v1/groups/Unique", { description: "y" }, { "if-match": etag })).status).toBe(412);
    expect((await send("PUT", "/api/v1/groups/Unique/members/nobody-here")).status).toBe(404);
    expect((await send("POST", "/api/v1/groups", { name: "x", members: ["nobody-here"] })).status).toBe(404);
    for (const name of ["", " a", "a\n", "a/b", "\u202eevil", "a".repeat(257)]) expect((await send("POST", "/api/v1/groups", { name })).status, JSON.stringify(name)).toBe(422);
  });

  it("leave an event for every change", async () => {
    for (const type of ["group.created", "group.changed", "group.deleted", "group.member.added", "group.member.removed", "group.grant.created", "group.grant.removed"]) {
      const { items } = (await (await send("GET", `/api/v1/audit/events?type=${type}`)).json()) as { items: unknown[] };
      expect(items.length, type).toBeGreaterThan(0);
    }
  });
});

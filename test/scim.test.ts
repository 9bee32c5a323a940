/** SCIM as Microsoft Entra ID and Okta speak it, on both databases: provisioning, changes, withdrawal, and what it may not touch. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { databases, startWorld, tokenOf, type World } from "./world.ts";

type Json = Record<string, unknown>;
const patchOp = (...Operations: object[]) => ({ schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations });
const schemas = { user: ["urn:ietf:params:scim:schemas:core:2.0:User"], group: ["urn:ietf:params:scim:schemas:core:2.0:Group"] };

describe.each(databases)("SCIM on %s", (database) => {
  let world: World;
  let admin = "";
  let directory = "";
  beforeAll(async () => {
    world = await startWorld({ database });
    admin = await world.admin();
    await world.fetch("/api/v1/service-accounts", { token: admin, json: { name: "entra", scopes: ["scim"] } });
    const made = await world.fetch("/api/v1/api-keys", { token: admin, json: { name: "entra", user: "entra", scopes: ["scim"], expiresAt: new Date(Date.now() + 86_400_000).toISOString() } });
    ({ key: directory } = (await made.json()) as { key: string });
  });
  afterAll(() => world.end());

  const scim = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}, token = directory) => {
    const response = await fetch(`${world.url}/scim/v2${path}`, { method, headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/scim+json" }), ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: (text === "" ? {} : JSON.parse(text)) as Json & { id: string; Resources: (Json & { id: string })[]; totalResults: number } };
  };
  const provision = async (userName: string, fields: Json = {}) => {
    const answer = await scim("POST", "/Users", { schemas: schemas.user, userName, active: true, ...fields });
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    return answer.body.id;
  };
  const newGroup = async (displayName: string, ...members: string[]) => {
    const answer = await scim("POST", "/Groups", { schemas: schemas.group, displayName, members: members.map((value) => ({ value })) });
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    return answer.body.id;
  };
  const membersOf = async (id: string) => ((await scim("GET", `/Groups/${id}`)).body["members"] as { value: string }[]).map((member) => member.value).sort();

  it("says what it does", async () => {
    expect((await scim("GET", "/ServiceProviderConfig")).body).toMatchObject({ patch: { supported: true }, bulk: { supported: false }, filter: { supported: true, maxResults: 200 } });
    expect((await scim("GET", "/ResourceTypes")).body).toMatchObject({ totalResults: 2 });
    expect((await scim("GET", "/Schemas")).headers.get("content-type")).toBe("application/scim+json");
  });

  it("provisions as Entra does: looks for the user, creates, changes, disables, enables", async () => {
    const look = () => scim("GET", `/Users?filter=${encodeURIComponent('userName eq "grace@corp.example"')}`);
    expect((await look()).body).toMatchObject({ totalResults: 0, Resources: [] });
    const created = await scim("POST", "/Users", {
      schemas: [...schemas.user, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
      externalId: "0a21f0f2",
      userName: "grace@corp.example",
      active: true,
      displayName: "Grace",
      emails: [{ primary: true, type: "work", value: "grace@corp.example" }],
      meta: { resourceType: "User" },
      name: { formatted: "Grace Hopper", familyName: "Hopper", givenName: "Grace" },
      roles: [],
      "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { department: "Navy" },
    });
    expect(created.status).toBe(201);
    const { id } = created.body;
    expect(created.headers.get("location")).toBe(`${world.publicUrl}/scim/v2/Users/${id}`);
    expect((await look()).body).toMatchObject({ totalResults: 1, Resources: [{ id, externalId: "0a21f0f2", active: true }] });
    const changed = await scim("PATCH", `/Users/${id}`, patchOp({ op: "Replace", path: 'emails[type eq "work"].value', value: "hopper@corp.example" }, { op: "Replace", path: "name.familyName", value: "Murray" }, { op: "Add", path: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", value: "x" }));
    expect(changed.status, JSON.stringify(changed.body)).toBe(200);
    expect(changed.body).toMatchObject({ emails: [{ value: "hopper@corp.example", type: "work" }], name: { familyName: "Murray", givenName: "Grace" } });
    expect((await scim("PATCH", `/Users/${id}`, patchOp({ op: "Replace", path: "active", value: "False" }))).body).toMatchObject({ active: false });
    expect(await (await world.fetch("/api/v1/users/grace@corp.example", { token: admin })).json()).toMatchObject({ disabled: true });
    expect((await scim("PATCH", `/Users/${id}`, patchOp({ op: "Add", value: { active: true } }))).body).toMatchObject({ active: true });
  });

  it("provisions as Okta does: replaces whole users, deactivates without a path", async () => {
    const id = await provision("margaret@corp.example", { name: { givenName: "Margaret", familyName: "H" }, emails: [{ primary: true, value: "m@corp.example", type: "work" }], password: "ignored and never stored" });
    const replaced = await scim("PUT", `/Users/${id}`, { schemas: schemas.user, id, userName: "margaret@corp.example", name: { givenName: "Margaret", familyName: "Hamilton" }, active: true, groups: [] });
    expect(replaced.body).toMatchObject({ name: { familyName: "Hamilton" } });
    expect(replaced.body).not.toHaveProperty("emails");
    expect((await scim("PATCH", `/Users/${id}`, patchOp({ op: "replace", value: { active: false } }))).body).toMatchObject({ active: false });
    expect((await world.login("margaret@corp.example", "ignored and never stored")).status).toBe(400);
  });

  it("moves members as Entra does, by value, and as Okta does, by path", async () => {
    const [a, b, c] = [await provision("a@corp.example"), await provision("b@corp.example"), await provision("c@corp.example")];
    const group = await newGroup("Engineers");
    expect((await scim("PATCH", `/Groups/${group}`, patchOp({ op: "Add", path: "members", value: [{ $ref: null, value: a }, { $ref: null, value: b }] }))).status).toBe(200);
    expect(await membersOf(group)).toEqual([a, b].sort());
    await scim("PATCH", `/Groups/${group}`, patchOp({ op: "Remove", path: "members", value: [{ $ref: null, value: a }] }));
    expect(await membersOf(group)).toEqual([b]);
    await scim("PATCH", `/Groups/${group}`, patchOp({ op: "add", path: "members", value: [{ value: c, display: "c@corp.example" }] }, { op: "remove", path: `members[value eq "${b}"]` }));
    expect(await membersOf(group)).toEqual([c]);
    await scim("PATCH", `/Groups/${group}`, patchOp({ op: "replace", value: { id: group, displayName: "Engineering" } }));
    expect((await scim("GET", `/Groups?filter=${encodeURIComponent('displayName eq "engineering"')}&excludedAttributes=members`)).body.Resources).toMatchObject([{ id: group, displayName: "Engineering" }]);
    expect((await scim("GET", `/Groups?filter=${encodeURIComponent('displayName eq "engineering"')}&excludedAttributes=members`)).body.Resources[0]).not.toHaveProperty("members");
    await scim("PATCH", `/Groups/${group}`, patchOp({ op: "replace", path: "members", value: [{ value: a }] }));
    expect(await membersOf(group)).toEqual([a]);
    await scim("PUT", `/Groups/${group}`, { schemas: schemas.group, displayName: "Engineering", members: [{ value: b }, { value: c }] });
    expect(await membersOf(group)).toEqual([b, c].sort());
    expect((await scim("GET", `/Users/${b}`)).body).toMatchObject({ groups: [{ value: group, display: "Engineering" }] });
    await scim("PATCH", `/Groups/${group}`, patchOp({ op: "remove", path: "members" }));
    expect(await membersOf(group)).toEqual([]);
    expect((await scim("DELETE", `/Groups/${group}`)).status).toBe(204);
    expect((await scim("GET", `/Groups/${group}`)).status).toBe(404);
  });

  it("withdraws a user for good: tokens and groups end, and the name's next holder gets nothing of it", async () => {
    const { token } = await world.user("leaver", "servers:read");
    const { body } = await scim("GET", `/Users?filter=${encodeURIComponent('userName eq "leaver"')}`);
    const id = body.Resources[0]?.id ?? "";
    const group = await newGroup("Leavers", id);
    await world.fetch("/api/v1/groups/Leavers", { token: admin, method: "PATCH", json: { scopes: ["tools:call"] } });
    expect((await world.fetch("/api/v1/servers", { token })).status).toBe(200);
    expect((await scim("DELETE", `/Users/${id}`)).status).toBe(204);
    expect((await world.fetch("/api/v1/servers", { token })).status).toBe(401);
    expect((await scim("GET", `/Users/${id}`)).status).toBe(404);
    expect((await scim("DELETE", `/Users/${id}`)).status).toBe(404);
    expect(await membersOf(group)).toEqual([]);
    const next = await provision("leaver");
    expect(next).not.toBe(id);
    expect(await (await world.fetch("/api/v1/users/leaver", { token: admin })).json()).toMatchObject({ effectiveScopes: [] });
  });

  it("takes effect at once when a directory disables somebody", async () => {
    const { token } = await world.user("suspended", "servers:read");
    const { body } = await scim("GET", `/Users?filter=${encodeURIComponent('userName eq "suspended"')}`);
    await scim("PATCH", `/Users/${body.Resources[0]?.id}`, patchOp({ op: "replace", path: "active", value: false }));
    expect((await world.fetch("/api/v1/servers", { token })).status).toBe(401);
  });

  it("pages, filters and projects", async () => {
    for (let number = 0; number < 5; number++) await provision(`page-${number}@pages.example`, { displayName: `Page ${number}` });
    const filter = encodeURIComponent('userName ew "@pages.example" and (displayName co "1" or displayName sw "page 3")');
    expect((await scim("GET", `/Users?filter=${filter}`)).body.Resources.map((user) => user["userName"]).sort()).toEqual(["page-1@pages.example", "page-3@pages.example"]);
    const all = await scim("GET", "/Users?startIndex=1&count=2");
    expect(all.body).toMatchObject({ startIndex: 1, itemsPerPage: 2 });
    expect(all.body.totalResults).toBeGreaterThan(5);
    const seen: string[] = [];
    for (let start = 1; start <= all.body.totalResults; start += 2) seen.push(...(await scim("GET", `/Users?startIndex=${start}&count=2`)).body.Resources.map((user) => user.id));
    expect(new Set(seen).size).toBe(all.body.totalResults);
    expect((await scim("GET", "/Users?count=0")).body).toMatchObject({ itemsPerPage: 0, Resources: [] });
    expect(Object.keys((await scim("GET", "/Users?count=1&attributes=userName")).body.Resources[0] ?? {}).sort()).toEqual(["id", "schemas", "userName"]);
  });

  it("keeps versions: 304 for what one has, 412 for what somebody changed", async () => {
    const id = await provision("versioned@corp.example");
    const first = await scim("GET", `/Users/${id}`);
    const etag = first.headers.get("etag") ?? "";
    expect(first.body).toMatchObject({ meta: { version: etag } });
    expect((await scim("GET", `/Users/${id}`, undefined, { "if-none-match": etag })).status).toBe(304);
    expect((await scim("PATCH", `/Users/${id}`, patchOp({ op: "replace", path: "displayName", value: "V" }), { "if-match": etag })).status).toBe(200);
    const stale = await scim("PATCH", `/Users/${id}`, patchOp({ op: "replace", path: "displayName", value: "W" }), { "if-match": etag });
    expect(stale.status).toBe(412);
    expect(stale.body).toMatchObject({ schemas: ["urn:ietf:params:scim:api:messages:2.0:Error"], status: "412" });
  });

  it.each<[string, () => ReturnType<typeof scim>, number, string | undefined]>([
    ["a taken name", async () => { await provision("taken@corp.example"); return scim("POST", "/Users", { schemas: schemas.user, userName: "TAKEN@corp.example" }); }, 409, "uniqueness"],
    ["no user name", () => scim("POST", "/Users", { schemas: schemas.user }), 400, "invalidValue"],
    ["a user name with markup", () => scim("POST", "/Users", { userName: "<script>" }), 400, "invalidValue"],
    ["a filter that cannot be read", () => scim("GET", "/Users?filter=userName"), 400, "invalidFilter"],
    ["a deep filter", () => scim("GET", `/Users?filter=${encodeURIComponent(`${"(".repeat(50)}active pr${")".repeat(50)}`)}`), 400, "invalidFilter"],
    ["an operation of no kind", async () => scim("PATCH", `/Users/${await provision("op@corp.example")}`, patchOp({ op: "explode", path: "active" })), 400, "invalidValue"],
    ["a path that cannot be read", async () => scim("PATCH", `/Users/${await provision("path@corp.example")}`, patchOp({ op: "replace", path: "a b", value: 1 })), 400, "invalidPath"],
    ["a removal without a path", async () => scim("PATCH", `/Users/${await provision("remove@corp.example")}`, patchOp({ op: "remove" })), 400, "noTarget"],
    ["an unknown member", () => scim("POST", "/Groups", { displayName: "ghosts", members: [{ value: "nobody" }] }), 400, "invalidValue"],
    ["an unknown user", () => scim("GET", "/Users/nobody"), 404, undefined],
    ["nobody's token", () => scim("GET", "/Users", undefined, {}, "nothing"), 401, undefined],
  ])("answers %s with a SCIM error", async (_what, ask, status, scimType) => {
    const answer = await ask();
    expect(answer.status, JSON.stringify(answer.body)).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/scim+json");
    expect(answer.body).toMatchObject({ schemas: ["urn:ietf:params:scim:api:messages:2.0:Error"], status: String(status), ...(scimType ? { scimType } : {}) });
  });

  it("does not let the scope scim near administrators, nor into groups that make them", async () => {
    const { body } = await scim("GET", `/Users?filter=${encodeURIComponent('userName eq "root"')}`);
    const root = body.Resources[0]?.id ?? "";
    expect((await scim("PATCH", `/Users/${root}`, patchOp({ op: "replace", path: "externalId", value: "mine" }))).status).toBe(403);
    expect((await scim("DELETE", `/Users/${root}`)).status).toBe(403);
    await world.fetch("/api/v1/groups", { token: admin, json: { name: "Owners", scopes: ["admin"] } });
    const owners = (await scim("GET", `/Groups?filter=${encodeURIComponent('displayName eq "Owners"')}`)).body.Resources[0]?.id ?? "";
    const mallory = await provision("mallory@corp.example");
    expect((await scim("PATCH", `/Groups/${owners}`, patchOp({ op: "add", path: "members", value: [{ value: mallory }] }))).status).toBe(403);
    expect((await scim("PATCH", `/Groups/${owners}`, patchOp({ op: "add", path: "members", value: [{ value: mallory }] }), {}, admin)).status).toBe(200);
    expect((await scim("DELETE", `/Users/${mallory}`)).status).toBe(403);
    expect((await scim("DELETE", `/Users/${root}`, undefined, {}, admin)).status).toBe(409);
  });

  it("needs its scope, and gives no other", async () => {
    const reader = await world.user("reader", "servers:read");
    expect((await scim("GET", "/Users", undefined, {}, reader.token)).status).toBe(403);
    for (const path of ["/api/v1/users", "/api/v1/groups", "/api/v1/servers"]) expect((await world.fetch(path, { token: directory })).status, path).toBe(403);
    expect((await world.login("reader", "x")).status).toBe(400);
    expect(await tokenOf(await world.login("reader", reader.password))).toBeTruthy();
  });
});

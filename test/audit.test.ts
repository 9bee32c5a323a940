/** The audit trail as administrators and auditors meet it: over HTTP, through the gateway, and when the disk is full. */
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createVerifier, exportLines, logPage, proofSchema, verifyProof } from "../src/audit/index.ts";
import { parseCheckpoint } from "../src/audit/checkpoint.ts";
import { startV1Server, type V1Peer } from "./peers/v1.ts";
import { adminName, databases, startWorld, type World } from "./world.ts";

interface Event {
  id: string;
  sequence: number;
  type: string;
  outcome: string;
  actorId: string | null;
  detail: Record<string, unknown>;
  body: boolean;
}
interface Page {
  items: Event[];
  nextBefore: number | null;
  nextAfter: number | null;
}

describe.each(databases)("the audit trail over HTTP on %s", (database) => {
  let world: World;
  let peer: V1Peer;
  let auditor: string;
  beforeAll(async () => {
    world = await startWorld({ database, settings: { SALLYPORT_AUDIT_BODIES: "yes", SALLYPORT_APPROVAL: "off" } });
    peer = await startV1Server();
    auditor = (await world.user("auditor", "audit:read")).token;
    const registered = await world.fetch("/api/v1/servers", { token: await world.admin(), json: { name: "tools", url: peer.url, auth: { type: "headers", headers: { "x-api-key": "canary-secret-of-the-server" } } } });
    expect([201, 422]).toContain(registered.status);
    if (registered.status === 422) expect((await world.fetch("/api/v1/servers", { token: await world.admin(), json: { name: "tools", url: peer.url } })).status).toBe(201);
  });
  afterAll(async () => {
    await world.end();
    await peer.close();
  });

  const events = async (query: string, token: string) => (await (await world.fetch(`/api/v1/audit/events?${query}`, { token })).json()) as Page;
  const call = async (message: string) => {
    const client = new ClientV1({ name: "test", version: "1" });
    const token = await world.tokenAt("/servers/tools/mcp", await world.admin());
    await client.connect(new TransportV1(new URL("/servers/tools/mcp", world.url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }));
    const { tools } = await client.listTools();
    const name = tools[0]?.name ?? "";
    await client.callTool({ name, arguments: { message, text: message } }).catch(() => undefined);
    await client.close();
    return name;
  };

  it("is read by administrators and by auditors", async () => {
    for (const token of [await world.admin(), auditor]) expect((await events("type=user.created", token)).items.length).toBeGreaterThan(0);
    expect((await world.fetch("/api/v1/audit/events", { token: (await world.user("nobody", "servers:read")).token })).status).toBe(403);
  });

  it("is followed by waiting for what comes after an event", async () => {
    const admin = await world.admin();
    const [newest] = (await events("limit=1", admin)).items;
    const none = await events(`after=${newest?.sequence}&type=user.disabled&wait=1`, admin);
    expect(none).toMatchObject({ items: [], nextBefore: null });
    const began = performance.now();
    const waiting = events(`after=${none.nextAfter}&type=user.disabled&wait=5`, admin);
    await world.user("followed");
    await world.fetch("/api/v1/users/followed", { token: admin, method: "PATCH", json: { disabled: true } });
    expect((await waiting).items).toMatchObject([{ type: "user.disabled" }]);
    expect(performance.now() - began).toBeLessThan(4000);
  });

  it("says once a minute that somebody reads, so that following does not feed itself", async () => {
    const before = (await events("type=audit.read&limit=500", auditor)).items.length;
    for (let index = 0; index < 5; index++) await events("limit=1", auditor);
    expect((await events("type=audit.read&limit=500", auditor)).items.length - before).toBeLessThanOrEqual(1);
  });

  it("is exported and verified from outside, with proofs", async () => {
    const verifier = createVerifier();
    const read = async (after: number | undefined) => logPage.parse(await (await world.fetch(`/api/v1/audit/log${after === undefined ? "" : `?after=${after}`}`, { token: auditor })).json());
    for await (const line of exportLines(read, new Date().toISOString())) verifier.line(line);
    expect(verifier.finish()).toMatchObject({ ok: true, problems: [] });
    const note = await (await world.fetch("/api/v1/audit/checkpoint", { token: auditor })).text();
    expect(parseCheckpoint(note)?.checkpoint.size).toBeGreaterThan(5);
    const [event] = (await events("type=user.created&limit=1", auditor)).items;
    const { sequence: _sequence, ...proof } = proofSchema.loose().parse(await (await world.fetch(`/api/v1/audit/events/${event?.id}/proof`, { token: auditor })).json());
    expect(verifyProof(proofSchema.parse(proof))).toEqual([]);
    expect((await world.fetch("/api/v1/audit/events/01a207a1-8a08-7394-b358-6f50b029e855/proof", { token: auditor })).status).toBe(404);
    expect((await world.fetch("/api/v1/audit/consistency?from=999999999", { token: auditor })).status).toBe(404);
  });

  it("keeps what calls carry for auditors alone, and records each opening", async () => {
    await call("canary-of-the-arguments");
    const [event] = (await events("type=call.completed&limit=100", auditor)).items.filter(({ detail, body }) => detail["method"] === "tools/call" && body);
    expect(event?.body).toBe(true);
    expect((await world.fetch(`/api/v1/audit/events/${event?.id}/body`, { token: await world.admin() })).status).toBe(403);
    expect(await (await world.fetch(`/api/v1/audit/events/${event?.id}/body`, { token: auditor })).text()).toContain("canary-of-the-arguments");
    expect((await events("type=audit.body.read", auditor)).items).toMatchObject([{ detail: { event: event?.id } }]);
  });

  it("holds no secret and nothing personal from any input", async () => {
    const password = "canary-password that is long enough";
    const withUser = new URL("https://example.com/mcp?key=canary-key");
    [withUser.username, withUser.password] = ["canary-user", "canary-pass"];
    await world.login(adminName, password);
    await world.login("canary-username", password);
    await world.fetch("/api/v1/users", { token: await world.admin(), json: { username: "someone", password, scopes: [] } });
    await world.fetch("/api/v1/servers?q=canary-search", { token: await world.admin() });
    await world.fetch("/api/v1/servers", { token: "canary-token" });
    await world.fetch("/api/v1/servers", { token: await world.admin(), json: { name: "hidden", url: withUser.href } });
    await call("canary.person@example.com");
    await events("limit=1", await world.admin());
    const tables = ["audit_outbox", "audit_segments", "audit_checkpoints", "audit_keys", "audit_bodies", "audit_chain"] as const;
    for (const table of tables) expect(JSON.stringify(await world.storage.db.selectFrom(table).selectAll().execute()), table).not.toMatch(/canary/);
    expect(world.logLines.join("")).not.toMatch(/canary/);
  });

  it("rotates its key for administrators", async () => {
    const rotated = await world.fetch("/api/v1/audit/keys", { token: await world.admin(), method: "POST" });
    expect(rotated.status).toBe(201);
    expect((await world.fetch("/api/v1/audit/keys", { token: auditor, method: "POST" })).status).toBe(403);
    const { verifier } = (await rotated.json()) as { verifier: string };
    const note = await (await world.fetch("/api/v1/audit/checkpoint", { token: auditor })).text();
    expect(parseCheckpoint(note)?.signatures.map(({ id }) => id)).toContain(verifier.split("+")[1]);
  });

  it("refuses a change with 503 while its event cannot be written, and makes none of it", async () => {
    const admin = await world.admin();
    const { db, kind } = world.storage;
    if (kind === "sqlite") await sql`create trigger full before insert on audit_outbox begin select raise(abort, 'on purpose'); end`.execute(db);
    else {
      await sql`create function full_disk() returns trigger language plpgsql as 'begin raise exception ''on purpose''; end'`.execute(db);
      await sql`create trigger full_disk before insert on audit_outbox for each row execute function full_disk()`.execute(db);
    }
    const refused = await world.fetch("/api/v1/users", { token: admin, json: { username: "unrecorded", password: "long enough to be a password", scopes: [] } });
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ detail: expect.stringContaining("audit trail cannot be written") as string });
    await (kind === "sqlite" ? sql`drop trigger full` : sql`drop trigger full_disk on audit_outbox`).execute(db);
    expect((await world.fetch("/api/v1/users/unrecorded", { token: admin })).status).toBe(404);
    expect((await world.fetch("/api/v1/users", { token: admin, json: { username: "recorded", password: "long enough to be a password", scopes: [] } })).status).toBe(201);
  });
});

describe("on a full disk", () => {
  it("changes are refused with 503, reads work, and it recovers", async () => {
    const world = await startWorld();
    const { token } = { token: await world.admin() };
    const { db } = world.storage;
    const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(db);
    // ast-grep-ignore: sql-raw -- a pragma takes no parameters; the number was read from the database one line above
    await sql`pragma max_page_count = ${sql.lit(rows[0]?.page_count ?? 0)}`.execute(db);
    const add = (name: string) => world.fetch("/api/v1/users", { token, json: { username: name, password: "long enough to be a password", scopes: [] } });
    let status = 201;
    let made = 0;
    for (; status === 201 && made < 500; made++) ({ status } = await add(`user-${made}`));
    expect(status).toBe(503);
    expect((await world.fetch("/api/v1/users", { token })).status).toBe(200);
    await sql`pragma max_page_count = 1000000`.execute(db);
    await expect.poll(async () => (await add(`later-${made++}`)).status, { timeout: 5000 }).toBe(201);
    const { items } = (await (await world.fetch("/api/v1/audit/events?type=user.created&limit=500", { token })).json()) as Page;
    const { items: users } = (await (await world.fetch("/api/v1/users", { token })).json()) as { items: unknown[] };
    expect(items.length).toBe(users.length - 1);
    await world.end();
  }, 60_000);
});

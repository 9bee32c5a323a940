/** Second factors end to end: enrolment, sign-in, the token endpoint, recovery, step-up, reset; on both databases. */
import { Secret, TOTP } from "otpauth";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { databases, startWorld, tokenOf, type World } from "./world.ts";
import { visitor, type Visit, type Visitor } from "./visitor.ts";

const codesOf = (page: Visit) => [...page.text.matchAll(/<code>([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})<\/code>/g)].map(([, code = ""]) => code);
const secretOf = (page: Visit) => /<pre>([A-Z2-7 ]+)<\/pre>/.exec(page.text)?.[1]?.replaceAll(" ", "") ?? "";

describe.each(databases)("second factors on %s", (database) => {
  let world: World;
  let skew = 0;
  beforeAll(async () => {
    world = await startWorld({ database, now: () => Date.now() + skew });
  });
  afterAll(() => world.end());
  // All come from one address here: what one test did wrong is not the next one's business.
  beforeEach(async () => {
    await world.storage.db.deleteFrom("throttles").execute();
  });
  const code = (secret: string, steps = 0) => new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + skew + steps * 30_000 });
  const signIn = async (username: string, password: string, otp?: string): Promise<Visitor> => {
    const browser = visitor(world.url);
    await browser.get("/login");
    const first = await browser.submit("/login", { username, password });
    if (otp !== undefined) {
      expect(first.location).toBe("/login/factor?return_to=%2Faccount");
      await browser.get(first.location ?? "");
      expect(await browser.submit("/login/factor", { code: otp })).toMatchObject({ status: 303, location: "/account" });
    }
    return browser;
  };
  const enrolled = async (name: string, ...scopes: ("servers:read" | "servers:write")[]) => {
    const { password } = await world.user(name, ...scopes);
    const browser = await signIn(name, password);
    await browser.get("/account/factors");
    const secret = secretOf(await browser.submit("/account/factors/totp"));
    const done = await browser.submit("/account/factors/totp/confirm", { code: code(secret, -1) });
    return { name, password, browser, secret, codes: codesOf(done) };
  };

  it("are enrolled with an app, asked for at the next sign-in, and at the token endpoint", async () => {
    const { name, password, secret, codes } = await enrolled("ada", "servers:read");
    expect(codes).toHaveLength(10);
    const bare = await world.login(name, password, undefined, "");
    expect([bare.status, await bare.json()]).toEqual([400, { error: "invalid_grant", error_description: "A one-time code is needed", detail: "A one-time code is needed" }]);
    expect(await (await world.login(name, "wrong wrong wrong", undefined, "")).json()).toMatchObject({ error_description: "Incorrect username or password" });
    const claims = decodeJwt(await tokenOf(await world.login(name, password, undefined, code(secret))));
    expect(claims).toMatchObject({ amr: ["pwd", "otp", "mfa"] });
    expect(Math.abs(Number(claims["auth_time"]) - Date.now() / 1000)).toBeLessThan(30);
    await signIn(name, password, code(secret, 1));
  });

  it("let one step's code through once, of twenty at the same time", async () => {
    const { name, password, secret } = await enrolled("twenty", "servers:read");
    const user = await world.storage.db.selectFrom("users").select("id").where("username", "=", name).executeTakeFirstOrThrow();
    const otp = code(secret);
    // Past the throttle: the factor itself is asked.
    const { createFactors } = await import("../src/identity/index.ts");
    const factors = createFactors({ storage: world.storage, audit: { record: () => undefined } as never, publicUrl: world.publicUrl, now: () => Date.now() + skew });
    const used = await Promise.all(Array.from({ length: 20 }, () => factors.useCode(user.id, otp, { id: "x" })));
    expect(used.filter((kind) => kind === "totp")).toHaveLength(1);
    expect((await world.login(name, password, undefined, otp)).status).toBe(400);
    expect((await world.login(name, password, undefined, code(secret, -1))).status, "an older step").toBe(400);
    expect((await world.login(name, password, undefined, code(secret, 2))).status, "two steps ahead").toBe(400);
  });

  it("are replaced by a recovery code once, of twenty at the same time; new codes end the old ones", async () => {
    const { name, password, browser, codes } = await enrolled("lost", "servers:read");
    const user = await world.storage.db.selectFrom("users").select("id").where("username", "=", name).executeTakeFirstOrThrow();
    const { createFactors } = await import("../src/identity/index.ts");
    const factors = createFactors({ storage: world.storage, audit: { record: () => undefined } as never, publicUrl: world.publicUrl, now: Date.now });
    const used = await Promise.all(Array.from({ length: 20 }, () => factors.useCode(user.id, codes[0] ?? "", { id: "x" })));
    expect(used.filter((kind) => kind === "recovery")).toHaveLength(1);
    expect((await world.login(name, password, undefined, codes[1]?.toLowerCase().replaceAll("-", " "))).status).toBe(200);
    expect(JSON.stringify(await world.storage.db.selectFrom("recovery_codes").selectAll().execute())).not.toContain(codes[2]?.replaceAll("-", ""));
    await browser.get("/account/factors");
    expect(codesOf(await browser.submit("/account/factors/recovery-codes"))).toHaveLength(10);
    expect((await world.login(name, password, undefined, codes[2])).status).toBe(400);
  });

  it("throttle wrong codes like wrong passwords", async () => {
    const { name, password } = await enrolled("guessed", "servers:read");
    for (let attempt = 0; attempt < 5; attempt++) await world.login(name, password, undefined, "000000");
    expect((await world.login(name, password, undefined, "000000")).status).toBe(429);
  });

  it("are needed for admin, which otherwise stays out of tokens", async () => {
    const { password } = await world.user("captain", "servers:read");
    await world.fetch("/api/v1/users/captain", { token: await world.admin(), method: "PATCH", json: { scopes: ["servers:read", "admin"] } });
    expect(await (await world.login("captain", password)).json()).toMatchObject({ scope: "servers:read" });
    const refused = await world.login("captain", password, "admin");
    expect([refused.status, await refused.json()]).toEqual([400, expect.objectContaining({ error: "invalid_scope", detail: expect.stringContaining("/account/factors") as string })]);
  });

  it("end other sign-ins and tokens when removed, and keep this one", async () => {
    const { name, password, browser, secret } = await enrolled("remover", "servers:read");
    const token = await tokenOf(await world.login(name, password, undefined, code(secret)));
    const other = await signIn(name, password, code(secret, 1));
    await browser.get("/account/factors");
    expect((await browser.submit("/account/factors/totp/remove")).location).toBe("/account/factors");
    expect((await browser.get("/account/factors")).status).toBe(200);
    expect((await other.get("/account")).status).toBe(303);
    expect((await world.fetch("/api/v1/servers", { token })).status).toBe(401);
  });

  it("need a fresh sign-in to be changed, and so does the password; confirming makes it fresh", async () => {
    const { browser, secret, name, password } = await enrolled("stale", "servers:read");
    skew = 301_000;
    expect(await browser.get("/account/factors")).toMatchObject({ status: 303, location: "/account/confirm?return_to=%2Faccount%2Ffactors" });
    await browser.get("/account/confirm?return_to=%2Faccount%2Fpassword");
    const before = browser.cookies.get("sallyport-session");
    expect((await browser.submit("/account/confirm", { code: "000000" })).status).toBe(422);
    expect((await browser.submit("/account/confirm", { code: code(secret) })).location).toBe("/account/password");
    expect(browser.cookies.get("sallyport-session")).not.toBe(before);
    await browser.get("/account/password");
    expect((await browser.submit("/account/password", { current: "wrong wrong wrong", password: "nineteen" })).status).toBe(422);
    await browser.get("/account/password");
    expect((await browser.submit("/account/password", { current: password, password: "short" })).text).toContain("8 characters");
    await browser.get("/account/password");
    expect((await browser.submit("/account/password", { current: password, password: "kelp raft" })).location).toBe("/account");
    expect((await browser.get("/account")).status).toBe(200);
    expect((await world.login(name, "kelp raft", undefined, code(secret, 1))).status).toBe(200);
    skew = 0;
  });

  it("are reset by an administrator, after which a short password opens nothing", async () => {
    const { browser, name, password } = await enrolled("reset", "servers:read");
    const list = (await (await world.fetch("/api/v1/users", { token: await world.admin() })).json()) as { items: { username: string; factors: object }[] };
    expect(list.items.find(({ username }) => username === name)?.factors).toEqual({ totp: true, passkeys: 0, recoveryCodes: 10 });
    expect((await world.fetch(`/api/v1/users/${name}/factors`, { token: await world.admin(), method: "DELETE" })).status).toBe(204);
    expect((await browser.get("/account")).status).toBe(303);
    expect((await world.login(name, password)).status).toBe(200);
  });

  it("are asked for anew before destructive administration (RFC 9470)", async () => {
    const token = await world.admin();
    await world.user("target");
    skew = 301_000;
    const stale = await world.fetch("/api/v1/users/target", { token, method: "PATCH", json: { disabled: true } });
    expect(stale.status).toBe(401);
    expect(stale.headers.get("www-authenticate")).toBe('Bearer error="insufficient_user_authentication", error_description="A fresher sign-in is needed", max_age="300"');
    expect((await world.fetch("/api/v1/users/target", { token: await world.admin(), method: "PATCH", json: { disabled: true } })).status).toBe(200);
    skew = 0;
  });

  it("take no form without the token of its session", async () => {
    const { browser } = await enrolled("csrf", "servers:read");
    const other = await enrolled("csrf-other", "servers:read");
    await other.browser.get("/account/factors");
    const foreign = /name="csrf" value="([^"]+)"/.exec((await other.browser.get("/account")).text)?.[1] ?? "";
    for (const route of world.routes.filter(({ method, path }) => method === "post" && path.startsWith("/account/") && path !== "/account/clients")) {
      for (const csrf of ["", foreign]) expect((await browser.post(route.path, { csrf, id: "x" })).status, route.path).toBe(403);
      expect((await browser.post(route.path, { csrf: foreign, id: "x" }, { origin: "https://evil.example" })).status, route.path).toBe(403);
      expect((await visitor(world.url).post(route.path, { csrf: foreign, id: "x" })).location, route.path).toMatch(/^\/login\?/);
    }
    expect((await browser.get("/account")).status).toBe(200);
  });

  it("list sign-ins, and end one or all others", async () => {
    const { name, password, browser, secret } = await enrolled("everywhere", "servers:read");
    const second = await signIn(name, password, code(secret));
    const third = await signIn(name, password, code(secret, 1));
    const page = await browser.get("/account/sessions");
    expect(page.text.match(/this browser/g)).toHaveLength(1);
    expect(page.text).toContain("127.0.0.x");
    expect(page.text).not.toContain("127.0.0.1<");
    expect((await browser.submit("/account/sessions", { id: "others" })).status).toBe(303);
    expect([(await second.get("/account")).status, (await third.get("/account")).status, (await browser.get("/account")).status]).toEqual([303, 303, 200]);
    await browser.get("/account");
    expect((await browser.submit("/logout")).location).toBe("/login");
    expect((await browser.get("/account")).status).toBe(303);
  });

  it("leave their events in the audit trail", async () => {
    await world.admin();
    const { items } = (await (await world.fetch("/api/v1/audit/events?limit=500", { token: await world.admin() })).json()) as { items: { type: string }[] };
    const seen = new Set(items.map(({ type }) => type));
    for (const type of ["factor.enrolled", "factor.used", "factor.removed", "factor.reset", "recovery-code.used", "recovery-codes.created", "session.started", "session.ended", "session.revoked", "step-up.required", "step-up.completed", "authentication.code.failed"]) expect(seen, type).toContain(type);
  });
});

/** Signing in with a browser: the login page, sessions and their ends, on both databases. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { databases, startWorld, type World } from "./world.ts";
import { visitor, type Visitor } from "./visitor.ts";

const sessionCookie = "sallyport-session";

async function signedIn(world: World, username: string, password: string, headers: Record<string, string> = {}): Promise<Visitor> {
  const browser = visitor(world.url, headers);
  await browser.get("/login");
  const answer = await browser.submit("/login", { username, password });
  if (answer.status !== 303) throw new Error(`${answer.status} ${answer.text}`);
  return browser;
}

describe.each(databases)("signing in on %s", (database) => {
  let world: World;
  let skew = 0;
  let password = "";
  beforeAll(async () => {
    world = await startWorld({ database, now: () => Date.now() + skew });
    ({ password } = await world.user("ada", "servers:read"));
  });
  afterAll(() => world.end());
  const isIn = async (browser: Visitor) => (await browser.get("/account/clients")).status === 200;

  it("leads to the page that was asked for, under a cookie that scripts cannot read", async () => {
    const browser = visitor(world.url);
    await browser.get("/login?return_to=%2Faccount%2Fclients%3Fx%3D1");
    const answer = await browser.submit("/login", { username: "Ada", password });
    expect([answer.status, answer.location]).toEqual([303, "/account/clients?x=1"]);
    expect(answer.headers.getSetCookie()).toEqual([expect.stringMatching(/^sallyport-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)]);
    expect(await isIn(browser)).toBe(true);
  });

  it("stores neither cookie nor CSRF token, only keyed hashes", async () => {
    const browser = await signedIn(world, "ada", password);
    const stored = JSON.stringify(await world.storage.db.selectFrom("browser_sessions").selectAll().execute());
    expect(stored).not.toContain(browser.cookies.get(sessionCookie));
  });

  it("says the same about a wrong password and an unknown user", async () => {
    const texts = await Promise.all(["ada", "nobody"].map(async (username) => {
      const browser = visitor(world.url);
      await browser.get("/login");
      const answer = await browser.submit("/login", { username, password: "wrong wrong wrong" });
      expect(answer.status).toBe(422);
      return answer.text.replaceAll(/value="[^"]*"/g, "");
    }));
    expect(texts[0]).toBe(texts[1]);
  });

  it.each([
    ["https://evil.example/"], ["//evil.example"], ["/\\evil.example"], ["\\\\evil.example"], ["/%09/evil.example\t"], ["/\t/evil.example"], ["/\n/evil.example"], ["javascript:alert(1)"], ["data:text/html,x"], ["/..//evil.example"], ["/./\\evil.example"], ["http:evil.example"],
    ["evil.example"], ["?x=1"], ["#x"], ["@evil.example"], ["/@evil.example/../../\\x"], [" //evil.example"], ["///evil.example"], ["/a b"], ["/ä"], [""], [`/${"a".repeat(3000)}`],
  ])("never leads to %j afterwards", async (target) => {
    const browser = visitor(world.url);
    const page = await browser.get(`/login?return_to=${encodeURIComponent(target)}`);
    const answer = page.status === 200 ? await browser.submit("/login", { username: "ada", password, ...(target.length < 2000 ? { return_to: target } : {}) }) : undefined;
    if (answer) expect(new URL(answer.location ?? "", world.url).origin).toBe(new URL(world.url).origin);
    if (answer && !target.startsWith("/%09")) expect(answer.location).toBe("/account");
  });

  it("takes no form that another browser was given, none without a cookie, and none twice over", async () => {
    const own = visitor(world.url);
    await own.get("/login");
    const other = visitor(world.url);
    await other.get("/login");
    own.cookies.set("sallyport-attempt", other.cookies.get("sallyport-attempt") ?? "");
    expect((await own.submit("/login", { username: "ada", password })).status).toBe(403);
    const bare = visitor(world.url);
    await bare.get("/login");
    bare.cookies.clear();
    expect((await bare.submit("/login", { username: "ada", password })).status).toBe(403);
    expect((await visitor(world.url).post("/login", { username: "ada", password })).status).toBe(403);
  });

  it("ends the session that came along and gives a new cookie (session fixation)", async () => {
    const victim = await signedIn(world, "ada", password);
    const planted = victim.cookies.get(sessionCookie) ?? "";
    await victim.get("/login");
    await victim.submit("/login", { username: "ada", password });
    expect(victim.cookies.get(sessionCookie)).not.toBe(planted);
    const attacker = visitor(world.url);
    attacker.cookies.set(sessionCookie, planted);
    expect(await isIn(attacker)).toBe(false);
    expect(await isIn(victim)).toBe(true);
  });

  it("trusts no cookie of two, and none that it did not make", async () => {
    const browser = await signedIn(world, "ada", password);
    const value = browser.cookies.get(sessionCookie) ?? "";
    for (const cookie of [`${sessionCookie}=${value}; ${sessionCookie}=${"A".repeat(43)}`, `${sessionCookie}=${"A".repeat(43)}`, `${sessionCookie}=__proto__`, `x${sessionCookie}=${value}`, `__Host-${sessionCookie}=${value}`]) {
      expect((await fetch(`${world.url}/account/clients`, { redirect: "manual", headers: { cookie } })).status, cookie).toBe(303);
    }
  });

  it("ends after an hour unused, and after a day in any case", async () => {
    const idle = await signedIn(world, "ada", password);
    const busy = await signedIn(world, "ada", password);
    for (let minutes = 0; minutes < 24 * 60; minutes += 50) {
      skew = minutes * 60_000;
      expect(await isIn(busy), `${minutes} minutes`).toBe(true);
      if (minutes > 60) expect(await isIn(idle)).toBe(false);
    }
    skew = 24 * 3600_000 + 1000;
    expect(await isIn(busy)).toBe(false);
    skew = 0;
  });

  it.each<[string, object]>([["disabled", { disabled: true }], ["changed in scopes", { scopes: [] }], ["given another password", { password: "quite another pass phrase" }]])("ends at once when the user is %s", async (what, change) => {
    const name = `ends-${what.replaceAll(" ", "-")}`;
    const user = await world.user(name, "servers:read");
    const browser = await signedIn(world, name, user.password);
    expect(await isIn(browser)).toBe(true);
    expect((await world.fetch(`/api/v1/users/${name}`, { token: await world.admin(), method: "PATCH", json: change })).status).toBe(200);
    expect(await isIn(browser)).toBe(false);
  });

  it("throttles wrong passwords, together with the password grant", async () => {
    await world.user("throttled", "servers:read");
    for (let attempt = 0; attempt < 3; attempt++) await world.login("throttled", "wrong");
    const browser = visitor(world.url);
    for (let attempt = 0; attempt < 3; attempt++) {
      await browser.get("/login");
      await browser.submit("/login", { username: "throttled", password: "wrong" });
    }
    await browser.get("/login");
    const answer = await browser.submit("/login", { username: "throttled", password: "wrong" });
    expect(answer.status).toBe(429);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  });
});

describe("the cookie over https", () => {
  it("is bound to the host and secure", async () => {
    const world = await startWorld({ settings: { SALLYPORT_PUBLIC_URL: "https://mcp.example.com", SALLYPORT_PASSWORD_GRANT: "enabled" } });
    const { password } = await world.user("ada", "servers:read");
    const browser = visitor(world.url);
    await browser.get("/login");
    const answer = await browser.submit("/login", { username: "ada", password });
    expect(answer.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-sallyport-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/)]);
    await world.end();
  });
});

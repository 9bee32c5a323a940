/** Passkeys end to end: real Chromium with a virtual authenticator (CDP), from first set-up to signing in without a password; pages looked over by axe. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import chromium from "@sparticuz/chromium";
import { chromium as playwright, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startWorld, type World } from "./world.ts";

describe("passkeys in Chromium", () => {
  let browser: Browser;
  let world: World;
  let base = "";
  const folder = mkdtempSync(join(tmpdir(), "sallyport-chromium-"));
  beforeAll(async () => {
    process.env["TMPDIR"] = folder;
    browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox", "--disable-gpu"], headless: true });
    world = await startWorld({ settings: { SALLYPORT_ADMIN_USERNAME: "", SALLYPORT_ADMIN_PASSWORD: "" } });
    // Passkeys are bound to a name: on loopback that is localhost.
    base = world.url.replace("127.0.0.1", "localhost");
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await world?.end();
    rmSync(folder, { recursive: true, force: true });
  });

  const clean = async (page: Page, where: string) => {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`), `${where}, ${colorScheme}`).toEqual([]);
    }
  };

  it("are added after first set-up, and sign in alone and after a password; codes are shown once", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    const cdp = await context.newCDPSession(page);
    await cdp.send("WebAuthn.enable");
    const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });

    await page.goto((world.setupLink ?? "").replace("127.0.0.1", "localhost"));
    await page.fill("#username", "captain");
    await page.fill("#password", "seven quiet harbours");
    await page.click("text=Create administrator");
    await clean(page, "after set-up");
    await page.click("text=Add a second factor");
    await page.waitForSelector("form[data-passkey]:not([hidden])");
    await clean(page, "factors");
    await page.fill("#name", "Test key");
    await page.click("text=Add a passkey");
    await page.waitForSelector("text=Your second factor is set");
    await clean(page, "recovery codes");
    expect(await page.locator(".codes li").count()).toBe(10);
    await page.click("text=I have kept them");
    await clean(page, "account");
    await page.goto(`${base}/account/factors`);
    expect(await page.textContent("table")).toContain("Test key");
    await clean(page, "factors with a passkey");
    await page.click("text=Set up an app");
    await page.waitForSelector("svg.qr");
    await clean(page, "authenticator app");
    for (const path of ["/account/password", "/account/sessions", "/account/confirm"]) {
      await page.goto(base + path);
      await clean(page, path);
    }
    await page.click("text=Use a passkey");
    await page.waitForURL(`${base}/account`);

    await page.click("text=Sign out");
    await page.waitForURL(`${base}/login`);
    await clean(page, "login");
    await page.click("text=Sign in with a passkey");
    await page.waitForURL(`${base}/account`);
    expect(await page.textContent("h1")).toBe("captain");

    await page.click("text=Sign out");
    await page.fill("#username", "captain");
    await page.fill("#password", "seven quiet harbours");
    await page.click("button:text-is('Sign in')");
    await page.waitForURL(/\/login\/factor/);
    await clean(page, "second factor");
    await page.click("text=Use a passkey");
    await page.waitForURL(`${base}/account`);
    const stored = await world.storage.db.selectFrom("passkeys").selectAll().executeTakeFirstOrThrow();
    expect(stored.counter).toBeGreaterThan(0);
    expect(complaints).toEqual([]);

    // Without the person, the key alone is refused.
    await page.click("text=Sign out");
    await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
    await page.click("text=Sign in with a passkey");
    await page.waitForSelector("form[data-passkey] [role=alert]:not([hidden])");
    expect(page.url()).toBe(`${base}/login`);
    await context.close();
  }, 180_000);

  it("answer a challenge once, and only in the browser that asked for it", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const cdp = await context.newCDPSession(page);
    await cdp.send("WebAuthn.enable");
    await cdp.send("WebAuthn.addVirtualAuthenticator", { options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
    await world.storage.db.deleteFrom("passkeys").execute();
    await page.goto(`${base}/login`);
    await page.fill("#username", "captain");
    await page.fill("#password", "seven quiet harbours");
    await page.click("button:text-is('Sign in')");
    await page.waitForURL(`${base}/account`);
    await page.goto(`${base}/account/factors`);
    await page.click("text=Add a passkey");
    await page.waitForSelector(".codes, table");
    await page.goto(`${base}/account`);
    await page.click("text=Sign out");
    // What the form would send, kept and sent twice, and then from another browser.
    let sent = "";
    await page.route("**/login/passkey", async (route) => {
      sent = route.request().postData() ?? "";
      await route.abort();
    });
    await page.click("text=Sign in with a passkey");
    await expect.poll(() => sent).not.toBe("");
    const cookies = (await context.cookies(base)).map(({ name, value }) => `${name}=${value}`).join("; ");
    const send = (cookie: string) => fetch(`${base}/login/passkey`, { method: "POST", redirect: "manual", body: sent, headers: { "content-type": "application/x-www-form-urlencoded", cookie } });
    expect((await send("")).status).toBe(403);
    expect((await send(cookies)).status).toBe(303);
    expect((await send(cookies)).status).toBe(422);
    await context.close();
  }, 120_000);

  it("leave signing in to a cookie that Chromium keeps on plain http at 127.0.0.1 too", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${world.url}/login`);
    expect((await context.cookies(world.url)).map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite }))).toEqual([{ name: "sallyport-attempt", httpOnly: true, sameSite: "Lax" }]);
    await context.close();
  }, 60_000);
});

/** The pages in a real Chromium: first set-up as a person does it, no accessibility violations in either theme, nothing blocked by our own CSP. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import chromium from "@sparticuz/chromium";
import { chromium as playwright, type Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startWorld, type World } from "./world.ts";

describe("the pages in Chromium", () => {
  let browser: Browser;
  let world: World;
  // Chromium unpacks itself into the temporary folder: one of our own, since another user's would not be ours to run.
  const folder = mkdtempSync(join(tmpdir(), "sallyport-chromium-"));
  beforeAll(async () => {
    process.env["TMPDIR"] = folder;
    browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox", "--disable-gpu"], headless: true });
    world = await startWorld({ settings: { SALLYPORT_ADMIN_USERNAME: "", SALLYPORT_ADMIN_PASSWORD: "" } });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await world?.end();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(["light", "dark"] as const)("have no accessibility violations in the %s theme", async (colorScheme) => {
    const context = await browser.newContext({ colorScheme });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    for (const path of [world.setupLink ?? "", `${world.url}/docs`]) {
      await page.goto(path);
      expect(complaints.splice(0), path).toEqual([]);
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`), path).toEqual([]);
    }
    await context.close();
  }, 60_000);

  it("create the first administrator by keyboard alone", async () => {
    const page = await browser.newPage();
    await page.goto(world.setupLink ?? "");
    // The field takes the focus by itself, a moment after the page has come.
    await page.waitForSelector("#username:focus");
    await page.keyboard.type("captain");
    await page.keyboard.press("Tab");
    await page.waitForSelector("#password:focus");
    await page.keyboard.type("seven quiet harbours");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=The administrator exists");
    expect((await world.login("captain", "seven quiet harbours")).status).toBe(200);
    await page.close();
  }, 60_000);
});

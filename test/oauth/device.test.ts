/** The device flow: the command line signs in with a person's browser, stays signed in, and signs out. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adminName, databases, type World } from "../world.ts";
import { browse, personOf, startOAuthWorld, tokenRequest, type Person } from "./flow.ts";

const grant = "urn:ietf:params:oauth:grant-type:device_code";

describe.each(databases)("a device on %s", (database) => {
  let world: World;
  let person: Person;
  beforeAll(async () => {
    world = await startOAuthWorld({ database });
    person = await personOf(world, adminName);
  });
  afterAll(() => world.end());

  const begin = async (fields: Record<string, string> = {}) =>
    (await (await world.fetch("/device_authorization", { method: "POST", body: new URLSearchParams({ client_id: "sallyport-cli", scope: "servers:read tools:call", ...fields }) })).json()) as { device_code: string; user_code: string; verification_uri: string; verification_uri_complete: string };
  const poll = async (deviceCode: string) => (await tokenRequest(world, { grant_type: grant, client_id: "sallyport-cli", device_code: deviceCode })).json() as Promise<Record<string, unknown>>;
  const answer = async (userCode: string, decision: "allow" | "deny", who = person) => {
    const page = await (await browse(world, who, `/device?${new URLSearchParams({ user_code: userCode })}`)).text();
    const field = (name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page)?.[1] ?? "";
    return { page, response: await browse(world, who, "/device", { method: "POST", body: new URLSearchParams({ token: field("token"), user_code: field("user_code"), decision }), headers: { origin: world.url } }) };
  };

  it("waits for the person, gets a token once, and can renew it", async () => {
    const device = await begin();
    expect(device.verification_uri).toBe(`${world.publicUrl}/device`);
    expect(device.user_code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    expect(await poll(device.device_code)).toMatchObject({ error: "authorization_pending" });
    const { page, response } = await answer(device.user_code, "allow");
    expect(page).toContain(device.user_code);
    expect(page).toContain("Sallyport command line");
    expect(await response.text()).toContain("The device is signed in");
    const token = await poll(device.device_code);
    expect(token).toMatchObject({ token_type: "Bearer", scope: "servers:read tools:call", refresh_token: expect.any(String) as unknown });
    expect((await world.fetch("/api/v1/servers", { headers: { authorization: `Bearer ${String(token["access_token"])}` } })).status).toBe(200);
    expect(await poll(device.device_code)).toMatchObject({ error: "invalid_grant" });
    // Its second use was a reuse: what the first gave has ended.
    expect((await world.fetch("/api/v1/servers", { headers: { authorization: `Bearer ${String(token["access_token"])}` } })).status).toBe(401);
  });

  it("is told when the person denies", async () => {
    const device = await begin();
    expect(await (await answer(device.user_code, "deny")).response.text()).toContain("Denied");
    expect(await poll(device.device_code)).toMatchObject({ error: "access_denied" });
  });

  it("takes the code however it is typed, and from nobody else's form", async () => {
    const device = await begin();
    const typed = device.user_code.toLowerCase().replace("-", " ");
    expect(await (await browse(world, person, `/device?${new URLSearchParams({ user_code: typed })}`)).text()).toContain(device.user_code);
    const forged = await browse(world, person, "/device", { method: "POST", body: new URLSearchParams({ token: "forged", user_code: device.user_code.replace("-", ""), decision: "allow" }), headers: { origin: world.url } });
    expect(forged.status).toBe(403);
    expect(await poll(device.device_code)).toMatchObject({ error: "authorization_pending" });
  });

  it("sends a person who is not signed in to sign in first", async () => {
    const response = await browse(world, { userId: "", cookies: new Map() }, "/device?user_code=ABCD-EFGH");
    expect(response.status).toBe(303);
    expect(response.headers.get("location")).toBe(`/login?${new URLSearchParams({ return_to: "/device?user_code=ABCD-EFGH" })}`);
  });

  it("slows down who guesses codes", async () => {
    await world.user("guesser", "tools:call");
    const guesser = await personOf(world, "guesser");
    for (let count = 0; count < 6; count++) await browse(world, guesser, "/device?user_code=BBBB-BBBB");
    const device = await begin();
    expect(await (await browse(world, guesser, `/device?user_code=${device.user_code}`)).text()).toContain("Too many wrong codes");
  });

  it("is refused for an unknown client, and for one that may not", async () => {
    expect(await begin({ client_id: "nobody" })).toMatchObject({ error: "invalid_client" });
  });

  it("signs the command line in, which renews by itself and ends its access on logout", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-device-"));
    const file = join(folder, "sallyport", "credentials.json");
    const run = (args: string[], onError: (text: string) => void = () => undefined) =>
      new Promise<{ code: number; out: string }>((resolve) => {
        const child = spawn(process.execPath, ["src/main.ts", ...args], { env: { PATH: process.env["PATH"], HOME: folder, XDG_CONFIG_HOME: folder, SALLYPORT_URL: world.url } });
        let out = "";
        let err = "";
        child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
        child.stderr.on("data", (chunk: Buffer) => onError((err += chunk.toString())));
        child.on("close", (code) => resolve({ code: code ?? -1, out: out + err }));
      });
    let answered = false;
    const login = await run(["login", "--device"], (text) => {
      const code = /user_code=([A-Z]{4}-[A-Z]{4})/.exec(text)?.[1];
      if (code !== undefined && !answered) {
        answered = true;
        void answer(code, "allow");
      }
    });
    expect(login.out).toContain("Signed in");
    expect(login.code).toBe(0);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await run(["servers", "list"])).code).toBe(0);
    const stored = JSON.parse(readFileSync(file, "utf8")) as { refreshToken: string; expiresAt: number; token: string };
    writeFileSync(file, JSON.stringify({ ...stored, expiresAt: 0 }));
    expect((await Promise.all([run(["servers", "list"]), run(["users", "list"])])).map(({ code }) => code)).toEqual([0, 0]);
    const renewed = JSON.parse(readFileSync(file, "utf8")) as { refreshToken: string; token: string };
    expect(renewed.refreshToken).not.toBe(stored.refreshToken);
    expect((await run(["logout"])).code).toBe(0);
    expect((await world.fetch("/api/v1/servers", { headers: { authorization: `Bearer ${renewed.token}` } })).status).toBe(401);
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);
});

/**
 * Three processes on one database behind an address that sends every request to the next of them, with no regard to sessions: what a client of
 * 2025 does works all the same, at a server that keeps its own sessions and at one of the other era, where the gateway keeps them.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request as send } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readConfig } from "../src/config/index.ts";
import { startServer, type Running } from "../src/main.ts";
import { createLog } from "../src/ops/index.ts";
import { endpointToken } from "./endpoint-token.ts";
import { connectClient, type TestClient } from "./peers/clients.ts";
import { tryFeature, type Feature } from "./peers/features.ts";
import { startUpstream, type Upstream } from "./peers/upstreams.ts";
import { createDatabase, tokenOf } from "./world.ts";

const processes: Running[] = [];
const upstreams: Upstream[] = [];
const folder = mkdtempSync(join(tmpdir(), "sallyport-robin-"));
/** How many requests each process got. */
const counts = [0, 0, 0];
let turn = 0;
const robin = createServer((request, response) => {
  const chosen = turn++ % processes.length;
  counts[chosen] = (counts[chosen] ?? 0) + 1;
  const target = new URL(request.url ?? "/", processes[chosen]?.url);
  const onward = send(target, { method: request.method, headers: request.headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    answer.pipe(response);
  });
  onward.on("error", () => response.destroy());
  response.on("close", () => onward.destroy());
  request.pipe(onward);
});
let url = "";
let token = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => robin.listen(0, "127.0.0.1", () => resolve()));
  url = `http://127.0.0.1:${(robin.address() as { port: number }).port}`;
  const password = `${randomBytes(12).toString("base64url")} of the robin`;
  const shared = { SALLYPORT_PORT: "0", SALLYPORT_DATABASE_URL: await createDatabase(), SALLYPORT_ENCRYPTION_KEY: randomBytes(32).toString("base64url"), SALLYPORT_ADMIN_USERNAME: "root", SALLYPORT_ADMIN_PASSWORD: password, SALLYPORT_UPSTREAM_ALLOW: "127.0.0.1", SALLYPORT_PUBLIC_URL: url, SALLYPORT_APPROVAL: "off", SALLYPORT_PASSWORD_GRANT: "enabled" };
  for (let index = 0; index < 3; index++) processes.push(await startServer({ config: readConfig({ ...shared, SALLYPORT_DATA_DIR: join(folder, String(index)) }), profile: "production", log: createLog({ level: "silent", write: () => undefined }) }));
  token = await tokenOf(await fetch(`${url}/token`, { method: "POST", body: new URLSearchParams({ grant_type: "password", username: "root", password }) }));
  for (const [name, kind] of [["itself", "v1-http"], ["other", "v2-stateless"]] as const) {
    const upstream = await startUpstream(kind);
    upstreams.push(upstream);
    const registered = await fetch(`${url}/api/v1/servers`, { method: "POST", headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }, body: JSON.stringify({ name, ...upstream.registration }) });
    if (registered.status !== 201) throw new Error(await registered.text());
  }
}, 60_000);
afterAll(async () => {
  robin.closeAllConnections();
  robin.close();
  await Promise.all(processes.map((one) => one.stop()));
  await Promise.all(upstreams.map((upstream) => upstream.close()));
  rmSync(folder, { recursive: true, force: true });
});

const always: readonly Feature[] = ["list", "call", "progress", "prompt", "completion", "elicitation", "sampling", "roots"];
/** Where the server keeps the session, what hangs on it hangs on the server alone. */
const hanging: readonly Feature[] = ["cancel", "subscribe", "logging"];

describe.each([
  ["itself", [...always, ...hanging]],
  ["other", always],
] as const)("at the server '%s'", (server, features) => {
  let client: TestClient;
  beforeAll(async () => {
    client = await connectClient("v1", `${url}/servers/${server}/mcp`, { token: await endpointToken(url, `${url}/servers/${server}/mcp`, token) });
  });
  afterAll(() => client.close());

  it.each(features)("has %s", async (feature) => {
    expect(await tryFeature(feature, client)).toBe("works");
  }, 20_000);
});

it("was served by all three", () => {
  expect(Math.min(...counts)).toBeGreaterThan(10);
});

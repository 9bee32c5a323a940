/** Registry reads beside a bare route of the same framework, search over 20,000 servers, memory at rest, and the time to the first answer. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newId } from "../src/kernel/ids.ts";
import { Secret } from "../src/kernel/secret.ts";
import { openStorage } from "../src/storage/index.ts";
import { freePort, load, median, row, rssMegabytes, startProduct, startProgram } from "./harness.ts";

const rounds = 5;
const requests = 5000;

const idle = await startProduct();
await new Promise((resolve) => setTimeout(resolve, 1000));
console.log(`start to first answer ${idle.startSeconds.toFixed(2)} s (limit 2 s), resident at rest ${rssMegabytes(idle.child.pid ?? 0).toFixed(0)} MB (limit 150 MB)`);
await idle.stop();

// 20,000 servers, written directly: what is measured is reading.
const folder = mkdtempSync(join(tmpdir(), "sallyport-bench-registry-"));
const key = randomBytes(32).toString("base64url");
const words = ["weather", "calendar", "search", "files", "mail", "tickets", "database", "payments", "maps", "translate", "images", "logs", "metrics", "deploy", "review", "docs", "chat", "notes", "people", "invoices"];
const word = (index: number) => words[index % words.length] ?? "";
const storage = await openStorage({ config: { SALLYPORT_DATA_DIR: folder, SALLYPORT_DATABASE_URL: undefined, SALLYPORT_ENCRYPTION_KEY: new Secret(key), SALLYPORT_ENCRYPTION_KEY_PREVIOUS: undefined }, onError: (error) => console.error(error) });
const now = Date.now();
const owner = newId();
await storage.db.insertInto("users").values({ id: owner, username: "owner", username_key: "owner", password_hash: "x", scopes: '["admin"]', disabled: 0, epoch: 1, created_at: now, updated_at: now }).execute();
for (let start = 0; start < 20_000; start += 500) {
  await storage.db
    .insertInto("servers")
    .values(
      Array.from({ length: 500 }, (_, offset) => {
        const index = start + offset;
        const kinds = [word(index), word(index * 7 + 3), word(Math.floor(index / 20))];
        return { id: newId(), name: `${kinds[0]}-${index}`, url: `https://mcp.example.com/${index}`, title: `${kinds.join(" ")} server`, description: `Lets an agent work with ${kinds[1]} and ${kinds[2]} of team ${index % 97}.`, tags: JSON.stringify([kinds[1]]), transport: "streamable-http", auth_mode: "none", headers: null, owner_id: owner, enabled: 1, state: "reachable", state_detail: null, checked_at: now, tool_names: JSON.stringify(Array.from({ length: 5 }, (_unused, tool) => `${word(index + tool)}_${tool}`)), revision: 1, created_at: now + index, updated_at: now + index };
      }),
    )
    .execute();
}
const { hashPassword } = await import("../src/identity/passwords.ts");
const password = `${randomBytes(12).toString("base64url")} for the bench`;
await storage.db.insertInto("users").values({ id: newId(), username: "root", username_key: "root", password_hash: await hashPassword(password), scopes: '["servers:read","admin"]', disabled: 0, epoch: 1, created_at: now, updated_at: now }).execute();
await storage.close();

const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const began = performance.now();
const product = await startProgram(["src/main.ts", "serve"], { SALLYPORT_PORT: String(port), SALLYPORT_DATA_DIR: folder, SALLYPORT_ENCRYPTION_KEY: key }, `${url}/healthz`);
const startSeconds = (performance.now() - began) / 1000;
const { access_token: token } = (await (await fetch(`${url}/token`, { method: "POST", body: new URLSearchParams({ grant_type: "password", username: "root", password }) })).json()) as { access_token: string };
const authorization = `Bearer ${token}`;

const helloPort = await freePort();
const hello = await startProgram(["bench/programs/hello.ts"], { PORT: String(helloPort) }, `http://127.0.0.1:${helloPort}`);
const [helloRates, readRates]: [number[], number[]] = [[], []];
for (let round = -1; round < rounds; round++) {
  const bare = await load({ url: `http://127.0.0.1:${helloPort}/`, count: requests });
  const read = await load({ url: `${url}/api/v1/servers/weather-0`, headers: { authorization }, count: requests });
  if (round < 0) continue;
  helloRates.push(bare.perSecond);
  readRates.push(read.perSecond);
}
console.log(`reads of one server among 20,000, ${requests} a round, medians of ${rounds} rounds`);
row("", "per second", "x hello");
row("bare hello route", median(helloRates).toFixed(0), 1);
row("GET /api/v1/servers/{name}", median(readRates).toFixed(0), median(readRates) / median(helloRates));

console.log("search over 20,000 servers, one request at a time");
row("", "p50 ms", "p99 ms");
for (const q of ["weather", "invoices maps", "tranlsate", "team 42", "deploy_3"]) {
  const { p50, p99 } = await load({ url: `${url}/api/v1/servers?q=${encodeURIComponent(q)}&limit=20`, headers: { authorization }, count: 200, connections: 1 });
  row(q, p50, p99);
}
console.log(`with 20,000 servers: start ${startSeconds.toFixed(2)} s, resident ${rssMegabytes(product.pid ?? 0).toFixed(0)} MB`);
product.kill();
hello.kill();
rmSync(folder, { recursive: true, force: true });

/** What a warm tools/call costs through the gateway, beside a bare proxy and (where installed) nginx in front of the same upstream. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endpointToken } from "../test/endpoint-token.ts";
import { answers, cpuMilliseconds, freePort, load, median, row, startProduct, startProgram, until } from "./harness.ts";

const calls = Number(process.argv[2] ?? 5000);
const rounds = 5;
const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo", arguments: { message: "hello" } } });
const folder = mkdtempSync(join(tmpdir(), "sallyport-bench-nginx-"));

interface Contender {
  name: string;
  url: string;
  pids: number[];
  headers: Record<string, string>;
}

const upstreamPort = await freePort();
const upstreamUrl = `http://127.0.0.1:${upstreamPort}`;
const upstream = await startProgram(["bench/programs/upstream.ts"], { PORT: String(upstreamPort) }, upstreamUrl);
const barePort = await freePort();
const bare = await startProgram(["bench/programs/bare-proxy.ts"], { PORT: String(barePort), UPSTREAM: upstreamUrl }, `http://127.0.0.1:${barePort}`);
const product = await startProduct();
await product.call("POST", "/api/v1/servers", { name: "bench", url: `${upstreamUrl}/mcp` });
const nginx = await startNginx();
const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };

const contenders: Contender[] = [
  { name: "direct (upstream's own cost)", url: `${upstreamUrl}/mcp`, pids: [upstream.pid ?? 0], headers },
  { name: "bare node:http + undici proxy", url: `http://127.0.0.1:${barePort}/mcp`, pids: [bare.pid ?? 0], headers },
  ...(nginx ? [{ name: "nginx proxy_pass", url: nginx.url, pids: nginx.pids, headers }] : []),
  { name: "Sallyport, everything on", url: `${product.url}/servers/bench/mcp`, pids: [product.child.pid ?? 0], headers: { ...headers, authorization: `Bearer ${await endpointToken(product.url, `${product.url}/servers/bench/mcp`, product.token)}` } },
];

const results = new Map<string, { cpu: number[]; p50: number[]; p99: number[]; rate: number[] }>();
for (let round = -1; round < rounds; round++) {
  for (const { name, url, pids, headers: sent } of contenders) {
    const before = cpuMilliseconds(pids);
    const { p50, p99, perSecond } = await load({ url, headers: sent, body, count: calls });
    const cpu = ((cpuMilliseconds(pids) - before) / calls) * 1000;
    if (round < 0) continue;
    const entry = results.get(name) ?? { cpu: [], p50: [], p99: [], rate: [] };
    results.set(name, entry);
    entry.cpu.push(cpu);
    entry.p50.push(p50);
    entry.p99.push(p99);
    entry.rate.push(perSecond);
  }
}
const baseline = median(results.get("bare node:http + undici proxy")?.cpu ?? []);
console.log(`warm tools/call, ${calls} calls a round, medians of ${rounds} rounds, 16 connections`);
row("", "CPU ms/1000", "x bare", "calls/s", "p50 ms", "p99 ms");
for (const [name, { cpu, p50, p99, rate }] of results) row(name, median(cpu), name.startsWith("direct") ? "" : median(cpu) / baseline, median(rate).toFixed(0), median(p50), median(p99));
if (!nginx) console.log("nginx is not installed here: not measured");

await product.stop();
for (const child of [bare, upstream]) child.kill();
nginx?.child.kill();
rmSync(folder, { recursive: true, force: true });

async function startNginx(): Promise<{ child: ChildProcess; url: string; pids: number[] } | undefined> {
  try {
    execFileSync("nginx", ["-v"], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  const port = await freePort();
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log; events { worker_connections 1024; }
http { access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
upstream u { server 127.0.0.1:${upstreamPort}; keepalive 64; }
server { listen 127.0.0.1:${port}; location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`,
  );
  const child = spawn("nginx", ["-c", join(folder, "nginx.conf")], { stdio: "ignore" });
  const url = `http://127.0.0.1:${port}/mcp`;
  await until("nginx", answers(url));
  const workers = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && readParent(pid) === child.pid).map(Number);
  return { child, url, pids: [child.pid ?? 0, ...workers] };
}

function readParent(pid: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ")[1]);
  } catch {
    return 0;
  }
}

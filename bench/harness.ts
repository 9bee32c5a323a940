/** What the benchmarks share: child processes, their CPU time, a load, medians. Linux only: CPU time is read from /proc. */
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret, TOTP } from "otpauth";
import { Pool } from "undici";

const root = new URL("..", import.meta.url).pathname;

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

export async function until(what: string, check: () => Promise<boolean>, milliseconds = 10_000): Promise<void> {
  const began = performance.now();
  while (!(await check().catch(() => false))) {
    if (performance.now() - began > milliseconds) throw new Error(`${what} did not come up`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export const answers = (url: string) => async () => (await fetch(url)).status < 500;

/** Starts a program of this folder's kind and resolves when the URL answers. */
export async function startProgram(args: string[], env: Record<string, string>, url: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], { cwd: root, env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", NODE_COMPILE_CACHE: join(root, "node_modules/.cache/sallyport"), ...env }, stdio: ["ignore", "ignore", "inherit"] });
  await until(args[0] ?? "", answers(url));
  return child;
}

export interface Product {
  child: ChildProcess;
  url: string;
  token: string;
  startSeconds: number;
  call(method: string, path: string, body?: unknown): Promise<unknown>;
  stop(): Promise<void>;
}

/** The product as `sallyport serve` runs it, with everything on. */
export async function startProduct(settings: Record<string, string> = {}): Promise<Product> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const password = `${randomBytes(12).toString("base64url")} for the bench`;
  const totp = new TOTP({ secret: new Secret({ size: 20 }) });
  const began = performance.now();
  const child = await startProgram(["src/main.ts", "serve"], { SALLYPORT_PORT: String(port), SALLYPORT_DATA_DIR: folder, SALLYPORT_ENCRYPTION_KEY: randomBytes(32).toString("base64url"), SALLYPORT_ADMIN_USERNAME: "root", SALLYPORT_ADMIN_PASSWORD: password, SALLYPORT_ADMIN_TOTP_SECRET: totp.secret.base32, SALLYPORT_UPSTREAM_ALLOW: "127.0.0.1", ...settings }, `${url}/healthz`);
  const startSeconds = (performance.now() - began) / 1000;
  const answer = (await (await fetch(`${url}/token`, { method: "POST", body: new URLSearchParams({ grant_type: "password", username: "root", password, otp: totp.generate() }) })).json()) as { access_token: string };
  return {
    child,
    url,
    token: answer.access_token,
    startSeconds,
    async call(method, path, body) {
      const response = await fetch(url + path, { method, headers: { authorization: `Bearer ${answer.access_token}`, "content-type": "application/json" }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      return response.status === 204 ? undefined : response.json();
    },
    async stop() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Milliseconds of CPU, user and system, that a process has used (and its children, when asked). */
export function cpuMilliseconds(pids: readonly number[]): number {
  const ticksPerSecond = 100;
  return pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
    return sum + ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
  }, 0);
}

export function rssMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}

export interface LoadResult {
  perSecond: number;
  p50: number;
  p99: number;
}

export interface Load {
  url: string;
  headers?: Record<string, string>;
  body?: string;
  count: number;
  connections?: number;
}

/** Sends the same request `count` times. @throws when an answer is not 200. */
export async function load({ url, headers = {}, body, count, connections = 16 }: Load): Promise<LoadResult> {
  const { origin, pathname, search } = new URL(url);
  const pool = new Pool(origin, { connections, pipelining: 1 });
  const times: number[] = [];
  let left = count;
  const worker = async () => {
    while (left-- > 0) {
      const began = performance.now();
      const answer = await pool.request({ path: pathname + search, method: body === undefined ? "GET" : "POST", headers, body: body ?? null });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) throw new Error(`${url}: ${answer.statusCode} ${text.slice(0, 200)}`);
      times.push(performance.now() - began);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: connections }, worker));
  const seconds = (performance.now() - began) / 1000;
  await pool.destroy();
  times.sort((a, b) => a - b);
  return { perSecond: count / seconds, p50: times[Math.floor(times.length * 0.5)] ?? 0, p99: times[Math.floor(times.length * 0.99)] ?? 0 };
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

export function row(...cells: (string | number)[]): void {
  console.log(cells.map((cell, index) => (index === 0 ? String(cell).padEnd(34) : (typeof cell === "number" ? cell.toFixed(2) : cell).padStart(12))).join(""));
}

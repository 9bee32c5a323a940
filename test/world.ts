/** A running product for tests: in this process, on a free port, with a database of its own, and users to act as. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { inject } from "vitest";
import { readConfig, type Config } from "../src/config/index.ts";
import { administratorScopes, type Scope } from "../src/kernel/scopes.ts";
import { startServer, type Running, type StartOptions } from "../src/main.ts";
import { createLog } from "../src/ops/index.ts";
import { endpointToken } from "./endpoint-token.ts";

export type DatabaseKind = "sqlite" | "postgres";
export const databases: readonly DatabaseKind[] = ["sqlite", "postgres"];

/** Made at run time: no secret stands in the tree. */
export const adminPassword = `${randomBytes(12).toString("base64url")} of the tests`;
export const adminName = "root";

export interface World extends Running {
  readonly logLines: string[];
  readonly config: Config;
  /** Stops the product and starts it again on the same data. */
  restart(): Promise<void>;
  /** Stops it and removes its data. */
  end(): Promise<void>;
  /** @param init.token of the management API; at an endpoint of the gateway it is first exchanged for one for that endpoint, as the command line does. */
  fetch(path: string, init?: RequestInit & { token?: string; json?: unknown }): Promise<Response>;
  /** A token of the administrator, with these scopes (all by default). */
  admin(...scopes: Scope[]): Promise<string>;
  /** A new user with these scopes, and a token. */
  user(name: string, ...scopes: Scope[]): Promise<{ token: string; password: string }>;
  /** The same person's token for an endpoint of the gateway ("/servers/{name}/mcp"), exchanged for one of the management API. */
  tokenAt(path: string, token: string): Promise<string>;
  login(username: string, password: string, scope?: string): Promise<Response>;
}

export interface WorldOptions {
  database?: DatabaseKind;
  settings?: Record<string, string>;
  now?: () => number;
  /** Who is signed in in a browser, instead of the product's own sessions. */
  readSession?: StartOptions["readSession"];
}

export async function startWorld({ database = "sqlite", settings = {}, now, readSession }: WorldOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  const databaseUrl = database === "postgres" ? await createDatabase() : undefined;
  const config = readConfig({
    SALLYPORT_PORT: "0",
    SALLYPORT_DATA_DIR: folder,
    SALLYPORT_ENCRYPTION_KEY: randomBytes(32).toString("base64url"),
    SALLYPORT_ADMIN_USERNAME: adminName,
    SALLYPORT_ADMIN_PASSWORD: adminPassword,
    SALLYPORT_UPSTREAM_ALLOW: "127.0.0.1,localhost",
    ...(databaseUrl ? { SALLYPORT_DATABASE_URL: databaseUrl } : {}),
    ...settings,
  });
  const logLines: string[] = [];
  const start = () => startServer({ config, profile: "production", log: createLog({ level: "debug", write: (line) => void logLines.push(line) }), ...(now ? { now } : {}), ...(readSession ? { readSession } : {}) });
  let running = await start();

  const exchanged = new Map<string, string>();
  const world: Omit<World, keyof Running> = {
    logLines,
    config,
    async restart() {
      await running.stop();
      running = await start();
    },
    async end() {
      await running.stop();
      rmSync(folder, { recursive: true, force: true });
    },
    async tokenAt(path, token) {
      const resource = `${running.publicUrl}${path}`;
      const known = exchanged.get(resource + token);
      if (known !== undefined) return known;
      const fresh = await endpointToken(running.url, resource, token);
      exchanged.set(resource + token, fresh);
      return fresh;
    },
    async fetch(path, { token: given, json, headers, ...init } = {}) {
      // What cannot be exchanged is sent as it is: a token for the endpoint itself, or one that the test means to be refused.
      const token = given !== undefined && isGateway(path) ? await this.tokenAt(path, given).catch(() => given) : given;
      return fetch(new URL(path, running.url), {
        redirect: "manual",
        ...init,
        headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...(json === undefined ? {} : { "content-type": "application/json" }), ...(headers as Record<string, string>) },
        ...(json === undefined ? {} : { method: init.method ?? "POST", body: JSON.stringify(json) }),
      });
    },
    login: (username, password, scope) => fetch(`${running.url}/token`, { method: "POST", body: new URLSearchParams({ grant_type: "password", username, password, ...(scope === undefined ? {} : { scope }) }) }),
    async admin(...scopes) {
      return tokenOf(await this.login(adminName, adminPassword, (scopes.length > 0 ? scopes : administratorScopes).join(" ")));
    },
    async user(name, ...scopes) {
      const password = `${randomBytes(12).toString("base64url")} of ${name}`;
      const created = await this.fetch("/api/v1/users", { token: await this.admin(), json: { username: name, password, scopes } });
      if (created.status !== 201) throw new Error(`user ${name}: ${created.status} ${await created.text()}`);
      return { token: await tokenOf(await this.login(name, password)), password };
    },
  };
  // The running product changes with a restart: its members are read through to the current one.
  return new Proxy(world as World, { get: (target, key) => (key in target ? target[key as keyof World] : running[key as keyof Running]) });
}

function isGateway(path: string): boolean {
  return /^\/(?:mcp|(?:servers|bundles)\/[a-z0-9_-]{1,100}\/mcp)$/.test(path);
}

export async function tokenOf(response: Response): Promise<string> {
  const body = (await response.json()) as { access_token?: string; detail?: string };
  if (body.access_token === undefined) throw new Error(`no token: ${response.status} ${body.detail}`);
  return body.access_token;
}

/** A fresh database in the run's PostgreSQL. @returns its URL. */
export async function createDatabase(): Promise<string> {
  const name = `test_${randomBytes(8).toString("hex")}`;
  const base = inject("postgresUrl");
  const client = new pg.Client({ connectionString: `${base}/postgres` });
  await client.connect();
  // ast-grep-ignore: sql-text-built -- a database name cannot be a parameter; it is made here of hex digits and escaped
  await client.query(`create database ${client.escapeIdentifier(name)}`);
  await client.end();
  return `${base}/${name}`;
}

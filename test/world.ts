/** A running product for tests: in this process, on a free port, with a database of its own, and users to act as. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret, TOTP } from "otpauth";
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
/** Second factor of the administrator, and of every user of these tests who holds `admin`: base32. */
export const totpSecret = Array.from(randomBytes(32), (byte) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[byte & 31]).join("");

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
  /** The password flow; the code of a second factor is sent along once it is asked for. */
  login(username: string, password: string, scope?: string, otp?: string): Promise<Response>;
  /** A code of the second factor that works now, however often. */
  code(username: string): Promise<string>;
  /** Gives the user a second factor. */
  enrol(username: string): Promise<void>;
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
    ...(settings["SALLYPORT_ADMIN_USERNAME"] === "" ? {} : { SALLYPORT_ADMIN_TOTP_SECRET: totpSecret }),
    SALLYPORT_UPSTREAM_ALLOW: "127.0.0.1,localhost",
    ...(databaseUrl ? { SALLYPORT_DATABASE_URL: databaseUrl } : {}),
    ...settings,
  });
  const logLines: string[] = [];
  const start = () => startServer({ config, profile: "production", log: createLog({ level: "debug", write: (line) => void logLines.push(line) }), ...(now ? { now } : {}), ...(readSession ? { readSession } : {}) });
  let running = await start();
  let codes: Promise<unknown> = Promise.resolve();

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
    async login(username, password, scope, otp) {
      const attempt = (code: string | undefined) => fetch(`${running.url}/token`, { method: "POST", body: new URLSearchParams({ grant_type: "password", username, password, ...(scope === undefined ? {} : { scope }), ...(code === undefined ? {} : { otp: code }) }) });
      if (otp !== undefined) return attempt(otp);
      const first = await attempt(undefined);
      if (first.status !== 400 || !/one-time code is needed/.test(await first.clone().text())) return first;
      // One at a time, since each forgets the step that the one before used.
      const turn = codes.then(async () => attempt(await this.code(username)));
      codes = turn.catch(() => undefined);
      return turn;
    },
    async code(username) {
      const user = await running.storage.db.selectFrom("users").select("id").where("username", "=", username).executeTakeFirstOrThrow();
      await running.storage.db.updateTable("totp_factors").set({ last_step: 0 }).where("user_id", "=", user.id).execute();
      return new TOTP({ secret: Secret.fromBase32(totpSecret) }).generate({ timestamp: now?.() ?? Date.now() });
    },
    async enrol(username) {
      const { db, vault } = running.storage;
      const { id } = await db.selectFrom("users").select("id").where("username", "=", username).executeTakeFirstOrThrow();
      await db.insertInto("totp_factors").values({ user_id: id, secret: vault.seal({ table: "totp_factors", column: "secret", row: id }, totpSecret), last_step: 0, created_at: 0, confirmed_at: 0 }).execute();
    },
    async admin(...scopes) {
      return tokenOf(await this.login(adminName, adminPassword, (scopes.length > 0 ? scopes : administratorScopes).join(" ")));
    },
    async user(name, ...scopes) {
      const password = `${randomBytes(12).toString("base64url")} of ${name}`;
      const created = await this.fetch("/api/v1/users", { token: await this.admin(), json: { username: name, password, scopes } });
      if (created.status !== 201) throw new Error(`user ${name}: ${created.status} ${await created.text()}`);
      if (scopes.includes("admin")) await this.enrol(name);
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

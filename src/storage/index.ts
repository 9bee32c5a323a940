/**
 * Storage: one schema on the embedded database or PostgreSQL, transactions, and notice of what changed.
 * Every query is built by Kysely, so every value is a bound parameter.
 */
import { join } from "node:path";
import { Kysely, sql, type Transaction } from "kysely";
import { Migrator } from "kysely/migration";
import type { Config } from "../config/index.ts";
import { problem } from "../kernel/problem.ts";
import { createVault, type Vault } from "./envelope.ts";
import { migrations } from "./migrations/index.ts";
import { openSqlite } from "./sqlite.ts";
import type { Tables } from "./schema.ts";

export type { Tables } from "./schema.ts";
export type { Vault } from "./envelope.ts";

export type Database = Kysely<Tables>;
export type Write = Transaction<Tables>;

/** What changed: readers of the topic reload `ref`, or everything when it is undefined. */
export interface Change {
  topic: "user" | "server" | "grant" | "signing-key" | "trust" | "bundle" | "limit" | "group" | "api-key" | "issuer" | "revocation" | "relayed-answer" | "policy";
  ref?: string;
}

export interface Storage {
  readonly kind: "sqlite" | "postgres";
  readonly db: Database;
  readonly vault: Vault;
  /**
   * Runs `work` in one transaction. `announce` names what changes; listeners of every process hear of it after the commit,
   * those of this process before the promise resolves.
   */
  write<T>(work: (transaction: Write, announce: (change: Change) => void) => Promise<T>): Promise<T>;
  /** @returns a function that stops listening. `undefined` means: anything may have changed. */
  onChange(listener: (change: Change | undefined) => void | Promise<void>): () => void;
  /** True when the database answers and every migration has run. */
  ready(): Promise<boolean>;
  close(): Promise<void>;
}

export interface StorageOptions {
  config: Pick<Config, "SALLYPORT_DATA_DIR" | "SALLYPORT_DATABASE_URL" | "SALLYPORT_ENCRYPTION_KEY" | "SALLYPORT_ENCRYPTION_KEY_PREVIOUS">;
  onError: (error: Error) => void;
}

/** Opens and migrates. @throws Error when the stored secrets belong to another encryption key. */
export async function openStorage({ config, onError }: StorageOptions): Promise<Storage> {
  const vault = createVault(config.SALLYPORT_ENCRYPTION_KEY, config.SALLYPORT_ENCRYPTION_KEY_PREVIOUS ? [config.SALLYPORT_ENCRYPTION_KEY_PREVIOUS] : []);
  // Loaded only where it is used: the driver is large.
  const postgres = config.SALLYPORT_DATABASE_URL ? (await import("./postgres.ts")).openPostgres(config.SALLYPORT_DATABASE_URL, onError) : undefined;
  const sqlite = postgres ? undefined : openSqlite(join(config.SALLYPORT_DATA_DIR, "sallyport.db"));
  const dialect = postgres?.dialect ?? sqlite?.dialect;
  if (!dialect) throw new Error("no database");
  const db = new Kysely<Tables>({ dialect });
  await migrate(db);
  await checkKey(db, vault);

  const listeners = new Set<(change: Change | undefined) => void | Promise<void>>();
  const tell = async (change: Change | undefined) => {
    for (const listener of listeners) await listener(change);
  };
  const own = `${process.pid}-${performance.timeOrigin}-${Math.trunc(performance.now() * 1000)}`;
  const stop = postgres
    ? await postgres.listen(
        (payload) => {
          const [sender, topic, ref] = payload.split("|");
          if (sender !== own) tell(topic ? ({ topic, ...(ref ? { ref } : {}) } as Change) : undefined).catch(onError);
        },
        () => void tell(undefined).catch(onError),
      )
    : watchVersion(sqlite?.dataVersion ?? (() => 0), () => void tell(undefined).catch(onError));

  return {
    kind: postgres ? "postgres" : "sqlite",
    db,
    vault,
    async write(work) {
      const changes: Change[] = [];
      const result = await db.transaction().execute(async (transaction) => {
        const value = await work(transaction, (change) => changes.push(change));
        if (postgres) for (const { topic, ref } of changes) await sql`select pg_notify(${postgres.channel}, ${`${own}|${topic}|${ref ?? ""}`})`.execute(transaction);
        return value;
      }).catch((error: unknown) => Promise.reject(translateFailure(error)));
      for (const change of changes) await tell(change);
      return result;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ready: () => isMigrated(db),
    async close() {
      await stop();
      await db.destroy();
    },
  };
}

/** Another process on the same file shows as a new data version. */
function watchVersion(read: () => number, onChange: () => void): () => Promise<void> {
  let seen = read();
  const timer = setInterval(() => {
    const now = read();
    if (now !== seen) onChange();
    seen = now;
  }, 500);
  timer.unref();
  return async () => clearInterval(timer);
}

function migrator(db: Database): Migrator {
  return new Migrator({ db, provider: { getMigrations: async () => migrations } });
}

async function migrate(db: Database): Promise<void> {
  const { error } = await migrator(db).migrateToLatest();
  if (error) throw new Error("The database could not be migrated", { cause: error });
}

async function isMigrated(db: Database): Promise<boolean> {
  try {
    return (await migrator(db).getMigrations()).every((migration) => migration.executedAt !== undefined);
  } catch {
    return false;
  }
}

/** Remembers which root key the database was made with, so that a wrong key stops the start instead of failing later. */
async function checkKey(db: Database, vault: Vault): Promise<void> {
  const place = { table: "meta", column: "value", row: "key-check" };
  const row = await db.selectFrom("meta").select("value").where("key", "=", "key-check").executeTakeFirst();
  if (!row) {
    await db.insertInto("meta").values({ key: "key-check", value: vault.seal(place, "sallyport") }).onConflict((conflict) => conflict.column("key").doNothing()).execute();
    return;
  }
  try {
    vault.open(place, row.value);
  } catch (cause) {
    throw new Error("SALLYPORT_ENCRYPTION_KEY is not the key that this database was made with", { cause });
  }
}

/** Unique violations become 409; a database that is busy, full or away becomes 503. Nothing of it reaches the reader. */
function translateFailure(error: unknown): Error {
  if (!(error instanceof Error)) return new Error("storage failed", { cause: error });
  const { code, errcode, message } = error as Error & { code?: string; errcode?: number };
  if (code === "23505" || errcode === 2067 || errcode === 1555) return problem("conflict", { cause: error });
  const busySqlite = typeof errcode === "number" && [5, 6, 8, 10, 13, 14].includes(errcode & 0xff);
  const busyPostgres = typeof code === "string" && /^(?:08|53|57|58|40)|^ECONN|^ETIMEDOUT|^EPIPE|^ENOTFOUND/.test(code);
  if (busySqlite || busyPostgres || /timeout exceeded when trying to connect|Connection terminated/.test(message)) {
    return problem("unavailable", { detail: "The database cannot take the change right now", headers: { "retry-after": "2" }, cause: error });
  }
  return error;
}

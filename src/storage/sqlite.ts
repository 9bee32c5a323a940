/** The embedded database: node:sqlite behind Kysely's SQLite dialect. WAL, synchronous=FULL: an acknowledged write survives power loss. */
import { chmodSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { SqliteDialect, type SqliteDatabase } from "kysely";

export interface EmbeddedDatabase {
  dialect: SqliteDialect;
  /** Changes whenever another connection has committed (PRAGMA data_version). */
  dataVersion(): number;
}

/** @param file path; its folder is made with mode 0700. ":memory:" for tests. */
export function openSqlite(file: string): EmbeddedDatabase {
  if (file !== ":memory:") mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true, allowExtension: false, timeout: 5000 });
  database.exec("pragma journal_mode = wal; pragma synchronous = full; pragma trusted_schema = off; pragma secure_delete = on");
  database.enableDefensive(true);
  if (file !== ":memory:" && process.platform !== "win32") chmodSync(file, 0o600);
  const version = database.prepare("pragma data_version");
  const adapted: SqliteDatabase = {
    close: () => database.close(),
    prepare(text) {
      const statement = database.prepare(text);
      const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...values(parameters)),
        run: (parameters) => statement.run(...values(parameters)),
        iterate: (parameters) => statement.iterate(...values(parameters)) as IterableIterator<unknown>,
      };
    },
  };
  return { dialect: new SqliteDialect({ database: adapted }), dataVersion: () => Number(version.get()?.["data_version"] ?? 0) };
}

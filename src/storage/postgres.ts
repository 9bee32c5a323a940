/** PostgreSQL behind Kysely, with LISTEN/NOTIFY on a connection of its own. */
import { PostgresDialect } from "kysely";
import pg from "pg";
import type { Secret } from "../kernel/secret.ts";

const channel = "sallyport_changes";

/** bigint columns hold milliseconds and counters, all below 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => (oid === 20 ? Number : (pg.types.getTypeParser(oid, format) as (text: string) => unknown)),
};

export interface PostgresDatabase {
  dialect: PostgresDialect;
  /** For NOTIFY. */
  channel: string;
  /**
   * Calls back for every NOTIFY of other processes and of this one.
   * After a lost connection it reconnects by itself and calls `onGap`, since notifications may have been missed.
   */
  listen(onMessage: (payload: string) => void, onGap: () => void): Promise<() => Promise<void>>;
}

export function openPostgres(url: Secret, onError: (error: Error) => void): PostgresDatabase {
  const pool = new pg.Pool({ connectionString: url.reveal(), max: 10, connectionTimeoutMillis: 5000, idleTimeoutMillis: 30_000, statement_timeout: 30_000, types, application_name: "sallyport" });
  pool.on("error", onError);
  return {
    dialect: new PostgresDialect({ pool }),
    channel,
    async listen(onMessage, onGap) {
      let client: pg.Client | undefined;
      let stopped = false;
      let retry: NodeJS.Timeout | undefined;
      const connect = async () => {
        const next = new pg.Client({ connectionString: url.reveal(), connectionTimeoutMillis: 5000, keepAlive: true, application_name: "sallyport-listen" });
        next.on("notification", (message) => onMessage(message.payload ?? ""));
        next.on("error", onError);
        next.on("end", reconnect);
        await next.connect();
        await next.query("listen sallyport_changes");
        client = next;
      };
      const reconnect = () => {
        if (stopped || retry) return;
        retry = setTimeout(() => {
          retry = undefined;
          connect().then(onGap, (error: Error) => {
            onError(error);
            reconnect();
          });
        }, 500);
      };
      await connect();
      return async () => {
        stopped = true;
        clearTimeout(retry);
        await client?.end();
      };
    },
  };
}


/**
 * Between processes behind one address: a legacy client's answer to a question is a POST of its own and may arrive at another process than the
 * one that asked. It is left, sealed, in the database, and the process that waits for it takes it from there.
 */
import { newId } from "../../kernel/ids.ts";
import { parseLosslessJson } from "../../kernel/json.ts";
import type { Storage } from "../../storage/index.ts";
import type { Members } from "../wire/message.ts";

export interface Relay {
  send(session: string, message: Members): Promise<void>;
  receive(receiver: Receiver): void;
  close(): void;
}

export interface Receiver {
  /** Sessions of this process whose client is being asked something. */
  waiting(): string[];
  /** Whether this process asked what the message answers. */
  wants(session: string, message: Members): boolean;
  deliver(session: string, message: Members): void;
}

/** Sessions looked for in one query. */
const most = 500;

export function createRelay({ storage, lifetime, now }: { storage: Pick<Storage, "db" | "vault" | "write" | "onChange">; lifetime: number; now: () => number }): Relay {
  const { db, vault } = storage;
  let receiver: Receiver | undefined;
  const place = (id: string) => ({ table: "relayed_answers", column: "message", row: id });

  const collect = async (only: string | undefined) => {
    const waiting = receiver?.waiting() ?? [];
    const sessions = (only === undefined ? waiting : waiting.filter((session) => session === only)).slice(0, most);
    if (!receiver || sessions.length === 0) return;
    const rows = await db.selectFrom("relayed_answers").select(["id", "session", "message"]).where("session", "in", sessions).orderBy("id").execute();
    for (const row of rows) {
      const message = parseLosslessJson(vault.open(place(row.id), row.message), { maxBytes: Number.POSITIVE_INFINITY }) as Members;
      // Several processes may hold the session.
      if (!receiver.wants(row.session, message)) continue;
      await db.deleteFrom("relayed_answers").where("id", "=", row.id).execute();
      receiver.deliver(row.session, message);
    }
  };
  const close = storage.onChange(async (change) => {
    if (change === undefined) await collect(undefined);
    else if (change.topic === "relayed-answer") await collect(change.ref);
  });

  return {
    async send(session, message) {
      const id = newId(now());
      await storage.write(async (transaction, announce) => {
        await transaction.deleteFrom("relayed_answers").where("created_at", "<", now() - lifetime).execute();
        await transaction.insertInto("relayed_answers").values({ id, session, message: vault.seal(place(id), JSON.stringify(message)), created_at: now() }).execute();
        announce({ topic: "relayed-answer", ref: session });
      });
    },
    receive: (given) => void (receiver = given),
    close,
  };
}

/** Where identity providers and trusted issuers are kept: rows with settings and a sealed secret, loaded by every process at every change. */
import type { z } from "zod";
import type { Audit } from "../../audit/index.ts";
import { newId } from "../../kernel/ids.ts";
import { problem } from "../../kernel/problem.ts";
import type { Storage } from "../../storage/index.ts";
import type { Doer } from "../users.ts";

export interface Entry<S> {
  id: string;
  name: string;
  issuer: string;
  settings: S;
  /** Envelope. */
  secret: string | undefined;
  enabled: boolean;
  revision: number;
}

export interface NewEntry<S> {
  name: string;
  issuer: string;
  settings: S;
  enabled: boolean;
  /** Undefined: as it is; null: none. */
  secret?: string | null | undefined;
}

export interface EntryStore<S> {
  list(): Entry<S>[];
  /** @throws Problem 404. */
  find(name: string): Entry<S>;
  /** @throws Problem 409 when the name exists, or does not where `existing` says it must. */
  put(entry: NewEntry<S>, existing: boolean, by: Doer): Promise<Entry<S>>;
  remove(name: string, by: Doer): Promise<void>;
  openSecret(entry: Entry<S>): string | undefined;
  close(): void;
}

export interface EntryStoreOptions<S extends z.ZodType> {
  storage: Storage;
  audit: Audit;
  table: "identity_providers" | "trusted_issuers";
  event: "identity-provider.changed" | "trusted-issuer.changed";
  schema: S;
  now: () => number;
}

export async function openEntries<S extends z.ZodType>({ storage, audit, table, event, schema, now }: EntryStoreOptions<S>): Promise<EntryStore<z.output<S>>> {
  type E = Entry<z.output<S>>;
  let entries = new Map<string, E>();
  const place = (id: string) => ({ table, column: "secret", row: id });
  const load = async () => {
    const rows = await storage.db.selectFrom(table).selectAll().execute();
    entries = new Map(rows.map((row) => [row.name, Object.freeze({ id: row.id, name: row.name, issuer: row.issuer, settings: schema.parse(JSON.parse(row.settings)), secret: row.secret ?? undefined, enabled: row.enabled !== 0, revision: row.revision })]));
  };
  const stop = storage.onChange((change) => (change === undefined || change.topic === "issuer" ? load() : undefined));
  await load();
  const find = (name: string): E => {
    const entry = entries.get(name);
    if (!entry) throw problem("not-found", { detail: "Nothing of that name" });
    return entry;
  };
  return {
    list: () => [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    find,
    async put({ name, issuer, settings, enabled, secret }, existing, by) {
      const old = existing ? find(name) : undefined;
      const id = old?.id ?? newId();
      const sealed = secret === undefined ? {} : { secret: secret === null ? null : storage.vault.seal(place(id), secret) };
      const values = { issuer, settings: JSON.stringify(settings), enabled: Number(enabled), updated_at: now(), ...sealed };
      await storage.write(async (transaction, announce) => {
        if (old) await transaction.updateTable(table).set((update) => ({ ...values, revision: update("revision", "+", 1) })).where("id", "=", id).execute();
        else await transaction.insertInto(table).values({ id, name, secret: null, revision: 1, created_at: now(), ...values }).execute();
        await audit.recordIn(transaction, { type: event, ...by, subject: `${table}:${id}`, detail: { name, issuer, change: old ? "changed" : "added" } });
        announce({ topic: "issuer" });
      }).catch((error: unknown) => {
        throw (error as { code?: unknown }).code === "conflict" ? problem("conflict", { detail: "That name exists already" }) : error;
      });
      return find(name);
    },
    async remove(name, by) {
      const { id, issuer } = find(name);
      await storage.write(async (transaction, announce) => {
        await transaction.deleteFrom(table).where("id", "=", id).execute();
        await audit.recordIn(transaction, { type: event, ...by, subject: `${table}:${id}`, detail: { name, issuer, change: "removed" } });
        announce({ topic: "issuer" });
      });
    },
    openSecret: (entry) => (entry.secret === undefined ? undefined : storage.vault.open(place(entry.id), entry.secret)),
    close: stop,
  };
}

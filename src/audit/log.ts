/**
 * The log of this process: appends what is given to it, signs checkpoints, makes and rotates their keys, removes what is older than the
 * retention time. Several processes may each have one on the same database.
 */
import { sameText } from "../kernel/digest.ts";
import type { Storage, Vault, Write } from "../storage/index.ts";
import { newId } from "../kernel/ids.ts";
import type { AuditEvent, EventName } from "./catalogue.ts";
import { formatVerifierKey, generateSigner, parseCheckpoint, signCheckpoint, signerOf, type SignerKey } from "./checkpoint.ts";
import { addTo, append, newBatch, queue, queueRow, type Batch, type Head, type OutboxRow, type Queued } from "./entry.ts";
import { rootOf } from "./merkle.ts";
import { appendSegment, checkpointAt, latestCheckpoint, putCheckpoint, readHead, readOutbox, type Appended, type StoredCheckpoint } from "./store.ts";

/** Most entries of one segment: few enough that writing never holds up a call for long. */
export const segmentSize = 512;

export interface Waiting extends Batch {
  /** Captured of calls, sealed. */
  bodies: { event_id: string; at: number; envelope: string }[];
}

export interface Log {
  /** What the checkpoints call the log. */
  readonly origin: string;
  /** Appends a batch. */
  write(batch: Waiting): Promise<void>;
  /** Appends what waits in the outbox, as much as makes a segment. @returns how many that were. */
  writeOutbox(): Promise<number>;
  /** Signs the log as it stands, unless the newest checkpoint says that already. @returns the newest. */
  checkpoint(): Promise<StoredCheckpoint>;
  /** Whether so much, or so long ago, was written since the newest checkpoint that another is due. */
  isCheckpointDue(): boolean;
  rotateKey(): Promise<{ keyId: string; verifier: string }>;
  /** Entries of before this time, as far as a checkpoint from then covers them. @returns the last that may go, or undefined. */
  removable(before: number): Promise<number | undefined>;
  remove(through: number, before: number): Promise<void>;
}

export interface LogOptions {
  storage: Storage;
  /** Host of the deployment: the beginning of the log's name. */
  host: string;
  now: () => number;
  recordIn(transaction: Write, event: AuditEvent<EventName>): Promise<void>;
}

const attempts = 50;
const checkpointEntries = 4096;
const checkpointMilliseconds = 60_000;

/** Whoever can only write the database shall not be able to have the log sign what never happened. */
export function sealRow(vault: Vault, row: OutboxRow): OutboxRow & { seal: string } {
  return { ...row, seal: vault.keyedHash("audit-outbox", queueRow(row).text) };
}

const keyPlace = (id: string) => ({ table: "audit_keys", column: "private_key", row: id });

export async function openLog({ storage, host, now, recordIn }: LogOptions): Promise<Log> {
  const { db, vault } = storage;
  await db.updateTable("audit_chain").set({ origin: `${host}/audit/${newId().slice(-8)}` }).where("origin", "is", null).execute();
  const { origin, ...start } = await readHead(db);
  let head: Head = { size: start.size, hash: start.hash, frontier: start.frontier };
  let signed = { size: 0, at: now() };

  /** Rows from before the log have no seal. */
  const received = (row: OutboxRow & { sequence: number; seal: string | null }): Queued => {
    const event = queueRow(row);
    if (row.seal === null ? row.sequence <= start.adopted : sameText(row.seal, vault.keyedHash("audit-outbox", event.text))) return event;
    const at = now();
    return queue({ type: "audit.row.refused", detail: { event: row.id, type: row.type } }, newId(at), at);
  };
  const createKey = async () => {
    const { signer, secret } = generateSigner(origin);
    const verifier = formatVerifierKey(signer);
    await storage.write(async (transaction) => {
      await transaction.insertInto("audit_keys").values({ key_id: signer.id, name: origin, verifier, private_key: vault.seal(keyPlace(signer.id), secret), created_at: now() }).execute();
      await recordIn(transaction, { type: "audit.key.created", subject: `audit-key:${signer.id}`, detail: { keyId: signer.id, key: verifier } });
    });
    return { keyId: signer.id, verifier };
  };
  /** The newest key; and the one before, until a checkpoint by the newest says to those who know the old one that it is good. */
  const signers = async (newest: StoredCheckpoint | undefined): Promise<SignerKey[]> => {
    const rows = await db.selectFrom("audit_keys").select(["key_id", "private_key"]).orderBy("created_at", "desc").orderBy("key_id").limit(2).execute();
    const keys = rows.map((row) => signerOf(origin, vault.open(keyPlace(row.key_id), row.private_key)));
    const isKnown = newest === undefined || parseCheckpoint(newest.note)?.signatures.some(({ id }) => id === keys[0]?.id) === true;
    return isKnown ? keys.slice(0, 1) : keys;
  };
  /** @returns how many entries were written. */
  const appended = async (make: () => Promise<Pick<Appended, "batch" | "bodies" | "taken">>): Promise<number> => {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const made = await make();
      if (made.batch.ends.length === 0) return 0;
      const before = head;
      const { head: after, entries, nodes } = append(before, made.batch);
      if (await db.transaction().execute((transaction) => appendSegment(transaction, { ...made, before, after, entries, nodes }))) {
        head = after;
        return made.batch.ends.length;
      }
      const { origin: _origin, removed: _removed, adopted: _adopted, ...stored } = await readHead(db);
      // It only ever grows. If not, somebody took entries away, and going on would hide it.
      if (stored.size <= before.size) throw new Error("The audit log is not what this process left it as");
      head = stored;
    }
    throw new Error("Other processes append to the audit log all the time");
  };
  const last = await latestCheckpoint(db);
  if (last && last.size > head.size) throw new Error(`The audit log has ${head.size} entries, but its newest checkpoint says ${last.size}: entries were taken away (docs/audit.md, "When the log is cut")`);
  if ((await db.selectFrom("audit_keys").select("key_id").limit(1).execute()).length === 0) await createKey();

  return {
    origin,
    write: async (batch) => void (await appended(async () => ({ batch, bodies: batch.bodies, taken: [] }))),
    writeOutbox: () =>
      appended(async () => {
        const rows = await readOutbox(db, segmentSize);
        const batch = newBatch();
        for (const row of rows) addTo(batch, received(row));
        return { batch, bodies: [], taken: rows.map(({ sequence }) => sequence) };
      }),
    async checkpoint() {
      const newest = await latestCheckpoint(db);
      const at = await readHead(db);
      signed = { size: at.size, at: now() };
      if (newest?.size === at.size) return newest;
      const note = signCheckpoint({ origin, size: at.size, root: rootOf(at.frontier) }, await signers(newest));
      const checkpoint = { size: at.size, hash: at.hash, frontier: at.frontier, at: now(), note };
      await putCheckpoint(storage, checkpoint);
      return checkpoint;
    },
    isCheckpointDue: () => head.size > signed.size && (head.size - signed.size >= checkpointEntries || now() - signed.at >= checkpointMilliseconds),
    rotateKey: createKey,
    async removable(before) {
      const { removed } = await readHead(db);
      const row = await db.selectFrom("audit_checkpoints").select("size").where("at", "<", before).where("size", ">", removed).orderBy("size", "desc").limit(1).executeTakeFirst();
      return row?.size;
    },
    async remove(through, before) {
      if (!(await checkpointAt(db, through))) throw new Error("Only what a checkpoint covers can be removed");
      await storage.write(async (transaction) => {
        await transaction.updateTable("audit_chain").set({ removed: through }).where("removed", "<", through).execute();
        await transaction.deleteFrom("audit_segments").where("last", "<=", through).execute();
        await transaction.deleteFrom("audit_checkpoints").where("size", "<", through).execute();
        await transaction.deleteFrom("audit_bodies").where("at", "<", before).execute();
      });
    },
  };
}

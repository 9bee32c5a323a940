import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Secret } from "../kernel/secret.ts";
import { createLog } from "../ops/index.ts";
import { openStorage, type Storage } from "../storage/index.ts";
import { formatVerifierKey, generateSigner, parseCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { appendTexts, beforeTheFirst, type Head } from "./entry.ts";
import { exportLines } from "./export.ts";
import { openAudit, type Audit } from "./index.ts";
import { rootOf } from "./merkle.ts";
import { readLog } from "./reader.ts";
import { verifiersOf } from "./store.ts";
import { createTrailer, createVerifier, type Report } from "./verify.ts";

let storage: Storage;
let audit: Audit;
let keys: string[];
/** A good export, and what an auditor keeps elsewhere: the newest checkpoint. */
let lines: string[];
let anchor: string;
const folder = mkdtempSync(join(tmpdir(), "sallyport-verify-"));

const exported = async () => {
  const found: string[] = [];
  for await (const line of exportLines((after) => readLog(storage.db, audit, after), "2026-11-23T00:00:00.000Z")) found.push(line);
  return found;
};
const verify = (text: readonly string[], options: Parameters<typeof createVerifier>[0] = { keys, anchors: [anchor] }): Report => {
  const verifier = createVerifier(options);
  for (const line of text) verifier.line(line);
  return verifier.finish();
};
const isEntry = (line: string) => line.startsWith('{"event":');

beforeAll(async () => {
  storage = await openStorage({ config: { SALLYPORT_DATA_DIR: folder, SALLYPORT_DATABASE_URL: undefined, SALLYPORT_ENCRYPTION_KEY: new Secret(randomBytes(32).toString("base64url")), SALLYPORT_ENCRYPTION_KEY_PREVIOUS: undefined }, onError: () => undefined });
  audit = await openAudit({ storage, log: createLog({ level: "silent" }), host: "sallyport.example" });
  for (let index = 0; index < 72; index++) {
    audit.record({ type: index % 3 === 0 ? "call.failed" : "call.completed", actorId: `user-${index % 4}`, subject: `server:${index % 5}`, detail: { method: "tools/call", milliseconds: index } });
    if (index % 6 === 5) await audit.flush();
    if (index % 20 === 19) await audit.log.checkpoint();
  }
  await audit.flush();
  anchor = (await audit.log.checkpoint()).note;
  keys = await verifiersOf(storage.db);
  lines = await exported();
});
afterAll(async () => {
  await audit.close();
  await storage.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A random act upon a list of texts. */
const act = fc.record({ kind: fc.constantFrom("edit", "delete", "insert", "reorder", "truncate"), a: fc.nat(), b: fc.nat(), character: fc.constantFrom("0", "a", "9", "f", '"', " ", "}") });
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

function tampered(texts: readonly string[], { kind, a, b, character }: Act): string[] {
  const [at, other] = [a % texts.length, b % texts.length];
  const text = texts[at] ?? "";
  switch (kind) {
    case "edit": {
      const place = b % text.length;
      return texts.with(at, text.slice(0, place) + character + text.slice(place + 1));
    }
    case "delete":
      return texts.toSpliced(at, 1 + (b % 3));
    case "insert":
      return texts.toSpliced(other, 0, text);
    case "reorder":
      return texts.with(at, texts[other] ?? "").with(other, text);
    default:
      return texts.slice(0, at);
  }
}

const changed = (before: readonly string[], after: readonly string[]) => before.length !== after.length || before.some((text, index) => text !== after[index]);

/** What somebody does who knows the format: numbers, chains and closes everything anew, but cannot sign. */
function rebuilt(text: readonly string[]): string[] {
  const trailer = createTrailer();
  let head: Head = { size: 0, hash: beforeTheFirst, frontier: [] };
  const all = text.filter((line) => !line.startsWith('{"end":')).map((line) => {
    let kept = line;
    if (isEntry(line)) {
      const event = /^\{"event":(.*),"previous":"[0-9a-f]*","sequence":\d+\}$/.exec(line)?.[1] ?? "{}";
      const next = appendTexts(head, [event]);
      [head, kept] = [next.head, next.entries[0] ?? ""];
    }
    trailer.add(kept);
    return kept;
  });
  return [...all, trailer.end(head.size)];
}

describe("the verifier", () => {
  it("finds nothing wrong with a good export", () => {
    expect(verify(lines)).toMatchObject({ ok: true, problems: [] });
    expect(verify(lines, {})).toMatchObject({ ok: true, trust: "export itself" });
    expect(rebuilt(lines)).toEqual(lines);
  });

  it("finds 1,000 random tamperings of an export", () => {
    fc.assert(
      fc.property(act, (one) => {
        const after = tampered(lines, one);
        fc.pre(changed(lines, after));
        expect(verify(after).ok).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  it("finds 1,000 random tamperings of entries, closed up by somebody who cannot sign", () => {
    fc.assert(
      fc.property(act, (one) => {
        const entries = lines.filter(isEntry);
        const after = tampered(entries, one);
        // What is no event any more cannot be closed up; the test above is about it.
        fc.pre(after.every((line) => /^\{"event":\{.*\},"previous":"[0-9a-f]*","sequence":\d+\}$/.test(line) && isJson(line)));
        const notes = lines.filter((line) => line.startsWith('{"checkpoint":'));
        const kept = [...after];
        // Checkpoints stay where they were, as far as there are entries for them.
        for (const line of notes) {
          const size = parseCheckpoint((JSON.parse(line) as { checkpoint: string }).checkpoint)?.checkpoint.size ?? 0;
          const at = kept.findIndex((_, index) => kept.slice(0, index + 1).filter(isEntry).length === size);
          if (at !== -1) kept.splice(at + 1, 0, line);
        }
        const closed = rebuilt([lines[0] ?? "", ...kept]);
        // What was changed beside the event is as it was.
        fc.pre(changed(lines, closed));
        expect(verify(closed).ok).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  it("finds an export that was cut at a checkpoint only with a later one that was kept elsewhere", () => {
    const notes = lines.flatMap((line, index) => (line.startsWith('{"checkpoint":') ? [index] : []));
    const cut = rebuilt(lines.slice(0, (notes[1] ?? 0) + 1));
    expect(verify(cut, { keys })).toMatchObject({ ok: true });
    expect(verify(cut).problems.join()).toContain("the log was cut off");
  });

  it("does not take a log that somebody else signed", () => {
    const origin = parseCheckpoint(anchor)?.checkpoint.origin ?? "";
    const mallory = generateSigner(origin).signer;
    const events = lines.filter(isEntry).slice(0, 30).map((line) => /^\{"event":(.*),"previous"/.exec(line)?.[1]?.replaceAll("user-1", "user-2") ?? "");
    const announcement = JSON.stringify({ at: "2026-11-23T00:00:00.000Z", detail: { key: formatVerifierKey(mallory), keyId: mallory.id }, id: "x", outcome: "success", severity: "notice", type: "audit.key.created" });
    const { head, entries } = appendTexts({ size: 0, hash: beforeTheFirst, frontier: [] }, [...events, announcement]);
    const note = signCheckpoint({ origin, size: head.size, root: rootOf(head.frontier) }, [mallory]);
    const header = JSON.stringify({ exportedAt: "2026-11-23T00:00:00.000Z", format: "sallyport-audit/1", keys: [formatVerifierKey(mallory)], origin });
    const forged = rebuilt([header, ...entries, JSON.stringify({ checkpoint: note })]);
    expect(verify(forged, {})).toMatchObject({ ok: true, trust: "export itself" });
    expect(verify(forged, { keys }).problems.join()).toContain("signed by nobody who is known");
  });

  it.each(["", "{}", "[]", "null", "x", '{"format":"sallyport-audit/2"}', "\u0000", "[".repeat(10_000)])("says what is wrong with %j instead of failing", (text) => {
    expect(verify([text]).ok).toBe(false);
    expect(verify([lines[0] ?? "", text]).ok).toBe(false);
    expect(verify([lines[0] ?? "", `{"checkpoint":${text}`, `{"end":${text}`]).ok).toBe(false);
  });

  it("refuses what is no key", () => {
    expect(() => createVerifier({ keys: ["x"] })).toThrow("not a verifier key");
  });
});

describe("the log in the database", () => {
  it("cannot be tampered with 1,000 times without being found out", async () => {
    const good = await storage.db.selectFrom("audit_segments").selectAll().orderBy("first").execute();
    let found = 0;
    await fc.assert(
      fc.asyncProperty(act, fc.constantFrom("row", "line"), async (one, level) => {
        // Whole segments, or lines of one of them.
        const order = tampered(good.map((_, index) => String(index)), { ...one, kind: one.kind === "edit" || one.kind === "insert" ? "delete" : one.kind });
        const index = one.b % good.length;
        const lineOf = tampered((good[index]?.entries ?? "").split("\n"), one).join("\n");
        const after = level === "row" ? good.map(({ first, last }, place) => ({ ...(good[Number(order[place] ?? -1)] ?? { first: 0, last: 0, first_at: 0, last_at: 0, terms: "", entries: "" }), first, last })).filter((row) => row.entries !== "") : good.with(index, { ...good[index], entries: lineOf } as (typeof good)[number]);
        fc.pre(changed(good.map(({ entries }) => entries), after.map(({ entries }) => entries)));
        await storage.db.transaction().execute(async (transaction) => {
          await transaction.deleteFrom("audit_segments").execute();
          if (after.length > 0) await transaction.insertInto("audit_segments").values(after).execute();
        });
        const said: string[] = [];
        const text: string[] = [];
        for await (const line of exportLines((after) => readLog(storage.db, audit, after), "2026-11-23T00:00:00.000Z", (mismatch) => said.push(mismatch))) text.push(line);
        // A line beyond the signed end is no entry, but a search would show it: the deployment itself says so.
        expect(verify(text).ok && said.length === 0).toBe(false);
        found++;
      }),
      { numRuns: 1000 },
    );
    expect(found).toBeGreaterThanOrEqual(1000);
    await storage.db.deleteFrom("audit_segments").execute();
    await storage.db.insertInto("audit_segments").values(good).execute();
    expect(verify(await exported())).toMatchObject({ ok: true });
  }, 120_000);

  it("shows when what events are found by was changed", async () => {
    const row = await storage.db.selectFrom("audit_segments").select(["first", "terms"]).where("terms", "like", "%call.failed%").limit(1).executeTakeFirstOrThrow();
    await storage.db.updateTable("audit_segments").set({ terms: "\ntype:call.completed\n" }).where("first", "=", row.first).execute();
    const said: string[] = [];
    for await (const _ of exportLines((after) => readLog(storage.db, audit, after), "2026-11-23T00:00:00.000Z", (text) => said.push(text))) continue;
    expect(said).toHaveLength(1);
    await storage.db.updateTable("audit_segments").set({ terms: row.terms }).where("first", "=", row.first).execute();
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * The verifier of an export: reads it line by line, and needs nothing but it, a key that is known from elsewhere, and, against truncation,
 * a checkpoint that was kept elsewhere. What it finds: entries changed, removed, inserted, moved or cut off, and checkpoints that do not fit.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { canonicalize } from "../kernel/canonical.ts";
import { sameText } from "../kernel/digest.ts";
import { parseUntrustedJson } from "../kernel/json.ts";
import { isSignedBy, parseCheckpoint, parseVerifierKey, type Note, type VerifierKey } from "./checkpoint.ts";
import { beforeTheFirst } from "./entry.ts";
import { leafHash, pushLeaf, rootOf, verifyInclusion } from "./merkle.ts";

const hex = z.string().regex(/^[0-9a-f]{64}$/);
/** What stands for entries that retention has removed. */
export const startSchema = z.strictObject({ size: z.int().positive(), hash: hex, frontier: z.array(hex), checkpoint: z.string() });
/** First line of an export. */
const header = z.strictObject({
  format: z.literal("sallyport-audit/1"),
  origin: z.string(),
  exportedAt: z.string(),
  /** Verifier keys as the exporting deployment knows them. */
  keys: z.array(z.string()),
  /** What stands for the entries that retention has removed. */
  start: startSchema.optional(),
});
const entry = z.strictObject({ event: z.looseObject({ type: z.string(), detail: z.record(z.string(), z.unknown()) }), previous: hex, sequence: z.int().positive() });
const checkpointLine = z.strictObject({ checkpoint: z.string() });
/** Last line: what an accident took away is told from what somebody did. */
const trailer = z.strictObject({ end: z.strictObject({ size: z.int().nonnegative(), sha256: hex }) });

export type Header = z.output<typeof header>;

export interface Report {
  ok: boolean;
  origin: string;
  /** Sequence numbers. */
  first: number;
  last: number;
  /** Entries that a good checkpoint covers. */
  covered: number;
  /** Good checkpoints. */
  checkpoints: number;
  /** Where trust came from: keys that were given, or only the export itself, which proves nothing against those who can sign. */
  trust: "given key" | "export itself";
  /** What is wrong, at most twenty lines. */
  problems: string[];
}

export interface VerifierOptions {
  /** Verifier keys that are known from elsewhere. */
  keys?: readonly string[];
  /** Checkpoints that were kept elsewhere, as signed notes. */
  anchors?: readonly string[];
}

export interface Verifier {
  /** A line of the export, without its line break. */
  line(text: string): void;
  finish(): Report;
}

/** The last line of an export, from all the lines before it. */
export function createTrailer(): { add(line: string): void; end(size: number): string } {
  const digest = createHash("sha256");
  return { add: (line) => void digest.update(`${line}\n`), end: (size) => JSON.stringify({ end: { size, sha256: digest.digest("hex") } }) };
}

const mostProblems = 20;

/** @throws Error when a given key or checkpoint is none. */
export function createVerifier({ keys = [], anchors = [] }: VerifierOptions = {}): Verifier {
  const problems: string[] = [];
  const complain = (text: string) => void (problems.length < mostProblems && !problems.includes(text) && problems.push(text));
  const given = keys.map((text) => {
    const key = parseVerifierKey(text);
    if (!key) throw new Error("That is not a verifier key (name+id+base64)");
    return key;
  });
  const trusted: VerifierKey[] = [...given];
  const digest = createHash("sha256");
  /** Keys that the log says it has, by the entry that says so. */
  const announced: { sequence: number; key: VerifierKey }[] = [];
  /** Checkpoints whose root was found to be right, but not yet who signed it. */
  const matched: { note: Note; from: string }[] = [];
  const pending = new Map<number, { note: Note; from: string }[]>();
  let head: Header | undefined;
  let [size, latest, frontier]: [number, string, string[]] = [0, beforeTheFirst, []];
  let removedThrough = 0;
  let removedSaidAt = 0;
  let ended = false;
  let lines = 0;

  const expect = (text: string, from: string) => {
    const note = parseCheckpoint(text);
    if (!note) return complain(`${from}: not a checkpoint`);
    if (head && note.checkpoint.origin !== head.origin) return complain(`${from}: of another log (${note.checkpoint.origin.slice(0, 100)})`);
    if (note.checkpoint.size === size) return compare({ note, from });
    if (note.checkpoint.size < size) return complain(`${from}: of ${note.checkpoint.size} entries, where the log has ${size} already`);
    pending.set(note.checkpoint.size, [...(pending.get(note.checkpoint.size) ?? []), { note, from }]);
  };
  const compare = (found: { note: Note; from: string }) => {
    if (found.note.checkpoint.root === rootOf(frontier)) matched.push(found);
    else complain(`${found.from}: the first ${size} entries are not what it says they are`);
  };
  const reached = () => {
    for (const found of pending.get(size) ?? []) compare(found);
    pending.delete(size);
  };

  const begin = (text: string) => {
    const parsed = header.safeParse(parse(text));
    if (!parsed.success) return complain("line 1: not the beginning of an export");
    head = parsed.data;
    if (canonicalize(parsed.data) !== text) complain("line 1: not in its canonical form");
    if (given.length === 0) for (const key of head.keys) announced.push(...[parseVerifierKey(key)].flatMap((found) => (found ? [{ sequence: 0, key: found }] : [])));
    if (given.some(({ name }) => name !== parsed.data.origin)) complain(`The key is of another log than ${head.origin.slice(0, 100)}`);
    if (head.start) {
      ({ size, hash: latest } = head.start);
      frontier = [...head.start.frontier];
      expect(head.start.checkpoint, "checkpoint of the removed entries");
      if (pending.size > 0) complain("line 1: the checkpoint of the removed entries is of another size");
    }
    const begun = size;
    for (const [index, anchor] of anchors.entries()) {
      const from = anchors.length === 1 ? "given checkpoint" : `given checkpoint ${index + 1}`;
      const older = parseCheckpoint(anchor);
      if (older && older.checkpoint.size < begun) complain(`${from}: of ${older.checkpoint.size} entries, which retention has removed; a later one is needed`);
      else expect(anchor, from);
    }
  };
  const addEntry = (text: string) => {
    const parsed = entry.safeParse(parse(text));
    if (!parsed.success) return complain(`line ${lines}: not a line of an export`);
    const { event, previous, sequence } = parsed.data;
    if (sequence !== size + 1) complain(`line ${lines}: entry ${sequence} stands where ${size + 1} belongs`);
    if (previous !== latest) complain(`line ${lines}: entry ${sequence} does not follow from the one before it`);
    if (canonicalize(parsed.data) !== text) complain(`line ${lines}: entry ${sequence} is not in its canonical form`);
    latest = leafHash(text);
    pushLeaf(frontier, size++, latest);
    const { type, detail } = event;
    const key = type === "audit.key.created" ? parseVerifierKey(String(detail["key"])) : undefined;
    if (key) announced.push({ sequence, key });
    if (type === "audit.removed" && typeof detail["through"] === "number" && detail["through"] >= removedThrough) [removedThrough, removedSaidAt] = [detail["through"], sequence];
    reached();
  };

  return {
    line(text) {
      lines++;
      if (ended) return complain(`line ${lines}: after the end`);
      if (lines === 1) begin(text);
      else if (text.startsWith('{"checkpoint":')) {
        const parsed = checkpointLine.safeParse(parse(text));
        if (parsed.success && JSON.stringify(parsed.data) === text) expect(parsed.data.checkpoint, `line ${lines}`);
        else complain(`line ${lines}: not a checkpoint`);
      } else if (text.startsWith('{"end":')) {
        ended = true;
        const parsed = trailer.safeParse(parse(text));
        if (!parsed.success || JSON.stringify(parsed.data) !== text || parsed.data.end.size !== size || !sameText(parsed.data.end.sha256, digest.digest("hex"))) complain(`line ${lines}: the end does not fit what stands before it`);
      } else addEntry(text);
      if (!ended) digest.update(`${text}\n`);
    },
    finish() {
      if (!ended) complain("The export has no end: it was cut off");
      for (const [expected, found] of pending) for (const { from } of found) complain(`${from}: says ${expected} entries, but there are only ${size}: the log was cut off, or the checkpoint is of another`);
      if (given.length === 0) trusted.push(...announced.filter(({ sequence }) => sequence === 0).map(({ key }) => key));
      const good = new Set<{ note: Note; from: string }>();
      // A key is trusted once a checkpoint by a trusted key covers the entry that announces it.
      for (let grown = true; grown; ) {
        grown = false;
        for (const found of matched) {
          if (good.has(found) || !isSignedBy(found.note, trusted)) continue;
          good.add(found);
          grown = true;
          for (const { sequence, key } of announced) if (sequence > 0 && sequence <= found.note.checkpoint.size && !trusted.some(({ id }) => id === key.id)) trusted.push(key);
        }
      }
      for (const found of matched) if (!good.has(found)) complain(`${found.from}: signed by nobody who is known, or not truly`);
      const covered = Math.max(0, ...[...good].map(({ note }) => note.checkpoint.size));
      if (covered < size) complain(`The last ${size - covered} entries are covered by no good checkpoint`);
      if (head?.start && (removedThrough < head.start.size || removedSaidAt > covered)) complain(`The first ${head.start.size} entries are missing, and the log does not say that retention removed them`);
      return { ok: problems.length === 0, origin: head?.origin ?? "", first: (head?.start?.size ?? 0) + 1, last: size, covered, checkpoints: good.size, trust: given.length > 0 ? "given key" : "export itself", problems };
    },
  };
}

function parse(text: string): unknown {
  try {
    return parseUntrustedJson(Buffer.from(text), { maxBytes: 1_048_576 });
  } catch {
    return undefined;
  }
}

/** A proof that one entry is in the log: what `sallyport audit prove` writes. */
export const proofSchema = z.strictObject({
  format: z.literal("sallyport-audit-proof/1"),
  /** The entry, exactly as it is hashed. */
  entry: z.string(),
  /** C2SP tlog-proof: index, inclusion proof, and the checkpoint. */
  proof: z.string(),
  keys: z.array(z.string()),
});
export type Proof = z.output<typeof proofSchema>;

/** C2SP tlog-proof. @param index from 0 @param hashes hexadecimal, from the leaf's sibling up. */
export function formatTlogProof(index: number, hashes: readonly string[], checkpoint: string): string {
  return `c2sp.org/tlog-proof@v1\nindex ${index}\n${hashes.map((each) => `${Buffer.from(each, "hex").toString("base64")}\n`).join("")}\n${checkpoint}`;
}

/** @returns what is wrong with the proof; nothing, when it holds. */
export function verifyProof({ entry: text, proof, keys: own }: Proof, { keys = [] }: VerifierOptions = {}): string[] {
  const trusted = (keys.length > 0 ? keys : own).flatMap((key) => parseVerifierKey(key) ?? []);
  const [, index = "", hashes = "", checkpoint = ""] = /^c2sp\.org\/tlog-proof@v1\nindex (0|[1-9]\d{0,15})\n((?:[A-Za-z0-9+/]{43}=\n)*)\n([^]*)$/.exec(proof) ?? [];
  const note = parseCheckpoint(checkpoint);
  if (!note) return ["The proof is not in the format c2sp.org/tlog-proof@v1"];
  const { size, root } = note.checkpoint;
  const included = verifyInclusion({ leaf: leafHash(text), index: Number(index), size, root, proof: hashes.split("\n").filter(Boolean).map((each) => Buffer.from(each, "base64").toString("hex")) });
  return [...(included ? [] : [`The entry is not number ${Number(index) + 1} of the log that the checkpoint is about`]), ...(isSignedBy(note, trusted) ? [] : ["The checkpoint is signed by nobody who is known, or not truly"])];
}

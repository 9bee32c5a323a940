/**
 * The Merkle tree over the log's entries (RFC 9162 section 2.1): root, inclusion and consistency proofs, and their verification.
 * Hashes are 64 lower-case hexadecimal digits. The right edge of the tree (its "frontier": the roots of the perfect subtrees that the
 * binary digits of the size stand for, widest first) is all that is needed to append.
 */
import { hash } from "node:crypto";

/** Inner nodes are kept for subtrees of 256, 65,536, … entries, so that a proof reads few rows. */
export const tileLevel = 8;
const tileSize = 2 ** tileLevel;
const pair = Buffer.alloc(65, 1);

/** RFC 9162 section 2.1.1: leaves and inner nodes are hashed under different prefixes, so that neither passes for the other. */
export function leafHash(entry: string): string {
  return hash("sha256", `\0${entry}`, "hex");
}

/** @param bytes a zero byte, then the entry. */
export function leafHashOf(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

export function nodeHash(left: string, right: string): string {
  pair.write(left, 1, "hex");
  pair.write(right, 33, "hex");
  return hash("sha256", pair, "hex");
}

/** A node of the tree: the root over entries [index × 2^level, (index + 1) × 2^level). */
export interface Node {
  level: number;
  index: number;
  hash: string;
}

/** Appends a leaf to the frontier of a tree of `size` leaves. `onTile` hears of every finished subtree whose level is a multiple of 8. */
export function pushLeaf(frontier: string[], size: number, leaf: string, onTile?: (node: Node) => void): void {
  frontier.push(leaf);
  let level = 0;
  for (let count = size + 1; count % 2 === 0; count /= 2) {
    const right = frontier.pop() ?? "";
    const left = frontier.pop() ?? "";
    const joined = nodeHash(left, right);
    frontier.push(joined);
    if (++level % tileLevel === 0) onTile?.({ level, index: count / 2 - 1, hash: joined });
  }
}

export function rootOf(frontier: readonly string[]): string {
  return frontier.length === 0 ? hash("sha256", "", "hex") : frontier.reduceRight((right, left) => nodeHash(left, right));
}

/** The spans that a frontier's hashes stand for, widest first. */
export function spansOf(size: number): { from: number; to: number }[] {
  const spans: { from: number; to: number }[] = [];
  for (let from = 0; from < size; ) {
    const width = 2 ** Math.floor(Math.log2(size - from));
    spans.push({ from, to: from + width });
    from += width;
  }
  return spans;
}

/** Where the hashes of a proof come from. */
export interface TreeSource {
  /** Hashes of the entries [from, to); at most 256 of them. */
  leaves(from: number, to: number): Promise<string[]>;
  /** Stored nodes [from, to) of a level that is a multiple of 8. */
  nodes(level: number, from: number, to: number): Promise<string[]>;
  /** What is left of entries that retention removed: how many there were, and the frontier of the tree over them. */
  removed: { size: number; frontier: readonly string[] };
}

/** The hash that cannot be had any more, since retention removed what it is over. */
export class RemovedError extends Error {
  constructor() {
    super("The entries that this proof is about were removed by retention");
    this.name = "RemovedError";
  }
}

/** MTH(D[from:to]). */
async function spanHash(source: TreeSource, from: number, to: number): Promise<string> {
  const width = to - from;
  const level = Math.log2(width);
  if (!Number.isInteger(level)) {
    const left = 2 ** Math.floor(level);
    return nodeHash(await spanHash(source, from, from + left), await spanHash(source, from + left, to));
  }
  const { size, frontier } = source.removed;
  const kept = spansOf(size).findIndex((span) => span.from === from && span.to === to);
  if (kept !== -1) return frontier[kept] ?? "";
  if (width >= tileSize) {
    const stored = level - (level % tileLevel);
    return fold(await source.nodes(stored, from / 2 ** stored, to / 2 ** stored), width / 2 ** stored);
  }
  if (to <= size) throw new RemovedError();
  const start = Math.max(from, size);
  // The part that was removed stands in the frontier, as subtrees that lie whole within this span.
  const edge = spansOf(size).flatMap((span, index) => (span.from >= from ? [frontier[index] ?? ""] : []));
  let count = start - from;
  for (const leaf of await source.leaves(start, to)) pushLeaf(edge, count++, leaf);
  if (count !== width) throw new RemovedError();
  return rootOf(edge);
}

function fold(hashes: readonly string[], expected: number): string {
  if (hashes.length !== expected) throw new RemovedError();
  const edge: string[] = [];
  for (const [index, each] of hashes.entries()) pushLeaf(edge, index, each);
  return rootOf(edge);
}

/** RFC 9162 section 2.1.3.1: from the leaf's sibling up. @throws RemovedError */
export async function inclusionProof(source: TreeSource, index: number, size: number): Promise<string[]> {
  const path = async (from: number, to: number): Promise<string[]> => {
    if (to - from <= 1) return [];
    const split = from + 2 ** Math.ceil(Math.log2(to - from) - 1);
    return index < split ? [...(await path(from, split)), await spanHash(source, split, to)] : [...(await path(split, to)), await spanHash(source, from, split)];
  };
  return path(0, size);
}

/** RFC 9162 section 2.1.4.1: that the tree of `size` entries begins with the tree of `old`. @throws RemovedError */
export async function consistencyProof(source: TreeSource, old: number, size: number): Promise<string[]> {
  const subproof = async (from: number, to: number, complete: boolean): Promise<string[]> => {
    if (to === old) return complete ? [] : [await spanHash(source, from, to)];
    const split = from + 2 ** Math.ceil(Math.log2(to - from) - 1);
    if (old <= split) return [...(await subproof(from, split, complete)), await spanHash(source, split, to)];
    return [...(await subproof(split, to, false)), await spanHash(source, from, split)];
  };
  return old === 0 || old === size ? [] : subproof(0, size, true);
}

const isHash = (text: string) => /^[0-9a-f]{64}$/.test(text);

/** RFC 9162 section 2.1.3.2. */
export function verifyInclusion({ leaf, index, size, proof, root }: { leaf: string; index: number; size: number; proof: readonly string[]; root: string }): boolean {
  if (!(Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size && proof.every(isHash) && isHash(leaf))) return false;
  let [node, last, joined] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      joined = nodeHash(sibling, joined);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else joined = nodeHash(joined, sibling);
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 && joined === root;
}

/** RFC 9162 section 2.1.4.2. */
export function verifyConsistency({ old, oldRoot, size, root, proof }: { old: number; oldRoot: string; size: number; root: string; proof: readonly string[] }): boolean {
  if (!(Number.isSafeInteger(old) && Number.isSafeInteger(size) && old >= 0 && old <= size && proof.every(isHash))) return false;
  if (old === size) return proof.length === 0 && oldRoot === root;
  if (old === 0) return proof.length === 0 && oldRoot === rootOf([]);
  const path = Number.isInteger(Math.log2(old)) ? [oldRoot, ...proof] : [...proof];
  let [node, last] = [old - 1, size - 1];
  while (node % 2 === 1) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  let [first, second] = [path[0] ?? "", path[0] ?? ""];
  if (path.length === 0 || !isHash(first)) return false;
  for (const each of path.slice(1)) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      [first, second] = [nodeHash(each, first), nodeHash(each, second)];
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else second = nodeHash(second, each);
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 && first === oldRoot && second === root;
}

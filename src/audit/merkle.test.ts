import { hash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { consistencyProof, inclusionProof, leafHash, nodeHash, pushLeaf, rootOf, spansOf, verifyConsistency, verifyInclusion, type Node, type TreeSource } from "./merkle.ts";

/** RFC 9162 section 2.1.1, as it is written there. */
function naiveRoot(leaves: readonly string[]): string {
  if (leaves.length === 0) return hash("sha256", "", "hex");
  if (leaves.length === 1) return leaves[0] ?? "";
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(naiveRoot(leaves.slice(0, split)), naiveRoot(leaves.slice(split)));
}

/** RFC 9162 section 2.1.3.1. */
function naivePath(index: number, leaves: readonly string[]): string[] {
  if (leaves.length <= 1) return [];
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return index < split ? [...naivePath(index, leaves.slice(0, split)), naiveRoot(leaves.slice(split))] : [...naivePath(index - split, leaves.slice(split)), naiveRoot(leaves.slice(0, split))];
}

const leafOf = (index: number) => leafHash(`entry ${index}`);

/** A tree of `size` leaves as the tables would have it, of which `removed` are gone. */
function treeOf(size: number, removed = 0): { leaves: string[]; frontier: string[]; source: TreeSource } {
  const leaves = Array.from({ length: size }, (_, index) => leafOf(index));
  const frontier: string[] = [];
  const nodes: Node[] = [];
  let kept: string[] = [];
  for (const [index, leaf] of leaves.entries()) {
    pushLeaf(frontier, index, leaf, (node) => nodes.push(node));
    if (index + 1 === removed) kept = [...frontier];
  }
  const source: TreeSource = {
    removed: { size: removed, frontier: kept },
    async leaves(from, to) {
      expect(from).toBeGreaterThanOrEqual(removed);
      return leaves.slice(from, to);
    },
    nodes: async (level, from, to) => nodes.filter((node) => node.level === level && node.index >= from && node.index < to).sort((a, b) => a.index - b.index).map((node) => node.hash),
  };
  return { leaves, frontier, source };
}

const sizes = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 1500 }), fc.constantFrom(255, 256, 257, 511, 512, 513, 1024));

describe("the Merkle tree", () => {
  it("has the roots of the reference implementation of RFC 6962", () => {
    const inputs = ["", "\u0000", "\u0010", " !", "01", "@ABC", "PQRSTUVW", "`abcdefghijklmno"];
    const frontier: string[] = [];
    const roots = inputs.map((input, index) => (pushLeaf(frontier, index, leafHash(input)), rootOf(frontier)));
    expect(roots[0]).toBe("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    expect(roots[1]).toBe("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    expect(roots[7]).toBe("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
  });

  it("grown leaf by leaf has the root that the definition gives", () => {
    fc.assert(fc.property(sizes, (size) => rootOf(treeOf(size).frontier) === naiveRoot(treeOf(size).leaves)), { numRuns: 60 });
  });

  it("says what its frontier stands for", () => {
    expect(spansOf(0)).toEqual([]);
    expect(spansOf(11)).toEqual([{ from: 0, to: 8 }, { from: 8, to: 10 }, { from: 10, to: 11 }]);
  });
});

describe("inclusion proofs", () => {
  it("are those of the definition, and hold", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), async (size, any) => {
        const index = any % size;
        const { leaves, frontier, source } = treeOf(size);
        const proof = await inclusionProof(source, index, size);
        expect(proof).toEqual(naivePath(index, leaves));
        expect(verifyInclusion({ leaf: leafOf(index), index, size, proof, root: rootOf(frontier) })).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it("do not hold for another leaf, place, size, root or path", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(), async (size, any, other) => {
        const index = any % size;
        const { frontier, source } = treeOf(size);
        const proof = await inclusionProof(source, index, size);
        const good = { leaf: leafOf(index), index, size, proof, root: rootOf(frontier) };
        const elsewhere = (index + 1 + (other % (size - 1))) % size;
        expect(verifyInclusion({ ...good, leaf: leafOf(elsewhere) })).toBe(false);
        expect(verifyInclusion({ ...good, index: elsewhere })).toBe(false);
        expect(verifyInclusion({ ...good, root: leafOf(0) })).toBe(false);
        expect(verifyInclusion({ ...good, proof: proof.slice(1) })).toBe(false);
        expect(verifyInclusion({ ...good, proof: [...proof, leafOf(1)] })).toBe(false);
        expect(verifyInclusion({ ...good, proof: proof.with(other % proof.length, leafOf(size + 1)) })).toBe(false);
        expect(verifyInclusion({ ...good, index: size })).toBe(false);
      }),
      { numRuns: 150 },
    );
  });

  it("are still had for what retention left", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, any, gone) => {
        const removed = gone % size;
        const index = removed + (any % (size - removed));
        const { frontier, source } = treeOf(size, removed);
        expect(verifyInclusion({ leaf: leafOf(index), index, size, proof: await inclusionProof(source, index, size), root: rootOf(frontier) })).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

describe("consistency proofs", () => {
  it("hold between any two sizes, and not for another root", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), async (size, any) => {
        const old = any % (size + 1);
        const { leaves, frontier, source } = treeOf(size);
        const good = { old, oldRoot: naiveRoot(leaves.slice(0, old)), size, root: rootOf(frontier), proof: await consistencyProof(source, old, size) };
        expect(verifyConsistency(good)).toBe(true);
        if (old === 0) return;
        expect(verifyConsistency({ ...good, oldRoot: leafOf(size + 1) })).toBe(false);
        expect(verifyConsistency({ ...good, root: leafOf(size + 1) })).toBe(false);
        expect(verifyConsistency({ ...good, proof: [...good.proof, leafOf(1)] })).toBe(false);
      }),
      { numRuns: 150 },
    );
  });

  it("are still had between sizes that retention left", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, any, gone) => {
        const removed = gone % size;
        const old = removed + (any % (size - removed + 1));
        const { leaves, frontier, source } = treeOf(size, removed);
        expect(verifyConsistency({ old, oldRoot: naiveRoot(leaves.slice(0, old)), size, root: rootOf(frontier), proof: await consistencyProof(source, old, size) })).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

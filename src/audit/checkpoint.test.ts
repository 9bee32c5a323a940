import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatVerifierKey, generateSigner, isSignedBy, parseCheckpoint, parseVerifierKey, signCheckpoint, signerOf } from "./checkpoint.ts";
import { leafHash } from "./merkle.ts";

const origin = "sallyport.example/audit/1234abcd";
const { signer, secret } = generateSigner(origin);
const checkpoint = { origin, size: 42, root: leafHash("x") };
const note = signCheckpoint(checkpoint, [signer]);

describe("checkpoints", () => {
  it("have the three lines, an empty one, and the signature", () => {
    expect(note).toMatch(/^sallyport\.example\/audit\/1234abcd\n42\n[A-Za-z0-9+/]{43}=\n\n— sallyport\.example\/audit\/1234abcd [A-Za-z0-9+/]+={0,2}\n$/);
  });

  it("are read back, and known by their key", () => {
    const parsed = parseCheckpoint(note);
    expect(parsed?.checkpoint).toEqual(checkpoint);
    expect(parsed && isSignedBy(parsed, [signer])).toBe(true);
    expect(parsed && isSignedBy(parsed, [generateSigner(origin).signer])).toBe(false);
    expect(parsed && isSignedBy(parsed, [])).toBe(false);
  });

  it("may have more than one signature, of which one that is known must be right", () => {
    const other = generateSigner(origin).signer;
    const both = parseCheckpoint(signCheckpoint(checkpoint, [other, signer]));
    expect(both && isSignedBy(both, [signer])).toBe(true);
    const spoiled = parseCheckpoint(signCheckpoint(checkpoint, [other, { ...signer, privateKey: other.privateKey }]));
    expect(spoiled && isSignedBy(spoiled, [other])).toBe(true);
    expect(spoiled && isSignedBy(spoiled, [other, signer])).toBe(false);
  });

  it("do not survive any change of a character", () => {
    fc.assert(
      fc.property(fc.nat(note.length - 1), fc.constantFrom("A", "b", "7", "\n", " ", "+"), (at, character) => {
        if (note[at] === character) return;
        const parsed = parseCheckpoint(note.slice(0, at) + character + note.slice(at + 1));
        // The last character of base64 carries unused bits: an equal decoding is the same signature.
        const same = parsed !== undefined && parsed.text === parseCheckpoint(note)?.text && parsed.signatures[0]?.signature.equals(parseCheckpoint(note)?.signatures[0]?.signature ?? Buffer.of());
        expect(parsed !== undefined && isSignedBy(parsed, [signer]) && !same).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it.each(["", "\n\n", `${origin}\n042\n`, note.slice(0, -1), note.replace("42", "4e1"), `x${"\n".repeat(20_000)}`])("are not read from %j", (text) => {
    expect(parseCheckpoint(text)).toBeUndefined();
  });
});

describe("verifier keys", () => {
  it("are those of signed notes: this one signed a note elsewhere", () => {
    const key = parseVerifierKey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    const text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const packed = Buffer.from("x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=", "base64");
    expect(key && isSignedBy({ checkpoint, text, signatures: [{ name: "PeterNeumann", id: packed.toString("hex", 0, 4), signature: packed.subarray(4) }] }, [key])).toBe(true);
  });

  it("are written and read, and refused with another name, id or key", () => {
    const text = formatVerifierKey(signer);
    expect(parseVerifierKey(text)).toMatchObject({ name: origin, id: signer.id });
    for (const wrong of [`x${text}`, text.replace(`+${signer.id}+`, "+00000000+"), text.slice(0, -1), "", "a+b+c"]) expect(parseVerifierKey(wrong)).toBeUndefined();
  });

  it("come back from the stored secret", () => {
    expect(signerOf(origin, secret).id).toBe(signer.id);
  });
});

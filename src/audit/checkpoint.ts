/**
 * Checkpoints: the size and root of the log, signed with Ed25519, in the C2SP formats tlog-checkpoint and signed-note, so that other
 * people's tools and witnesses read them.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, sign, verify, type KeyObject } from "node:crypto";

export interface Checkpoint {
  /** Names the log; the first line. */
  origin: string;
  /** Entries. */
  size: number;
  /** Root of the Merkle tree, hexadecimal. */
  root: string;
}

/** Who may sign: a name, the key id (8 hexadecimal digits) that belongs to name and key, and the key. */
export interface VerifierKey {
  name: string;
  id: string;
  publicKey: KeyObject;
}

export interface SignerKey extends VerifierKey {
  privateKey: KeyObject;
}

export interface Note {
  checkpoint: Checkpoint;
  /** What is signed: the text with its last line break. */
  text: string;
  signatures: readonly { name: string; id: string; signature: Buffer }[];
}

/** Signature type 0x01 of signed-note: Ed25519 over the note's text. */
const ed25519 = 1;
const mostSignatures = 16;
/** What stands before the 32 bytes of an Ed25519 public key in DER (RFC 8410 section 4). */
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");

function rawPublicKey(key: KeyObject): Buffer {
  return key.export({ format: "der", type: "spki" }).subarray(spkiPrefix.length);
}

function keyId(name: string, raw: Buffer): string {
  return hash("sha256", Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(ed25519), raw]), "hex").slice(0, 8);
}

/** `name+id+base64(0x01 ‖ key)`: how a verifier's key is written down and handed over. */
export function formatVerifierKey({ name, id, publicKey }: VerifierKey): string {
  return `${name}+${id}+${Buffer.concat([Buffer.of(ed25519), rawPublicKey(publicKey)]).toString("base64")}`;
}

/** @returns undefined when it is no Ed25519 verifier key, or its id does not belong to it. */
export function parseVerifierKey(text: string): VerifierKey | undefined {
  const [, name = "", id = "", encoded = ""] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/.exec(text.trim()) ?? [];
  const bytes = Buffer.from(encoded, "base64");
  if (bytes.length !== 33 || bytes[0] !== ed25519 || keyId(name, bytes.subarray(1)) !== id) return undefined;
  return { name, id, publicKey: createPublicKey({ key: Buffer.concat([spkiPrefix, bytes.subarray(1)]), format: "der", type: "spki" }) };
}

/** @returns a new key of that name; the private half as PKCS #8, base64. */
export function generateSigner(name: string): { signer: SignerKey; secret: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return { signer: { name, id: keyId(name, rawPublicKey(publicKey)), publicKey, privateKey }, secret: privateKey.export({ format: "der", type: "pkcs8" }).toString("base64") };
}

export function signerOf(name: string, secret: string): SignerKey {
  const privateKey = createPrivateKey({ key: Buffer.from(secret, "base64"), format: "der", type: "pkcs8" });
  const publicKey = createPublicKey(privateKey);
  return { name, id: keyId(name, rawPublicKey(publicKey)), publicKey, privateKey };
}

/** The signed note: three lines, an empty one, a line per signer. */
export function signCheckpoint({ origin, size, root }: Checkpoint, signers: readonly SignerKey[]): string {
  const text = `${origin}\n${size}\n${Buffer.from(root, "hex").toString("base64")}\n`;
  const lines = signers.map(({ name, id, privateKey }) => `— ${name} ${Buffer.concat([Buffer.from(id, "hex"), sign(null, Buffer.from(text), privateKey)]).toString("base64")}\n`);
  return `${text}\n${lines.join("")}`;
}

/** @returns undefined when it is not a checkpoint. Nothing of it may be believed before `isSignedBy`. */
export function parseCheckpoint(note: string): Note | undefined {
  const end = note.lastIndexOf("\n\n");
  if (end === -1 || note.length > 16_384 || !note.endsWith("\n") || !note.isWellFormed()) return undefined;
  const [text, signed] = [note.slice(0, end + 1), note.slice(end + 2, -1).split("\n")];
  const [, origin = "", size = "", encoded = ""] = /^([^\n]+)\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/]{43}=)\n(?:[^\n]+\n)*$/.exec(text) ?? [];
  const root = Buffer.from(encoded, "base64");
  if (origin === "" || root.toString("base64") !== encoded || signed.length > mostSignatures) return undefined;
  const signatures: { name: string; id: string; signature: Buffer }[] = [];
  for (const line of signed) {
    const [, name = "", packed = ""] = /^— ([^+\s]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
    const bytes = Buffer.from(packed, "base64");
    if (name === "" || bytes.length < 5) return undefined;
    signatures.push({ name, id: bytes.toString("hex", 0, 4), signature: bytes.subarray(4) });
  }
  return { checkpoint: { origin, size: Number(size), root: root.toString("hex") }, text, signatures };
}

/**
 * Whether one of the keys signed the note. Signatures by others are ignored; one that names a known key and is wrong spoils the note
 * (signed-note, "Signatures").
 */
export function isSignedBy({ text, signatures }: Note, keys: readonly VerifierKey[]): boolean {
  let good = false;
  for (const { name, id, signature } of signatures) {
    const key = keys.find((candidate) => candidate.name === name && candidate.id === id);
    if (key && !verify(null, Buffer.from(text), key.publicKey, signature)) return false;
    good ||= key !== undefined;
  }
  return good;
}

/**
 * Encryption of secret columns: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. The associated data is
 * table:column:row:key-version, so a ciphertext moved to another row, column or key fails to open.
 * Keys are derived from the root key by HKDF-SHA-256 (RFC 5869), one per purpose.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";
import type { Secret } from "../kernel/secret.ts";

export interface Place {
  table: string;
  column: string;
  row: string;
}

export interface Vault {
  /** @returns `v1.<key version>.<nonce>.<ciphertext and tag>`, base64url parts. */
  seal(place: Place, plaintext: string): string;
  /** @throws Error when the envelope was changed, moved, or sealed under a key that is not configured. */
  open(place: Place, envelope: string): string;
  /** HMAC-SHA-256 under a key of its own per purpose, base64url: how bearer tokens and the like are stored. */
  keyedHash(purpose: string, value: string): string;
  /** The same under root keys before rotation: for looking up what was stored then. */
  previousKeyedHashes(purpose: string, value: string): string[];
  /** Names the current root key without revealing it. */
  readonly keyVersion: string;
}

interface RootKey {
  version: string;
  envelopeKey: Buffer;
}

function derive(root: Secret, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", root.reveal(), "sallyport", purpose, 32));
}

function rootKey(root: Secret): RootKey {
  return { version: derive(root, "version").subarray(0, 6).toString("hex"), envelopeKey: derive(root, "envelope") };
}

/** @param previous root keys that may still open, e.g. during rotation. */
export function createVault(current: Secret, previous: readonly Secret[] = []): Vault {
  const active = rootKey(current);
  const known = new Map([active, ...previous.map(rootKey)].map((key) => [key.version, key.envelopeKey]));
  const hashKeys = new Map<string, Buffer>();
  const earlier = previous.map((root) => createVault(root));
  return {
    keyVersion: active.version,
    seal(place, plaintext) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", active.envelopeKey, nonce, { authTagLength: 16 });
      cipher.setAAD(associatedData(place, active.version));
      const sealed = Buffer.concat([cipher.update(plaintext, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return `v1.${active.version}.${nonce.toString("base64url")}.${sealed.toString("base64url")}`;
    },
    open(place, envelope) {
      const [format, version = "", nonce = "", body = ""] = envelope.split(".");
      const key = known.get(version);
      if (format !== "v1" || key === undefined) throw new Error(`The envelope in ${place.table}.${place.column} was sealed under a key that is not configured`);
      const sealed = Buffer.from(body, "base64url");
      try {
        const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64url"), { authTagLength: 16 });
        decipher.setAAD(associatedData(place, version));
        decipher.setAuthTag(sealed.subarray(-16));
        return decipher.update(sealed.subarray(0, -16), undefined, "utf8") + decipher.final("utf8");
      } catch (cause) {
        throw new Error(`The envelope in ${place.table}.${place.column} does not open: it was changed or moved`, { cause });
      }
    },
    keyedHash(purpose, value) {
      let key = hashKeys.get(purpose);
      if (key === undefined) {
        key = derive(current, `hash:${purpose}`);
        hashKeys.set(purpose, key);
      }
      return createHmac("sha256", key).update(value).digest("base64url");
    },
    previousKeyedHashes: (purpose, value) => earlier.map((vault) => vault.keyedHash(purpose, value)),
  };
}

function associatedData({ table, column, row }: Place, version: string): Buffer {
  return Buffer.from(`${table}:${column}:${row}:${version}`);
}

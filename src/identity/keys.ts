/**
 * Signing keys: created on demand, private halves enveloped, rotated by age, published as a JWK Set (RFC 7517).
 * A retired key stays published until the last token it signed has expired.
 */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type CryptoKey, type JWK } from "jose";
import type { Audit } from "../audit/index.ts";
import type { Storage } from "../storage/index.ts";

export interface SigningKey {
  kid: string;
  algorithm: string;
  privateKey: CryptoKey;
}

export interface Keys {
  /** The newest key that may still sign, rotated in when the last has aged. */
  signing(): Promise<SigningKey>;
  /** By exact `kid`; undefined when unknown. */
  verification(kid: string): { algorithm: string; key: CryptoKey } | undefined;
  /** Public keys, newest first. */
  jwks(): { keys: JWK[] };
  close(): void;
}

interface Loaded extends SigningKey {
  publicJwk: JWK;
  publicKey: CryptoKey;
  createdAt: number;
  retiresAt: number;
}

export interface KeysOptions {
  storage: Storage;
  audit: Audit;
  algorithm: "EdDSA" | "ES256";
  /** Seconds. */
  lifetime: number;
  tokenLifetime: number;
  now: () => number;
}

const algorithms = ["EdDSA", "ES256"];

export async function openKeys({ storage, audit, algorithm, lifetime, tokenLifetime, now }: KeysOptions): Promise<Keys> {
  let keys: Loaded[] = [];
  const load = async () => {
    const rows = await storage.db.selectFrom("signing_keys").selectAll().orderBy("created_at", "desc").execute();
    const usable = rows.filter((row) => row.retires_at + tokenLifetime * 1000 > now() && algorithms.includes(row.algorithm));
    keys = await Promise.all(
      usable.map(async (row): Promise<Loaded> => {
        const publicJwk = JSON.parse(row.public_jwk) as JWK;
        const privateJwk = JSON.parse(storage.vault.open(place(row.kid), row.private_jwk)) as JWK;
        return {
          kid: row.kid,
          algorithm: row.algorithm,
          publicJwk,
          publicKey: (await importJWK(publicJwk, row.algorithm)) as CryptoKey,
          privateKey: (await importJWK(privateJwk, row.algorithm)) as CryptoKey,
          createdAt: row.created_at,
          retiresAt: row.retires_at,
        };
      }),
    );
  };
  const create = async () => {
    const pair = await generateKeyPair(algorithm, { extractable: true, ...(algorithm === "EdDSA" ? { crv: "Ed25519" } : {}) });
    const bare = await exportJWK(pair.publicKey);
    const kid = await calculateJwkThumbprint(bare);
    await storage.write(async (transaction, announce) => {
      await transaction
        .insertInto("signing_keys")
        .values({
          kid,
          algorithm,
          public_jwk: JSON.stringify({ ...bare, kid, alg: algorithm, use: "sig" }),
          private_jwk: storage.vault.seal(place(kid), JSON.stringify(await exportJWK(pair.privateKey))),
          created_at: now(),
          retires_at: now() + lifetime * 1000,
        })
        .execute();
      await audit.recordIn(transaction, { type: "signing-key.created", subject: `signing-key:${kid}`, detail: { kid, algorithm } });
      announce({ topic: "signing-key", ref: kid });
    });
  };
  const current = () => keys.find((key) => key.retiresAt > now() && key.algorithm === algorithm);

  const stop = storage.onChange((change) => (change === undefined || change.topic === "signing-key" ? load() : undefined));
  await load();
  let creating: Promise<void> | undefined;
  return {
    async signing() {
      let key = current();
      if (!key) {
        creating ??= create().finally(() => (creating = undefined));
        await creating;
        key = current();
      }
      if (!key) throw new Error("There is no signing key");
      return key;
    },
    verification(kid) {
      const key = keys.find((candidate) => candidate.kid === kid);
      return key && { algorithm: key.algorithm, key: key.publicKey };
    },
    jwks: () => ({ keys: keys.map((key) => key.publicJwk) }),
    close: stop,
  };
}

function place(kid: string) {
  return { table: "signing_keys", column: "private_jwk", row: kid };
}

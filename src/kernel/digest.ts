/** SHA-256 digests of values and texts, and comparison that takes the same time whatever it finds. */
import { hash, timingSafeEqual } from "node:crypto";
import { canonicalize } from "./canonical.ts";

declare const digestBrand: unique symbol;
/** `sha256:` and 64 lower-case hexadecimal digits. */
export type Digest = string & { readonly [digestBrand]: true };

/** @returns 64 lower-case hexadecimal digits; a text is hashed as UTF-8. */
export function sha256Hex(data: string | Uint8Array): string {
  return hash("sha256", data, "hex");
}

/** The digest of a JSON value, whatever the order of its keys (RFC 8785). @throws Problem `invalid-json` for what is not JSON. */
export function digestOf(value: unknown): Digest {
  return `sha256:${sha256Hex(canonicalize(value))}` as Digest;
}

/** @returns undefined for anything that is not written exactly as `digestOf` writes it. */
export function parseDigest(text: string): Digest | undefined {
  return /^sha256:[0-9a-f]{64}$/.test(text) ? (text as Digest) : undefined;
}

/** Whether two texts are the same, in a time that tells neither where they differ nor which is longer: for secrets and their hashes. */
export function sameText(a: string, b: string): boolean {
  return timingSafeEqual(hash("sha256", a, "buffer"), hash("sha256", b, "buffer"));
}

/** Identifiers: time-ordered UUIDv7 (RFC 9562 section 5.7) for rows, and high-entropy text for tokens. */
import { randomBytes, randomFillSync } from "node:crypto";

const noise = Buffer.alloc(10 * 512);
let taken = noise.length;

function nextNoise(): number {
  if (taken === noise.length) {
    randomFillSync(noise);
    taken = 0;
  }
  const at = taken;
  taken += 10;
  return at;
}

/** A UUIDv7: 48 bits of milliseconds, 74 random bits. Sorts by creation time. */
export function newId(now: number = Date.now()): string {
  const at = nextNoise();
  const time = now.toString(16).padStart(12, "0");
  const high = (noise.readUInt16BE(at) & 0x0fff) | 0x7000;
  const low = (noise.readUInt16BE(at + 2) & 0x3fff) | 0x8000;
  return `${time.slice(0, 8)}-${time.slice(8)}-${high.toString(16)}-${low.toString(16)}-${noise.toString("hex", at + 4, at + 10)}`;
}

/** 256 random bits, base64url: bearer secrets such as setup tokens and API keys. */
export function newToken(bytes = 32): string {
  return randomBytes(bytes).toString("base64url");
}

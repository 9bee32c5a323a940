/** Identifiers: time-ordered UUIDv7 (RFC 9562 section 5.7) for rows, and high-entropy text for tokens. */
import { randomBytes, randomFillSync } from "node:crypto";

const idBytes = 10;
const noise = Buffer.alloc(idBytes * 512);
/** The random part of many ids, version and variant in place: one conversion to hexadecimal for all of them. */
let digits = "";
let taken = 0;

/** Where the next twenty digits begin; they are never given twice. */
function nextNoise(): number {
  if (taken === digits.length) {
    randomFillSync(noise);
    for (let at = 0; at < noise.length; at += idBytes) {
      noise.writeUInt8((noise.readUInt8(at) & 0x0f) | 0x70, at);
      noise.writeUInt8((noise.readUInt8(at + 2) & 0x3f) | 0x80, at + 2);
    }
    digits = noise.toString("hex");
    taken = 0;
  }
  const at = taken;
  taken += idBytes * 2;
  return at;
}

let [clock, shown] = [0, ""];

/** A UUIDv7: 48 bits of milliseconds, 74 random bits. Sorts by creation time. */
export function newId(now: number = Date.now()): string {
  const at = nextNoise();
  if (now !== clock) {
    const time = now.toString(16).padStart(12, "0");
    [clock, shown] = [now, `${time.slice(0, 8)}-${time.slice(8)}`];
  }
  return `${shown}-${digits.slice(at, at + 4)}-${digits.slice(at + 4, at + 8)}-${digits.slice(at + 8, at + 20)}`;
}

/** 256 random bits, base64url: bearer secrets such as setup tokens and API keys. */
export function newToken(bytes = 32): string {
  return randomBytes(bytes).toString("base64url");
}

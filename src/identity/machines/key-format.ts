/**
 * The form of an API key: `sp_<prefix>_<secret><checksum>`. The prefix is public and tells keys apart in lists; the secret has 256 bits;
 * the checksum lets a scanner of repositories tell a real key from noise without asking anybody.
 */
import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const form = /^sp_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}$/;

/** Base 62, so that a double click selects all of it; padded to a fixed width. */
function encode(value: bigint, width: number): string {
  let text = "";
  for (let rest = value; rest > 0n; rest /= 62n) text = (digits[Number(rest % 62n)] ?? "") + text;
  return text.padStart(width, "0");
}

function numberOf(bytes: number): bigint {
  return BigInt(`0x${randomBytes(bytes).toString("hex")}`);
}

function checksum(text: string): string {
  return encode(BigInt(crc32(text)), 6);
}

export interface MintedKey {
  key: string;
  /** `sp_` and eight characters. */
  prefix: string;
}

export function mintKey(): MintedKey {
  const prefix = `sp_${encode(numberOf(6), 8).slice(-8)}`;
  // 43 digits of base 62 hold 32 bytes.
  const unsealed = `${prefix}_${encode(numberOf(32), 43)}`;
  return { key: unsealed + checksum(unsealed), prefix };
}

/** Whether a text is a key of ours by form and checksum; whether it is good is another question. */
export function isKeyForm(text: string): boolean {
  return form.test(text) && checksum(text.slice(0, -6)) === text.slice(-6);
}

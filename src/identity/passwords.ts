/**
 * Password hashing: argon2id (RFC 9106) from node:crypto, stored as PHC strings. Few run at once and the queue is bounded,
 * so that a flood of logins can neither exhaust memory nor starve other work.
 */
import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { problem } from "../kernel/problem.ts";

const derive = promisify(argon2);

/** OWASP's recommendation of 2025: 19 MiB, 2 passes, 1 lane. */
const parameters = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 } as const;
const atOnce = 2;
const waitingLimit = 64;

let running = 0;
const waiting: (() => void)[] = [];

async function takeTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= atOnce) {
    if (waiting.length >= waitingLimit) throw problem("too-many-requests", { detail: "Too many logins at once", headers: { "retry-after": "2" } });
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else running++;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

/** @returns PHC string `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await takeTurn(() => derive("argon2id", { message: normalize(password), nonce: salt, ...parameters }));
  const { memory, passes, parallelism } = parameters;
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(hash)}`;
}

/** Costs the same whether or not there is a stored hash: pass undefined for an unknown user. */
export async function verifyPassword(stored: string | undefined, password: string): Promise<boolean> {
  const { salt, hash, memory, passes, parallelism } = parsePhc(stored ?? nobodysHash);
  const actual = await takeTurn(() => derive("argon2id", { message: normalize(password), nonce: salt, memory, passes, parallelism, tagLength: hash.length }));
  return timingSafeEqual(actual, hash) && stored !== undefined;
}

const nobodysHash = `$argon2id$v=19$m=${parameters.memory},t=${parameters.passes},p=${parameters.parallelism}$${unpadded(randomBytes(16))}$${unpadded(randomBytes(32))}`;

function parsePhc(text: string): { salt: Buffer; hash: Buffer; memory: number; passes: number; parallelism: number } {
  const match = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{1,128})\$([A-Za-z0-9+/]{1,128})$/.exec(text);
  if (!match) throw new Error("A stored password hash is not in the expected form");
  const [, memory, passes, parallelism, salt = "", hash = ""] = match;
  return { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism), salt: Buffer.from(salt, "base64"), hash: Buffer.from(hash, "base64") };
}

/** NIST SP 800-63B-4 section 3.1.1.2: Unicode passwords are normalised before hashing. */
function normalize(password: string): Buffer {
  return Buffer.from(password.normalize("NFKC"), "utf8");
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replaceAll("=", "");
}

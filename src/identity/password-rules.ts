/**
 * Which passwords are taken (NIST SP 800-63B-4 section 3.1.1): long enough, not common, not the user's or the product's name. Nothing about
 * capitals, digits or signs, and no expiry. Compared and counted as hashed: normalised by NFKC, in characters, not bytes.
 */
import { readFileSync } from "node:fs";

/** Characters needed when a password is the only factor, and when a second one is enrolled. */
export const minimumAlone = 15;
export const minimumWithFactor = 8;
export const longestPassword = 1024;

export interface PasswordOwner {
  username: string;
  hasFactor: boolean;
}

/** Whether the password is long enough where no second factor stands beside it. */
export function isEnoughAlone(password: string): boolean {
  return lengthOf(password.normalize("NFKC")) >= minimumAlone;
}

/** @returns why the password is refused, never quoting it; undefined when it is fine. */
export function passwordWeakness(password: string, { username, hasFactor }: PasswordOwner): string | undefined {
  const text = password.normalize("NFKC");
  const minimum = hasFactor ? minimumWithFactor : minimumAlone;
  const length = lengthOf(text);
  if (length < minimum) return `is shorter than ${minimum} characters: a few unrelated words do well`;
  if (length > longestPassword) return `is longer than ${longestPassword} characters`;
  const folded = text.toLowerCase();
  // What is well known may stand in a password, but the rest must carry it.
  const rest = ["sallyport", username.normalize("NFKC").toLowerCase()].filter((name) => name.length > 2).reduce((left, name) => left.replaceAll(name, ""), folded);
  if (rest !== folded && lengthOf(rest) < minimum / 2) return "is made of your user name or the name of this product: a few unrelated words do well";
  if (isCommon(folded)) return "is one of the most common passwords, or made of one: a few unrelated words do well";
  if (new Set(folded).size < 5 || isSequence(folded)) return "is too regular: a few unrelated words do well";
  return undefined;
}

function lengthOf(text: string): number {
  return [...text].length;
}

let common: ReadonlySet<string> | undefined;

/** A common password by itself, over and over, or between digits and signs. */
function isCommon(folded: string): boolean {
  common ??= new Set(readFileSync(new URL("lists/common-passwords.txt", import.meta.url), "utf8").split("\n").filter((line) => line !== "" && !line.startsWith("# ")));
  const letters = folded.replaceAll(/[^\p{L}]/gu, "");
  return [folded, block(folded), letters, block(letters)].some((form) => form.length > 3 && common?.has(form));
}

/** The shortest text that, over and over, is this one. */
function block(text: string): string {
  const period = (text + text).indexOf(text, 1);
  return text.slice(0, period);
}

const rows = ["01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop"];
const neighbours = new Set(rows.flatMap((row) => Array.from({ length: row.length - 1 }, (_, at) => row.slice(at, at + 2))).flatMap((pair) => [pair, [...pair].reverse().join("")]));

/** Mostly steps along the alphabet, the digits or a row of keys, or one short block over and over. */
function isSequence(folded: string): boolean {
  if (block(folded).length <= folded.length / 3) return true;
  const pairs = Array.from({ length: folded.length - 1 }, (_, at) => folded.slice(at, at + 2));
  return pairs.filter((pair) => neighbours.has(pair) || pair[0] === pair[1]).length > pairs.length * 0.7;
}

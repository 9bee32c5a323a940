/** What changed between two versions of a definition, leaf by leaf, with invisible characters written out so that a reviewer sees them. */
import { excerpt } from "./scanner/index.ts";

export interface Difference {
  /** RFC 6901 pointer. */
  path: string;
  kind: "added" | "removed" | "changed";
  before: string | null;
  after: string | null;
}

const most = 200;

/** At most 200 differences; a value is shown up to 160 characters around where the two part. */
export function differences(before: unknown, after: unknown): Difference[] {
  const [old, now] = [leaves(before), leaves(after)];
  const found: Difference[] = [];
  for (const path of new Set([...old.keys(), ...now.keys()])) {
    if (found.length >= most) break;
    const [a, b] = [old.get(path), now.get(path)];
    if (a === b) continue;
    const from = a === undefined || b === undefined ? 0 : Math.max(0, commonStart(a, b) - 40);
    const shown = (text: string | undefined) => (text === undefined ? null : excerpt(text, [from, text.length]));
    found.push({ path, kind: a === undefined ? "added" : b === undefined ? "removed" : "changed", before: shown(a), after: shown(b) });
  }
  return found;
}

function leaves(value: unknown): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (node: unknown, path: string, depth: number) => {
    if (typeof node === "object" && node !== null && depth < 64 && (Array.isArray(node) ? node.length > 0 : Object.keys(node).length > 0)) {
      for (const [key, member] of Object.entries(node)) walk(member, `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`, depth + 1);
    } else found.set(path, typeof node === "string" ? node : JSON.stringify(node) ?? "");
  };
  walk(value, "", 0);
  return found;
}

function commonStart(a: string, b: string): number {
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  return at;
}

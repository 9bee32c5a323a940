/**
 * Asks many servers at once, out of memory where possible, and waits for nobody longer than the deadline:
 * who does not answer in time is shown as last known, or named as missing.
 */
import type { ServerState } from "../../snapshot/index.ts";
import { isHeld, type Held, type Recalled } from "../lists/memory.ts";

export interface Gathered<T> {
  found: { server: ServerState; held: Held<T> }[];
  /** Names of servers of which nothing is known. */
  missing: string[];
  /** Names of servers that did not answer now; what is shown of them is the last known good. */
  outdated: string[];
}

/** @param deadline milliseconds. Order is that of `servers`. */
export async function gather<T>(servers: readonly ServerState[], recall: (server: ServerState) => Recalled<T>, deadline: number): Promise<Gathered<T>> {
  const recalled = servers.map((server) => ({ server, said: recall(server) }));
  const answers: (Held<T> | undefined)[] = recalled.map(({ said }) => (isHeld(said) ? said : undefined));
  const open = recalled.flatMap(({ said }, index) => (isHeld(said) ? [] : [said.pending.then((held) => (answers[index] = held))]));
  if (open.length > 0) {
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([Promise.all(open), new Promise((resolve) => (timer = setTimeout(resolve, deadline)))]);
    clearTimeout(timer);
  }
  const result: Gathered<T> = { found: [], missing: [], outdated: [] };
  recalled.forEach(({ server, said }, index) => {
    const answer = answers[index];
    const held = answer ?? (isHeld(said) ? said : said.last);
    if (!held) result.missing.push(server.name);
    else result.found.push({ server, held });
    if (held && !answer) result.outdated.push(server.name);
  });
  return result;
}

/** What a list or discovery says of the servers that did not answer; undefined when all did. */
export function note({ missing, outdated }: Pick<Gathered<unknown>, "missing" | "outdated">): { _meta: Record<string, string[]> } | undefined {
  if (missing.length === 0 && outdated.length === 0) return undefined;
  return { _meta: { ...(missing.length > 0 ? { "sallyport/missingServers": missing } : {}), ...(outdated.length > 0 ? { "sallyport/outdatedServers": outdated } : {}) } };
}

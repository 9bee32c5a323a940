/** Search over the servers: the index in memory, kept in step with the snapshot, the same on both databases. */
import { createTextIndex, type Field } from "../kernel/text-index.ts";
import type { ServerState, Snapshot } from "../snapshot/index.ts";

export interface SearchIndex {
  /** Server names, best first. */
  search(text: string): string[];
}

const fieldsOf = (state: ServerState): Field[] => [
  [4, state.name],
  [3, state.title ?? ""],
  [2, state.tags.join(" ")],
  [2, state.toolNames.join(" ")],
  [1, state.description ?? ""],
];

export function createSearch(snapshot: Snapshot): SearchIndex {
  const build = () => {
    const fresh = createTextIndex();
    for (const state of snapshot.servers.values()) fresh.put(state.name, fieldsOf(state));
    return fresh;
  };
  let index = build();
  snapshot.onServer((name, state) => {
    if (state) index.put(name, fieldsOf(state));
    else index.remove(name);
    if (index.removed > 1000 && index.removed > index.size / 4) index = build();
  });
  return { search: (text) => index.search(text) };
}

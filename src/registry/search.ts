/** The search index: lexical, typo-tolerant, in memory, kept in step with the snapshot. The same on both databases. */
import MiniSearch from "minisearch";
import type { ServerState, Snapshot } from "../snapshot/index.ts";

export interface SearchIndex {
  /** Server names, best first. */
  search(text: string): string[];
}

interface Entry {
  id: string;
  name: string;
  title: string;
  description: string;
  tags: string;
  tools: string;
}

export function createSearch(snapshot: Snapshot): SearchIndex {
  const index = new MiniSearch<Entry>({
    fields: ["name", "title", "description", "tags", "tools"],
    tokenize: words,
    processTerm: (term) => stem(term.toLowerCase()),
    searchOptions: {
      boost: { name: 4, title: 3, tags: 2, tools: 2, description: 1 },
      prefix: (term) => term.length >= 2,
      fuzzy: (term) => (term.length >= 5 ? 0.2 : false),
      combineWith: "AND",
    },
  });
  for (const state of snapshot.servers.values()) index.add(entryOf(state));
  snapshot.onServer((name, state) => {
    if (index.has(name)) index.discard(name);
    if (state) index.add(entryOf(state));
  });
  return {
    search(text) {
      const found = index.search(text);
      return (found.length > 0 ? found : index.search(text, { combineWith: "OR" })).map((result) => String(result.id));
    },
  };
}

function entryOf(state: ServerState): Entry {
  return { id: state.name, name: state.name, title: state.title ?? "", description: state.description ?? "", tags: state.tags.join(" "), tools: state.toolNames.join(" ") };
}

/** Splits at everything that is no letter or digit, and at camelCase humps. */
function words(text: string): string[] {
  return text.replaceAll(/([\p{Ll}\p{N}])(\p{Lu})/gu, "$1 $2").split(/[^\p{L}\p{N}]+/u).filter((word) => word !== "");
}

/** Plurals and the commonest English endings only: precise enough for names of tools. */
function stem(term: string): string {
  if (term.length > 5 && term.endsWith("ies")) return `${term.slice(0, -3)}y`;
  if (term.length > 4 && /[^s]s$/.test(term)) return term.slice(0, -1);
  return term;
}

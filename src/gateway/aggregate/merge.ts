/**
 * Merges the lists of several servers, and keeps what was merged: per endpoint and per outcome (which lists, seen through which view),
 * so that callers who may see the same share one list and callers who may not never meet.
 */
import type { Principal } from "../../kernel/principal.ts";
import type { ServerState } from "../../snapshot/index.ts";
import type { JsonObject } from "../exchange.ts";
import type { Gate } from "../../trust/index.ts";
import type { ToolGate } from "../gate.ts";
import type { ListKind, ServerList } from "../lists/catalog.ts";
import { keepText } from "../wire/kept-text.ts";
import { itemKinds, itemOf, type Origin, type Shape, type Shown } from "./shape.ts";

export interface Merged {
  /** In order; as many as `items`. */
  readonly keys: readonly string[];
  readonly items: readonly JsonObject[];
  readonly origins: ReadonlyMap<string, Origin>;
}

export interface Part {
  server: ServerState;
  list: ServerList;
}

export type Merge = (shape: Shape, kind: ListKind, principal: Principal, parts: readonly Part[]) => Merged;

const mostKept = 128;

export function createMerge({ gate, trust }: { gate: ToolGate; trust: Pick<Gate, "shown"> }): Merge {
  const kept = new Map<string, Merged>();
  /** What one server's list becomes: most changes concern one server, and the others' parts stay. */
  const shown = new WeakMap<ServerList, Map<string, readonly Shown[]>>();

  const show = (shape: Shape, kind: ListKind, principal: Principal, { server, list }: Part, view: string): readonly Shown[] => {
    const key = `${shape.key}|${kind}|${server.id}|${view}`;
    const byKey = shown.get(list) ?? new Map<string, readonly Shown[]>();
    shown.set(list, byKey);
    let entries = byKey.get(key);
    if (!entries) {
      const seen = new Set<string>();
      entries = list.items.flatMap((given) => {
        if (!gate.listed(principal, server, itemKinds[kind], given)) return [];
        // As reviewed: what is not approved is withheld, and some goes by another name.
        return (trust.shown(server, itemKinds[kind], [given]) as JsonObject[]).flatMap((definition) => {
          const item = itemOf(kind, definition);
          // An upstream that names two things alike has one of them shown: the first.
          if (item === undefined || seen.has(item)) return [];
          seen.add(item);
          return shape.show(kind, server, definition);
        });
      });
      if (byKey.size >= mostKept) byKey.clear();
      byKey.set(key, entries);
    }
    return entries;
  };

  return (shape, kind, principal, parts) => {
    const views = parts.map(({ server }) => gate.view(principal, server));
    const key = `${shape.key}|${kind}|${parts.map(({ server, list }, index) => `${server.id}.${list.serial}.${views[index]}`).join("|")}`;
    let merged = kept.get(key);
    if (merged) {
      kept.delete(key);
      kept.set(key, merged);
      return merged;
    }
    const all = parts.flatMap((part, index) => (views[index] === undefined ? [] : show(shape, kind, principal, part, views[index] ?? "")));
    const origins = new Map<string, Origin>();
    const entries = [...all].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).filter(({ key: name, server, item }) => !origins.has(name) && origins.set(name, { server, item }));
    merged = Object.freeze({ keys: Object.freeze(entries.map((entry) => entry.key)), items: Object.freeze(entries.map((entry) => entry.definition)), origins });
    keepText(merged.items);
    if (kept.size >= mostKept) kept.delete(kept.keys().next().value ?? "");
    kept.set(key, merged);
    return merged;
  };
}

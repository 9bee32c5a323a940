/** What an endpoint of several servers shows of them: everything under `server__name`, or what a bundle chose. */
import type { ServerState } from "../../snapshot/index.ts";
import type { ItemKind } from "../../trust/index.ts";
import type { JsonObject } from "../exchange.ts";
import type { ListKind } from "../lists/catalog.ts";
import { exposedName, plainName } from "./names.ts";
import { exposedUri, mapTool } from "./uris.ts";

/** List → what the pins call its entries. */
export const itemKinds = { tools: "tool", prompts: "prompt", resources: "resource", resourceTemplates: "resourceTemplate" } as const satisfies Record<ListKind, ItemKind>;

/** A server and its name of a tool, prompt or resource. */
export interface Origin {
  server: string;
  item: string;
}

/** One entry of a list as this endpoint shows it. */
export interface Shown extends Origin {
  /** The exposed name or URI: what lists are ordered by and calls name. */
  key: string;
  definition: JsonObject;
}

export interface Shape {
  /** Names the endpoint and its revision, for what is kept about it. */
  readonly key: string;
  readonly title: string | undefined;
  /** Replaces the servers' own instructions. */
  readonly instructions: string | undefined;
  /** Whether only find_tools and call_tool are listed. */
  readonly discover: boolean;
  /** @param visible the servers that the caller may use, by name. */
  servers(visible: readonly ServerState[]): readonly ServerState[];
  show(kind: ListKind, server: ServerState, definition: JsonObject): Shown[];
  /** Where a name leads without looking at a list; "list" when only a list can tell; undefined when nowhere. */
  find(kind: "tools" | "prompts", name: string): Origin | "list" | undefined;
  /** Whether a resource of a server may be read here. */
  admits(server: string, uri: string): boolean;
  /**
   * The arguments that are sent upstream for those that the caller gave.
   * @param definition as the upstream gave it; undefined when it is not known.
   * @throws WireError when the caller gave what this endpoint does not take.
   */
  prepare?(name: string, args: JsonObject | undefined, definition: JsonObject | undefined): JsonObject | undefined;
}

/** What an entry of a list is called by its upstream. */
export function itemOf(kind: ListKind, definition: JsonObject): string | undefined {
  const name = definition[kind === "resources" ? "uri" : kind === "resourceTemplates" ? "uriTemplate" : "name"];
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** Everything that the caller may use. */
export function everythingShape(discover: boolean): Shape {
  return {
    key: discover ? "everything?discover" : "everything",
    title: undefined,
    instructions: undefined,
    discover,
    servers: (visible) => visible,
    show(kind, { name: server }, definition) {
      const item = itemOf(kind, definition);
      return item === undefined ? [] : [{ server, item, ...expose(kind, server, item, definition) }];
    },
    find: (_kind, name) => plainName(name) ?? "list",
    admits: () => true,
  };
}

export function expose(kind: ListKind, server: string, item: string, definition: JsonObject): Pick<Shown, "key" | "definition"> {
  if (kind === "tools" || kind === "prompts") {
    const key = exposedName(server, item);
    return { key, definition: { ...(kind === "tools" ? mapTool(server, definition) : definition), name: key } };
  }
  const key = exposedUri(server, item);
  return { key, definition: { ...definition, [kind === "resources" ? "uri" : "uriTemplate"]: key } };
}

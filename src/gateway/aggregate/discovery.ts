/** What an endpoint of several servers says of itself: `initialize` and `server/discover`. */
import type { Gate } from "../../trust/index.ts";
import type { Discovery } from "../exchange.ts";
import { isObject } from "../wire/message.ts";
import { note, type Gathered } from "./gather.ts";
import type { Shape } from "./shape.ts";

/** Newest first; the fronts serve them all, whatever the servers behind speak. */
const protocolVersions = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] as const;
/** Extensions that need no methods of their own: others (tasks, skills) name things that several servers could call alike. */
const passedExtensions = ["io.modelcontextprotocol/ui"];
/** Characters of instructions: of one server, and of all. */
const [mostOfOne, mostOfAll] = [2000, 16_000];

export function mergeDiscoveries(gathered: Gathered<Discovery>, { shape, trust, version, now }: { shape: Pick<Shape, "title" | "instructions" | "discover">; trust: Pick<Gate, "introduces">; version: string; now: number }): Discovery {
  const all = gathered.found.map(({ held }) => held.value);
  const complete = gathered.missing.length === 0 && gathered.outdated.length === 0;
  const some = (capability: string) => !complete || all.some(({ capabilities }) => capabilities[capability] !== undefined);
  const extensions = Object.fromEntries(passedExtensions.flatMap((name) => all.flatMap(({ capabilities }) => (isObject(capabilities["extensions"]) && name in capabilities["extensions"] ? [[name, capabilities["extensions"][name]]] : []))));
  const noted = note(gathered);
  return {
    era: undefined,
    serverInfo: { name: "sallyport", ...(shape.title === undefined ? {} : { title: shape.title }), version },
    // Lists change with grants and servers, so all of them are there from the beginning, if empty.
    capabilities: {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      ...(some("completions") ? { completions: {} } : {}),
      ...(some("logging") ? { logging: {} } : {}),
      ...(Object.keys(extensions).length > 0 ? { extensions } : {}),
      ...(noted ? { experimental: { "sallyport/partial": noted._meta } } : {}),
    },
    instructions: shape.instructions === undefined ? instructionsOf(gathered, trust, shape.discover) : shape.instructions || undefined,
    protocolVersions,
    ttlMs: complete ? gathered.found.reduce((least, { held }) => Math.min(least, Math.max(0, held.validUntil - now)), 3_600_000) : 0,
    cacheScope: "private",
  };
}

/** Every server's own under its name, cut so that no one server crowds out the others. */
function instructionsOf({ found }: Gathered<Discovery>, trust: Pick<Gate, "introduces">, discover: boolean): string | undefined {
  const parts = discover ? ["Find a tool with find_tools, then call it by its name with call_tool."] : [];
  let left = mostOfAll;
  for (const { server, held } of found) {
    const { instructions, serverInfo } = held.value;
    const text = instructions?.trim();
    if (!text || !trust.introduces(server, { name: serverInfo["name"], title: serverInfo["title"], instructions })) continue;
    const part = `# ${server.name}\n\n${cut(text, mostOfOne)}`;
    if (part.length > left) {
      parts.push("(Instructions of further servers are left out.)");
      break;
    }
    left -= part.length;
    parts.push(part);
  }
  return parts.length === 0 ? undefined : parts.join("\n\n");
}

/** Never in the midst of a surrogate pair. */
function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most).replace(/\p{Surrogate}$/u, "")} …`;
}

/**
 * Names of what several servers offer under one endpoint: `server__tool`, a function of the pair alone, so that no other server,
 * registered later, can move or take a name. Within 1 to 128 characters of `[A-Za-z0-9_.-]` (MCP 2026-07-28, tools, names).
 *
 * Plain form: the server's name has no `__` and no `_` at its end, so the first `__` ends it, whatever the tool is called.
 * Marked form, for everything else (such a server, a tool with other characters, a name too long): shortened parts and a digest of the
 * pair. Before its first `__` stands a capital letter, which no server's name has: the two forms never meet.
 */
import { createHash } from "node:crypto";

const longest = 128;
const plainServer = /^(?!.*__)[a-z0-9_-]{0,99}[a-z0-9-]$/;
const acceptable = /^[A-Za-z0-9_.-]+$/;
const digestLength = 20;
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** @param server lower-case, as registered. @param item the upstream's own name of a tool or prompt. */
export function exposedName(server: string, item: string): string {
  if (plainServer.test(server) && acceptable.test(item) && server.length + 2 + item.length <= longest) return `${server}__${item}`;
  const owner = server.replaceAll(/_+/g, "_").slice(0, 40).replace(/_$/, "");
  const head = `${owner}-X${digestOf(server, item)}__`;
  return head + item.replaceAll(/[^A-Za-z0-9_.-]+/g, "-").slice(0, longest - head.length);
}

/** The pair of a plain name; undefined for what can only be found in a list. */
export function plainName(name: string): { server: string; item: string } | undefined {
  const end = name.indexOf("__");
  if (end < 1) return undefined;
  const [server, item] = [name.slice(0, end), name.slice(end + 2)];
  return item !== "" && exposedName(server, item) === name ? { server, item } : undefined;
}

/** 100 bits of SHA-256, in capitals and digits. */
function digestOf(server: string, item: string): string {
  const bytes = createHash("sha256").update(`${server}\n${item}`).digest();
  let text = "";
  for (let at = 0; at < digestLength; at++) text += alphabet[(bytes[at] ?? 0) & 31];
  return text;
}

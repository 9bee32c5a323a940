/**
 * The quarantined visit: asks a server for everything that it offers, in each era it speaks, by the same path that calls take, within bounds,
 * and ends what it opened. What the server says is kept as it was said. This is the inspection, the health check and the probe in one.
 */
import { newId } from "../../kernel/ids.ts";
import { Problem, problem } from "../../kernel/problem.ts";
import type { createReview, ServerDefinition } from "../../trust/index.ts";
import type { Asking, Era, JsonObject } from "../exchange.ts";
import { WireError } from "../wire/message.ts";
import { UpstreamError } from "./http.ts";
import { ProgramEnded } from "./stdio/child.ts";
import { inspector, type Peers, type ServerPeer } from "./peers.ts";

type Visit = Parameters<typeof createReview>[0]["visit"];

type Visited = Pick<ServerPeer, "eras" | "discover" | "request" | "release">;

const mostPages = 200;
const mostItems = 5001;
const lists = [["tools", "tools/list"], ["prompts", "prompts/list"], ["resources", "resources/list"], ["resourceTemplates", "resources/templates/list"]] as const;
/** Some servers show more to clients that can do more. */
const capabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

/** @param timeout milliseconds for the visit in one era. */
export function createVisit(peers: { of(server: Parameters<Peers["of"]>[0]): Visited }, timeout = 10_000): Visit {
  return async (server, onPhase, everyEra) => {
    const peer = peers.of(server);
    try {
      onPhase("connect");
      const [era = "legacy"] = await peer.eras("modern", inspector);
      onPhase("discover");
      const first = await visitIn(peer, era, timeout, () => onPhase("list"));
      // A server that speaks both eras may show something else to clients of the older one.
      if (!everyEra || era !== "modern" || !(await peer.eras("legacy", inspector).catch((): readonly Era[] => [])).includes("legacy")) return [first];
      const second = await visitIn(peer, "legacy", timeout, () => undefined).catch(() => undefined);
      return second ? [first, second] : [first];
    } catch (error) {
      throw problem("upstream-failed", { detail: reasonOf(error), cause: error });
    }
  };
}

async function visitIn(peer: Visited, era: Era, timeout: number, onList: () => void): Promise<ServerDefinition> {
  const session = newId();
  const asking: Asking = { caller: inspector, client: { era, protocolVersion: era === "modern" ? "2026-07-28" : "2025-11-25", capabilities, info: undefined }, session, requestId: session, signal: AbortSignal.timeout(timeout) };
  try {
    const { serverInfo, capabilities: offered, instructions } = await peer.discover(asking);
    onList();
    const definition: Record<string, unknown> = { name: serverInfo["name"], title: serverInfo["title"], instructions };
    const wanted = lists.filter(([member]) => offered[member === "resourceTemplates" ? "resources" : member] !== undefined);
    for (const [member, method] of wanted) definition[member] = await listAll((params) => peer.request({ ...asking, method, params, logLevel: undefined, notify: () => undefined, ask: unasked }), member);
    return definition;
  } finally {
    peer.release(session);
  }
}

/** Pages until the end, a bound, or a cursor that comes back. A server that does not know the method offers none of it. */
async function listAll(ask: (params: JsonObject) => Promise<JsonObject>, member: string): Promise<unknown[]> {
  const found: unknown[] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < mostPages && found.length < mostItems; page++) {
    let result: JsonObject;
    try {
      result = await ask(cursor === undefined ? {} : { cursor });
    } catch (error) {
      if (error instanceof WireError && error.code === -32601) return found;
      throw error;
    }
    const items = result[member];
    if (Array.isArray(items)) found.push(...(items as unknown[]).slice(0, mostItems));
    const next = result["nextCursor"];
    if (typeof next !== "string" || seen.has(next)) return found;
    seen.add(next);
    cursor = next;
  }
  return found;
}

async function unasked(): Promise<never> {
  throw new WireError(200, -32601, "Nobody is there to be asked");
}

/** Why, for a person: never quotes the upstream; of a program of ours, the redacted end of what it complained of. */
function reasonOf(error: unknown): string {
  for (let cause: unknown = error, depth = 0; cause !== undefined && cause !== null && depth < 6; cause = (cause as { cause?: unknown }).cause, depth++) {
    if (cause instanceof Problem) return cause.message;
    const { code, name } = cause as { code?: unknown; name?: unknown };
    if (code === "ECONNREFUSED") return "The connection was refused";
    if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "Its host name does not resolve";
    if (code === "ETIMEDOUT" || code === "ETIMEOUT" || name === "TimeoutError") return "It did not answer in time";
    if (typeof code === "string" && /^(?:CERT_|ERR_TLS|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code)) return "Its TLS certificate is not valid";
  }
  if (error instanceof ProgramEnded) return error.message;
  if (!(error instanceof UpstreamError)) return "It does not answer as an MCP server";
  if (error.reason === "timeout" || error.reason === "client-left") return "It did not answer in time";
  return error.message.includes("stored credentials") ? "It refused the stored credentials" : error.reason === "broken" ? "It does not answer as an MCP server" : error.message;
}

/**
 * The quarantined visit: connects to a server as an MCP client in each era it speaks, lists everything it offers within bounds, and leaves
 * nothing open. What it says is kept as it was said: no schema of ours drops a member.
 */
import { z } from "zod";
import { Problem, problem } from "../kernel/problem.ts";
import type { Outbound } from "../net/outbound.ts";
import type { ServerState } from "../snapshot/index.ts";
import type { FetchDefinitions , Phase } from "./review.ts";
import { mostItems } from "./items.ts";
import type { ServerDefinition } from "./scanner/index.ts";

export interface FetchOptions {
  outbound: Outbound;
  version: string;
  /** The stored credentials of a server, as headers. */
  credentials: (server: ServerState) => Record<string, string>;
  /** Milliseconds for the visit in one era. */
  timeout?: number;
}

const mostPages = 200;
const anything = z.looseObject({ nextCursor: z.string().max(4096).optional() });
const lists = [["tools", "tools/list"], ["prompts", "prompts/list"], ["resources", "resources/list"], ["resourceTemplates", "resources/templates/list"]] as const;
/** Some servers show more to clients that can do more. */
const capabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

export function createFetch({ outbound, version, credentials, timeout = 10_000 }: FetchOptions): FetchDefinitions {
  return async (server, onPhase, everyEra) => {
    // The SDK is large: loaded when the first server is visited, not at every start.
    const { Client, SSEClientTransport, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
    const visit = async (mode: "auto" | "legacy", onVisit: (phase: Phase) => void): Promise<{ definition: ServerDefinition; era: "legacy" | "modern" | undefined }> => {
      onVisit("connect");
      const client = new Client({ name: "sallyport", version }, { versionNegotiation: { mode }, capabilities });
      const options = { fetch: outbound.fetch, requestInit: { headers: credentials(server) } };
      const transport = server.transport === "sse" ? new SSEClientTransport(new URL(server.url), options) : new StreamableHTTPClientTransport(new URL(server.url), options);
      const signal = AbortSignal.timeout(timeout);
      try {
        await within(signal, client.connect(transport));
        onVisit("discover");
        const info = client.getServerVersion();
        const offered = client.getServerCapabilities() ?? {};
        const definition: Record<string, unknown> = { name: info?.name, title: info?.title, instructions: client.getInstructions() };
        onVisit("list");
        const wanted = lists.filter(([member]) => offered[member === "resourceTemplates" ? "resources" : member] !== undefined);
        await Promise.all(wanted.map(async ([member, method]) => void (definition[member] = await listAll((params) => client.request({ method, params }, anything, { signal }), member))));
        return { definition, era: client.getProtocolEra() };
      } finally {
        // A session that was opened is also ended (DELETE), so that visits never pile up upstream.
        if (transport instanceof StreamableHTTPClientTransport) await within(AbortSignal.timeout(2000), transport.terminateSession()).catch(() => undefined);
        await client.close().catch(() => undefined);
      }
    };
    const first = await visit("auto", onPhase).catch((error: unknown) => {
      throw problem("upstream-failed", { detail: reasonOf(error), cause: error });
    });
    // A server that speaks both eras may show something else to clients of the older one. Servers of the new one alone need not be asked.
    if (!everyEra || first.era !== "modern") return [first.definition];
    const second = await visit("legacy", () => undefined).catch(() => undefined);
    return second ? [first.definition, second.definition] : [first.definition];
  };
}

/** Pages until the end, a bound, or a cursor that comes back. A server that does not know the method offers none of it. */
async function listAll(ask: (params: Record<string, string>) => Promise<Record<string, unknown>>, member: string): Promise<unknown[]> {
  const found: unknown[] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < mostPages && found.length <= mostItems; page++) {
    let result: Record<string, unknown>;
    try {
      result = await ask(cursor === undefined ? {} : { cursor });
    } catch (error) {
      if ((error as { code?: unknown }).code === -32601) return found;
      throw error;
    }
    const items = result[member];
    if (Array.isArray(items)) found.push(...(items as unknown[]).slice(0, mostItems + 1));
    const next = result["nextCursor"];
    if (typeof next !== "string" || seen.has(next)) return found;
    seen.add(next);
    cursor = next;
  }
  return found;
}

function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return Promise.race([work, new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" })), { once: true }))]);
}

/** Why, for a person: never quotes the upstream. */
function reasonOf(error: unknown): string {
  for (let cause: unknown = error, depth = 0; cause !== undefined && depth < 5; cause = (cause as { cause?: unknown }).cause, depth++) {
    if (cause instanceof Problem) return cause.message;
    const code = (cause as { code?: unknown }).code;
    if (code === "ECONNREFUSED") return "The connection was refused";
    if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "Its host name does not resolve";
    if (code === "ETIMEDOUT" || code === "ETIMEOUT") return "It did not answer in time";
    if (typeof code === "string" && /^(?:CERT_|ERR_TLS|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code)) return "Its TLS certificate is not valid";
    if (code === 401 || code === 403) return "It refused the stored credentials";
  }
  return "It does not answer as an MCP server";
}

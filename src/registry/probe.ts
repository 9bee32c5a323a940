/**
 * Asks an upstream what it offers: connects as an MCP client in whichever era it speaks, lists its tools within bounds, and leaves nothing open.
 */
import { Problem } from "../kernel/problem.ts";
import type { Outbound } from "../net/outbound.ts";
import type { ServerState } from "../snapshot/index.ts";

export interface ProbeResult {
  status: "reachable" | "unreachable";
  /** Why, for a person: never quotes the upstream. */
  detail?: string;
  tools?: string[];
}

export type Probe = (server: Pick<ServerState, "url" | "transport">, headers: Record<string, string>) => Promise<ProbeResult>;

const mostTools = 2000;
const mostPages = 50;

/** @param timeout milliseconds for the whole visit. */
export function createProbe({ outbound, version, timeout = 10_000 }: { outbound: Outbound; version: string; timeout?: number }): Probe {
  return async ({ url, transport: kind }, headers) => {
    // The SDK is large: loaded when the first upstream is asked, not at every start.
    const { Client, StreamableHTTPClientTransport, SSEClientTransport } = await import("@modelcontextprotocol/client");
    const client = new Client({ name: "sallyport", version }, { versionNegotiation: { mode: "auto" } });
    const options = { fetch: outbound.fetch, requestInit: { headers } };
    const transport = kind === "sse" ? new SSEClientTransport(new URL(url), options) : new StreamableHTTPClientTransport(new URL(url), options);
    const signal = AbortSignal.timeout(timeout);
    try {
      await within(signal, client.connect(transport));
      const tools: string[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < mostPages && tools.length < mostTools; page++) {
        const result = await client.listTools(cursor === undefined ? {} : { cursor }, { signal });
        tools.push(...result.tools.map((tool) => tool.name.slice(0, 128)));
        cursor = result.nextCursor;
        if (cursor === undefined) break;
      }
      return { status: "reachable", tools: tools.slice(0, mostTools) };
    } catch (error) {
      return { status: "unreachable", detail: signal.aborted ? "It did not answer in time" : reasonOf(error) };
    } finally {
      // A session that was opened is also ended (DELETE), so that visits never pile up upstream.
      if (transport instanceof StreamableHTTPClientTransport) await within(AbortSignal.timeout(2000), transport.terminateSession()).catch(() => undefined);
      await client.close().catch(() => undefined);
    }
  };
}

function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return Promise.race([work, new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(new Error("timeout")), { once: true }))]);
}

function reasonOf(error: unknown): string {
  for (let cause: unknown = error, depth = 0; cause !== undefined && depth < 5; cause = (cause as { cause?: unknown }).cause, depth++) {
    if (cause instanceof Problem) return cause.message;
    const code = (cause as { code?: unknown }).code;
    if (code === "ECONNREFUSED") return "The connection was refused";
    if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "Its host name does not resolve";
    if (typeof code === "string" && /^(?:CERT_|ERR_TLS|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code)) return "Its TLS certificate is not valid";
    if (code === 401 || code === 403) return "It refused the stored credentials";
  }
  return "It does not answer as an MCP server";
}

/** A server of 2025 without sessions whose offer the test changes at will. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Tool {
  name: string;
  description: string;
  inputSchema: object;
  [member: string]: unknown;
}

export interface Changeable {
  url: string;
  tools: Tool[];
  /** Sent letter for letter in place of `tools`. */
  rawTools: string | undefined;
  instructions: string | undefined;
  calls: string[];
  /** Answers a call instead of an echo of the tool's name. */
  answer: ((name: string, args: unknown) => object) | undefined;
  silent: boolean;
  close(): Promise<void>;
}

export const tool = (name: string, description = `Returns the ${name} of a city`): Tool => ({ name, description, inputSchema: { type: "object", properties: { city: { type: "string" } } } });

export async function startChangeable(): Promise<Changeable> {
  const state: Changeable = { url: "", tools: [tool("weather"), tool("population")], rawTools: undefined, instructions: undefined, calls: [], answer: undefined, silent: false, close: () => new Promise((resolve) => server.close(() => resolve())) };
  const server: Server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      if (state.silent || request.method !== "POST") return response.writeHead(request.method === "POST" ? 500 : 405).end();
      const { id, method, params } = JSON.parse(text) as { id?: number; method: string; params?: { name?: string; arguments?: unknown } };
      if (id === undefined) return response.writeHead(202).end();
      const answer = (result: unknown) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, ...(result === undefined ? { error: { code: -32601, message: "Method not found" } } : { result }) }));
      if (method === "initialize") return answer({ protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "changeable", version: "1" }, ...(state.instructions === undefined ? {} : { instructions: state.instructions }) });
      if (method === "tools/list") {
        if (state.rawTools !== undefined) return response.writeHead(200, { "content-type": "application/json" }).end(`{"jsonrpc":"2.0","id":${id},"result":{"tools":${state.rawTools}}}`);
        return answer({ tools: state.tools, nextCursor: undefined, unknown: 1 });
      }
      if (method === "tools/call") {
        state.calls.push(params?.name ?? "");
        return answer(state.answer?.(params?.name ?? "", params?.arguments) ?? { content: [{ type: "text", text: `called ${params?.name}` }] });
      }
      return answer(undefined);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  return state;
}

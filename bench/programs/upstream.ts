/** An MCP server of 2025 without sessions and with one tool, which it answers at once. */
import { createServer } from "node:http";

const called = JSON.stringify({ jsonrpc: "2.0", id: 1, result: { content: [{ type: "text", text: "Echo: hello" }] } });
const results: Record<string, object> = {
  initialize: { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "bench", version: "1" } },
  "tools/list": { tools: [{ name: "echo", description: "Returns the message", inputSchema: { type: "object", properties: { message: { type: "string" } } } }] },
  ping: {},
};

createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks);
    const answer = (text: string) => void response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) }).end(text);
    if (body.includes('"tools/call"')) return answer(called);
    if (request.method !== "POST") return void response.writeHead(405).end();
    const { id, method = "" } = JSON.parse(body.toString() || "{}") as { id?: number | string; method?: string };
    if (id === undefined) return void response.writeHead(202).end();
    answer(JSON.stringify({ jsonrpc: "2.0", id, ...(results[method] ? { result: results[method] } : { error: { code: -32601, message: "Method not found" } }) }));
  });
}).listen(Number(process.env["PORT"]), "127.0.0.1");

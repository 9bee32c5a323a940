/** Many stateless servers of 2026-07-28 in one process, each with 20 tools under a path of its own; GET tells how many requests arrived. */
import { createServer } from "node:http";

const tools = Array.from({ length: 20 }, (_, index) => ({
  name: `tool_${index}`,
  title: `Tool ${index}`,
  description: "Looks up the records of a customer by number or name and returns them with their addresses, newest first.",
  inputSchema: { type: "object", properties: { customer: { type: "string", description: "Number or name" }, limit: { type: "integer", minimum: 1, maximum: 100 } }, required: ["customer"] },
}));
const hints = { resultType: "complete", ttlMs: 60_000, cacheScope: "private" };
const results: Record<string, object> = {
  "server/discover": { ...hints, supportedVersions: ["2026-07-28"], capabilities: { tools: {} }, _meta: { "io.modelcontextprotocol/serverInfo": { name: "bench", version: "1" } } },
  "tools/list": { ...hints, tools },
  "tools/call": { resultType: "complete", content: [{ type: "text", text: "done" }] },
};
let requests = 0;

createServer((request, response) => {
  if (request.method === "GET") return void response.end(String(requests));
  requests++;
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { id, method } = JSON.parse(Buffer.concat(chunks).toString()) as { id?: number; method: string };
    const result = results[method];
    response.writeHead(result ? 200 : 404, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id: id ?? null, ...(result ? { result } : { error: { code: -32601, message: "Method not found" } }) }));
  });
}).listen(Number(process.env["PORT"]), "127.0.0.1");

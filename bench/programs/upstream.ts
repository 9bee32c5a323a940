/** An upstream that answers every MCP request at once. */
import { createServer } from "node:http";

const answer = JSON.stringify({ jsonrpc: "2.0", id: 1, result: { content: [{ type: "text", text: "Echo: hello" }] } });
createServer((request, response) => {
  request.resume();
  request.on("end", () => response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(answer) }).end(answer));
}).listen(Number(process.env["PORT"]), "127.0.0.1");

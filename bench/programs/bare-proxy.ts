/** The baseline: the least that a proxy on node:http and undici's dispatch can do. */
import { createServer } from "node:http";
import { Agent } from "undici";

const agent = new Agent({ connections: 128 });
createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    agent.dispatch(
      { origin: process.env["UPSTREAM"] ?? "", path: request.url ?? "/", method: "POST", headers: { "content-type": "application/json", accept: request.headers.accept ?? "*/*" }, body: Buffer.concat(chunks) },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, status, headers) => void response.writeHead(status, headers as Record<string, string>),
        onResponseData: (_controller, chunk) => void response.write(chunk),
        onResponseEnd: () => void response.end(),
        onResponseError: () => void response.destroy(),
      },
    );
  });
}).listen(Number(process.env["PORT"]), "127.0.0.1");

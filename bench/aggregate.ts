/** `tools/list` and a call through /mcp over 50 servers with 20 tools each: warm, and without asking any of them for a list. */
import { endpointToken } from "../test/endpoint-token.ts";
import { cpuMilliseconds, freePort, load, row, startProduct, startProgram, until } from "./harness.ts";

const servers = 50;
const port = await freePort();
const upstreamUrl = `http://127.0.0.1:${port}`;
const upstream = await startProgram(["bench/programs/many-upstreams.ts"], { PORT: String(port) }, upstreamUrl);
const product = await startProduct({ SALLYPORT_APPROVAL: "clean" });
for (let start = 0; start < servers; start += 10) await Promise.all(Array.from({ length: 10 }, (_, offset) => product.call("POST", "/api/v1/servers", { name: `server-${String(start + offset).padStart(2, "0")}`, url: `${upstreamUrl}/${start + offset}` })));

const authorization = `Bearer ${await endpointToken(product.url, `${product.url}/mcp`, product.token)}`;
const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} };
const request = (method: string, params: { name?: string } = {}) => ({
  headers: { authorization, "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28", "mcp-method": method, ...(params.name === undefined ? {} : { "mcp-name": params.name }) },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: meta } }),
});
const list = request("tools/list");
const ask = async () => ((await (await fetch(`${product.url}/mcp`, { method: "POST", ...list })).json()) as { result: { tools: unknown[]; _meta?: object } }).result;
await until("the merged list", async () => (await ask()).tools.length === servers * 20, 30_000);
const requests = async () => Number(await (await fetch(upstreamUrl)).text());
const listBytes = (await (await fetch(`${product.url}/mcp`, { method: "POST", ...list })).text()).length;

console.log(`${servers} servers with 20 tools each behind /mcp; the list has ${(listBytes / 1024).toFixed(0)} KiB`);
row("", "p50 ms", "p99 ms", "CPU ms each", "asked");
for (const [name, sent, count] of [["tools/list, warm (limit p50 3 ms)", list, 1000], ["tools/call, warm", request("tools/call", { name: "server-25__tool_7", arguments: { customer: "1" } } as { name: string }), 1000]] as const) {
  await load({ url: `${product.url}/mcp`, ...sent, count: 200, connections: 1 });
  const before = await requests();
  const cpu = cpuMilliseconds([product.child.pid ?? 0]);
  const { p50, p99 } = await load({ url: `${product.url}/mcp`, ...sent, count, connections: 1 });
  row(name, p50, p99, (cpuMilliseconds([product.child.pid ?? 0]) - cpu) / count, String((await requests()) - before));
}
const direct = await load({ url: `${upstreamUrl}/25`, ...request("tools/call", { name: "tool_7" }), count: 1000, connections: 1 });
row("tools/call, direct", direct.p50, direct.p99, "", "");

await product.stop();
upstream.kill();

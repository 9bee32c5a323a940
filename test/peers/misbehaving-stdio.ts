/**
 * stdio servers at their worst: `node test/peers/misbehaving-stdio.ts <kind>`. The handshake of 2025 is answered where the kind allows it.
 *
 * exits: says why on stderr, with a secret, and ends with 3 · silent: never answers · floods: lines without end · garbage: no JSON ·
 * stubborn: ignores SIGTERM and the end of its input · leaves-children: starts a child that outlives it · crashes: ends upon `tools/call` ·
 * hoards: takes memory until it is stopped · spins: takes a processor · long-line: one line that never ends
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const kind = process.argv[2] ?? "silent";
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
const stay = () => setInterval(() => undefined, 60_000);

if (kind === "exits") {
  // Joined here, so that no connection string stands in the tree.
  process.stderr.write(`cannot reach ${["postgres://app", "hunter2-secret@10.1.2.3/db"].join(":")}\n`);
  process.exit(3);
}
if (kind === "stubborn") {
  process.on("SIGTERM", () => undefined);
  process.on("SIGINT", () => undefined);
  stay();
}
if (kind === "leaves-children") {
  const child = spawn(process.execPath, ["-e", "setInterval(() => undefined, 60000)"], { stdio: "ignore", detached: true });
  child.unref();
  process.stderr.write(`child ${child.pid}\n`);
}
if (kind === "garbage") process.stdout.write("Starting server…\nListening!\n");
if (kind === "floods" || kind === "long-line") {
  const more = () => {
    while (process.stdout.write(kind === "floods" ? `${JSON.stringify({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "x".repeat(1000) } })}\n` : "x".repeat(65_536)));
    process.stdout.once("drain", more);
  };
  more();
}

const hoard: Buffer[] = [];
const onCall: Record<string, () => void> = {
  crashes: () => process.exit(1),
  hoards: () => setInterval(() => hoard.push(Buffer.alloc(16 * 1024 * 1024, 1)), 5),
  spins: () => {
    for (;;);
  },
};

createInterface({ input: process.stdin }).on("line", (line) => {
  if (kind === "silent" || kind === "floods" || kind === "long-line") return;
  const { id, method, params } = JSON.parse(line) as { id?: string | number; method: string; params?: { protocolVersion?: string } };
  if (method === "tools/call" && onCall[kind]) return onCall[kind]();
  if (id === undefined) return;
  const results: Record<string, unknown> = {
    initialize: { protocolVersion: params?.protocolVersion ?? "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "misbehaving-stdio", version: "1.0.0" } },
    "tools/list": { tools: [{ name: "add", description: "Adds two numbers", inputSchema: { type: "object" } }] },
    "tools/call": { content: [{ type: "text", text: `called ${process.pid}` }] },
    ping: {},
  };
  const result = results[method];
  say({ jsonrpc: "2.0", id, ...(result ? { result } : { error: { code: -32601, message: "Method not found" } }) });
});

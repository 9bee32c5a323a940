/** The everything-peer over stdio: `node test/peers/everything-stdio.ts --era both`. Says with one more tool what its process was given. */
import { parseArgs } from "node:util";
import { InMemoryServerEventBus } from "@modelcontextprotocol/server";
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { createFixtureServer } from "./v2-server.ts";
import { text, type Tool } from "./vocabulary/types.ts";

const process_: Tool = {
  name: "test_process",
  description: "Says what this process was given",
  inputSchema: { type: "object", properties: {} },
  run: () => text(JSON.stringify({ pid: process.pid, parent: process.ppid, directory: process.cwd(), arguments: process.argv.slice(2), environment: process.env })),
};

const { values } = parseArgs({ options: { era: { type: "string", default: "both" } }, strict: false });
const bus = new InMemoryServerEventBus();
const create = (era: "legacy" | "modern") => createFixtureServer({ era, bus, announce: true, extraTools: [process_] });

// A server of 2025 answers every opening itself and does not know `server/discover`.
if (values["era"] === "legacy") await create("legacy").connect(new StdioServerTransport());
else serveStdio(({ era }) => create(era), { legacy: values["era"] === "modern" ? "reject" : "serve" });

/** The stdio peer speaks the eras it says, to the official clients. */
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { expect, it } from "vitest";

const connect = async (era: string, mode: "legacy" | "auto" | { pin: "2026-07-28" }) => {
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [`${import.meta.dirname}/everything-stdio.ts`, "--era", era], env: { PATH: process.env["PATH"] ?? "" }, stderr: "ignore" }));
  return client;
};

it.each([
  ["both", "legacy", "2025-11-25"],
  ["both", "auto", "2026-07-28"],
  ["modern", { pin: "2026-07-28" }, "2026-07-28"],
  ["legacy", "auto", "2025-11-25"],
] as const)("of era %s answers a client of mode %o at %s", async (era, mode, version) => {
  const client = await connect(era, mode);
  expect(client.getNegotiatedProtocolVersion()).toBe(version);
  expect((await client.listTools()).tools.length).toBeGreaterThan(30);
  const { content } = await client.callTool({ name: "test_process", arguments: {} });
  expect(JSON.parse((content[0] as { text: string }).text)).toMatchObject({ arguments: ["--era", era] });
  await client.close();
});

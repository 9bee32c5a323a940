/** `call`, `tools`: MCP through the gateway, as any client would. */
import type { Client } from "@modelcontextprotocol/client";
import type { Command } from "commander";
import { parseUntrustedJson } from "../kernel/json.ts";
import { version } from "../version.ts";
import type { Cli } from "./index.ts";
import { CliError, exitCodes, printable } from "./output.ts";

export function callCommands(program: Command, cli: Cli): void {
  const { output } = cli;
  program
    .command("tools <server>")
    .description("List the tools that you may call on a server")
    .action(async (name: string) => {
      const tools = await output.during("Listing", listTools(cli, name));
      output.result(tools, () => output.table(["TOOL", "DESCRIPTION"], tools.map((tool) => [tool.name, tool.description])));
    });
  program
    .command("call <server> <tool> [json]")
    .description("Call a tool through the gateway; arguments are a JSON object")
    .action(async (name: string, tool: string, text: string = "{}") => {
      const args = argumentsOf(text);
      const result = await output.during("Calling", withClient(cli, name, (client) => client.callTool({ name: tool, arguments: args })));
      output.result(result, () => contentLines(result));
      if (result.isError === true) process.exitCode = exitCodes.failed;
    });
}

/** Every page of a server's tools, as the gateway lets this user see them. */
export async function listTools(cli: Cli, name: string): Promise<{ name: string; description?: string | undefined }[]> {
  return withClient(cli, name, async (client) => (await client.listTools()).tools);
}

function argumentsOf(text: string): Record<string, unknown> {
  try {
    const value = parseUntrustedJson(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below, in the words of the command line.
  }
  throw new CliError("The arguments are not a JSON object", exitCodes.usage, `For example: sallyport call everything echo '{"message":"hello"}'`);
}

async function withClient<T>(cli: Cli, name: string, work: (client: Client) => Promise<T>): Promise<T> {
  const { url, tokenFor } = cli.client();
  const endpoint = `/servers/${encodeURIComponent(name)}/mcp`;
  const token = await tokenFor(endpoint);
  // The SDK is large: loaded only by the commands that speak MCP.
  const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  const client = new Client({ name: "sallyport-cli", version }, { versionNegotiation: { mode: "auto" } });
  const transport = new StreamableHTTPClientTransport(new URL(`${url}${endpoint}`), { requestInit: { headers: token ? { authorization: `Bearer ${token}` } : {} } });
  try {
    await client.connect(transport);
    return await work(client);
  } catch (error) {
    throw explain(error, name, url);
  } finally {
    await transport.terminateSession().catch(() => undefined);
    await client.close().catch(() => undefined);
  }
}

function explain(error: unknown, name: string, url: string): Error {
  const { code, message = "", cause } = error as { code?: unknown; message?: string; cause?: { code?: string } };
  const status = typeof code === "number" && code > 0 ? code : Number(/\b(40[134])\b/.exec(message)?.[1] ?? 0);
  if (status === 401 || (error as Error).name === "UnauthorizedError") return new CliError("Could not validate credentials", exitCodes.unauthenticated, "Run 'sallyport login' first.");
  if (status === 403) return new CliError("Insufficient permissions", exitCodes.forbidden, "Calling needs the scope tools:call.");
  if (status === 404) return new CliError(`No such server: ${name}`, exitCodes.notFound, "What you may not call is reported as not found; an administrator can grant it: sallyport servers grant.");
  if (cause?.code === "ECONNREFUSED") return new CliError(`${url} does not answer`, exitCodes.unreachable, "Is it running ('npm start')? Otherwise give --url or set SALLYPORT_URL.");
  return new CliError(printable(message) || "The call failed", exitCodes.failed, `See its state with 'sallyport servers show ${name}'.`);
}

function contentLines(result: { content?: unknown; structuredContent?: unknown }): string[] {
  const parts = Array.isArray(result.content) ? (result.content as { type?: string; text?: string; mimeType?: string }[]) : [];
  const lines = parts.map((part) => (part.type === "text" ? (part.text ?? "").split("\n").map(printable).join("\n") : `[${part.type ?? "content"}${part.mimeType ? ` ${part.mimeType}` : ""}; --json shows it]`));
  return lines.length > 0 ? lines : [JSON.stringify(result.structuredContent ?? result, undefined, 2)];
}

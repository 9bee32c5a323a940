/** `bundles …`: chosen tools of several servers under one endpoint. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { z } from "zod";
import { parseUntrustedJson } from "../kernel/json.ts";
import type { Cli } from "./index.ts";
import { CliError, exitCodes } from "./output.ts";

const item = z.looseObject({ server: z.string(), item: z.string() });
const bundle = z.looseObject({
  name: z.string(),
  title: z.string().nullable(),
  description: z.string().nullable(),
  discover: z.boolean(),
  enabled: z.boolean(),
  tools: z.array(z.looseObject({ server: z.string(), tool: z.string() })),
  prompts: z.array(item),
  resources: z.array(item),
  mcpUrl: z.string(),
});
const page = z.object({ items: z.array(bundle) });
const statuses = z.object({ items: z.array(z.object({ name: z.string(), server: z.string(), tool: z.string(), available: z.boolean(), reason: z.string().nullable() })) });
const path = (name: string, rest = "") => `/api/v1/bundles/${encodeURIComponent(name)}${rest}`;
const many = (value: string, all: string[]) => [...all, value];

interface AddOptions {
  tool: string[];
  prompt: string[];
  resource: string[];
  title?: string;
  description?: string;
  discover?: boolean;
  file?: string;
}

export function bundleCommands(program: Command, cli: Cli): void {
  const { output, ask } = cli;
  const bundles = program.command("bundles").description("Bundles: chosen tools of several servers under one endpoint");

  bundles
    .command("list")
    .alias("ls")
    .description("List the bundles that you may use or change")
    .action(async () => {
      const { items } = await cli.client().call("GET", "/api/v1/bundles", page);
      output.result(items, () => (items.length === 0 ? ["No bundles. Next: sallyport bundles add <name> --tool <server>/<tool>"] : output.table(["NAME", "TOOLS", "STATE", "GATEWAY"], items.map((one) => [one.name, one.tools.length, one.enabled ? "enabled" : "disabled", one.mcpUrl]))));
    });
  bundles
    .command("add <name>")
    .description("Make a bundle")
    .option("--tool <server/tool[=name]>", "a tool, under a name of your own if given; may be repeated", many, [])
    .option("--prompt <server/prompt[=name]>", "a prompt; may be repeated", many, [])
    .option("--resource <server/uri>", "a resource, a template, or * for all of a server; may be repeated", many, [])
    .option("--title <text>")
    .option("--description <text>")
    .option("--discover", "list only find_tools and call_tool")
    .option("--file <file>", "JSON with the members of the API, for pinned arguments and the like; - reads standard input")
    .action(async (name: string, { file, tool, prompt, resource, ...rest }: AddOptions) => {
      const given = file === undefined ? {} : parseUntrustedJson(file === "-" ? ask.input() : readFileSync(file));
      if (typeof given !== "object" || given === null || Array.isArray(given)) throw new CliError("The file does not hold a JSON object", exitCodes.usage);
      const { tools = [], prompts = [], resources = [], ...members } = given as { tools?: unknown[]; prompts?: unknown[]; resources?: unknown[] };
      const body = {
        ...members,
        ...rest,
        name,
        tools: [...tools, ...tool.map((text) => ({ ...chosen(text, "tool"), ...renamed(text) }))],
        prompts: [...prompts, ...prompt.map((text) => ({ ...chosen(text, "item"), ...renamed(text) }))],
        resources: [...resources, ...resource.map((text) => split(text, "item"))],
      };
      const created = await cli.client().call("POST", "/api/v1/bundles", bundle, body);
      output.result(created, () => [`Made ${created.name} with ${created.tools.length} ${created.tools.length === 1 ? "tool" : "tools"}.`, `Clients reach it at ${created.mcpUrl}`, `Next: sallyport bundles tools ${created.name}`]);
    });
  bundles
    .command("show <name>")
    .description("Show a bundle")
    .action(async (name: string) => {
      const one = await cli.client().call("GET", path(name), bundle);
      const rows: [string, string | null][] = [["Name", one.name], ["Title", one.title], ["Description", one.description], ["State", one.enabled ? "enabled" : "disabled"], ["Lists", one.discover ? "find_tools and call_tool" : "its tools"], ["Gateway", one.mcpUrl], ["Tools", one.tools.map(({ server, tool }) => `${server}/${tool}`).join(", ")], ["Prompts", one.prompts.map((prompt) => `${prompt.server}/${prompt.item}`).join(", ")], ["Resources", one.resources.map((resource) => `${resource.server}/${resource.item}`).join(", ")]];
      output.result(one, () => output.table(["FIELD", "VALUE"], rows.filter(([, value]) => value)));
    });
  bundles
    .command("tools <name>")
    .description("Which of its tools you could call now, and why not the others")
    .action(async (name: string) => {
      const { items } = await output.during("Asking the servers", cli.client().call("GET", path(name, "/tools"), statuses));
      output.result(items, () => (items.length === 0 ? ["The bundle has no tools."] : output.table(["NAME", "SERVER", "TOOL", "AVAILABLE"], items.map((one) => [one.name, one.server, one.tool, one.available ? "yes" : `no: ${one.reason}`]))));
    });
  bundles
    .command("rm <name>")
    .alias("remove")
    .description("Remove a bundle and its grants")
    .option("-y, --yes", "do not ask")
    .action(async (name: string, options: { yes?: boolean }) => {
      if (!options.yes) await ask.confirm(`Remove ${name}?`);
      await cli.client().send("DELETE", path(name));
      output.result({ removed: name }, () => [`Removed ${name}.`]);
    });
  for (const [verb, method, words] of [["grant", "PUT", "Let a user use the bundle"], ["revoke", "DELETE", "Withdraw a user's use of the bundle"]] as const) {
    bundles
      .command(`${verb} <name> <username>`)
      .description(words)
      .action(async (name: string, username: string) => {
        await cli.client().send(method, path(name, `/grants/${encodeURIComponent(username)}`));
        output.result({ bundle: name, username, granted: verb === "grant" }, () => [`${username} ${verb === "grant" ? "may now" : "may no longer"} use ${name}.`]);
      });
  }
}

/** "server/rest": no server's name has a slash. */
function split(text: string, member: string): Record<string, string> {
  const slash = text.indexOf("/");
  if (slash < 1 || slash === text.length - 1) throw new CliError(`${text} is not <server>/<name>`, exitCodes.usage);
  return { server: text.slice(0, slash), [member]: text.slice(slash + 1) };
}

const chosen = (text: string, member: string) => split(text.replace(/=[^=]*$/, ""), member);
const renamed = (text: string) => (text.includes("=") ? { name: text.slice(text.lastIndexOf("=") + 1) } : {});

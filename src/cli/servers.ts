/** `servers …`: the registry. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { z } from "zod";
import type { Cli } from "./index.ts";
import { CliError, exitCodes } from "./output.ts";

const server = z.looseObject({
  name: z.string(),
  url: z.string(),
  title: z.string().nullable(),
  description: z.string().nullable(),
  tags: z.array(z.string()),
  transport: z.string(),
  authMode: z.string(),
  hasHeaders: z.boolean(),
  stdio: z.object({ command: z.string(), args: z.array(z.string()), cwd: z.string().nullable(), network: z.boolean(), hasEnv: z.boolean() }).nullable().default(null),
  openapi: z.object({ source: z.string(), digest: z.string() }).nullable().default(null),
  enabled: z.boolean(),
  state: z.object({ status: z.string(), detail: z.string().nullable(), checkedAt: z.string().nullable() }),
  tools: z.array(z.string()),
  mcpUrl: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
type ServerView = z.output<typeof server>;
const page = z.object({ items: z.array(server), nextCursor: z.string().nullable(), total: z.number() });
const path = (name: string, rest = "") => `/api/v1/servers/${encodeURIComponent(name)}${rest}`;

interface AddOptions {
  title?: string;
  description?: string;
  tag: string[];
  transport?: string;
  headersFile?: string;
  disabled?: boolean;
  command?: string;
  envFile?: string;
  cwd?: string;
  network?: boolean;
  openapi?: string;
}

export function serverCommands(program: Command, cli: Cli): void {
  const { output, ask } = cli;
  const servers = program.command("servers").description("MCP servers of the registry");

  const list = async (query: Record<string, string>, limit: number): Promise<void> => {
    const items: ServerView[] = [];
    let cursor: string | null = null;
    let total: number;
    do {
      const search = new URLSearchParams({ ...query, limit: String(Math.min(200, limit - items.length)), ...(cursor ? { cursor } : {}) });
      const next: z.output<typeof page> = await output.during("Reading", cli.client().call("GET", `/api/v1/servers?${search}`, page));
      items.push(...next.items);
      ({ nextCursor: cursor, total } = next);
    } while (cursor !== null && items.length < limit);
    output.result(items, () =>
      items.length === 0
        ? ["No servers. Next: sallyport servers add <name> <url>"]
        : [...output.table(["NAME", "STATE", "TOOLS", "URL", "TITLE"], items.map((item) => [item.name, item.enabled ? item.state.status : "disabled", item.tools.length, item.url, item.title])), ...(total > items.length ? [`${items.length} of ${total}; --limit shows more`] : [])],
    );
  };

  servers
    .command("list")
    .alias("ls")
    .description("List servers")
    .option("--tag <tag>")
    .option("--status <status>", "unknown, reachable or unreachable")
    .option("--sort <order>", "name, created or updated; with - in front, descending")
    .option("--limit <n>", "at most so many", Number, 1000)
    .action(({ limit, ...query }: { limit: number } & Record<string, string>) => list(query, limit));
  servers
    .command("search <words...>")
    .description("Search names, titles, descriptions, tags and tools")
    .option("--limit <n>", "at most so many", Number, 20)
    .action((words: string[], options: { limit: number }) => list({ q: words.join(" ") }, options.limit));
  servers
    .command("add <name> [url-or-args...]")
    .description("Register a server: by its URL, or, with --command, by what is run")
    .usage("[options] <name> <url> | <name> --command <program> -- [args...]")
    .option("--title <text>")
    .option("--description <text>")
    .option("--tag <tag>", "may be repeated", (tag: string, tags: string[]) => [...tags, tag], [] as string[])
    .option("--transport <kind>", "streamable-http or sse")
    .option("--headers-file <file>", "upstream credentials as 'Name: value' lines; - reads standard input")
    .option("--openapi <file-or-url>", "a REST API: its OpenAPI document; the URL is the API's base")
    .option("--command <program>", "a local process: the program; its arguments follow after --")
    .option("--env-file <file>", "variables of the local process as 'NAME=value' lines; - reads standard input")
    .option("--cwd <folder>", "folder that the local process runs in; by default a private one")
    .option("--network", "let the local process use the network")
    .option("--disabled", "register without letting calls through")
    .action(async (name: string, rest: string[], options: AddOptions) => {
      const body = { name, tags: options.tag, ...pick(options, "title", "description", "transport"), ...(options.disabled ? { enabled: false } : {}), ...kindOf(rest, options, (file) => (file === "-" ? ask.input() : readFileSync(file, "utf8"))) };
      const created = await output.during("Registering", cli.client().call("POST", "/api/v1/servers", server, body));
      output.result(created, () => [`Registered ${created.name}: ${stateOf(created)}.`, ...(created.stdio ? [`It runs: ${commandText(created.stdio)}`] : []), `Clients reach it at ${created.mcpUrl}`, ...(created.tools[0] ? [`Next: sallyport tools ${created.name}`] : [])]);
    });
  servers
    .command("show <name>")
    .description("Show a server")
    .action(async (name: string) => {
      const item = await cli.client().call("GET", path(name), server);
      const rows: [string, string | null][] = [["Name", item.name], ["Title", item.title], ["Description", item.description], ["URL", item.stdio ? null : item.url], ["Runs", item.stdio && commandText(item.stdio)], ["Variables", item.stdio && (item.stdio.hasEnv ? "stored (sealed)" : "none")], ["Document", item.openapi && `${item.openapi.source} (${item.openapi.digest})`], ["Gateway", item.mcpUrl], ["State", stateOf(item)], ["Transport", item.transport], ["Credentials", item.hasHeaders ? "stored (sealed)" : "none"], ["Tags", item.tags.join(", ")], ["Tools", item.tools.join(", ")], ["Created", item.createdAt], ["Changed", item.updatedAt]];
      output.result(item, () => output.table(["FIELD", "VALUE"], rows.filter(([, value]) => value)));
    });
  for (const verb of ["enable", "disable", "check"] as const) {
    const descriptions = { enable: "Let calls through", disable: "Stop calls", check: "Ask the upstream again what it offers" };
    servers
      .command(`${verb} <name>`)
      .description(descriptions[verb])
      .action(async (name: string) => {
        const item = await output.during("Working", cli.client().call("POST", path(name, `/${verb}`), server));
        output.result(item, () => [`${item.name}: ${stateOf(item)}.`]);
      });
  }
  servers
    .command("rm <name>")
    .alias("remove")
    .description("Remove a server, its credentials and its grants")
    .option("-y, --yes", "do not ask")
    .action(async (name: string, options: { yes?: boolean }) => {
      if (!options.yes) await ask.confirm(`Remove ${name}?`);
      await cli.client().send("DELETE", path(name));
      output.result({ removed: name }, () => [`Removed ${name}.`]);
    });
  for (const [verb, method, words] of [["grant", "PUT", "Let a user call the server's tools"], ["revoke", "DELETE", "Withdraw a user's grant"]] as const) {
    servers
      .command(`${verb} <name> <username>`)
      .description(words)
      .action(async (name: string, username: string) => {
        await cli.client().send(method, path(name, `/grants/${encodeURIComponent(username)}`));
        output.result({ server: name, username, granted: verb === "grant" }, () => [`${username} ${verb === "grant" ? "may now" : "may no longer"} call ${name}.`]);
      });
  }
}

function stateOf(item: ServerView): string {
  return item.enabled ? `${item.state.status}${item.state.detail ? ` (${item.state.detail})` : item.tools.length > 0 ? `, ${item.tools.length} tools` : ""}` : "disabled";
}

/** The members that say what kind of server it is. */
function kindOf(rest: readonly string[], options: AddOptions, read: (file: string) => string): Record<string, unknown> {
  const headers = options.headersFile === undefined ? {} : { headers: parseHeaders(read(options.headersFile)) };
  if (options.command !== undefined) {
    if (options.openapi !== undefined || options.headersFile !== undefined || options.transport !== undefined) throw new CliError("--command goes with neither --openapi, --headers-file nor --transport", exitCodes.usage);
    return { transport: "stdio", command: options.command, args: rest, ...pick(options, "cwd", "network"), ...(options.envFile === undefined ? {} : { env: parseVariables(read(options.envFile)) }) };
  }
  const [url, ...surplus] = rest;
  if (url === undefined || surplus.length > 0 || options.envFile !== undefined || options.cwd !== undefined || options.network) throw new CliError("Give a name and one URL; a local process needs --command", exitCodes.usage);
  if (options.openapi === undefined) return { url, ...headers };
  return { transport: "openapi", url, openapi: /^https?:\/\//.test(options.openapi) ? options.openapi : read(options.openapi), ...headers };
}

/** As it would be typed, each argument distinguishable. */
function commandText({ command, args, cwd, network }: NonNullable<ServerView["stdio"]>): string {
  const words = [command, ...args].map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word)));
  return `${words.join(" ")} (in ${cwd ?? "a private folder"}, ${network ? "with" : "without"} network)`;
}

function parseVariables(text: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const line of text.split(/\r?\n/).filter((candidate) => candidate.trim() !== "" && !candidate.startsWith("#"))) {
    const equals = line.indexOf("=");
    if (equals < 1) throw new CliError("A line of the variables is not 'NAME=value'", exitCodes.usage);
    variables[line.slice(0, equals).trim()] = line.slice(equals + 1);
  }
  return variables;
}

function parseHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of text.split(/\r?\n/).filter((candidate) => candidate.trim() !== "")) {
    const colon = line.indexOf(":");
    if (colon < 1) throw new CliError("A header line is not 'Name: value'", exitCodes.usage);
    headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
  }
  return headers;
}

function pick<T extends object, K extends keyof T>(from: T, ...keys: K[]): Partial<Pick<T, K>> {
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]])) as Partial<Pick<T, K>>;
}

/** `keys …` for one's own API keys and those of service accounts; `service-accounts …` for administrators. */
import type { Command } from "commander";
import { z } from "zod";
import type { Cli } from "./index.ts";
import { CliError, exitCodes } from "./output.ts";

const account = z.object({ name: z.string(), description: z.string().nullable(), owner: z.string().nullable(), scopes: z.array(z.string()), effectiveScopes: z.array(z.string()), disabled: z.boolean() });
const apiKey = z.object({ id: z.string(), name: z.string(), prefix: z.string(), user: z.string().nullable(), scopes: z.array(z.string()), servers: z.array(z.string()).nullable(), tools: z.array(z.string()).nullable(), expiresAt: z.string(), lastUsedAt: z.string().nullable(), revokedAt: z.string().nullable() });
const accountPath = (name: string) => `/api/v1/service-accounts/${encodeURIComponent(name)}`;
const words = (text: string): string[] => text.split(/[ ,]+/).filter(Boolean);

export function machineCommands(program: Command, cli: Cli): void {
  keyCommands(program, cli);
  accountCommands(program, cli);
}

interface AddKeyOptions {
  scopes: string[];
  servers?: string[];
  tools?: string[];
  for?: string;
  expires: string;
}

function keyCommands(program: Command, cli: Cli): void {
  const { output, ask } = cli;
  const keys = program.command("keys").description("API keys: your own, and those of service accounts");
  keys
    .command("list")
    .alias("ls")
    .description("List keys")
    .option("--for <account>", "those of a service account")
    .option("--all", "everybody's (administrators)")
    .action(async (options: { for?: string; all?: boolean }) => {
      const query = new URLSearchParams({ ...(options.for === undefined ? {} : { user: options.for }), ...(options.all ? { all: "true" } : {}) });
      const { items } = await cli.client().call("GET", `/api/v1/api-keys?${query}`, z.object({ items: z.array(apiKey) }));
      const state = (item: z.output<typeof apiKey>) => (item.revokedAt ? "revoked" : Date.parse(item.expiresAt) <= Date.now() ? "expired" : `until ${item.expiresAt.slice(0, 10)}`);
      output.result(items, () => (items.length === 0 ? ["No keys. Next: sallyport keys add <name> --scopes tools:call"] : output.table(["PREFIX", "NAME", "USER", "SCOPES", "SERVERS", "TOOLS", "STATE", "LAST USED"], items.map((item) => [item.prefix, item.name, item.user, item.scopes.join(" "), item.servers?.join(" ") ?? "any", item.tools?.join(" ") ?? "any", state(item), item.lastUsedAt?.slice(0, 16) ?? "never"]))));
    });
  keys
    .command("add <name>")
    .description("Make a key; it is printed once")
    .requiredOption("--scopes <scopes>", "scopes, separated by commas", words)
    .option("--servers <names>", "only these servers, separated by commas", words)
    .option("--tools <patterns>", "only these tools, separated by commas; * stands for any text", words)
    .option("--for <account>", "for a service account")
    .option("--expires <time>", "days from now, such as 90d, or a date", "90d")
    .action(async (name: string, options: AddKeyOptions) => {
      const body = { name, scopes: options.scopes, expiresAt: expiry(options.expires), ...(options.servers ? { servers: options.servers } : {}), ...(options.tools ? { tools: options.tools } : {}), ...(options.for === undefined ? {} : { user: options.for }) };
      const created = await cli.client().call("POST", "/api/v1/api-keys", apiKey.extend({ key: z.string() }), body);
      output.result(created, () => [created.key, `Shown this once; good until ${created.expiresAt}. Send it as 'Authorization: Bearer ${created.prefix}_…'.`]);
    });
  keys
    .command("revoke <prefix>")
    .description("Revoke a key by its prefix or id; it ends at once")
    .option("--for <account>", "one of a service account")
    .option("--all", "anybody's (administrators)")
    .option("-y, --yes", "do not ask")
    .action(async (prefix: string, options: { for?: string; all?: boolean; yes?: boolean }) => {
      const query = new URLSearchParams({ ...(options.for === undefined ? {} : { user: options.for }), ...(options.all ? { all: "true" } : {}) });
      const { items } = await cli.client().call("GET", `/api/v1/api-keys?${query}`, z.object({ items: z.array(apiKey) }));
      const found = items.find((item) => item.prefix === prefix || item.id === prefix);
      if (!found) throw new CliError("No such key", exitCodes.notFound, "'sallyport keys list' shows their prefixes.");
      if (!options.yes) await ask.confirm(`Revoke ${found.prefix} (${found.name})?`);
      await cli.client().send("DELETE", `/api/v1/api-keys/${found.id}`);
      output.result({ revoked: found.prefix }, () => [`Revoked ${found.prefix}.`]);
    });
}

function accountCommands(program: Command, cli: Cli): void {
  const { output, ask } = cli;
  const accounts = program.command("service-accounts").description("Accounts of programs (administrators)");
  const changed = (value: z.output<typeof account>, what: string) => output.result(value, () => [`${value.name} ${what}.`]);
  accounts
    .command("list")
    .alias("ls")
    .description("List service accounts")
    .action(async () => {
      const { items } = await cli.client().call("GET", "/api/v1/service-accounts", z.object({ items: z.array(account) }));
      output.result(items, () => output.table(["ACCOUNT", "OWNER", "SCOPES", "STATE", "DESCRIPTION"], items.map((item) => [item.name, item.owner, item.effectiveScopes.join(" "), item.disabled ? "disabled" : "active", item.description])));
    });
  accounts
    .command("add <name>")
    .description("Create a service account")
    .option("--scopes <scopes>", "scopes, separated by commas", words, [])
    .option("--owner <username>", "who answers for it; you, if not named")
    .option("--description <text>")
    .action(async (name: string, options: { scopes: string[]; owner?: string; description?: string }) => changed(await cli.client().call("POST", "/api/v1/service-accounts", account, { name, ...options }), "was created"));
  accounts
    .command("set-scopes <name> <scopes>")
    .description("Replace its scopes, at once")
    .action(async (name: string, scopes: string) => changed(await cli.client().call("PATCH", accountPath(name), account, { scopes: words(scopes) }), `now holds ${scopes}`));
  for (const verb of ["enable", "disable"] as const) {
    accounts
      .command(`${verb} <name>`)
      .description(verb === "enable" ? "Let it act again" : "Stop it at once; its keys work again when it is enabled")
      .action(async (name: string) => changed(await cli.client().call("PATCH", accountPath(name), account, { disabled: verb === "disable" }), `is ${verb}d`));
  }
  accounts
    .command("rm <name>")
    .alias("remove")
    .description("Remove it, with its keys, groups and grants")
    .option("-y, --yes", "do not ask")
    .action(async (name: string, options: { yes?: boolean }) => {
      if (!options.yes) await ask.confirm(`Remove ${name}?`);
      await cli.client().send("DELETE", accountPath(name));
      output.result({ removed: name }, () => [`Removed ${name}.`]);
    });
}

/** @returns the time as the API wants it. */
function expiry(text: string): string {
  const days = /^(\d{1,5})d$/.exec(text)?.[1];
  const at = days === undefined ? Date.parse(text) : Date.now() + Number(days) * 86_400_000;
  if (Number.isNaN(at)) throw new CliError("--expires is neither days (90d) nor a date (2027-01-31)", exitCodes.usage);
  return new Date(at).toISOString();
}

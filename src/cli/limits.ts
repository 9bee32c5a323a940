/** `limits …`: rates, concurrency and daily quotas. */
import type { Command } from "commander";
import { z } from "zod";
import type { Cli } from "./index.ts";
import { CliError, exitCodes } from "./output.ts";

const limit = z.looseObject({
  name: z.string(),
  user: z.string().nullable(),
  server: z.string().nullable(),
  tool: z.string().nullable(),
  perSecond: z.number().nullable(),
  burst: z.number().nullable(),
  concurrent: z.number().nullable(),
  perDay: z.number().nullable(),
});
const page = z.object({ items: z.array(limit) });
const path = (name: string) => `/api/v1/limits/${encodeURIComponent(name)}`;
const number = (text: string) => {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new CliError(`${text} is not a number`, exitCodes.usage);
  return value;
};

export function limitCommands(program: Command, cli: Cli): void {
  const { output } = cli;
  const limits = program.command("limits").description("Limits on requests through the gateway (administrators)");
  const rows = (items: readonly z.output<typeof limit>[]) =>
    output.table(["NAME", "USER", "SERVER", "TOOL", "PER SECOND", "AT ONCE", "PER DAY"], items.map((one) => [one.name, one.user ?? "(all)", one.server ?? "(all)", one.tool ?? "(all)", one.perSecond === null ? "" : `${one.perSecond}${one.burst === null ? "" : ` (burst ${one.burst})`}`, one.concurrent ?? "", one.perDay ?? ""]));

  limits
    .command("list")
    .alias("ls")
    .description("List limits")
    .action(async () => {
      const { items } = await cli.client().call("GET", "/api/v1/limits", page);
      output.result(items, () => (items.length === 0 ? ["No limits but those of the settings. Next: sallyport limits add <name> --user '*' --per-day 1000"] : rows(items)));
    });
  limits
    .command("add <name>")
    .description("Set a limit; '*' counts for each alone, nothing counts all together")
    .option("--user <name>", "a user, or '*'")
    .option("--server <name>", "a server, or '*'")
    .option("--tool <name>", "a tool's own name, or '*'")
    .option("--per-second <n>", "requests per second on average", number)
    .option("--burst <n>", "requests at once after a pause", number)
    .option("--concurrent <n>", "requests under way at once", number)
    .option("--per-day <n>", "requests per day (UTC)", number)
    .action(async (name: string, options: Record<string, string | number>) => {
      const created = await cli.client().call("POST", "/api/v1/limits", limit, { name, ...options });
      output.result(created, () => rows([created]));
    });
  limits
    .command("rm <name>")
    .alias("remove")
    .description("Remove a limit")
    .action(async (name: string) => {
      await cli.client().send("DELETE", path(name));
      output.result({ removed: name }, () => [`Removed ${name}.`]);
    });
}

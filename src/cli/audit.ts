/** `audit`: recent security events, for administrators. */
import type { Command } from "commander";
import { z } from "zod";
import type { Cli } from "./index.ts";

const page = z.object({ items: z.array(z.object({ sequence: z.number(), at: z.string(), type: z.string(), outcome: z.string(), actorId: z.string().nullable(), subject: z.string().nullable(), requestId: z.string().nullable(), detail: z.record(z.string(), z.unknown()) })) });

export function auditCommands(program: Command, cli: Cli): void {
  const { output } = cli;
  program
    .command("audit")
    .description("Recent security events, newest first (administrators)")
    .option("--type <type>", "only events of this type")
    .option("--limit <n>", "at most so many, up to 500", "50")
    .action(async (options: { type?: string; limit: string }) => {
      const { items } = await cli.client().call("GET", `/api/v1/audit/events?${new URLSearchParams(options)}`, page);
      output.result(items, () =>
        output.table(["TIME", "EVENT", "OUTCOME", "DETAIL"], items.map((item) => [item.at.replace("T", " ").slice(0, 19), item.type, item.outcome, Object.entries(item.detail).map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(",") : String(value)}`).join(" ")])),
      );
    });
}

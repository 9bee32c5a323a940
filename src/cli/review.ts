/** `review …`: what servers say of themselves, what was found, and the decisions about it. */
import { styleText } from "node:util";
import type { Command } from "commander";
import { z } from "zod";
import type { Cli } from "./index.ts";
import { CliError, exitCodes, printable } from "./output.ts";

const item = z.looseObject({
  kind: z.string(),
  name: z.string(),
  digest: z.string(),
  standing: z.string(),
  enabled: z.boolean(),
  tier: z.string(),
  tokens: z.number(),
  findings: z.array(z.looseObject({ ruleId: z.string(), effect: z.string(), path: z.string(), excerpt: z.string(), message: z.string() })),
  changes: z.array(z.object({ path: z.string(), kind: z.string(), before: z.string().nullable(), after: z.string().nullable() })),
});
type Item = z.output<typeof item>;
const review = z.looseObject({ server: z.string(), state: z.string(), reason: z.string(), tokens: z.number(), items: z.array(item), inspection: z.looseObject({ ok: z.boolean(), at: z.string(), error: z.string().nullable() }).nullable() });
const reviews = z.object({ items: z.array(z.object({ server: z.string(), state: z.string(), withheld: z.number(), items: z.number(), inspectedAt: z.string().nullable() })) });
const inspection = z.looseObject({ ok: z.boolean(), error: z.string().nullable(), items: z.number(), withheld: z.number(), phases: z.array(z.object({ phase: z.string(), milliseconds: z.number() })) });
const path = (name: string, rest: string) => `/api/v1/servers/${encodeURIComponent(name)}/${rest}`;

export function reviewCommands(program: Command, cli: Cli): void {
  const { output } = cli;
  const command = program.command("review").description("Review of what servers offer: see it, approve it, hold it");
  const read = (name: string) => cli.client().call("GET", path(name, "review"), review);

  command
    .command("list")
    .alias("ls")
    .description("Servers with their review state; --withheld: only those that wait for somebody")
    .option("--withheld", "only servers of which something waits or is withheld")
    .action(async (options: { withheld?: boolean }) => {
      const { items } = await cli.client().call("GET", `/api/v1/reviews${options.withheld ? "?withheld=true" : ""}`, reviews);
      output.result(items, () => (items.length === 0 ? ["Nothing waits."] : output.table(["SERVER", "STATE", "WITHHELD", "ITEMS", "INSPECTED"], items.map((entry) => [entry.server, entry.state, entry.withheld, entry.items, entry.inspectedAt]))));
    });
  command
    .command("show <server>")
    .description("Everything a server says, with findings and what changed; exit code 10 when something is withheld, 11 when something is blocked")
    .option("--all", "also what is approved")
    .action(async (name: string, options: { all?: boolean }) => {
      const found = await read(name);
      const waiting = found.items.filter(({ standing }) => standing !== "approved");
      output.result(found, () => describe(found, options.all ? found.items : waiting, output.table));
      if (waiting.length > 0) process.exitCode = waiting.some(({ standing }) => standing === "blocked") ? exitCodes.blocked : exitCodes.held;
    });
  command
    .command("inspect <server>")
    .description("Ask the server again what it offers")
    .action(async (name: string) => {
      const done = await output.during("Inspecting", cli.client().call("POST", path(name, "inspect"), inspection));
      output.result(done, () => [...output.table(["PHASE", "MS"], done.phases.map(({ phase, milliseconds }) => [phase, milliseconds])), done.ok ? `${done.items} items, ${done.withheld} withheld.` : `Not inspected: ${done.error ?? "no answer"}`]);
      if (!done.ok) process.exitCode = exitCodes.failed;
    });
  for (const [verb, decision] of [["approve", "approved"], ["hold", "held"], ["reject", "rejected"]] as const) {
    command
      .command(`${verb} <server> [names...]`)
      .description(`${verb[0]?.toUpperCase()}${verb.slice(1)} items as they are shown now, by name or with --all`)
      .requiredOption("--reason <text>", "why; kept in the audit trail")
      .option("--all", "everything that is shown")
      .option("--expires <time>", "end of the approval, such as 2027-01-31T00:00:00Z")
      .action(async (name: string, names: string[], options: { reason: string; all?: boolean; expires?: string }) => {
        const items = options.all ? "all" : choose(await read(name), names);
        const body = { decision, items, reason: options.reason, ...(options.expires === undefined ? {} : { expiresAt: options.expires }) };
        const done = await cli.client().call("POST", path(name, "review/decisions"), z.object({ decided: z.number(), pending: z.number() }), body);
        output.result(done, () => [`${done.decided} ${decision}.`, ...(done.pending > 0 ? [`A second person must confirm: sallyport review confirm ${name}`] : [])]);
      });
  }
  command
    .command("confirm <server>")
    .description("Confirm, as a second person, what another approved")
    .action(async (name: string) => {
      const done = await cli.client().call("POST", path(name, "review/confirm"), z.object({ confirmed: z.number() }));
      output.result(done, () => [`${done.confirmed} confirmed.`]);
    });
  command
    .command("state <server> <state>")
    .description("Put a server into draft, in-review, approved, held, rejected or retired")
    .requiredOption("--reason <text>", "why; kept in the audit trail")
    .action(async (name: string, state: string, options: { reason: string }) => {
      await cli.client().send("PUT", path(name, "review/state"), { state, reason: options.reason });
      output.result({ server: name, state }, () => [`${name}: ${state}.`]);
    });
  command
    .command("set <server> <name>")
    .description("Settings of a tool, or of all that a pattern with * matches; they survive every inspection")
    .option("--kind <kind>", "tool, prompt, resource or resourceTemplate", "tool")
    .option("--off", "neither list nor call it")
    .option("--on", "undo --off")
    .option("--alias <name>", "the name that clients see and call; empty undoes it")
    .option("--title <text>", "empty undoes it")
    .option("--description <text>", "empty undoes it")
    .action(async (server: string, name: string, options: { kind: string; off?: boolean; on?: boolean; alias?: string; title?: string; description?: string }) => {
      const text = (value: string | undefined) => (value === "" ? null : value);
      const change = { kind: options.kind, name, enabled: options.off ? false : options.on ? null : undefined, alias: text(options.alias), title: text(options.title), description: text(options.description) };
      await cli.client().send("PATCH", path(server, "items"), { changes: [change] });
      output.result({ server, ...change }, () => [`Set for ${name} of ${server}.`]);
    });
}

function choose({ items }: z.output<typeof review>, names: readonly string[]): { kind: string; name: string; digest: string }[] {
  if (names.length === 0) throw new CliError("Nothing is named", exitCodes.usage, "Give names as 'review show' prints them, or --all.");
  return names.flatMap((wanted) => {
    const found = items.filter(({ kind, name }) => name === wanted || (kind === "server" && wanted === "server"));
    if (found.length === 0) throw new CliError(`There is no ${printable(wanted)}`, exitCodes.notFound, "Give names as 'review show' prints them, or --all.");
    return found.map(({ kind, name, digest }) => ({ kind, name, digest }));
  });
}

function describe({ server, state, reason, inspection: last, items: all, tokens }: z.output<typeof review>, items: readonly Item[], table: (header: readonly string[], rows: readonly (readonly (string | number)[])[]) => string[]): string[] {
  const lines = [`${server}: ${state} (${printable(reason)})`, last === null ? "Not inspected yet." : last.ok ? `Inspected ${last.at}: ${all.length} items; its tools cost ${tokens} tokens in every conversation.` : `The last inspection failed: ${last.error ?? "no answer"}`];
  if (items.length === 0) return [...lines, "Nothing is withheld."];
  lines.push("", ...table(["KIND", "NAME", "STANDING", "TIER", "TOKENS", "FINDINGS"], items.map((entry) => [entry.kind, entry.kind === "server" ? "server" : entry.name, entry.enabled ? entry.standing : `${entry.standing}, off`, entry.tier, entry.tokens, entry.findings.length])));
  for (const entry of items) {
    for (const finding of entry.findings) lines.push("", `${styleText(finding.effect === "block" ? "red" : "yellow", finding.effect)} ${printable(entry.name || "server")}${printable(finding.path)} ${finding.ruleId}: ${printable(finding.message)}`, `  ${printable(finding.excerpt)}`);
    for (const change of entry.changes) lines.push("", `${styleText("bold", "changed")} ${printable(entry.name || "server")}${printable(change.path)}`, ...(change.before === null ? [] : [styleText("red", `  - ${printable(change.before)}`)]), ...(change.after === null ? [] : [styleText("green", `  + ${printable(change.after)}`)]));
  }
  return [...lines, "", `Next: sallyport review approve ${server} <names> --reason "…"`];
}

/** `policy …`: policies in Cedar, why something is decided, what a change would do; and `approvals …`: calls that wait for a person. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { styleText } from "node:util";
import type { Command } from "commander";
import { z } from "zod";
import { parseUntrustedJson } from "../kernel/json.ts";
import type { Cli } from "./index.ts";
import { CliError, exitCodes, printable } from "./output.ts";

const policy = z.looseObject({ name: z.string(), text: z.string(), enabled: z.boolean(), changedBy: z.string().nullable(), changedAt: z.string() });
const policies = z.object({ items: z.array(policy) });
const explanation = z.object({ allowed: z.boolean(), because: z.string(), reasons: z.array(z.object({ name: z.string(), text: z.string() })), obligations: z.array(z.object({ policy: z.string(), kind: z.string(), value: z.string() })), wouldAllow: z.array(z.object({ how: z.string(), policy: z.string().optional(), command: z.string().optional() })) });
const differences = z.object({ complete: z.boolean(), differences: z.array(z.object({ user: z.string(), server: z.string(), kind: z.string(), name: z.string(), before: z.boolean(), after: z.boolean() })) });
const approvals = z.object({ items: z.array(z.object({ id: z.string(), user: z.string(), server: z.string(), tool: z.string(), policy: z.string(), askedAt: z.string(), expiresAt: z.string() })) });
const cases = z.array(z.strictObject({ user: z.string(), server: z.string(), kind: z.enum(["tool", "prompt", "resource"]).optional(), name: z.string(), action: z.enum(["list", "call", "get", "read"]).optional(), arguments: z.record(z.string(), z.unknown()).optional(), address: z.string().optional(), expect: z.enum(["allow", "deny"]) })).min(1).max(10_000);

const path = (name: string) => `/api/v1/policies/${encodeURIComponent(name)}`;

export function policyCommands(program: Command, cli: Cli): void {
  const { output, ask } = cli;
  const command = program.command("policy").description("Policies in Cedar: who may list and call what, down to arguments");

  command
    .command("list")
    .alias("ls")
    .description("List policies")
    .action(async () => {
      const { items } = await cli.client().call("GET", "/api/v1/policies", policies);
      output.result(items, () => (items.length === 0 ? ["No policies: nothing is permitted. Next: sallyport policy add <name> <file>"] : output.table(["NAME", "STATE", "CHANGED", "BY"], items.map((item) => [item.name, item.enabled ? "enabled" : "disabled", item.changedAt, item.changedBy]))));
    });
  command
    .command("show <name>")
    .description("Print a policy")
    .action(async (name: string) => {
      const found = await cli.client().call("GET", path(name), policy);
      output.result(found, () => [printable(found.text).trimEnd()]);
    });
  command
    .command("schema")
    .description("Print the Cedar schema that policies are checked against")
    .action(async () => {
      const { schema } = await cli.client().call("GET", "/api/v1/policy-schema", z.object({ schema: z.string() }));
      output.result({ schema }, () => [schema]);
    });
  command
    .command("add <name> <file>")
    .description("Add a policy, or replace the one of that name; - reads standard input")
    .option("--disabled", "store it without running it")
    .action(async (name: string, file: string, options: { disabled?: boolean }) => {
      const text = textOf(cli, file);
      const known = (await cli.client().call("GET", "/api/v1/policies", policies)).items.some((item) => item.name === name);
      const stored = known ? await cli.client().call("PATCH", path(name), policy, { text, enabled: !options.disabled }) : await cli.client().call("POST", "/api/v1/policies", policy, { name, text, enabled: !options.disabled });
      output.result(stored, () => [`${known ? "Replaced" : "Added"} ${name}${stored.enabled ? "" : " (disabled)"}.`]);
    });
  for (const verb of ["enable", "disable"] as const) {
    command
      .command(`${verb} <name>`)
      .description(verb === "enable" ? "Run a policy" : "Keep a policy without running it")
      .action(async (name: string) => {
        const stored = await cli.client().call("PATCH", path(name), policy, { enabled: verb === "enable" });
        output.result(stored, () => [`${name}: ${verb}d.`]);
      });
  }
  command
    .command("rm <name>")
    .alias("remove")
    .description("Remove a policy")
    .option("-y, --yes", "do not ask")
    .action(async (name: string, options: { yes?: boolean }) => {
      if (!options.yes) await ask.confirm(`Remove the policy ${name}?`);
      await cli.client().send("DELETE", path(name));
      output.result({ removed: name }, () => [`Removed ${name}.`]);
    });
  command
    .command("check <file>")
    .description("Validate a policy without storing it; - reads standard input; exit code 2 when it is not valid")
    .action(async (file: string) => {
      const text = textOf(cli, file);
      const { faults } = await cli.client().call("POST", "/api/v1/policy-checks", z.object({ faults: z.array(z.object({ start: z.number(), end: z.number(), message: z.string() })) }), { text });
      output.result({ valid: faults.length === 0, faults }, () => (faults.length === 0 ? ["Valid."] : faults.flatMap((fault) => [`${positionOf(text, fault.start)}: ${printable(fault.message)}`, `  ${printable(text.slice(fault.start, Math.max(fault.end, fault.start + 1)).slice(0, 200))}`])));
      if (faults.length > 0) process.exitCode = exitCodes.usage;
    });
  command
    .command("explain <user> <server> <name>")
    .description("What is decided for a user and a tool, why, and the smallest change that would allow it")
    .option("--kind <kind>", "tool, prompt or resource", "tool")
    .option("--action <action>", "list, call, get or read")
    .option("--arguments <json>", "arguments of the call")
    .option("--address <ip>", "the client's address")
    .action(async (user: string, server: string, name: string, options: { kind: string; action?: string; arguments?: string; address?: string }) => {
      const { arguments: given, ...rest } = options;
      const found = await cli.client().call("POST", "/api/v1/policy-explanations", explanation, { user, server, name, ...rest, ...(given === undefined ? {} : { arguments: parseUntrustedJson(given) }) });
      output.result(found, () => [
        `${found.allowed ? styleText("green", "allowed") : styleText("red", "refused")}: ${printable(found.because)}.`,
        ...found.obligations.map(({ policy: by, kind, value }) => `  with @${kind}("${printable(value)}") of ${by}`),
        ...found.reasons.flatMap(({ name: by, text }) => ["", styleText("bold", by), ...printable(text).trimEnd().split("\n").map((line) => `  ${line}`)]),
        ...found.wouldAllow.flatMap(({ how, policy: text, command: run }) => ["", `${how} would allow it:`, ...(text === undefined ? [] : printable(text).trimEnd().split("\n").map((line) => `  ${line}`)), ...(run === undefined ? [] : [`  ${run}`])]),
      ]);
      if (!found.allowed) process.exitCode = exitCodes.forbidden;
    });
  command
    .command("diff <paths...>")
    .description("What would change for whom if the running set were these .cedar files or folders; exit code 10 when something would")
    .action(async (paths: string[]) => {
      const found = await output.during("Comparing", cli.client().call("POST", "/api/v1/policy-differences", differences, { policies: paths.flatMap(filesOf) }));
      output.result(found, () => [
        ...(found.differences.length === 0 ? ["Nothing would change for the users, servers and tools there are."] : output.table(["USER", "SERVER", "KIND", "NAME", "CHANGE"], found.differences.map((entry) => [entry.user, entry.server, entry.kind, entry.name, entry.after ? "would be allowed" : "would be refused"]))),
        ...(found.complete ? [] : ["There is more than is shown."]),
      ]);
      if (found.differences.length > 0) process.exitCode = exitCodes.held;
    });
  command
    .command("test <file>")
    .description("Compare decisions with what a JSON file of cases expects; exit code 1 when one differs")
    .action(async (file: string) => {
      const wanted = cases.safeParse(parseUntrustedJson(textOf(cli, file), { maxBytes: 16 * 1024 * 1024, maxItems: 1_000_000 }));
      if (!wanted.success) throw new CliError(`${file} is not a list of cases: ${wanted.error.issues[0]?.path.join(".")} ${wanted.error.issues[0]?.message}`, exitCodes.usage, 'Such as [{"user":"ann","server":"files","name":"read","arguments":{"path":"/srv/a"},"expect":"allow"}]');
      const results = [];
      for (const { expect, ...wish } of wanted.data) {
        const { allowed, because } = await cli.client().call("POST", "/api/v1/policy-explanations", explanation, wish);
        results.push({ ...wish, expect, decision: allowed ? "allow" : "deny", because, ok: allowed === (expect === "allow") });
      }
      const wrong = results.filter(({ ok }) => !ok);
      output.result({ ok: wrong.length === 0, cases: results }, () => [...wrong.map(({ user, server, name, expect, decision, because }) => `${styleText("red", "differs")} ${user} ${server}/${name}: expected ${expect}, is ${decision} (${printable(because)})`), `${results.length - wrong.length} of ${results.length} as expected.`]);
      if (wrong.length > 0) process.exitCode = exitCodes.failed;
    });

  const waiting = program.command("approvals").description("Calls that wait for a person's consent");
  waiting
    .command("list")
    .alias("ls")
    .description("List waiting calls")
    .action(async () => {
      const { items } = await cli.client().call("GET", "/api/v1/approvals", approvals);
      output.result(items, () => (items.length === 0 ? ["Nothing waits."] : output.table(["ID", "USER", "SERVER", "TOOL", "POLICY", "EXPIRES"], items.map((item) => [item.id, item.user, item.server, item.tool, item.policy, item.expiresAt]))));
    });
  for (const [verb, consent] of [["consent", true], ["refuse", false]] as const) {
    waiting
      .command(`${verb} <id>`)
      .description(consent ? "Let a waiting call through, once" : "Refuse a waiting call")
      .action(async (id: string) => {
        await cli.client().send("POST", `/api/v1/approvals/${encodeURIComponent(id)}`, { consent });
        output.result({ id, consent }, () => [consent ? "It goes through when it is sent again." : "Refused."]);
      });
  }
}

function textOf({ ask }: Cli, file: string): string {
  if (file === "-") return ask.input();
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new CliError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})`, exitCodes.notFound);
  }
}

/** A policy's name is its file's. */
function filesOf(file: string): { name: string; text: string }[] {
  try {
    if (statSync(file).isDirectory()) return readdirSync(file).filter((name) => name.endsWith(".cedar")).sort().map((name) => ({ name: basename(name, ".cedar"), text: readFileSync(join(file, name), "utf8") }));
    return [{ name: basename(file, ".cedar"), text: readFileSync(file, "utf8") }];
  } catch (error) {
    throw new CliError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})`, exitCodes.notFound);
  }
}

function positionOf(text: string, at: number): string {
  const before = text.slice(0, at).split("\n");
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

/** docs/cli.md, from the program itself. */
import type { Command } from "commander";
import { exitCodes } from "./output.ts";

const meanings: Record<keyof typeof exitCodes, string> = {
  ok: "done",
  failed: "it failed; the error says why",
  usage: "the command line or a field is not valid",
  configuration: "the configuration cannot be used",
  unauthenticated: "no valid token: run `sallyport login`",
  forbidden: "a scope or ownership is missing",
  notFound: "there is no such thing, or you may not see it",
  conflict: "it exists already, or was changed meanwhile",
  unreachable: "the server does not answer",
  held: "`scan` found something that somebody should look at",
  blocked: "`scan` found something that must not be used",
};

export function manualPage(program: Command): string {
  const rows = commandsOf(program, "");
  return [
    "# Command line",
    "",
    "From a clone: `npm run sallyport -- <command>`. Every command takes `--json` (one JSON value on standard output, errors as JSON on standard error) and `--url`. Passwords and upstream credentials are asked for, or read from standard input or a file; never given as arguments.",
    "",
    "This page is generated from the program; a test keeps them equal.",
    "",
    "| command | what it does |",
    "| --- | --- |",
    ...rows.map(({ usage, description }) => `| \`sallyport ${usage}\` | ${description} |`),
    "",
    "## Options",
    ...rows.filter(({ options }) => options.length > 0).flatMap(({ usage, options }) => ["", `### ${usage}`, "", "| option | meaning |", "| --- | --- |", ...options.map(([flags, description]) => `| \`${flags.replaceAll("|", "\\|")}\` | ${description} |`)]),
    "",
    "## Exit codes",
    "",
    "| code | meaning |",
    "| --- | --- |",
    ...(Object.keys(exitCodes) as (keyof typeof exitCodes)[]).map((name) => `| ${exitCodes[name]} | ${meanings[name]} |`),
    "",
    "## Environment",
    "",
    "`SALLYPORT_URL` and `SALLYPORT_TOKEN` (or `SALLYPORT_TOKEN_FILE`) take the place of what `login` remembered. `NO_COLOR` switches colours off.",
    "",
  ].join("\n");
}

interface Row {
  usage: string;
  description: string;
  options: [flags: string, description: string][];
}

function commandsOf(command: Command, prefix: string): Row[] {
  return command.commands.flatMap((child): Row[] => {
    const name = [prefix, child.name()].filter(Boolean).join(" ");
    const usage = [name, ...child.registeredArguments.map((argument) => (argument.required ? `<${argument.name()}${argument.variadic ? "..." : ""}>` : `[${argument.name()}]`))].join(" ");
    if (child.commands.length > 0) return commandsOf(child, name);
    const alias = child.alias() ? ` (also \`${child.alias()}\`)` : "";
    const options = child.options.filter(({ long }) => long !== "--json" && long !== "--url").map((option): [string, string] => [option.flags, option.description]);
    return [{ usage, description: child.description() + alias, options }];
  });
}

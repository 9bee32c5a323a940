/** `config`: the effective settings, secrets redacted. */
import type { Command } from "commander";
import { describeConfig, readConfig, settings, type Setting } from "../config/index.ts";
import type { Cli } from "./index.ts";

export function configCommand(program: Command, cli: Cli): void {
  const { output } = cli;
  program
    .command("config")
    .description("Print the effective configuration, secrets redacted")
    .action(() => {
      const rows = describeConfig(readConfig(cli.serverEnvironment()));
      output.result(Object.fromEntries(rows.map(({ name, value }) => [name, value])), () => output.table(["SETTING", "VALUE", ""], rows.map(({ name, value, isDefault }) => [name, value, isDefault ? "default" : ""])));
    });
}

/** docs/configuration.md, from the same table that parses. */
export function configurationPage(): string {
  const entries = Object.entries(settings) as [string, Setting][];
  const groups = [...new Set(entries.map(([, { group }]) => group))];
  const row = ([name, entry]: [string, Setting]) => `| \`${name}\` | ${entry.required ? "**required**" : entry.default === undefined ? "–" : entry.default === "" ? "(empty)" : `\`${entry.default}\``} | ${entry.description.replaceAll("|", "\\|")}${entry.sensitive ? " Secret: may come from the file that `" + name + "_FILE` names." : ""} |`;
  return [
    "# Configuration",
    "",
    "Every setting is an environment variable. `npm start` also reads them from `.env` in the project folder. An unknown `SALLYPORT_` name stops the start, with a suggestion. `npm run sallyport -- config` prints what is in force, without secrets.",
    "",
    "This page is generated from the code (`src/config/settings.ts`); a test keeps them equal.",
    ...groups.flatMap((group) => ["", `## ${group}`, "", "| setting | default | meaning |", "| --- | --- | --- |", ...entries.filter(([, entry]) => entry.group === group).map(row)]),
    "",
  ].join("\n");
}

/** The command line: one file per group of commands, all of them talking to the API like anybody else. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import { Command, CommanderError } from "commander";
import { readCliEnvironment, takeProcessEnvironment, type CliEnvironment, type Environment } from "../config/index.ts";
import { version } from "../version.ts";
import { createAsk, type Ask } from "./ask.ts";
import { auditCommands } from "./audit.ts";
import { bundleCommands } from "./bundles.ts";
import { callCommands } from "./call.ts";
import { createApiClient, type ApiClient } from "./client.ts";
import { configCommand } from "./config.ts";
import { doctorCommand, type DetectConfinement } from "./doctor.ts";
import { groupCommands } from "./groups.ts";
import { machineCommands } from "./machines.ts";
import { limitCommands } from "./limits.ts";
import { createOutput, exitCodes, type Output } from "./output.ts";
import { policyCommands } from "./policy.ts";
import { reviewCommands } from "./review.ts";
import { scanCommand } from "./scan.ts";
import { serve, type StartServer } from "./serve.ts";
import { serverCommands } from "./servers.ts";
import { sessionCommands } from "./session.ts";
import { userCommands } from "./users.ts";

/** What commands work with. */
export interface Cli {
  output: Output;
  ask: Ask;
  environment: CliEnvironment;
  /** For the server chosen by --url, the environment or the last login. */
  client(): ApiClient;
  /** What a server started here would read. */
  serverEnvironment(): Environment;
}

/** Every command, for running and for the documentation. */
export function createProgram(cli: Cli, startServer: StartServer, detectConfinement: DetectConfinement): Command {
  const program = new Command("sallyport")
    .description("A secure-by-default registry and gateway for MCP servers")
    .version(version)
    .option("--json", "print JSON instead of text")
    .option("--url <url>", "the Sallyport to talk to")
    .exitOverride()
    .showHelpAfterError("hint  'sallyport --help' lists the commands");
  program.command("start").description("Run on this machine with generated local secrets (what npm start does)").action(() => serve("local", startServer, cli.output));
  program.command("serve").description("Run in production: every secret comes from the environment").action(() => serve("production", startServer, cli.output));
  configCommand(program, cli);
  doctorCommand(program, cli, detectConfinement);
  sessionCommands(program, cli);
  serverCommands(program, cli);
  bundleCommands(program, cli);
  limitCommands(program, cli);
  callCommands(program, cli);
  reviewCommands(program, cli);
  policyCommands(program, cli);
  scanCommand(program, cli);
  userCommands(program, cli);
  groupCommands(program, cli);
  machineCommands(program, cli);
  auditCommands(program, cli);
  // --json and --url may stand anywhere, as people type them.
  for (const command of allCommands(program)) command.exitOverride().option("--json", "print JSON instead of text").option("--url <url>", "the Sallyport to talk to");
  return program;
}

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...allCommands(child)]);
}

export async function runCommandLine(argv: readonly string[], { startServer, detectConfinement }: { startServer: StartServer; detectConfinement: DetectConfinement }): Promise<void> {
  const output = createOutput({ out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text), columns: process.stdout.isTTY ? process.stdout.columns : undefined, interactive: process.stderr.isTTY });
  output.json = argv.includes("--json");
  // Whoever reads the output may have read enough (`| head`).
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? exitCodes.ok : exitCodes.failed));
  try {
    const url = optionValue(argv, "--url");
    const environment = readCliEnvironment();
    const cli: Cli = { output, ask: createAsk(), environment, client: () => createApiClient(environment, url?.replace(/\/$/, "")), serverEnvironment };
    const program = createProgram(cli, startServer, detectConfinement).configureOutput({ writeErr: (text) => void process.stderr.write(text) });
    await program.parseAsync(argv.filter((argument) => argument !== "--json"), { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    else process.exitCode = output.failure(error);
  }
}

function optionValue(argv: readonly string[], name: string): string | undefined {
  const at = argv.indexOf(name);
  return at === -1 ? argv.find((argument) => argument.startsWith(`${name}=`))?.slice(name.length + 1) : argv[at + 1];
}

/** The environment, over the local profile's file where there is one. */
function serverEnvironment(): Environment {
  const file = fileURLToPath(new URL("../../.env", import.meta.url));
  return { ...(existsSync(file) ? parseEnv(readFileSync(file, "utf8")) : {}), ...takeProcessEnvironment() };
}

/** The command line: one file per command, all of them talking to the API like anybody else. */
import { Command, CommanderError } from "commander";
import { version } from "../version.ts";
import { createOutput, exitCodes } from "./output.ts";
import { serve, type StartServer } from "./serve.ts";

export interface CommandLineParts {
  startServer: StartServer;
}

export async function runCommandLine(argv: readonly string[], { startServer }: CommandLineParts): Promise<void> {
  const output = createOutput({ out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text) });
  const program = new Command("sallyport").description("A secure-by-default registry and gateway for MCP servers").version(version).exitOverride().showHelpAfterError("hint  'sallyport --help' lists the commands");
  program.command("start").description("Run on this machine with generated local secrets (what npm start does)").action(() => serve("local", startServer, output));
  program.command("serve").description("Run in production: every secret comes from the environment").action(() => serve("production", startServer, output));
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    else process.exitCode = output.failure(error);
  }
}

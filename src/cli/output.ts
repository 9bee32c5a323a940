/** What the command line prints: human text on a terminal, JSON with --json, errors that end in a hint. */
import { styleText } from "node:util";
import { ConfigError } from "../config/index.ts";

/** Exit codes, documented in docs/cli.md. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, configuration: 3, unauthenticated: 4, forbidden: 5, notFound: 6, conflict: 7, unreachable: 8 } as const;

/** An error with its exit code and a hint for the person who sees it. */
export class CliError extends Error {
  readonly exitCode: number;
  readonly hint: string | undefined;

  constructor(message: string, exitCode: number, hint?: string) {
    super(message);
    this.name = "CliError";
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

export interface Output {
  lines(lines: readonly string[]): void;
  /** Prints the error and its hint on stderr. @returns the exit code. */
  failure(error: unknown): number;
}

export interface Streams {
  out(text: string): void;
  err(text: string): void;
}

export function createOutput({ out, err }: Streams): Output {
  return {
    lines: (lines) => out(`${lines.join("\n")}\n`),
    failure(error) {
      const { message, hint, exitCode } = describe(error);
      err(`${styleText("red", "error")} ${message}\n`);
      if (hint) err(`${styleText("dim", "hint")}  ${hint}\n`);
      return exitCode;
    },
  };
}

function describe(error: unknown): { message: string; hint: string | undefined; exitCode: number } {
  if (error instanceof CliError) return error;
  if (error instanceof ConfigError) return { message: error.lines.join("\n      "), hint: "'sallyport config --help' and docs/configuration.md explain every setting.", exitCode: exitCodes.configuration };
  const { code, message } = error as { code?: string; message?: string };
  if (code === "EADDRINUSE") return { message: "The address is already in use", hint: "Is Sallyport running already? Otherwise set SALLYPORT_PORT to another port.", exitCode: exitCodes.failed };
  return { message: message ?? "Unknown error", hint: "Run 'sallyport doctor' to look for the cause.", exitCode: exitCodes.failed };
}

/** What the command line prints: human text on a terminal, JSON with --json, errors that end in a hint, progress only when it takes long. */
import { stripVTControlCharacters, styleText } from "node:util";
import { ConfigError } from "../config/index.ts";

/** Exit codes, documented in docs/cli.md. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, configuration: 3, unauthenticated: 4, forbidden: 5, notFound: 6, conflict: 7, unreachable: 8, held: 10, blocked: 11 } as const;

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

export type Cell = string | number | boolean | null | undefined;

export interface Output {
  /** Set by --json: everything printed is one JSON value. */
  json: boolean;
  lines(lines: readonly string[]): void;
  /** What a person must know while the command runs: on stderr, so that the result stays alone on stdout. */
  notice(lines: readonly string[]): void;
  /** The result of a command: `value` as JSON, or `human` as lines. */
  result(value: unknown, human: () => readonly string[]): void;
  /** A table that fits the terminal. */
  table(header: readonly string[], rows: readonly (readonly Cell[])[]): string[];
  /** Prints the error and its hint on stderr. @returns the exit code. */
  failure(error: unknown): number;
  /** Shows that work goes on once it has taken two seconds, on a terminal only. */
  during<T>(what: string, work: Promise<T>): Promise<T>;
}

export interface Streams {
  out(text: string): void;
  err(text: string): void;
  /** Columns of the terminal; undefined when the output is no terminal. */
  columns?: number | undefined;
  /** Whether stderr is a terminal. */
  interactive?: boolean | undefined;
}

const patience = 2000;

export function createOutput({ out, err, columns, interactive }: Streams): Output {
  return {
    json: false,
    lines: (lines) => out(`${lines.join("\n")}\n`),
    notice: (lines) => err(`${lines.join("\n")}\n`),
    result(value, human) {
      if (this.json) out(`${JSON.stringify(value ?? {}, undefined, 2)}\n`);
      else out(`${human().join("\n")}\n`);
    },
    table: (header, rows) => layOut(header, rows, columns),
    failure(error) {
      const { message, hint, exitCode } = describe(error);
      if (this.json) err(`${JSON.stringify({ error: message, ...(hint ? { hint } : {}), exitCode })}\n`);
      else err(`${styleText("red", "error")} ${printable(message)}\n${hint ? `${styleText("dim", "hint")}  ${hint}\n` : ""}`);
      return exitCode;
    },
    async during(what, work) {
      if (!interactive) return work;
      const began = Date.now();
      const timer = setInterval(() => {
        if (Date.now() - began >= patience) err(`\r${what} … ${Math.round((Date.now() - began) / 1000)} s`);
      }, 500);
      try {
        return await work;
      } finally {
        clearInterval(timer);
        if (Date.now() - began >= patience) err("\r\u001b[K");
      }
    },
  };
}

/** Text of others on a terminal: no escape sequences, no control characters. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/g, "");
}

function layOut(header: readonly string[], rows: readonly (readonly Cell[])[], columns: number | undefined): string[] {
  const cells = rows.map((row) => row.map((cell) => printable(cell === null || cell === undefined ? "" : String(cell)).replaceAll("\n", " ")));
  const widths = header.map((title, index) => Math.max(title.length, ...cells.map((row) => row[index]?.length ?? 0)));
  // Too wide: the widest column gives until it fits, down to a width that still tells something.
  while (columns !== undefined && widths.reduce((sum, width) => sum + width + 2, -2) > columns) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] ?? 0) <= 12) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  const line = (row: readonly string[]) => row.map((cell, index) => fit(cell, widths[index] ?? 0)).join("  ").trimEnd();
  return [styleText("bold", line(header)), ...cells.map(line)];
}

function fit(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text.padEnd(width);
}

function describe(error: unknown): { message: string; hint: string | undefined; exitCode: number } {
  if (error instanceof CliError) return error;
  if (error instanceof ConfigError) return { message: error.lines.join("\n      "), hint: "docs/configuration.md explains every setting.", exitCode: exitCodes.configuration };
  const { code, message } = error as { code?: string; message?: string };
  if (code === "EADDRINUSE") return { message: "The address is already in use", hint: "Is Sallyport running already? Otherwise set SALLYPORT_PORT to another port.", exitCode: exitCodes.failed };
  return { message: message ?? "Unknown error", hint: "Run 'sallyport doctor' to look for the cause.", exitCode: exitCodes.failed };
}

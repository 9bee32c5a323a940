/** Asking the person at the terminal. Secrets come without echo, from standard input, or from a file; never from arguments. */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { CliError, exitCodes } from "./output.ts";

export interface Ask {
  readonly interactive: boolean;
  text(question: string): Promise<string>;
  /** Without echo on a terminal; otherwise the first line of standard input. */
  secret(question: string): Promise<string>;
  /** All of standard input. */
  input(): string;
  /** @throws CliError when the person says no, or cannot be asked. */
  confirm(question: string): Promise<void>;
}

export function createAsk(): Ask {
  const interactive = process.stdin.isTTY && process.stderr.isTTY;
  const ask = async (question: string, echo: boolean): Promise<string> => {
    process.stderr.write(question);
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
    const lines = createInterface({ input: process.stdin, output: echo ? process.stderr : silent, terminal: interactive });
    try {
      return await lines.question("");
    } finally {
      lines.close();
      if (!echo) process.stderr.write("\n");
    }
  };
  return {
    interactive,
    text: (question) => (interactive ? ask(question, true) : Promise.reject(new CliError(`${question.trimEnd().replace(/:$/, "")} is needed`, exitCodes.usage, "Give it as an option; there is no terminal to ask on."))),
    secret: async (question) => (interactive ? ask(question, false) : (standardInput().split(/\r?\n/, 1)[0] ?? "")),
    input: standardInput,
    async confirm(question) {
      if (!interactive) throw new CliError("This needs a confirmation", exitCodes.usage, "Add --yes; there is no terminal to ask on.");
      if (!/^y(?:es)?$/i.test((await ask(`${question} [y/N] `, true)).trim())) throw new CliError("Nothing was changed", exitCodes.failed);
    },
  };
}

function standardInput(): string {
  return readFileSync(0, "utf8");
}

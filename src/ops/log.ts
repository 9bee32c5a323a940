/** The one logger: JSON lines, fields allow-listed, control characters escaped (JSON does), secrets impossible by shape. */
import type { Log, LogFields } from "../kernel/log.ts";

const levels = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 } as const;
const allowed: Record<keyof LogFields, true> = {
  requestId: true, method: true, route: true, status: true, milliseconds: true, bytes: true, actorId: true, subject: true, server: true, type: true,
  outcome: true, reason: true, count: true, address: true, port: true, signal: true, limit: true, error: true,
};
const fields = Object.keys(allowed) as (keyof LogFields)[];
const longest = 256;

export interface LogOptions {
  level: keyof typeof levels;
  /** Defaults to stdout, where lines are gathered for a moment so that a busy server makes few writes. */
  write?: (line: string) => void;
}

export function createLog({ level, write }: LogOptions): Log {
  const sink = write ? { write, flush: () => undefined } : gather();
  let [clock, shown] = [0, ""];
  const line = (severity: keyof typeof levels) => {
    if (levels[severity] < levels[level]) return () => undefined;
    return (event: string, given: LogFields = {}) => {
      const now = Date.now();
      if (now !== clock) [clock, shown] = [now, new Date(now).toISOString()];
      let text = `{"level":"${severity}","time":"${shown}","event":${JSON.stringify(event)}`;
      for (const name of fields) {
        const value = given[name];
        if (value !== undefined) text += `,"${name}":${name === "error" ? JSON.stringify(describeError(value)) : typeof value === "string" ? JSON.stringify(value.slice(0, longest)) : JSON.stringify(value)}`;
      }
      sink.write(`${text}}\n`);
    };
  };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error"), flush: sink.flush };
}

/** Lines for stdout: written at once when they are many, and within a tenth of a second otherwise. */
function gather(): { write(line: string): void; flush(): void } {
  let text = "";
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (text !== "") process.stdout.write(text);
    text = "";
  };
  return {
    flush,
    write(line) {
      text += line;
      if (text.length > 32_768) flush();
      else timer ??= setTimeout(flush, 100);
    },
  };
}

/** An error without its message: class, code and where in our code it happened. */
function describeError(error: unknown): { name: string; code?: string; at?: string[]; cause?: unknown } {
  if (!(error instanceof Error)) return { name: typeof error };
  const { code } = error as { code?: unknown };
  const frames = (error.stack ?? "").split("\n").filter((frame) => /^\s+at /.test(frame)).slice(0, 6).map((frame) => withoutPath(frame.trim()));
  return { name: error.name, ...(code === undefined ? {} : { code: String(code).slice(0, 64) }), at: frames, ...(error.cause instanceof Error ? { cause: describeError(error.cause) } : {}) };
}

/** A stack frame from the project's root on: where the product is installed is nobody's business. */
function withoutPath(frame: string): string {
  const start = frame.search(/\(|file:|\//);
  const root = Math.max(frame.lastIndexOf("/src/"), frame.lastIndexOf("/node_modules/"));
  return start === -1 || root === -1 ? frame : `${frame.slice(0, start)}(${frame.slice(root + 1)}`;
}

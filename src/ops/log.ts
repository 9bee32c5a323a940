/** The one logger: JSON lines on stdout, fields allow-listed, control characters escaped (JSON does), secrets impossible by shape. */
import pino from "pino";
import type { Log, LogFields } from "../kernel/log.ts";

const allowed: Record<keyof LogFields, true> = {
  requestId: true, method: true, route: true, status: true, milliseconds: true, bytes: true, actorId: true, subject: true, server: true, type: true,
  outcome: true, reason: true, count: true, address: true, port: true, signal: true, limit: true, error: true,
};
const longest = 256;

export interface LogOptions {
  level: "debug" | "info" | "warn" | "error" | "silent";
  /** Defaults to stdout. */
  write?: (line: string) => void;
}

export function createLog({ level, write }: LogOptions): Log {
  const destination = write ? undefined : pino.destination({ fd: 1, sync: false, minLength: 4096, periodicFlush: 100 });
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, messageKey: "event", formatters: { level: (label) => ({ level: label }) } }, destination ?? { write: write ?? (() => undefined) });
  const line = (severity: "debug" | "info" | "warn" | "error") => (event: string, fields: LogFields = {}) => {
    if (logger.isLevelEnabled(severity)) logger[severity](clean(fields), event);
  };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error"), flush: () => destination?.flushSync() };
}

function clean(fields: LogFields): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const key in fields) {
    if (!Object.hasOwn(allowed, key)) continue;
    const value = fields[key as keyof LogFields];
    if (value === undefined) continue;
    if (key === "error") out["error"] = describeError(value);
    else out[key] = typeof value === "string" ? value.slice(0, longest) : value;
  }
  return out;
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

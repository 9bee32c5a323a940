/**
 * Runs the official conformance suite, pinned in package.json, as a program of its own and reads the verdict of every check. Two verdicts
 * compare check by check: what a server passes directly, it must pass through the gateway.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { startShim } from "./shim.ts";

export const revisions = ["2025-11-25", "2026-07-28"] as const;
export type Revision = (typeof revisions)[number];
export type Status = "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO";

export interface Check {
  scenario: string;
  id: string;
  name: string;
  /** Counts checks of the same scenario, id and name. */
  ordinal: number;
  status: Status;
  message?: string;
}

export interface Verdict {
  exitCode: number;
  checks: Check[];
  /** Scenarios that the revision scores, and how many of them have no failed check. */
  scored: { total: number; passed: number; failing: string[] };
  milliseconds: number;
  /** What the suite printed. */
  output: string;
}

export interface Run {
  command: "server" | "client" | "authorization";
  /** The endpoint under test; for `client`, the command line of the driver instead. */
  url: string;
  requirements?: Revision;
  /** Added to every request by the shim. */
  token?: string;
  /** Only these, each by itself and two at a time; all that the revision lists by default. */
  scenarios?: readonly string[];
  /** Further options of the suite's own. */
  options?: readonly string[];
  /** For the driver of a client run. */
  env?: Record<string, string>;
  /** Milliseconds after which the suite is killed. */
  timeout?: number;
  /** Called with each piece that the suite prints, for runs that need an answer (`authorization` prints an address to visit). */
  onOutput?: (text: string) => void;
}

const home = dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/package.json"));

export async function runConformance(run: Run): Promise<Verdict> {
  const { command, requirements, scenarios, token, timeout = 120_000 } = run;
  const started = performance.now();
  const shim = token === undefined || command !== "server" ? undefined : await startShim(run.url, token);
  const folder = mkdtempSync(join(tmpdir(), "sallyport-conformance-"));
  try {
    const target = command === "client" ? ["--command", run.url] : ["--url", shim?.url ?? run.url];
    const selections = scenarios ? scenarios.map((scenario) => ["--scenario", scenario, ...(requirements ? ["--spec-version", requirements, "--force"] : [])]) : [requirements ? ["--requirements", requirements] : []];
    const ended: { exitCode: number; output: string }[] = [];
    const waiting = selections.values();
    const work = async () => {
      for (const selection of waiting) ended.push(await runProgram([command, ...target, ...selection, "-o", folder, ...(run.options ?? [])], { folder, timeout, env: run.env ?? {}, onOutput: run.onOutput }));
    };
    await Promise.all([work(), work()]);
    const exitCode = ended.find((one) => one.exitCode !== 0)?.exitCode ?? 0;
    const output = ended.map((one) => one.output).join("\n");
    const checks = readChecks(folder, command);
    const listed = requirements && command !== "authorization" ? scoredScenarios(requirements, command) : [...new Set(checks.map(({ scenario }) => scenario))];
    const wanted = scenarios ? listed.filter((scenario) => scenarios.includes(scenario)) : listed;
    const failed = new Set(checks.filter(({ status }) => status === "FAILURE").map(({ scenario }) => scenario));
    const ran = new Set(checks.map(({ scenario }) => scenario));
    const failing = wanted.filter((scenario) => failed.has(scenario) || !ran.has(scenario));
    return { exitCode, checks, scored: { total: wanted.length, passed: wanted.length - failing.length, failing }, milliseconds: Math.round(performance.now() - started), output };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await shim?.close();
  }
}

interface ProgramOptions {
  folder: string;
  timeout: number;
  env: Record<string, string>;
  onOutput: ((text: string) => void) | undefined;
}

/** The suite sees nothing of the surroundings but where programs are; compiled sources are kept, since the client set starts forty programs. */
function runProgram(args: readonly string[], { folder, timeout, env, onOutput }: ProgramOptions): Promise<{ exitCode: number; output: string }> {
  return new Promise((resolve, reject) => {
    const surroundings = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, HOME: folder, NODE_COMPILE_CACHE: join(home, "../../.cache/sallyport"), ...env };
    const child = spawn(process.execPath, [join(home, "dist/index.js"), ...args], { cwd: folder, env: surroundings, stdio: ["ignore", "pipe", "pipe"], timeout, killSignal: "SIGKILL" });
    let output = "";
    const hear = (chunk: Buffer) => {
      output += chunk.toString();
      onOutput?.(chunk.toString());
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ exitCode: code ?? 1, output: signal ? `${output}\nKilled (${signal}) after ${timeout} ms` : output }));
  });
}

/** What stands before a scenario's name in the name of its result folder. */
const prefixes: Record<Run["command"], string> = { server: "server-", client: "", authorization: "authorization-server-" };

/** The suite names a result's folder after the command, the scenario (which may hold a slash) and the time. */
function readChecks(folder: string, command: Run["command"]): Check[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => basename(path) === "checks.json");
  return files.toSorted().flatMap((path) => {
    const scenario = dirname(path).replace(/-\d{4}-\d{2}-\d{2}T[\dZ-]+$/, "").slice(prefixes[command].length);
    const counts = new Map<string, number>();
    const found = JSON.parse(readFileSync(join(folder, path), "utf8")) as { id: string; name: string; status: Status; errorMessage?: string; specReferences?: unknown[] }[];
    // Log lines stand among the checks; only they are informative without naming a requirement.
    const checks = found.filter(({ status, specReferences }) => status !== "INFO" || (specReferences ?? []).length > 0);
    return checks.map(({ id, name, status, errorMessage }) => {
      const key = `${id} ${name}`;
      const ordinal = (counts.get(key) ?? 0) + 1;
      counts.set(key, ordinal);
      return { scenario, id, name, ordinal, status, ...(errorMessage === undefined ? {} : { message: errorMessage }) };
    });
  });
}

/** From the suite's own frozen list: a mapping of `server` and `client` to plain sequences of names. */
export function scoredScenarios(revision: Revision, command: "server" | "client"): string[] {
  const lines = readFileSync(join(home, "requirements", `${revision}.yaml`), "utf8").split("\n");
  const section = lines.slice(lines.indexOf(`${command}:`) + 1);
  const end = section.findIndex((line) => /^\w/.test(line));
  return section.slice(0, end).flatMap((line) => /^ {2}- (\S+)$/.exec(line)?.[1] ?? []);
}

export interface Difference {
  /** Scenario, id, name and ordinal. */
  check: string;
  direct: Status | "ABSENT";
  through: Status | "ABSENT";
  /** What the suite said of the run through the gateway. */
  message?: string;
}

/** Every check whose verdict through the gateway is not the direct one; empty is parity. */
export function compareVerdicts(direct: Verdict, through: Verdict): Difference[] {
  const key = ({ scenario, id, name, ordinal }: Check) => `${scenario} ${id} ${name} ${ordinal}`;
  const before = new Map(direct.checks.map((check) => [key(check), check]));
  const after = new Map(through.checks.map((check) => [key(check), check]));
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((check) => {
    const was = before.get(check)?.status ?? "ABSENT";
    const found = after.get(check);
    const is = found?.status ?? "ABSENT";
    return was === is ? [] : [{ check, direct: was, through: is, ...(found?.message === undefined ? {} : { message: found.message }) }];
  });
}

/** One line for each check that is not as it should be, for a test's message; of these scenarios or of all. */
export function complaints(verdict: Verdict, scenarios?: readonly string[]): string[] {
  const checks = verdict.checks.filter(({ scenario }) => scenarios?.includes(scenario) ?? true);
  return checks.filter(({ status }) => status === "FAILURE" || status === "WARNING").map(({ scenario, id, name, status, message }) => `${status} ${scenario} ${id} ${name}: ${message ?? ""}`);
}

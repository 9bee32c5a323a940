/** `audit …`: the audit trail for administrators and auditors. What it verifies, it verifies here, not at the server. */
import { once } from "node:events";
import { closeSync, createReadStream, createWriteStream, openSync, readFileSync, readSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Command } from "commander";
import { z } from "zod";
import { createVerifier, exportLines, logPage, proofSchema, toOcsf, toSyslog, verifyProof, type Report } from "../audit/index.ts";
import { parseUntrustedJson } from "../kernel/json.ts";
import { version } from "../version.ts";
import type { Cli } from "./index.ts";
import { CliError, exitCodes } from "./output.ts";

const event = z.object({ sequence: z.number(), id: z.string(), at: z.string(), type: z.string(), severity: z.string(), outcome: z.string(), actorId: z.string().nullable(), subject: z.string().nullable(), requestId: z.string().nullable(), detail: z.record(z.string(), z.unknown()), body: z.boolean() });
const page = z.object({ items: z.array(event), nextBefore: z.number().nullable(), nextAfter: z.number().nullable() });
type Event = z.output<typeof event>;

interface Filters {
  type?: string;
  outcome?: string;
  actor?: string;
  subject?: string;
  from?: string;
  until?: string;
}

const collect = (value: string, before: string[]) => [...before, value];
const details = (detail: Event["detail"]) => Object.entries(detail).map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(",") : String(value)}`).join(" ");

function withFilters(command: Command): Command {
  return command
    .option("--type <type>", "only events of this type")
    .option("--outcome <outcome>", "only success, failure or denied")
    .option("--actor <id>", "only events of this user id")
    .option("--subject <subject>", "only events about this, such as server:<id>")
    .option("--from <time>", "not earlier (RFC 3339)")
    .option("--until <time>", "not later (RFC 3339)");
}

export function auditCommands(program: Command, cli: Cli): void {
  const { output } = cli;
  const audit = program.command("audit").description("The audit trail (administrators and auditors)");
  const filtersOf = ({ type, outcome, actor, subject, from, until }: Filters): [string, string][] => Object.entries({ type, outcome, actor, subject, from, until }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  const events = (query: [string, string][]) => cli.client().call("GET", `/api/v1/audit/events?${new URLSearchParams(query)}`, page);
  const readPage = (after: number | undefined) => cli.client().call("GET", `/api/v1/audit/log${after === undefined ? "" : `?after=${after}`}`, logPage);

  withFilters(audit.command("list", { isDefault: true }))
    .description("Recent events, newest first; what `sallyport audit` does")
    .option("--limit <n>", "at most so many, up to 500", "50")
    .action(async (options: Filters & { limit: string }) => {
      const items: Event[] = [];
      const limit = Number(options.limit);
      for (let before: number | null = null; items.length < limit; ) {
        const found: z.output<typeof page> = await events([...filtersOf(options), ["limit", String(items.length === 0 ? options.limit : limit - items.length)], ...(before === null ? [] : [["before", String(before)] satisfies [string, string]])]);
        items.push(...found.items);
        before = found.nextBefore;
        if (before === null) break;
      }
      output.result(items, () => output.table(["TIME", "EVENT", "OUTCOME", "DETAIL"], items.map((item) => [item.at.replace("T", " ").slice(0, 19), item.type, item.outcome, details(item.detail)])));
    });

  withFilters(audit.command("tail"))
    .description("Follow events as they happen, until interrupted; with --json a line each")
    .action(async (options: Filters) => {
      const [newest] = (await events([["limit", "1"]])).items;
      for (let after = newest?.sequence ?? 0; ; ) {
        const { items, nextAfter } = await events([...filtersOf(options), ["after", String(after)], ["wait", "5"], ["limit", "500"]]);
        if (items.length > 0) output.lines(items.map((item) => (output.json ? JSON.stringify(item) : `${item.at.replace("T", " ").slice(0, 19)}  ${item.type}  ${item.outcome}  ${details(item.detail)}`)));
        after = nextAfter ?? after;
      }
    });

  withFilters(audit.command("export"))
    .description("Export the log: jsonl verifies itself (whole log), ocsf and syslog are for a SIEM (may be filtered)")
    .option("--format <format>", "jsonl, ocsf or syslog", "jsonl")
    .option("--output <file>", "write to this file instead of standard output")
    .option("--after <sequence>", "ocsf and syslog: only events after this sequence number")
    .action(async (options: Filters & { format: string; output?: string; after?: string }) => {
      const { format } = options;
      const filters = filtersOf(options);
      if (!["jsonl", "ocsf", "syslog"].includes(format)) throw new CliError(`There is no format ${format}`, exitCodes.usage, "Use jsonl, ocsf or syslog.");
      if (format === "jsonl" && (filters.length > 0 || options.after !== undefined)) throw new CliError("A part of the log cannot be verified", exitCodes.usage, "Export all of it, or use --format ocsf or syslog.");
      const host = new URL(cli.client().url).host;
      const line = ({ actorId, subject, requestId, body: _body, sequence, ...rest }: Event) => {
        const stored = { ...rest, ...(actorId === null ? {} : { actorId }), ...(subject === null ? {} : { subject }), ...(requestId === null ? {} : { requestId }) };
        return format === "ocsf" ? JSON.stringify(toOcsf(stored, sequence, { host, version })) : toSyslog(stored, sequence, host);
      };
      const from = async function* () {
        for (let after: number | null = Number(options.after ?? 0); after !== null; ) {
          const found: z.output<typeof page> = await events([...filters, ["after", String(after)], ["limit", "500"]]);
          for (const item of found.items) yield line(item);
          after = found.items.length === 0 && found.nextAfter === after ? null : found.nextAfter;
        }
      };
      const lines = format === "jsonl" ? exportLines(readPage, new Date().toISOString(), warn) : from();
      let count = 0;
      const file = options.output === undefined ? undefined : createWriteStream(options.output, { mode: 0o600 });
      if (file) await once(file, "open");
      for await (const text of lines) {
        count++;
        if (!file) process.stdout.write(`${text}\n`);
        else if (!file.write(`${text}\n`)) await once(file, "drain");
      }
      if (file) {
        file.end();
        await once(file, "finish");
        output.result({ file: options.output, lines: count }, () => [`Wrote ${count} lines to ${options.output}.`]);
      }
    });

  audit
    .command("verify [file]")
    .description("Verify the log of a deployment, an export, or a proof; offline when a file is given. Exit code 1 when something is wrong")
    .option("--key <key>", "a verifier key known from elsewhere (repeatable)", collect, [])
    .option("--checkpoint <file>", "a checkpoint kept elsewhere (repeatable): the log must continue it", collect, [])
    .action(async (file: string | undefined, options: { key: string[]; checkpoint: string[] }) => {
      const anchors = options.checkpoint.map((name) => readFileSync(name, "utf8"));
      const keys = options.key;
      const mismatches: string[] = [];
      if (file !== undefined && isProof(file)) return proofReport(readFileSync(file, "utf8"), keys);
      const verifier = createVerifier({ keys, anchors });
      const source = file === undefined ? exportLines(readPage, new Date().toISOString(), (text) => mismatches.push(text)) : createInterface({ input: createReadStream(file), crlfDelay: Infinity });
      const read = async () => {
        for await (const line of source) verifier.line(line);
      };
      await output.during("Reading the log", read());
      const found = verifier.finish();
      const report: Report = { ...found, ok: found.ok && mismatches.length === 0, problems: [...found.problems, ...mismatches] };
      output.result(report, () => [
        `${report.origin}: entries ${report.first} to ${report.last}, ${report.checkpoints} good checkpoints, the last over ${report.covered} entries`,
        report.trust === "given key" ? "Signatures were checked with the given key." : "No --key was given: the keys are those that the log itself names, so this tells accidents, not those who can sign.",
        ...report.problems.map((text) => `WRONG  ${text}`),
        report.ok ? "Nothing is wrong." : "The log is not what was written.",
      ]);
      if (!report.ok) process.exitCode = exitCodes.failed;
    });

  audit
    .command("prove <id>")
    .description("Prove that an event is in the log: prints the proof, which `audit verify` checks offline")
    .action(async (id: string) => {
      const { format, entry, proof, keys } = await cli.client().call("GET", `/api/v1/audit/events/${encodeURIComponent(id)}/proof`, proofSchema.extend({ sequence: z.number() }));
      const wrong = verifyProof({ format, entry, proof, keys });
      if (wrong.length > 0) throw new CliError(`The server's proof does not hold: ${wrong.join("; ")}`, exitCodes.failed);
      output.lines([JSON.stringify({ format, entry, proof, keys }, undefined, 2)]);
    });

  audit
    .command("checkpoint")
    .description("Print the newest signed checkpoint, to keep elsewhere")
    .action(async () => {
      const note = await cli.client().text("/api/v1/audit/checkpoint");
      process.stdout.write(output.json ? `${JSON.stringify({ checkpoint: note })}\n` : note);
    });

  audit
    .command("key")
    .description("Print the keys that sign checkpoints, oldest first, to keep elsewhere")
    .action(async () => {
      const { keys } = await readPage(0);
      output.result(keys, () => keys);
    });

  audit
    .command("rotate-key")
    .description("Sign checkpoints with a new key from now on (administrators)")
    .action(async () => {
      const key = await cli.client().call("POST", "/api/v1/audit/keys", z.object({ keyId: z.string(), verifier: z.string() }));
      output.result(key, () => [key.verifier]);
    });

  audit
    .command("body <id>")
    .description("Print what the call of an event carried, where it was kept (scope audit:read)")
    .action(async (id: string) => {
      const body = await cli.client().call("GET", `/api/v1/audit/events/${encodeURIComponent(id)}/body`, z.object({ request: z.string().optional(), response: z.string().optional(), truncated: z.boolean() }));
      output.result(body, () => [`request   ${body.request ?? "-"}`, `response  ${body.response ?? "-"}`, ...(body.truncated ? ["(cut)"] : [])]);
    });

  function warn(text: string): void {
    process.stderr.write(`warning  ${text}\n`);
  }

  function proofReport(text: string, keys: readonly string[]): void {
    const proof = proofSchema.parse(parseUntrustedJson(Buffer.from(text)));
    const problems = verifyProof(proof, { keys });
    output.result({ ok: problems.length === 0, entry: proof.entry, problems }, () => [proof.entry, ...problems.map((problem) => `WRONG  ${problem}`), problems.length === 0 ? `The log has this entry${keys.length > 0 ? "." : ", says whoever holds the keys that the proof itself names; give --key."}` : "The proof does not hold."]);
    if (problems.length > 0) process.exitCode = exitCodes.failed;
  }
}

/** A proof is one indented JSON object; an export is lines. */
function isProof(file: string): boolean {
  const beginning = Buffer.alloc(100);
  const opened = openSync(file, "r");
  readSync(opened, beginning);
  closeSync(opened);
  return beginning.includes('"sallyport-audit-proof/1"');
}

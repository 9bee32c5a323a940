/** `scan`: tool definitions read by the offline scanner, on a terminal and in CI (text, JSON or SARIF 2.1.0; exit code by the worst finding). */
import { readFileSync } from "node:fs";
import { styleText } from "node:util";
import type { Command } from "commander";
import { parseUntrustedJson } from "../kernel/json.ts";
import { riskTier, scanServer, tokenCost, type Finding, type ScanReport } from "../trust/index.ts";
import { version } from "../version.ts";
import { listTools } from "./call.ts";
import type { Cli } from "./index.ts";
import { CliError, exitCodes, printable } from "./output.ts";

const largest = 16 * 1024 * 1024;

export function scanCommand(program: Command, cli: Cli): void {
  const { output } = cli;
  program
    .command("scan <target>")
    .description("Scan tool definitions: a JSON file (- for standard input) with a list of tools or a tools/list result, or the name of a registered server")
    .option("--sarif", "print SARIF 2.1.0")
    .action(async (target: string, options: { sarif?: boolean }) => {
      const { tools, source } = await definitions(cli, target);
      const began = performance.now();
      const report = scanServer({ name: source, tools });
      const milliseconds = performance.now() - began;
      if (options.sarif) output.lines([JSON.stringify(sarif(report, source), undefined, 2)]);
      else output.result({ source, verdict: report.verdict, complete: report.complete, findings: report.findings, tools: summaries(tools, report) }, () => human(report, tools, milliseconds));
      if (report.verdict !== "pass") process.exitCode = report.verdict === "block" ? exitCodes.blocked : exitCodes.held;
    });
}

async function definitions(cli: Cli, target: string): Promise<{ tools: unknown[]; source: string }> {
  if (target !== "-" && !/[./\\]/.test(target)) return { tools: await cli.output.during("Listing", listTools(cli, target)), source: target };
  const text = target === "-" ? cli.ask.input() : readText(target);
  const value = parseUntrustedJson(text, { maxBytes: largest, maxItems: 1_000_000, maxDepth: 256, limitName: "the command line's limit" });
  const list = Array.isArray(value) ? value : ((value as { tools?: unknown; result?: { tools?: unknown } } | null)?.tools ?? (value as { result?: { tools?: unknown } } | null)?.result?.tools);
  if (!Array.isArray(list)) throw new CliError("There is no list of tools in it", exitCodes.usage, 'A JSON array of tools, or an object with "tools".');
  return { tools: list as unknown[], source: target === "-" ? "standard input" : target };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new CliError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})`, exitCodes.notFound, "Give a file, - for standard input, or the name of a registered server.");
  }
}

function summaries(tools: readonly unknown[], report: ScanReport) {
  return report.items.filter(({ kind }) => kind === "tool").map((item, index) => ({ name: item.name, verdict: item.verdict, tier: riskTier(tools[index] as never), tokens: tokenCost(tools[index] as never) }));
}

const colours = { block: "red", hold: "yellow", note: "dim", pass: "green" } as const;

function human(report: ScanReport, tools: readonly unknown[], milliseconds: number): string[] {
  const list = summaries(tools, report);
  const count = (verdict: string) => list.filter((tool) => tool.verdict === verdict).length;
  const cost = list.reduce((sum, tool) => sum + tool.tokens, 0);
  return [
    ...report.findings.map((finding) => `${styleText(colours[finding.effect], finding.effect.padEnd(5))}  ${finding.ruleId.padEnd(24)}  ${printable(finding.path)}  ${printable(finding.message)}${finding.excerpt ? `\n${" ".repeat(33)}${styleText("dim", printable(finding.excerpt))}` : ""}`),
    `${styleText(colours[report.verdict], report.verdict)}: ${list.length} tools (${count("pass")} pass, ${count("hold")} held, ${count("block")} blocked), about ${cost} tokens, ${milliseconds.toFixed(0)} ms${report.complete ? "" : "; not everything was read"}`,
  ];
}

/** SARIF 2.1.0 (OASIS), for code-scanning services. */
function sarif(report: ScanReport, source: string) {
  const levels: Record<Finding["effect"], string> = { block: "error", hold: "warning", note: "note" };
  const ids = [...new Set(report.findings.map(({ ruleId }) => ruleId))];
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "sallyport", version, rules: ids.map((id) => ({ id })) } },
        results: report.findings.map((finding) => ({
          ruleId: finding.ruleId,
          level: levels[finding.effect],
          message: { text: finding.message },
          locations: [{ physicalLocation: { artifactLocation: { uri: source } }, logicalLocations: [{ fullyQualifiedName: finding.path }] }],
          properties: { owasp: finding.owasp, safe: finding.safe, severity: finding.severity, span: finding.span },
        })),
      },
    ],
  };
}

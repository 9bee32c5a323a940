/**
 * Measures the scanner on labelled files: recall, precision and false positives of the blocking tier and overall (block or hold), by category,
 * and the time per tool.
 *
 *   node bench/scanner.ts [--file x.json]… [--misses] [--alarms]
 *
 * A file is a list of { server, name, description, inputSchema, label, cat }; any label but "benign" counts as malicious. Without a file our own
 * samples are measured; the shipped model was trained on those, so read the out-of-fold numbers of bench/scanner/train.ts instead.
 */
import { scanTool, type ScanReport } from "../src/trust/scanner/index.ts";
import { labelled, ownSamples, type Sample } from "./scanner/dataset.ts";

const argv = process.argv.slice(2);
const files = argv.flatMap((argument, at) => (argument === "--file" && argv[at + 1] !== undefined ? [argv[at + 1] as string] : []));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

const samples: Sample[] = files.length > 0 ? files.flatMap((file) => labelled(file, file)) : ownSamples(1, []);
if (files.length === 0) say("No --file: our own samples, on which the model was trained.");

// The first scans compile the code; they are not what a registry sees.
for (const { tool } of samples.slice(0, 300)) scanTool(tool);

interface Measured { readonly sample: Sample; readonly report: ScanReport; readonly milliseconds: number }
const measured: Measured[] = samples.map((sample) => {
  const begun = performance.now();
  const report = scanTool(sample.tool);
  return { sample, report, milliseconds: performance.now() - begun };
});

const percent = (part: number, whole: number): string => (whole === 0 ? "–" : `${((100 * part) / whole).toFixed(2)} %`);
const blocked = ({ report }: Measured): boolean => report.verdict === "block";
const stopped = ({ report }: Measured): boolean => report.verdict !== "pass";
const malicious = measured.filter(({ sample }) => sample.malicious);
const honest = measured.filter(({ sample }) => !sample.malicious);

say(`\n${measured.length} tools: ${malicious.length} malicious, ${honest.length} benign\n`);
say(`${"".padEnd(26)}${"recall".padStart(10)}${"precision".padStart(12)}${"false positives".padStart(18)}`);
for (const [name, counts] of [["blocking tier", blocked], ["overall (block or hold)", stopped]] as const) {
  const [hits, alarms] = [malicious.filter(counts).length, honest.filter(counts).length];
  say(`${name.padEnd(26)}${percent(hits, malicious.length).padStart(10)}${percent(hits, hits + alarms).padStart(12)}${percent(alarms, honest.length).padStart(18)}`);
}

say(`\n${"category".padEnd(50)}${"tools".padStart(7)}${"block".padStart(11)}${"overall".padStart(11)}`);
for (const group of [malicious, honest]) {
  for (const family of [...new Set(group.map(({ sample }) => sample.family))].sort()) {
    const list = group.filter(({ sample }) => sample.family === family);
    say(`${`${group === honest ? "benign: " : ""}${family}`.slice(0, 49).padEnd(50)}${String(list.length).padStart(7)}${percent(list.filter(blocked).length, list.length).padStart(11)}${percent(list.filter(stopped).length, list.length).padStart(11)}`);
  }
}

const times = measured.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
const at = (share: number): string => (times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0).toFixed(3);
say(`\ntime per tool: median ${at(0.5)} ms, p99 ${at(0.99)} ms, mean ${(times.reduce((sum, time) => sum + time, 0) / Math.max(1, times.length)).toFixed(3)} ms`);

function show(list: readonly Measured[]): void {
  for (const { sample, report } of list) {
    const worst = report.findings.find((finding) => finding.effect === report.verdict);
    say(`  ${report.verdict} ${sample.tool.name} (${(report.items[0]?.score ?? 0).toFixed(3)}${worst === undefined ? "" : `, ${worst.ruleId}`}): ${(worst?.excerpt ?? sample.planted ?? sample.tool.description).replaceAll("\n", " ").slice(0, 200)}`);
  }
}
if (argv.includes("--misses")) {
  say("\nmalicious and passed:");
  show(malicious.filter((entry) => !stopped(entry)));
}
if (argv.includes("--alarms")) {
  say("\nbenign and stopped:");
  show(honest.filter(stopped));
}

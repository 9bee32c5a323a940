/**
 * Trains the scanner's model and writes src/trust/scanner/model/weights.json.
 *
 *   node bench/scanner/train.ts [--corpora DIR] [--evaluate]
 *
 * Own samples and, when the folder is there, labelled corpora. Honest numbers first: four folds in which no server and no payload is on both
 * sides; thresholds come from these out-of-fold scores. Then one fit on everything, quantised to bytes.
 */
import { writeFileSync } from "node:fs";
import { featureCount, featureScale } from "../../src/trust/scanner/model/features.ts";
import { corpora, ownSamples, type Sample, type Tool } from "./dataset.ts";
import { best, defaultFit, fit, prepare, type Model, type Prepared } from "./fit.ts";

const argv = process.argv.slice(2);
const folder = argv.includes("--corpora") ? argv[argv.indexOf("--corpora") + 1] : undefined;
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const folds = 4;
const bags = 4;
const copies = 2;
const options = defaultFit;

interface Scored { readonly score: number; readonly ruled: 0 | 1 | 2; readonly sample: Sample }

function foldOf(group: string): number {
  let hash = 7;
  for (const letter of group) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0;
  return (Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0) % folds;
}

const averages = (models: readonly Model[]): Model => ({
  weights: (models[0] as Model).weights.map((_, at) => models.reduce((sum, model) => sum + (model.weights[at] as number), 0) / models.length),
  bias: models.reduce((sum, model) => sum + model.bias, 0) / models.length,
});

function train(real: readonly Prepared[], keep: (group: string) => boolean): Model {
  const hosts: Tool[] = real.filter((item) => !item.sample.malicious).map((item) => item.sample.tool);
  return averages(Array.from({ length: bags }, (_, bag) => {
    const own = ownSamples(copies, hosts, 7 + 100 * bag).filter((sample) => keep(sample.group)).map(prepare);
    return fit([...real, ...own], { ...options, seed: options.seed + bag });
  }));
}

const given = folder === undefined ? undefined : corpora(folder);
if (given === undefined) say(`No corpora${folder === undefined ? "; give --corpora DIR" : ` at ${folder}`}: trained on our own samples alone, thresholds will be rough.`);
const real = (given ?? []).map(prepare);
const honest = real.filter((item) => !item.sample.malicious);
say(`${real.length} labelled tools, ${ownSamples(1, []).length} own samples, ${featureCount} features`);

const scored: Scored[] = [];
for (let fold = 0; fold < folds; fold++) {
  const model = train(real.filter((item) => foldOf(item.sample.group) !== fold && item.sample.source !== "malicious-mcpsafety"), (group) => foldOf(group) !== fold);
  const held = honest.filter((item) => foldOf(item.sample.group) === fold);
  const own = ownSamples(2, held.map((item) => item.sample.tool), 70 + fold).filter((sample) => foldOf(sample.group) === fold).map(prepare);
  // Labelled malicious tools take no part in the folds: they are scored by models that have never seen one of them.
  const labelledMalicious = fold === 0 ? real.filter((item) => item.sample.malicious) : [];
  for (const item of [...held, ...own, ...labelledMalicious]) scored.push({ score: best(model, item).score, ruled: item.ruled, sample: item.sample });
}

const isHonest = (entry: Scored): boolean => !entry.sample.malicious;
const reference = scored.filter((entry) => isHonest(entry) && (honest.length === 0 || entry.sample.source !== "own")).map((entry) => entry.score).sort((a, b) => b - a);
const quantile = (rate: number): number => reference[Math.min(reference.length - 1, Math.floor(rate * reference.length))] ?? 0;
interface Thresholds { readonly hold: number; readonly block: number; readonly aggravate: number; readonly convict: number; readonly dismiss: number; readonly corroborate: number }

function verdictBy(entry: Scored, limits: Thresholds): 0 | 1 | 2 {
  if (entry.score >= (entry.ruled === 0 ? limits.block : entry.ruled === 1 ? limits.aggravate : Math.min(limits.aggravate, limits.convict))) return 2;
  return entry.score >= limits.hold || (entry.ruled === 2 && entry.score >= limits.dismiss) || (entry.ruled > 0 && entry.score >= limits.corroborate) ? 1 : 0;
}

/** The thresholds that find most at the price we are ready to pay: false positives among labelled honest tools and among our hard negatives. */
const prices = { stopped: 0.0065, blocked: 0.0004, stoppedHard: 0.05, blockedHard: 0.008 };
function choose(): Thresholds {
  const malicious = scored.filter((entry) => entry.sample.malicious);
  const plain = scored.filter((entry) => isHonest(entry) && entry.sample.source !== "own");
  const hard = scored.filter((entry) => isHonest(entry) && entry.sample.source === "own");
  const share = (list: readonly Scored[], limits: Thresholds, least: 1 | 2): number => list.filter((entry) => verdictBy(entry, limits) >= least).length / Math.max(1, list.length);
  let chosen: Thresholds = { hold: quantile(0.004), block: quantile(0) + 1.5, aggravate: quantile(0) + 1, convict: quantile(0.01), dismiss: quantile(0.05), corroborate: quantile(0.02) };
  let best = -1;
  for (const block of [0.5, 1, 1.5, 2.5]) for (const aggravate of [0, 0.0007, 0.0015, 0.003, 0.005]) for (const convict of [0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12]) {
    const limits = { ...chosen, block: quantile(0) + block, aggravate: quantile(aggravate) + 0.2, convict: quantile(convict) };
    if (share(plain, limits, 2) > prices.blocked || share(hard, limits, 2) > prices.blockedHard) continue;
    const found = share(malicious, limits, 2);
    if (found > best) [best, chosen] = [found, limits];
  }
  best = -1;
  let outer = chosen;
  for (const hold of [0.002, 0.003, 0.004, 0.005, 0.006, 0.008]) for (const corroborate of [0.005, 0.01, 0.02, 0.03, 0.05, 0.08]) for (const dismiss of [0.05, 0.1, 0.2]) {
    const limits = { ...chosen, hold: quantile(hold), corroborate: quantile(corroborate), dismiss: Math.min(chosen.convict, quantile(dismiss)) };
    if (share(plain, limits, 1) > prices.stopped || share(hard, limits, 1) > prices.stoppedHard) continue;
    const found = share(malicious, limits, 1);
    if (found > best) [best, outer] = [found, limits];
  }
  return outer;
}
const thresholds = choose();
say(`thresholds (log odds): ${Object.entries(thresholds).map(([name, value]) => `${name} ${(value as number).toFixed(2)}`).join(", ")}`);
const verdict = (entry: Scored): 0 | 1 | 2 => verdictBy(entry, thresholds);

const percent = (part: number, whole: number): string => (whole === 0 ? "–" : `${((100 * part) / whole).toFixed(1)} %`);
function line(name: string, list: readonly Scored[]): void {
  say(`  ${name.padEnd(34)} ${String(list.length).padStart(5)}   block ${percent(list.filter((entry) => verdict(entry) === 2).length, list.length).padStart(7)}   any ${percent(list.filter((entry) => verdict(entry) > 0).length, list.length).padStart(7)}`);
}
say("out of fold:");
for (const source of new Set(scored.map((entry) => entry.sample.source))) {
  line(`${source}, honest`, scored.filter((entry) => entry.sample.source === source && isHonest(entry)));
  line(`${source}, malicious`, scored.filter((entry) => entry.sample.source === source && !isHonest(entry)));
}
if (argv.includes("--misses")) for (const entry of scored.filter((one) => one.sample.malicious && verdict(one) === 0).sort((a, b) => a.score - b.score)) say(`    ${entry.score.toFixed(1)} ${entry.sample.family}: ${(entry.sample.planted ?? entry.sample.tool.description).replaceAll("\n", " ").slice(0, 220)}`);
if (argv.includes("--alarms")) for (const entry of scored.filter((one) => !one.sample.malicious && verdict(one) > 0).sort((a, b) => b.score - a.score)) say(`    ${verdict(entry) === 2 ? "BLOCK" : "hold "} ${entry.score.toFixed(1)} ${entry.ruled} ${entry.sample.source} ${entry.sample.tool.name} ${entry.sample.family}: ${(entry.sample.planted ?? entry.sample.tool.description).replaceAll("\n", " ").slice(0, 220)}`);
if (argv.includes("--evaluate")) for (const family of new Set(scored.filter((entry) => entry.sample.source === "own").map((entry) => entry.sample.family))) line(`  ${family}`, scored.filter((entry) => entry.sample.family === family));

const model = train(real, () => true);
let largest = 0;
for (let at = 0; at < featureCount; at++) largest = Math.max(largest, Math.abs((model.weights[at] as number) * featureScale(at)));
const scale = largest / 127;
const bytes = Int8Array.from({ length: featureCount }, (_, at) => Math.round(((model.weights[at] as number) * featureScale(at)) / scale));
const version = `${new Date().toISOString().slice(0, 10)}.${featureCount}`;
const round = (value: number): number => Number(value.toFixed(4));
if (!argv.includes("--dry")) {
  writeFileSync(new URL("../../src/trust/scanner/model/weights.json", import.meta.url), `${JSON.stringify({
    version, features: featureCount, bias: round(model.bias), scale: Number(scale.toPrecision(6)),
    hold: round(thresholds.hold), block: round(thresholds.block), aggravate: round(thresholds.aggravate), convict: round(thresholds.convict), dismiss: round(thresholds.dismiss), corroborate: round(thresholds.corroborate),
    weights: Buffer.from(bytes.buffer).toString("base64"),
  })}\n`);
  say(`wrote model/weights.json, version ${version}. Next: node bench/scanner.ts`);
}

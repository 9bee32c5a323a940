/**
 * `npm run check`, which is also `npm test` and what CI runs: types, lint, static analysis, secret scan, dead code, known vulnerabilities,
 * then every test. All steps run even if one fails. `--fast` leaves out the tests; arguments after `--` go to vitest.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled, nodePath, root, run, say } from "./runtime.mjs";

await ensureInstalled("develop");

const bin = (name) => join(root, "node_modules", name);
const separator = process.argv.indexOf("--");
const own = separator === -1 ? process.argv.slice(2) : process.argv.slice(2, separator);
const forVitest = separator === -1 ? [] : process.argv.slice(separator + 1);
const fast = own.includes("--fast");
const report = join(root, "reports", "vitest.json");
rmSync(report, { force: true });

const steps = [
  ["types", [bin("typescript/bin/tsc"), "--noEmit", "-p", "."]],
  ["lint", [bin("oxlint/bin/oxlint"), "--type-aware", "--deny-warnings", "--report-unused-disable-directives-severity=error"]],
  ["static analysis", ["scripts/sast.mjs"]],
  ["secret scan", ["scripts/secrets.mjs"]],
  ["dead code", [bin("knip/bin/knip.js"), "--no-progress"]],
  ["known vulnerabilities", ["scripts/vulnerabilities.mjs"]],
  ...(fast ? [] : [["tests", ["--disable-warning=ExperimentalWarning", bin("vitest/vitest.mjs"), "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...forVitest]]]),
];

const results = [];
for (const [name, args] of steps) {
  say(`\n── ${name}`);
  const began = Date.now();
  let code = await run(nodePath(), args);
  // A hook of some library can end vitest with 0 whatever happened: its report is believed as well.
  if (name === "tests" && !testReport().success) code ||= 1;
  const line = `${code === 0 ? "ok    " : "FAILED"} ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`;
  say(line);
  results.push({ name, code, line });
}

const failed = results.filter(({ code }) => code !== 0);
say(`\n── in all\n${results.map(({ line }) => line).join("\n")}`);
if (failed.length > 0) say(`\n${failed.length} of ${results.length} steps failed: ${failed.map(({ name }) => name).join(", ")}.`);
else say(`\nAll well. Next: ${fast ? "npm test" : "npm start"}`);
if (!fast) console.log(countsLine(results.find(({ name }) => name === "tests").code));
process.exitCode = failed.length > 0 ? 1 : 0;

/** What vitest wrote down, or a report of no test at all. */
function testReport() {
  try {
    return JSON.parse(readFileSync(report, "utf8"));
  } catch {
    return { success: false, numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
  }
}

/** The tests' own numbers, on a line by themselves. A file that could not be loaded, or a run that broke off, has no test to count: it counts as one failure. */
function countsLine(code) {
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = testReport();
  const unloaded = testResults.filter(({ status, assertionResults }) => status === "failed" && !assertionResults.some((test) => test.status === "failed")).length;
  const failures = Math.max(numFailedTests + unloaded, code === 0 ? 0 : 1);
  return `${numPassedTests} passed, ${failures} failed, ${numPendingTests + numTodoTests} skipped`;
}

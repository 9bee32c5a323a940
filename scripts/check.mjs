/**
 * `npm run check`, which is also `npm test` and what CI runs: types, lint, static analysis, secret scan, dead code, then every test.
 * All steps run even if one fails. `--fast` leaves out the tests; arguments after `--` go to vitest.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled, nodePath, root, run, say } from "./runtime.mjs";

await ensureInstalled("develop");

const bin = (name) => join(root, "node_modules", name);
const separator = process.argv.indexOf("--");
const own = separator === -1 ? process.argv.slice(2) : process.argv.slice(2, separator);
const forVitest = separator === -1 ? [] : process.argv.slice(separator + 1);
const report = join(root, "reports", "vitest.json");
rmSync(report, { force: true });

const steps = [
  ["types", [bin("typescript/bin/tsc"), "--noEmit", "-p", "."]],
  ["lint", [bin("oxlint/bin/oxlint"), "--type-aware", "--deny-warnings"]],
  ["static analysis", ["scripts/sast.mjs"]],
  ["secret scan", [bin("secretlint/bin/secretlint.js"), "--maskSecrets", "**/*", ".*"]],
  ["dead code", [bin("knip/bin/knip.js"), "--no-progress"]],
  ["known vulnerabilities", ["scripts/vulnerabilities.mjs"]],
  ...(own.includes("--fast") ? [] : [["tests", ["--disable-warning=ExperimentalWarning", bin("vitest/vitest.mjs"), "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...forVitest]]]),
];

const results = [];
for (const [name, args] of steps) {
  say(`\n── ${name}`);
  const began = Date.now();
  const code = await run(nodePath(), args);
  results.push({ name, code, seconds: ((Date.now() - began) / 1000).toFixed(1) });
}

say("");
for (const { name, code, seconds } of results) say(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
const failed = results.filter(({ code }) => code !== 0).length;
if (failed > 0) say(`\n${failed} of ${results.length} steps failed.`);
else say(own.includes("--fast") ? "\nAll well. Next: npm test" : "\nAll well. Next: npm start");
if (!own.includes("--fast")) printCounts(failed);
process.exitCode = failed > 0 ? 1 : 0;

/** The tests' own numbers, on a line by themselves. */
function printCounts(failedSteps) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, "utf8"));
    console.log(`${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`);
  } catch {
    console.log(`0 passed, ${Math.max(1, failedSteps)} failed`);
  }
}

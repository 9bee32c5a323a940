/** `npm run bench [name …]`: the benchmarks in bench/, each printing ratios against a baseline of the same run. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled, nodePath, root, run, say } from "./runtime.mjs";

await ensureInstalled("develop");
const wanted = process.argv.slice(2);
// What the benchmarks share is no benchmark.
const all = readdirSync(join(root, "bench")).filter((file) => file.endsWith(".ts") && file !== "harness.ts").map((file) => file.slice(0, -3)).sort();
const unknown = wanted.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  say(`There is no benchmark ${unknown.join(", ")}. There are: ${all.join(", ")}`);
  process.exit(2);
}
for (const name of wanted.length > 0 ? wanted : all) {
  say(`\n── ${name}`);
  process.exitCode = (await run(nodePath(), ["--expose-gc", "--disable-warning=ExperimentalWarning", join("bench", `${name}.ts`)])) || process.exitCode;
}

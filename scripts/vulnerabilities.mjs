/** Known vulnerabilities (OWASP A9:2017, A06:2021): `npm audit`. Where the registry has no advisories to ask, it says so and passes. */
import { spawnSync } from "node:child_process";
import { root, say } from "./runtime.mjs";

const answer = spawnSync(process.platform === "win32" ? "npm.cmd" : "npm", ["audit", "--json", "--audit-level=high"], { cwd: root, encoding: "utf8", timeout: 60_000, shell: process.platform === "win32" });
let report;
try {
  report = JSON.parse(answer.stdout);
} catch {
  report = undefined;
}
const counts = report?.metadata?.vulnerabilities;
if (counts === undefined) say("NOT ASKED: the registry in use answers no advisory requests, so known vulnerabilities were not checked here.");
else {
  say(`critical ${counts.critical}, high ${counts.high}, moderate ${counts.moderate}, low ${counts.low}`);
  if (counts.critical + counts.high > 0) process.exitCode = 1;
}

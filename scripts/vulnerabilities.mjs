/** Known vulnerabilities (OWASP A9:2017, A06:2021): `npm audit`. Where the registry has no advisories to ask, it says so and passes. */
import { spawnSync } from "node:child_process";
import { npmCommand, root, say } from "./runtime.mjs";

/** @param {string} answer what `npm audit --json` printed @returns {{ passes: boolean, says: string }} */
export function judge(answer) {
  let report;
  try {
    report = JSON.parse(answer);
  } catch {
    report = { message: "no answer" };
  }
  const counts = report.metadata?.vulnerabilities;
  if (counts === undefined) return { passes: true, says: `NOT ASKED: the registry in use has no advisories to ask for (${report.message ?? "no reason given"}), so known vulnerabilities were not checked here.` };
  return { passes: counts.critical + counts.high === 0, says: `critical ${counts.critical}, high ${counts.high}, moderate ${counts.moderate}, low ${counts.low}` };
}

if (process.argv[1]?.endsWith("vulnerabilities.mjs")) {
  const [npm, ...before] = npmCommand();
  const { passes, says } = judge(spawnSync(npm, [...before, "audit", "--json"], { cwd: root, encoding: "utf8", timeout: 60_000 }).stdout ?? "");
  say(says);
  process.exitCode = passes ? 0 : 1;
}

/**
 * The secret scan (OWASP A02:2021): every file that is or would be committed, then every line that the history ever added.
 * secretlint knows the shapes of keys and tokens; the rule for assignments to words like "password" is in lint/rules/crypto.yml.
 * A finding of the history cannot be edited away: lint/history-findings.json lists those that were judged harmless, by the digest of the line.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { nodePath, root, say } from "./runtime.mjs";

const secretlint = (args, options) => spawnSync(nodePath(), [join(root, "node_modules/secretlint/bin/secretlint.js"), ...args], { cwd: root, encoding: "utf8", maxBuffer: 1 << 28, ...options });
const git = (...args) => spawnSync("git", ["-c", "core.quotepath=off", ...args], { cwd: root, encoding: "utf8", maxBuffer: 1 << 30 });

const listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard");
if (listed.status !== 0) {
  say("Not a git checkout: every file of the folder is scanned, and there is no history.");
  process.exitCode = secretlint(["**/*", ".*"], { stdio: "inherit" }).status === 0 ? 0 : 1;
} else {
  const files = [...new Set(listed.stdout.split("\0"))].filter((file) => file !== "" && existsSync(join(root, file)));
  const inFiles = secretlint(["--no-glob", ...files], { stdio: "inherit" }).status === 0;
  const lines = addedLines();
  const inHistory = findingsOf(lines);
  for (const { rule, line, digest } of inHistory) say(`history: ${rule} in an added line of ${line.length} characters, digest ${digest}. Find it with 'git log -S'; revoke the secret first.`);
  say(`${files.length} files and ${lines.length} lines of history scanned`);
  process.exitCode = inFiles && inHistory.length === 0 ? 0 : 1;
}

/** Every line that a commit added. Digests of the lockfile look like keys and are none; the known-bad snippets are bad on purpose. */
function addedLines() {
  const { stdout } = git("log", "--all", "--no-color", "--unified=0", "--format=", "-p", "--", ".", ":(exclude)package-lock.json", ":(exclude)lint/fixtures");
  return [...new Set(stdout.split("\n").filter((line) => line.startsWith("+") && !line.startsWith("+++")).map((line) => line.slice(1)))];
}

function findingsOf(lines) {
  const accepted = new Set(JSON.parse(readFileSync(join(root, "lint/history-findings.json"), "utf8")).map(({ digest }) => digest));
  const { stdout } = secretlint(["--format=json", "--stdinFileName=history.txt"], { input: lines.join("\n"), stdio: ["pipe", "pipe", "inherit"] });
  return JSON.parse(stdout).flatMap(({ messages }) => messages).flatMap(({ ruleId, loc }) => {
    const line = lines[loc.start.line - 1];
    const digest = createHash("sha256").update(line.trim()).digest("hex");
    return accepted.has(digest) ? [] : [{ rule: ruleId, line, digest }];
  });
}

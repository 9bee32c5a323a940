/**
 * The secret scan (OWASP A02:2021): every file that is or would be committed, then every line that the history ever added.
 * secretlint knows the shapes of keys and tokens; what has no shape is found by its name and its randomness.
 * A finding of the history cannot be edited away: lint/history-findings.json lists those that were judged harmless, by the digest of the line.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { nodePath, root, say } from "./runtime.mjs";

/** Digests of a lockfile look like keys and are none; the known-bad snippets are bad on purpose. */
const excluded = ["package-lock.json", "lint/fixtures"];
const assignment = /(?:password|passwd|secret|token|credential|api_?-?key|private_?-?key)["'`]?\s*[:=]\s*["'`]?([\w+/=-]{20,})/gi;
/** Bits per character; words and identifiers stay below, random base64 lies around five. */
const random = 3.7;

const secretlint = (args, options) => spawnSync(nodePath(), [join(root, "node_modules/secretlint/bin/secretlint.js"), ...args], { cwd: root, encoding: "utf8", maxBuffer: 1 << 28, ...options });
const git = (...args) => spawnSync("git", ["-c", "core.quotepath=off", ...args], { cwd: root, encoding: "utf8", maxBuffer: 1 << 30 });

const listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard");
if (listed.status !== 0) {
  say("Not a git checkout: every file of the folder is scanned, and there is no history.");
  process.exitCode = secretlint(["**/*", ".*"], { stdio: "inherit" }).status === 0 ? 0 : 1;
} else {
  const files = [...new Set(listed.stdout.split("\0"))].filter((file) => file !== "" && existsSync(join(root, file)));
  const clean = secretlint(["--no-glob", ...files], { stdio: "inherit" }).status === 0;
  const byName = files.filter((file) => !excluded.some((path) => file.startsWith(path))).flatMap((file) =>
    readFileSync(join(root, file), "utf8").split("\n").flatMap((line, index) => (looksSecret(line) ? [`${file}:${index + 1}: a random value is assigned to something that is named like a secret`] : [])),
  );
  const lines = addedLines();
  const inHistory = findingsOf(lines);
  for (const finding of byName) say(finding);
  for (const { rule, line, digest } of inHistory) say(`history: ${rule} in an added line of ${line.length} characters, digest ${digest}. Find it with 'git log -S'; revoke the secret first.`);
  say(`${files.length} files and ${lines.length} lines of history scanned`);
  process.exitCode = clean && byName.length === 0 && inHistory.length === 0 ? 0 : 1;
}

/** Every line that a commit added, once. */
function addedLines() {
  const { stdout } = git("log", "--all", "--no-color", "--unified=0", "--format=", "-p", "--", ".", ...excluded.map((path) => `:(exclude)${path}`));
  return [...new Set(stdout.split("\n").filter((line) => line.startsWith("+") && !line.startsWith("+++")).map((line) => line.slice(1)))];
}

function findingsOf(lines) {
  const accepted = new Set(JSON.parse(readFileSync(join(root, "lint/history-findings.json"), "utf8")).map(({ digest }) => digest));
  const { stdout } = secretlint(["--format=json", "--stdinFileName=history.txt"], { input: lines.join("\n"), stdio: ["pipe", "pipe", "inherit"] });
  const byShape = JSON.parse(stdout).flatMap(({ messages }) => messages).map(({ ruleId, loc }) => ({ rule: ruleId, line: lines[loc.start.line - 1] }));
  const byName = lines.filter(looksSecret).map((line) => ({ rule: "a random value with a secret's name", line }));
  return [...byShape, ...byName].map((finding) => ({ ...finding, digest: createHash("sha256").update(finding.line.trim()).digest("hex") })).filter(({ digest }) => !accepted.has(digest));
}

function looksSecret(line) {
  return line.length < 10_000 && [...line.matchAll(assignment)].some(([, value]) => /\d/.test(value) && /[a-z]/i.test(value) && entropy(value) > random);
}

/** Shannon entropy in bits per character. */
function entropy(text) {
  const counts = new Map();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce((bits, count) => bits - (count / text.length) * Math.log2(count / text.length), 0);
}

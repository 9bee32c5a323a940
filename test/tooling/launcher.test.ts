/** The scripts on a project of their own, with an npm and tools that only pretend: what is installed when, who waits, what is handed on. */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

let folder = "";
const write = (path: string, text: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};
const read = (path: string) => (existsSync(join(folder, path)) ? readFileSync(join(folder, path), "utf8") : "");
const lockfile = (version: string) => JSON.stringify({ packages: { "": {}, "node_modules/a": { version, integrity: "sha512-a" }, "node_modules/tool": { version, integrity: "sha512-t", dev: true }, "node_modules/other-platform": { version, optional: true } } });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-launcher-"));
  cpSync("scripts", join(folder, "scripts"), { recursive: true });
  write("package.json", '{ "type": "module" }');
  write("package-lock.json", lockfile("1.0.0"));
  write("src/main.ts", 'process.on("SIGTERM", () => { console.log("drained"); process.exit(0); });\nconsole.log("main", ...process.argv.slice(2));\nif (process.argv.includes("stay")) setInterval(() => undefined, 1000);\nelse process.exitCode = 7;\n');
  // Takes as long as a test can wait, notes how it was called, and leaves what the true one leaves.
  write("npm/npm-cli.js", `import { appendFileSync, copyFileSync, mkdirSync } from "node:fs";
appendFileSync("npm.log", process.argv.slice(2).join(" ") + "\\n");
if (process.env.NPM_FAILS) process.exit(3);
await new Promise((resolve) => setTimeout(resolve, 400));
mkdirSync("node_modules", { recursive: true });
copyFileSync("package-lock.json", "node_modules/.package-lock.json");`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const environment = () => ({ PATH: process.env["PATH"] ?? "", npm_execpath: join(folder, "npm/npm-cli.js") });
const launch = (args: string[], extra: Record<string, string> = {}) => spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", env: { ...environment(), ...extra } });
const installs = () => read("npm.log").split("\n").filter(Boolean);

describe("a start", () => {
  it("installs what the product needs, once, without install scripts", () => {
    expect(launch(["scripts/sallyport.mjs"]).stderr).toMatch(/Installing[\s\S]*Installed in \d+ s/);
    expect(launch(["scripts/sallyport.mjs"]).stderr).toBe("");
    expect(installs()).toEqual(["ci --include=optional --omit=dev --ignore-scripts --no-audit --no-fund"]);
  });

  it("takes an npm ci of one's own for installed", () => {
    write("node_modules/.package-lock.json", lockfile("1.0.0"));
    launch(["scripts/sallyport.mjs"]);
    expect(installs()).toEqual([]);
  });

  it("installs when something of another version or digest is there", () => {
    write("node_modules/.package-lock.json", lockfile("1.0.0").replace("sha512-a", "sha512-b"));
    launch(["scripts/sallyport.mjs"]);
    expect(installs()).toHaveLength(1);
  });

  it("installs again after an update, and leaves a developer the tools", () => {
    launch(["scripts/fix.mjs"]);
    write("package-lock.json", lockfile("2.0.0"));
    launch(["scripts/sallyport.mjs"]);
    expect(installs()).toEqual(Array(2).fill("ci --include=optional --include=dev --no-audit --no-fund"));
  });

  it("waits for another one that installs", async () => {
    const first = spawn(process.execPath, ["scripts/sallyport.mjs"], { cwd: folder, stdio: "ignore", env: environment() });
    const ended = new Promise((resolve) => first.on("exit", resolve));
    while (!existsSync(join(folder, ".install-lock/pids"))) await new Promise((resolve) => setTimeout(resolve, 5));
    const second = launch(["scripts/sallyport.mjs"]);
    expect(second.stderr).toContain("Another start is installing");
    expect(second.stdout).toBe("main\n");
    expect(await ended).toBe(7);
    expect(installs()).toHaveLength(1);
  });

  it("takes over from one that was killed", () => {
    write(".install-lock/pids", String(spawnSync(process.execPath, ["--version"]).pid));
    expect(launch(["scripts/sallyport.mjs"]).stdout).toBe("main\n");
    expect(existsSync(join(folder, ".install-lock"))).toBe(false);
  });

  it("ends with npm's exit code, a reason, and nothing marked as installed", () => {
    const failed = launch(["scripts/sallyport.mjs"], { NPM_FAILS: "yes" });
    expect(failed.status).toBe(3);
    expect(failed.stderr).toContain("npm ci failed");
    launch(["scripts/sallyport.mjs"]);
    expect(installs()).toHaveLength(2);
  });
});

describe("the product in it", () => {
  it("gets the arguments, and its exit code is the start's", () => {
    const { status, stdout } = launch(["scripts/start.mjs", "--port", "1"]);
    expect({ status, stdout }).toEqual({ status: 7, stdout: "main start --port 1\n" });
  });

  it("is told of a termination, and may drain", async () => {
    const started = spawn(process.execPath, ["scripts/sallyport.mjs", "stay"], { cwd: folder, env: environment() });
    let text = "";
    await new Promise<void>((resolve) => started.stdout.on("data", (chunk: Buffer) => ((text += chunk.toString()), resolve())));
    const ended = new Promise((resolve) => started.on("exit", resolve));
    started.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(text).toBe("main stay\ndrained\n");
  });
});

describe("the checks", () => {
  const tools = ["typescript/bin/tsc", "oxlint/bin/oxlint", "secretlint/bin/secretlint.js", "knip/bin/knip.js"];
  const report = (content: object) => {
    write("node_modules/.package-lock.json", lockfile("1.0.0"));
    for (const tool of tools) write(`node_modules/${tool}`, "");
    for (const script of ["sast", "secrets", "vulnerabilities"]) write(`scripts/${script}.mjs`, "");
    const body = JSON.stringify({ success: true, numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [], ...content });
    write("node_modules/vitest/vitest.mjs", `import { mkdirSync, writeFileSync } from "node:fs"; mkdirSync("reports"); writeFileSync("reports/vitest.json", ${JSON.stringify(body)}); console.log("arguments:", process.argv.at(-1));`);
  };
  const lastLine = (text: string) => text.trimEnd().split("\n").at(-1);

  it("end with the counts of the tests, and hand arguments after -- to vitest", () => {
    report({ numPassedTests: 3, numPendingTests: 1, numTodoTests: 1 });
    const { status, stdout } = launch(["scripts/test.mjs", "--", "src/kernel"]);
    expect(stdout).toContain("arguments: src/kernel");
    expect({ status, line: lastLine(stdout) }).toEqual({ status: 0, line: "3 passed, 0 failed, 2 skipped" });
  });

  it("fail when the report says so, even if vitest ended with 0", () => {
    report({ success: false, numPassedTests: 3, testResults: [{ status: "failed", assertionResults: [] }] });
    const { status, stdout } = launch(["scripts/test.mjs"]);
    expect({ status, line: lastLine(stdout) }).toEqual({ status: 1, line: "3 passed, 1 failed, 0 skipped" });
  });

  it("all run even if one fails, and the failure is named", () => {
    report({ numPassedTests: 1 });
    write("node_modules/typescript/bin/tsc", "process.exit(2);");
    const { status, stdout, stderr } = launch(["scripts/check.mjs"]);
    expect(stderr).toContain("1 of 7 steps failed: types.");
    expect({ status, line: lastLine(stdout) }).toEqual({ status: 1, line: "1 passed, 0 failed, 0 skipped" });
  });

  it("leave the tests out with --fast", () => {
    report({});
    const { status, stdout } = launch(["scripts/check.mjs", "--fast"]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  });
});

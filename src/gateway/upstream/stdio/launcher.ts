/**
 * Runs inside fresh user, mount, pid, ipc and uts namespaces, before the server's program takes its place (execve): makes every file system
 * read-only, gives it a home of its own in memory, hides what is the gateway's, and gives up the powers to undo that (mount_namespaces(7)).
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";

export interface Enclosure {
  mount: string;
  /** A folder that becomes the only place to write to; empty, in memory, bounded. */
  home: string;
  homeBytes: number;
  /** Folders that become empty. */
  hidden: readonly string[];
  /** Folders that become empty and writable, within the same bound each. */
  scratch: readonly string[];
  /** File, and arguments with their argv[0]: what runs in the end. */
  file: string;
  argv: readonly string[];
  directory: string;
}

/** Of the kernel, not on a disk; some refuse to be remounted. */
const pseudo = new Set(["proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "debugfs", "tracefs", "securityfs", "pstore", "bpf", "binfmt_misc", "configfs", "fusectl", "hugetlbfs", "efivarfs", "nsfs", "autofs", "rpc_pipefs"]);
/** Flags that a user namespace may not take away: they are asked for again. */
const kept = new Set(["nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime"]);

// ast-grep-ignore: json-parse -- of the gateway's own making
const { mount, home, homeBytes, hidden, scratch, file, argv, directory } = JSON.parse(process.argv[2] ?? "") as Enclosure;

function run(args: readonly string[]): boolean {
  return spawnSync(mount, args, { stdio: ["ignore", "ignore", "ignore"] }).status === 0;
}

function need(done: boolean, what: string): void {
  if (done) return;
  // ast-grep-ignore: console -- the gateway reads it: a child's standard error
  process.stderr.write(`sandbox: cannot ${what}\n`);
  process.exit(125);
}

/** mountinfo escapes white space and backslashes in octal. */
const plain = (path: string) => path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

need(run(["-t", "proc", "-o", "nosuid,nodev,noexec", "proc", "/proc"]), "mount /proc");
const mounts = readFileSync("/proc/self/mountinfo", "utf8").trim().split("\n").map((line) => {
  const fields = line.split(" ");
  return { path: plain(fields[4] ?? ""), flags: (fields[5] ?? "").split(","), type: fields[fields.indexOf("-") + 1] ?? "" };
});
for (const { path, flags, type } of mounts) {
  if (type === "proc" || flags.includes("ro")) continue;
  const done = run(["-o", ["remount", "bind", "ro", ...flags.filter((flag) => kept.has(flag))].join(","), path]);
  need(done || pseudo.has(type), `make ${path} read-only`);
}
const inMemory = `size=${homeBytes},nosuid,nodev,mode=0700`;
for (const folder of scratch) need(run(["-t", "tmpfs", "-o", inMemory, "tmpfs", folder]), `replace ${folder}`);
if (scratch.some((folder) => home.startsWith(`${folder}/`))) mkdirSync(home, { recursive: true, mode: 0o700 });
need(run(["-t", "tmpfs", "-o", inMemory, "tmpfs", home]), "make a home");
for (const folder of hidden) need(run(["-t", "tmpfs", "-o", "size=4k,mode=000,ro,nosuid,nodev,noexec", "tmpfs", folder]), "hide what is the gateway's");
process.chdir(directory);
if (!process.execve) need(false, "hand over to the program");
else process.execve(file, [...argv]);

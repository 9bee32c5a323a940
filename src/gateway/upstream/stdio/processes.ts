/** What /proc knows (Linux, proc(5)): the descendants of a process, what they occupy, and who was started by a gateway that is no more. */
import { readFileSync, readdirSync } from "node:fs";

/** Environment variable by which whatever a child starts is known again, even after it left the process group. */
export const marker = "_SALLYPORT_CHILD";

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function folders(path: string): string[] {
  try {
    return readdirSync(path).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** The process and everything below it, as far as it can be seen. */
export function treeOf(pid: number): number[] {
  const found = [pid];
  for (let at = 0; at < found.length && found.length < 10_000; at++) {
    for (const task of folders(`/proc/${found[at]}/task`)) found.push(...read(`/proc/${found[at]}/task/${task}/children`).split(" ").filter(Boolean).map(Number));
  }
  return found;
}

/** Resident bytes of all these together; shared pages count more than once. */
export function residentBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + Number(/^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024, 0);
}

/** Ticks since boot at which the process began: with the pid, its identity. */
export function startOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  return stat === "" ? undefined : stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

/** Processes of ours by their marker. */
export function marked(accept: (mark: string) => boolean): number[] {
  return folders("/proc").map(Number).filter((pid) => {
    if (pid === process.pid) return false;
    const mark = read(`/proc/${pid}/environ`).split("\0").find((entry) => entry.startsWith(`${marker}=`));
    return mark !== undefined && accept(mark.slice(marker.length + 1));
  });
}

/** `<pid>.<start>.` of this process: the owner in every mark. */
export function ownerMark(): string {
  return `${process.pid}.${startOf(process.pid) ?? "0"}.`;
}

/** Ends what a gateway left behind that was killed. @returns how many. */
export function endOrphans(): number {
  const orphans = marked((mark) => {
    const [pid = "", start = ""] = mark.split(".");
    return /^\d+$/.test(pid) && start !== "0" && startOf(Number(pid)) !== start;
  });
  for (const pid of orphans) kill(pid, "SIGKILL");
  return orphans.length;
}

/** @param pid negative: the group. */
export function kill(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

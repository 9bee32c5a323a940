/** Which programs may be started at all: those that the operator named, each resolved once to a file. Nothing else, and never a shell. */
import { accessSync, constants, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, normalize } from "node:path";

export interface AllowList {
  /** Programs that were named, as they were found. */
  readonly programs: readonly { name: string; file: string }[];
  /** Entries that name no program, or one that may never be allowed. */
  readonly refused: readonly { name: string; reason: string }[];
  /** The file to start for a registered command: exactly an entry, or the file an entry stands for. Undefined: not allowed. */
  fileOf(command: string): string | undefined;
}

/** They run whatever text they are given: allowing one allows everything. */
const shells = /^(?:(?:[abckz]|da|fi|mk|pdk|rba|tc|xon)?sh|bash|busybox|toybox|cmd|command|powershell|pwsh|nu|elvish|env|xargs|sudo|su|doas|runuser|pkexec|chroot|nsenter|unshare|setpriv|prlimit|setsid|nohup|nice|ionice|timeout|stdbuf|script|watch|find|awk|gawk|sed|ssh|socat|nc|ncat|screen|tmux|expect|eval|exec|vim?|ed|make|git)(?:\.exe)?$/i;

/** Where bare names are looked for: our own Node.js first, never the folder one happens to be in. */
export const searchPath = [dirname(process.execPath), "/usr/local/bin", "/usr/bin", "/bin"];

export function createAllowList(entries: readonly string[]): AllowList {
  const programs: { name: string; file: string }[] = [];
  const refused: { name: string; reason: string }[] = [];
  for (const name of entries) {
    const file = isAbsolute(name) ? name : name.includes("/") ? undefined : searchPath.map((folder) => join(folder, name)).find(isExecutable);
    if (shells.test(basename(name))) refused.push({ name, reason: "runs other programs, so that it would allow all of them" });
    else if (file === undefined || normalize(file) !== file) refused.push({ name, reason: isAbsolute(name) || name.includes("/") ? "is neither a bare name nor a plain absolute path" : `is not in ${searchPath.join(":")}` });
    else if (!isExecutable(file)) refused.push({ name, reason: "is not an executable file" });
    else programs.push({ name, file });
  }
  return { programs, refused, fileOf: (command) => programs.find(({ name, file }) => command === name || command === file)?.file };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

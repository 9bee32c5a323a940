/**
 * The local profile of `npm start`: secrets are generated once into a `.env` that only its owner can read and git ignores,
 * and upstream servers on loopback are allowed. `sallyport serve` uses none of this.
 */
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fchmodSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { parseEnv } from "node:util";
import type { Environment } from "./environment.ts";

export const loopbackAllowed = "127.0.0.1,::1,localhost";

export interface LocalProfile {
  env: Environment;
  /** What a person should be told: never a value. */
  notes: string[];
}

/** @param file path of the `.env`. Variables that are already set win over the file. */
export function applyLocalProfile(file: string, env: Environment): LocalProfile {
  const notes: string[] = [];
  if (!existsSync(file)) {
    writeSecretFile(file, [
      "# Local secrets of Sallyport, made by `npm start`. Keep this file private and backed up:",
      "# without SALLYPORT_ENCRYPTION_KEY the stored credentials cannot be read again.",
      `SALLYPORT_ENCRYPTION_KEY=${randomBytes(32).toString("base64url")}`,
      "",
    ].join("\n"));
    notes.push(`New local secrets were written to ${file} (mode 0600).`);
  } else if (process.platform !== "win32" && (statSync(file).mode & 0o077) !== 0) {
    notes.push(`${file} can be read by others: run 'chmod 600' on it.`);
  }
  const merged: Environment = { ...parseEnv(readFileSync(file, "utf8")), ...env };
  if (merged["SALLYPORT_UPSTREAM_ALLOW"] === undefined) {
    merged["SALLYPORT_UPSTREAM_ALLOW"] = loopbackAllowed;
    notes.push("Upstream servers on this machine (loopback) are allowed; set SALLYPORT_UPSTREAM_ALLOW to change that.");
  }
  return { env: merged, notes };
}

/** Creates a file that must not exist yet, readable by its owner only, on disk before this returns. */
function writeSecretFile(file: string, content: string): void {
  const handle = openSync(file, "wx", 0o600);
  try {
    fchmodSync(handle, 0o600);
    writeSync(handle, content);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** The secret scan, on a repository of its own: a seeded canary is found where it lies and where it once lay. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

/** Made here, so that the scan of our own files has nothing to find. */
const canary = `const hook = "${["https://hooks.slack.com/services", "T01234567", "B01234567", "a1B2c3D4e5F6g7H8i9J0k1L2"].join("/")}";`;
const part = "a1B2c3D4";
let folder = "";
const git = (...args: string[]) => execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false", "-c", "core.hooksPath=none", ...args], { cwd: folder, stdio: "ignore" });
const commit = () => {
  git("add", "--all");
  git("commit", "--quiet", "--message", "x");
};
const scan = () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/secrets.mjs"], { cwd: folder, encoding: "utf8" });
  return { status, text: stdout + stderr };
};
const accept = (...digests: string[]) => writeFileSync(join(folder, "lint/history-findings.json"), JSON.stringify(digests.map((digest) => ({ digest, reason: "a canary of this test" }))));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-secrets-"));
  symlinkSync(join(process.cwd(), "node_modules"), join(folder, "node_modules"), "junction");
  for (const path of ["scripts", ".secretlintrc.json", ".secretlintignore"]) cpSync(path, join(folder, path), { recursive: true });
  mkdirSync(join(folder, "lint"));
  accept();
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, ".gitignore"), "node_modules\nignored.ts\n");
  git("init", "--quiet");
  commit();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the secret scan", () => {
  it("passes where nothing is left, whatever lies in files that are never committed", () => {
    writeFileSync(join(folder, "ignored.ts"), canary);
    expect(scan()).toMatchObject({ status: 0, text: expect.stringContaining("lines of history scanned") as string });
  });

  it("finds a key in a file that is not committed yet, and does not print it", () => {
    writeFileSync(join(folder, "new.ts"), canary);
    const { status, text } = scan();
    expect(status).toBe(1);
    expect(text).toContain("new.ts");
    expect(text).not.toContain(part);
  });

  it("finds a key that was committed and removed again, until the line is accepted", () => {
    writeFileSync(join(folder, "old.ts"), canary);
    commit();
    git("rm", "--quiet", "old.ts");
    commit();
    const { status, text } = scan();
    expect(status).toBe(1);
    expect(text).toContain("history:");
    expect(text).not.toContain(part);
    accept(createHash("sha256").update(canary).digest("hex"));
    expect(scan().status).toBe(0);
  });

  it("finds a random value by the name of what it is assigned to", () => {
    const value = `${randomBytes(24).toString("base64url")}7a`;
    writeFileSync(join(folder, "settings.yml"), `api_key: ${value}\n`);
    expect(scan()).toMatchObject({ status: 1, text: expect.stringMatching(/^settings\.yml:1: /m) as string });
    writeFileSync(join(folder, "settings.yml"), "api_key: read-from-the-environment\n");
    expect(scan().status).toBe(0);
  });
});

/** A test run that failed must say so with its exit code, whatever the libraries in it do when the process ends. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "sallyport-exit-"));
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(() => {
  symlinkSync(join(process.cwd(), "node_modules"), join(folder, "node_modules"), "junction");
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "vitest.config.ts"), `export default { test: { globalSetup: [${JSON.stringify(join(process.cwd(), "test/postgres.ts"))}] } };`);
});

/** Runs one test with this body, with the PostgreSQL of our own runs, which keeps its data under the same folder. */
function runTest(body: string) {
  const temporary = join(folder, "temporary");
  mkdirSync(temporary, { recursive: true, mode: 0o755 });
  // ast-grep-ignore: open-permissions -- under root PostgreSQL runs as another user, who must be able to enter the folder
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, "one.test.ts"), `import { expect, inject, it } from "vitest"; it("has a database", () => expect(inject("postgresUrl")).${body});`);
  const { status } = spawnSync(process.execPath, ["node_modules/vitest/vitest.mjs", "run"], { cwd: folder, stdio: "ignore", env: { ...process.env, TMPDIR: temporary } });
  return { status, leftBehind: readdirSync(temporary) };
}

describe("a test run", () => {
  it("fails when a test fails", () => {
    expect(runTest('toBe("")').status).toBe(1);
  });

  it("passes when all pass, and leaves nothing behind", () => {
    expect(runTest('toMatch("postgres://")')).toEqual({ status: 0, leftBehind: [] });
  });
});

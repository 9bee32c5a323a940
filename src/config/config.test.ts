import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { Secret } from "../kernel/secret.ts";
import { applyLocalProfile, ConfigError, describeConfig, getSecret, readConfig } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const strong = Buffer.from(Array.from({ length: 32 }, (_, index) => (index * 97 + 31) % 256)).toString("base64url");
const base = { SALLYPORT_ENCRYPTION_KEY: strong };
const linesOf = (env: Record<string, string>): readonly string[] => {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.lines;
    throw error;
  }
  return [];
};

describe("secrets from the environment", () => {
  it("says in the guidelines' words that a required secret is missing", () => {
    expect(() => getSecret({}, "API_KEY")).toThrow("Required secret 'API_KEY' not found in environment");
    expect(linesOf({})).toEqual(["Required secret 'SALLYPORT_ENCRYPTION_KEY' not found in environment"]);
  });

  it("takes the fallback, the variable, or the file that KEY_FILE names", () => {
    const file = join(folder, "secret");
    writeFileSync(file, "from-file\n");
    expect(getSecret({}, "API_KEY", "fallback")).toBe("fallback");
    expect(getSecret({ API_KEY: "direct", API_KEY_FILE: file }, "API_KEY")).toBe("direct");
    expect(getSecret({ API_KEY_FILE: file }, "API_KEY")).toBe("from-file");
    expect(() => getSecret({ API_KEY_FILE: join(folder, "none") }, "API_KEY")).toThrow(/API_KEY_FILE names a file that cannot be read \(ENOENT\)/);
  });

  it("lists every missing secret at once", () => {
    expect(linesOf({ SALLYPORT_ADMIN_USERNAME: "root" })).toEqual(["Required secret 'SALLYPORT_ENCRYPTION_KEY' not found in environment", "Required secret 'SALLYPORT_ADMIN_PASSWORD' not found in environment"]);
  });

  it.each([
    ["changeme"], ["CHANGEME".repeat(8)], ["change-me-change-me-change-me-change-me"], ["your-secret-key-here-your-secret-key-here"], ["<insert a key of thirty-two characters>"], ["${ENCRYPTION_KEY_FROM_THE_VAULT_OF_OURS}"], ["replace-with-32-random-characters-please"], ["example-key-example-key-example-key-1234"], ["placeholder-0123456789-abcdefghijk"], ["a".repeat(64)], ["ab".repeat(32)], ["0".repeat(64)], ["1234567890".repeat(5)], ["12345678901234567890123456789012"], ["passwordpasswordpasswordpasswordpassword"], ["SecretSecretSecretSecretSecretSecret"], ["adminadminadminadminadminadminadmin"], ["tiny-3fQ"], [""], ["default-default-default-default-default"], ["dummy_value_for_tests_that_is_long_enough"], ["todo: generate something random for this"], ["qwertyuiopasdfghjklzxcvbnmqwertyuiop"], ["abcdefghijklmnopqrstuvwxyzabcdefghijkl"], ["sallyport-secret-password-key-token-admin"],
  ])("refuses the weak key %j without repeating it", (value) => {
    const lines = linesOf({ SALLYPORT_ENCRYPTION_KEY: value });
    expect(lines).toHaveLength(1);
    if (value !== "") expect(lines.join("")).not.toContain(value);
  });

  it("refuses a weak administrator's password", () => {
    for (const password of ["short", "passwordpassword", "changeme-changeme", "aaaaaaaaaaaaaaaaaaaa"]) expect(linesOf({ ...base, SALLYPORT_ADMIN_USERNAME: "root", SALLYPORT_ADMIN_PASSWORD: password }), password).toHaveLength(1);
    expect(linesOf({ ...base, SALLYPORT_ADMIN_USERNAME: "root", SALLYPORT_ADMIN_PASSWORD: "correct horse battery staple" })).toEqual([]);
  });

  it("prints a secret as [redacted] in every way of printing", () => {
    const secret = new Secret("canary");
    for (const text of [String(secret), `${secret}`, JSON.stringify({ secret }), inspect(secret), inspect({ deep: [secret] }, { depth: 9, showHidden: true }), secret + ""]) expect(text).not.toContain("canary");
    expect(secret.reveal()).toBe("canary");
  });
});

describe("the configuration", () => {
  it("has safe defaults", () => {
    const config = readConfig(base);
    expect(config.SALLYPORT_HOST).toBe("127.0.0.1");
    expect(config.SALLYPORT_PORT).toBe(8420);
    expect(config.SALLYPORT_ALLOW_ALL_INTERFACES).toBe(false);
    expect(config.SALLYPORT_UPSTREAM_ALLOW).toEqual([]);
  });

  it("refuses an unknown name and says which one was probably meant", () => {
    expect(linesOf({ ...base, SALLYPORT_PROT: "1" })).toEqual(["SALLYPORT_PROT is not a setting; did you mean SALLYPORT_PORT?"]);
    expect(linesOf({ ...base, SALLYPORT_ENCRIPTION_KEY: "x" })[0]).toContain("SALLYPORT_ENCRYPTION_KEY");
    expect(linesOf({ ...base, SALLYPORT_SOMETHING_ENTIRELY_DIFFERENT: "x" })[0]).toContain("is not a setting");
    expect(linesOf({ ...base, OTHER_NAME: "x" })).toEqual([]);
  });

  it.each([["SALLYPORT_PORT", "99999"], ["SALLYPORT_PORT", "-1"], ["SALLYPORT_PORT", "8420x"], ["SALLYPORT_ALLOW_ALL_INTERFACES", "true"], ["SALLYPORT_PUBLIC_URL", "ftp://x"], ["SALLYPORT_PUBLIC_URL", "https://u:p@x"], ["SALLYPORT_DATABASE_URL", "mysql://x"], ["SALLYPORT_TLS_CERT_FILE", "/only/one"], ["SALLYPORT_LOG_LEVEL", "loud"]])("refuses %s=%s", (name, value) => {
    const lines = linesOf({ ...base, [name]: value });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(name);
  });

  it("describes itself without any secret", () => {
    const text = JSON.stringify(describeConfig(readConfig({ ...base, SALLYPORT_DATABASE_URL: `postgres://u:${["canary", "password"].join("-")}@h/d` })));
    expect(text).not.toContain(strong);
    expect(text).not.toContain("canary");
    expect(text).toContain("[redacted]");
  });
});

describe("the local profile", () => {
  it("writes a private file once, says where and never what, and allows loopback upstreams", () => {
    const file = join(folder, ".env");
    const first = applyLocalProfile(file, {});
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const key = first.env["SALLYPORT_ENCRYPTION_KEY"] ?? "";
    expect(readFileSync(file, "utf8")).toContain(key);
    expect(first.notes.join()).toContain(file);
    expect(first.notes.join()).not.toContain(key);
    expect(readConfig(first.env).SALLYPORT_UPSTREAM_ALLOW).toEqual(["127.0.0.1", "::1", "localhost"]);
    expect(applyLocalProfile(file, {}).env["SALLYPORT_ENCRYPTION_KEY"]).toBe(key);
    chmodSync(file, 0o644);
    expect(applyLocalProfile(file, {}).notes.join()).toContain("chmod 600");
  });

  it("is kept out of git", () => {
    expect(execFileSync("git", ["check-ignore", ".env"], { encoding: "utf8" }).trim()).toBe(".env");
  });
});

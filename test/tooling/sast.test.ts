/** The scanners of the development workflow, scanned: each known-bad snippet is found, its good twin is not. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";

const folder = "lint/fixtures";
const bad = readdirSync(`${folder}/bad`);
const good = readdirSync(`${folder}/good`);

describe("static analysis", () => {
  /** Rules that fired, by file. */
  const found = new Map<string, Set<string>>();
  const note = (file: string, rule: string) => found.set(file, (found.get(file) ?? new Set()).add(rule));
  beforeAll(() => {
    const ours = spawnSync("node_modules/.bin/ast-grep", ["scan", "--json=stream", folder], { encoding: "utf8", maxBuffer: 1e8 });
    for (const line of ours.stdout.split("\n").filter(Boolean)) {
      const { file, ruleId } = JSON.parse(line) as { file: string; ruleId: string };
      note(file, ruleId);
    }
    // The fixtures are outside the normal run; here the same configuration is used without that exception.
    const configuration = JSON.parse(readFileSync(".oxlintrc.json", "utf8")) as { ignorePatterns: string[] };
    const own = ".oxlintrc.fixtures.json";
    writeFileSync(own, JSON.stringify({ ...configuration, ignorePatterns: [], options: {} }));
    try {
      const linter = spawnSync(process.execPath, ["node_modules/oxlint/bin/oxlint", "--config", own, "-f", "json", "--no-ignore", folder], { encoding: "utf8", maxBuffer: 1e8 });
      for (const { filename, code } of (JSON.parse(linter.stdout) as { diagnostics: { filename: string; code: string }[] }).diagnostics) note(filename, code);
    } finally {
      rmSync(own);
    }
  });

  it("has at least forty known-bad snippets", () => {
    expect(bad.length).toBeGreaterThanOrEqual(40);
  });

  it.each(bad)("flags %s", (file) => {
    const expected = /^\/\/ expect: (.+)$/m.exec(readFileSync(`${folder}/bad/${file}`, "utf8"))?.[1] ?? "";
    expect([...(found.get(`${folder}/bad/${file}`) ?? [])].join(" ")).toContain(expected);
  });

  it.each(good)("does not flag %s", (file) => {
    expect([...(found.get(`${folder}/good/${file}`) ?? [])].filter((rule) => !rule.startsWith("eslint(") && !rule.startsWith("unicorn("))).toEqual([]);
  });
});

describe("the secret scan", () => {
  it("finds a key that somebody left in a file", () => {
    const place = mkdtempSync(join(tmpdir(), "sallyport-secret-"));
    const file = join(place, "left.ts");
    writeFileSync(file, `export const key = "${["AKIA", "3FQ7", "WXYZ2LMN", "4RTP"].join("")}";\nexport const hook = "${["https://hooks.slack.com/services", "T01234567", "B01234567", "a1B2c3D4e5F6g7H8i9J0k1L2"].join("/")}";\n`);
    const scan = spawnSync(process.execPath, ["node_modules/secretlint/bin/secretlint.js", file], { encoding: "utf8" });
    rmSync(place, { recursive: true });
    expect(scan.status).toBe(1);
  });
});

describe("the arrows of the architecture", () => {
  const layers: Record<string, readonly string[]> = {
    kernel: [],
    config: ["kernel"],
    storage: ["kernel", "config"],
    net: ["kernel"],
    snapshot: ["kernel", "storage"],
    policy: ["kernel", "snapshot"],
    audit: ["kernel", "storage", "net"],
    identity: ["kernel", "storage", "net", "config", "audit", "snapshot"],
    registry: ["kernel", "storage", "net", "snapshot", "audit", "identity"],
    trust: ["kernel", "storage", "net", "snapshot", "audit"],
    gateway: ["kernel", "storage", "net", "snapshot", "audit", "identity", "policy", "trust"],
    ops: ["kernel", "storage", "net"],
    cli: ["kernel", "config", "net"],
  };
  /** Imports that break a rule: "file imports target". */
  const violations = (files: Record<string, string>): string[] =>
    Object.entries(files).flatMap(([file, text]) => {
      const from = /^src\/([a-z]+)\//.exec(file)?.[1];
      if (from === undefined) return [];
      return [...text.matchAll(/from "((?:\.\.?\/)[^"]+)"/g)].flatMap(([line, target = ""]) => {
        const path = new URL(target, `file:///${file}`).pathname.slice(1);
        const to = /^src\/([a-z]+)\//.exec(path)?.[1];
        if (to === undefined) return path === "src/version.ts" || path === "src/main.ts" ? [] : [`${file} imports ${path}`];
        if (to === from) return [];
        const inside = ["kernel", "net"].includes(to) || path === `src/${to}/index.ts`;
        return layers[from]?.includes(to) && inside ? [] : [`${file} imports ${path} (${line})`];
      });
    });

  it("hold everywhere", () => {
    const files = execFileSync("git", ["ls-files", "src/*.ts"], { encoding: "utf8" }).split("\n").filter((file) => file !== "" && !file.endsWith(".test.ts"));
    expect(violations(Object.fromEntries(files.map((file) => [file, readFileSync(file, "utf8")])))).toEqual([]);
  });

  it("bite when a layer reaches up, sideways or past an index", () => {
    expect(violations({ "src/kernel/x.ts": 'import { a } from "../storage/index.ts";' })).toHaveLength(1);
    expect(violations({ "src/audit/x.ts": 'import { a } from "../gateway/index.ts";' })).toHaveLength(1);
    expect(violations({ "src/gateway/x.ts": 'import { a } from "../identity/tokens.ts";' })).toHaveLength(1);
    expect(violations({ "src/gateway/wire/x.ts": 'import { a } from "../../kernel/json.ts";' })).toHaveLength(0);
  });
});

/** The scanners of the development workflow, scanned: every known-bad line in lint/fixtures is found, and no other line is. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { complaints, suppressionsIn, suppressionsPage } from "../../scripts/sast.mjs";

type Suppression = Parameters<typeof complaints>[0][number];

const folder = "lint/fixtures";

/** A rule that fired at a line of a file. */
interface Finding {
  file: string;
  line: number;
  rule: string;
}

/**
 * What the snippets say about themselves: `// bad: rule …` above a line that those rules must find. Every other line is good: nothing may be found there.
 * `// good` is for the reader.
 */
const snippets = readdirSync(folder).flatMap((name) =>
  readFileSync(`${folder}/${name}`, "utf8").split("\n").flatMap((text, index, lines) => {
    const rules = /^ *\/\/ bad: (.+)$/.exec(text)?.[1];
    return rules === undefined ? [] : rules.split(" ").map((rule) => ({ file: name, line: index + 2, rule, code: (lines[index + 1] ?? "").trim() }));
  }),
);

/** Linter rules about safety; the others may say what they like about a snippet. */
const isAboutSafety = (rule: string) => /^(?:security|no-unsanitized|regexp|eslint-comments)\(/.test(rule);

describe("static analysis", () => {
  const ours: Finding[] = [];
  const linter: Finding[] = [];
  const at = (finding: Finding) => `${finding.file}:${finding.line} ${finding.rule}`;

  beforeAll(() => {
    const scan = spawnSync("node_modules/.bin/ast-grep", ["scan", "--json=stream", folder], { encoding: "utf8", maxBuffer: 1e8 });
    for (const text of scan.stdout.split("\n").filter(Boolean)) {
      const { file, ruleId, range } = JSON.parse(text) as { file: string; ruleId: string; range: { start: { line: number } } };
      ours.push({ file: basename(file), line: range.start.line + 1, rule: ruleId });
    }
    // The snippets are outside the normal run; here the same configuration is used without that exception.
    const configuration = JSON.parse(readFileSync(".oxlintrc.json", "utf8")) as { ignorePatterns: string[] };
    const own = ".oxlintrc.fixtures.json";
    writeFileSync(own, JSON.stringify({ ...configuration, ignorePatterns: [], options: {} }));
    try {
      const run = spawnSync(process.execPath, ["node_modules/oxlint/bin/oxlint", "--config", own, "-f", "json", "--no-ignore", folder], { encoding: "utf8", maxBuffer: 1e8 });
      const { diagnostics } = JSON.parse(run.stdout) as { diagnostics: { filename: string; code: string; labels: { span: { line: number } }[] }[] };
      for (const { filename, code, labels } of diagnostics) linter.push({ file: basename(filename), line: labels[0]?.span.line ?? 0, rule: code.replace("@eslint-community/", "") });
    } finally {
      rmSync(own);
    }
  }, 60_000);

  it("is proved on at least forty known-bad snippets, with a good twin in every file", () => {
    expect(snippets.length).toBeGreaterThanOrEqual(40);
    expect(readdirSync(folder).filter((name) => !readFileSync(`${folder}/${name}`, "utf8").includes("// good\n"))).toEqual([]);
  });

  it.each(snippets)("finds $rule in $file:$line $code", (snippet) => {
    expect([...ours, ...linter].map(at)).toContain(at(snippet));
  });

  it("finds nothing in the good twins", () => {
    const bad = new Set(snippets.map(({ file, line }) => `${file}:${line}`));
    const everything = [...ours, ...linter.filter(({ rule }) => isAboutSafety(rule))];
    expect(everything.filter(({ file, line }) => !bad.has(`${file}:${line}`)).map(at)).toEqual([]);
  });

  it("has no rule of ours without a snippet", () => {
    const rules = readdirSync("lint/rules").flatMap((file) => [...readFileSync(`lint/rules/${file}`, "utf8").matchAll(/^id: (.+)$/gm)].map(([, id]) => id));
    expect(rules.filter((id) => !snippets.some(({ rule }) => rule === id))).toEqual([]);
  });

  // A new kind of source: teach sgconfig.yml (languageGlobs) and knip.json to read it, prove that with a snippet, and name it here.
  it("reads every kind of source that there is", () => {
    const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" }).split("\n");
    expect([...new Set(files.map((file) => /\.[cm]?[jt]sx?$/.exec(file)?.[0]).filter((extension) => extension !== undefined))].sort()).toEqual([".mjs", ".ts"]);
  });
});

describe("suppressions", () => {
  const comment = (...parts: string[]) => parts.join("");

  it("without a rule, or without a reason of twenty characters, are complained about", () => {
    const lines = [comment("// ast-grep", "-ignore"), comment("// oxlint-disable", "-next-line no-console -- too short"), comment("// @ts-", "expect-error")];
    for (const line of lines) expect(complaints(suppressionsIn("a.ts", line)), line).not.toEqual([]);
  });

  it("with both are listed, with their place", () => {
    const [found, ...others] = suppressionsIn("a.ts", comment("\n  work(); // ast-grep", "-ignore: shell -- the argument is a constant of ours"));
    expect([found, others]).toEqual([{ file: "a.ts", line: 2, kind: "ast-grep-ignore", rule: "shell", reason: "the argument is a constant of ours" }, []]);
    expect(complaints([found as Suppression])).toEqual([]);
    expect(suppressionsPage([found as Suppression])).toContain("| a.ts | shell | the argument is a constant of ours |");
  });

  it("are few", () => {
    const [one] = suppressionsIn("a.ts", comment("// ast-grep", "-ignore: shell -- the argument is a constant of ours"));
    expect(complaints(Array.from({ length: 41 }, () => one as Suppression))).toEqual([expect.stringContaining("41 suppressions are more than")]);
  });

  it("that suppress nothing are found", () => {
    const place = mkdtempSync(join(tmpdir(), "sallyport-unused-"));
    writeFileSync(join(place, "a.ts"), comment("// ast-grep", "-ignore: shell -- nothing is here to suppress\nexport const x = 1;\n"));
    const scan = spawnSync("node_modules/.bin/ast-grep", ["scan", "--report-style", "short", "--error=unused-suppression", place], { encoding: "utf8" });
    rmSync(place, { recursive: true });
    expect(scan.stdout).toContain("unused-suppression");
  });
});

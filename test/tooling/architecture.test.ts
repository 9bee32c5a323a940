/** The arrows of the architecture: they point down only, features meet at their index, and every package has its home. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, it } from "vitest";

const foundation = ["kernel", "config", "net", "storage", "snapshot"];
/** Folder of src → folders that it may import. `authorize` and `record` are what every feature may call; main.ts wires and may import all. */
const layers: Record<string, readonly string[]> = {
  kernel: [],
  config: ["kernel"],
  net: ["kernel"],
  storage: ["kernel", "config"],
  snapshot: ["kernel", "storage"],
  policy: [...foundation, "audit"],
  audit: ["kernel", "net", "storage"],
  identity: [...foundation, "audit", "policy"],
  registry: [...foundation, "audit", "policy", "identity"],
  trust: [...foundation, "audit", "policy", "identity"],
  gateway: [...foundation, "audit", "policy", "identity", "trust"],
  ops: [...foundation, "audit", "policy"],
  cli: ["kernel", "config", "net", "trust", "audit"],
};
/** What may be imported file by file; of all others only the index. */
const open = ["kernel", "net"];
/** Package → folders that may import it; a type alone may be imported anywhere. */
const homes: Record<string, readonly string[]> = {
  zod: ["config", "net", "audit", "identity", "registry", "trust", "gateway", "policy", "ops", "cli"],
  kysely: ["storage", "snapshot", "audit", "identity", "registry", "trust", "gateway", "policy"],
  pg: ["storage"],
  undici: ["net"],
  hono: ["net"],
  "@hono/node-server": ["net"],
  jose: ["identity", "gateway"],
  commander: ["cli"],
  "@modelcontextprotocol/client": ["registry", "gateway", "cli"],
  "oidc-provider": ["identity"],
  "@simplewebauthn/server": ["identity"],
  otpauth: ["identity"],
  oauth4webapi: ["identity", "gateway"],
  ajv: ["trust", "gateway", "policy"],
  "@cedar-policy/cedar-wasm": ["policy"],
  yaml: ["registry", "gateway", "policy", "cli"],
};

/** Every import of a module by name: static, for its effects, dynamic, or re-exported. */
function importsOf(text: string): { target: string; typeOnly: boolean }[] {
  return [...text.matchAll(/\b(?:import|export)\b(?<type> type\b)?[^;"'`]*["'`](?<target>[^"'`]+)["'`]/g)]
    .filter(([whole]) => /\bfrom ["'`]|^import(?: |\(\s*)["'`]/.test(whole))
    .map(({ groups }) => ({ target: groups?.["target"] ?? "", typeOnly: groups?.["type"] !== undefined }));
}

/** Imports that break a rule. */
function violations(file: string, text: string): string[] {
  const from = /^src\/([a-z]+)\//.exec(file)?.[1];
  if (from === undefined) return [];
  return importsOf(text).flatMap(({ target, typeOnly }) => {
    const broken = [`${file} imports ${target}`];
    if (target.startsWith("node:")) return [];
    if (!target.startsWith(".")) {
      const name = target.split("/").slice(0, target.startsWith("@") ? 2 : 1).join("/");
      return typeOnly || homes[name]?.includes(from) ? [] : broken;
    }
    const path = posix.join(posix.dirname(file), target);
    if (path === "src/version.ts" || (path === "src/main.ts" && from === "cli" && typeOnly)) return [];
    const to = /^src\/([a-z]+)\//.exec(path)?.[1];
    if (to === from) return [];
    return to !== undefined && layers[from]?.includes(to) && (open.includes(to) || path === `src/${to}/index.ts`) ? [] : broken;
  });
}

describe("the arrows of the architecture", () => {
  it("hold everywhere", () => {
    const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "src/*.ts"], { encoding: "utf8" }).split("\n").filter((file) => file !== "" && !file.endsWith(".test.ts"));
    expect(files.length).toBeGreaterThan(50);
    const texts = files.flatMap((file) => {
      try {
        return [[file, readFileSync(file, "utf8")] as const];
      } catch {
        return []; // Deleted, but not yet committed.
      }
    });
    expect(texts.flatMap(([file, text]) => violations(file, text))).toEqual([]);
  });

  it("give every package a home", () => {
    expect(Object.keys(homes).sort()).toEqual(Object.keys((JSON.parse(readFileSync("package.json", "utf8")) as { dependencies: object }).dependencies).sort());
  });

  it("have no way round in a circle", () => {
    const reaches = (from: string, seen: readonly string[] = []): boolean => seen.includes(from) || (layers[from] ?? []).some((to) => reaches(to, [...seen, from]));
    expect(Object.keys(layers).filter((layer) => reaches(layer))).toEqual([]);
  });

  it.each([
    ["the kernel reaches up", "src/kernel/x.ts", 'import { a } from "../storage/index.ts";'],
    ["the kernel uses a package", "src/kernel/x.ts", 'import { z } from "zod";'],
    ["a feature reaches sideways", "src/audit/x.ts", 'import { a } from "../gateway/index.ts";'],
    ["a feature reaches past an index", "src/gateway/x.ts", 'import { a } from "../identity/tokens.ts";'],
    ["a deep folder reaches past an index", "src/gateway/wire/x.ts", 'import { a } from "../../identity/tokens.ts";'],
    ["an import runs over lines", "src/audit/x.ts", 'import {\n  a,\n  b,\n} from "../gateway/index.ts";'],
    ["an import is for its effects", "src/audit/x.ts", 'import "../gateway/index.ts";'],
    ["an import is dynamic", "src/audit/x.ts", 'const a = await import("../gateway/index.ts");'],
    ["an export hides an import", "src/audit/x.ts", 'export * from "../gateway/index.ts";'],
    ["a type comes from above", "src/audit/x.ts", 'import type { A } from "../gateway/index.ts";'],
    ["a feature imports the composition root", "src/audit/x.ts", 'import { startServer } from "../main.ts";'],
    ["the product imports a test", "src/audit/x.ts", 'import { startWorld } from "../../test/world.ts";'],
    ["a package is used away from home", "src/registry/x.ts", 'import { request } from "undici";'],
    ["a package has no home", "src/registry/x.ts", 'import got from "got";'],
    ["a folder is unknown", "src/helpers/x.ts", 'import { a } from "../kernel/ids.ts";'],
  ])("bite when %s", (_, file, text) => {
    expect(violations(file, text)).toHaveLength(1);
  });

  it.each([
    ["a deep folder uses the kernel", "src/gateway/wire/x.ts", 'import { a } from "../../kernel/json.ts";'],
    ["a feature records and authorizes", "src/registry/x.ts", 'import type { Audit } from "../audit/index.ts";\nimport { authorize } from "../policy/index.ts";'],
    ["a file imports its neighbour", "src/identity/x.ts", 'import { a } from "./tokens.ts";'],
    ["only a type of a package is used", "src/gateway/x.ts", 'import type { Dispatcher } from "undici";'],
    ["a package is at home", "src/net/x.ts", 'import { Agent } from "undici";'],
  ])("let pass when %s", (_, file, text) => {
    expect(violations(file, text)).toEqual([]);
  });
});

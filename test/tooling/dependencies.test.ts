/** The supply chain (OWASP A06:2021, A03:2025), read off the lockfile: what may be installed, from where, and why. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { billOfMaterials, shipped as shippedEntries } from "../../scripts/sbom.mjs";
import { judge } from "../../scripts/vulnerabilities.mjs";

interface Locked {
  version?: string;
  resolved?: string;
  integrity?: string;
  license?: string;
  link?: boolean;
  hasInstallScript?: boolean;
}
type Versions = Record<string, string>;
const read = <T>(file: string): T => JSON.parse(readFileSync(file, "utf8")) as T;
const manifest = read<{ dependencies: Versions; devDependencies: Versions; allowScripts: Record<string, boolean> }>("package.json");
const runtime = read<{ optionalDependencies: Versions }>("runtime/package.json");
const lock = read<{ packages: Record<string, Locked> }>("package-lock.json");

const nameOf = (path: string) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
/** Everything that npm fetches; the workspace itself is only a link. */
const fetched = Object.entries(lock.packages).filter(([path, { link }]) => path.includes("node_modules/") && !link);
const shipped: [string, Locked][] = shippedEntries();

const permissive = ["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "0BSD", "BlueOak-1.0.0"];
/** Tools are run, not distributed: more licences are fine, each known. */
const forTools = [...permissive, "MPL-2.0", "Python-2.0", "Artistic-2.0", "CC0-1.0", "CC-BY-3.0", "WTFPL", "(MIT OR CC0-1.0)", "(MIT OR GPL-3.0-or-later)", "(MIT AND Zlib)"];
/** Its manifest points to a licence file; its README says MIT. */
const readByHand = ["@modelcontextprotocol/server-everything"];

describe("the lockfile", () => {
  it("has a SHA-512 digest for every file that is fetched", () => {
    expect(fetched.filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? "")).map(([path]) => path)).toEqual([]);
  });

  it("names no place to fetch from but the registry in use", () => {
    expect(fetched.filter(([, { resolved }]) => resolved !== undefined && !resolved.startsWith("https://registry.npmjs.org/")).map(([path]) => path)).toEqual([]);
  });

  it("runs no install script but those that are allowed by name, and allows none for nothing", () => {
    expect(fetched.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => nameOf(path)).sort()).toEqual(Object.keys(manifest.allowScripts).sort());
    expect(shipped.filter(([, { hasInstallScript }]) => hasInstallScript)).toEqual([]);
  });

  it("ships permissive licences only", () => {
    expect(shipped.filter(([, { license }]) => !permissive.includes(license ?? "")).map(([path, { license }]) => `${path}: ${license}`)).toEqual([]);
  });

  it("uses tools of known licences only", () => {
    expect(fetched.filter(([path, { license }]) => !readByHand.includes(nameOf(path)) && !forTools.includes(license ?? "")).map(([path, { license }]) => `${path}: ${license}`)).toEqual([]);
  });

  it("ships no native add-on", () => {
    expect(shipped.filter(([path]) => /^(?:node-gyp|prebuild-install|node-gyp-build|bindings|nan|node-addon-api)$|-(?:linux|darwin|win32)-/.test(nameOf(path))).map(([path]) => path)).toEqual([]);
  });

  it("ships no XML parser", () => {
    expect(shipped.filter(([path]) => /xml|^saxe?s?$|^(?:jsdom|cheerio|htmlparser2|node-expat)$/.test(nameOf(path))).map(([path]) => path)).toEqual([]);
  });

  it("ships at most 20 direct dependencies and 110 in all", () => {
    expect(Object.keys(manifest.dependencies).length).toBeLessThanOrEqual(20);
    expect(shipped.length).toBeLessThanOrEqual(110);
  });
});

describe("the manifest", () => {
  it("pins exact versions", () => {
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies, ...runtime.optionalDependencies });
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))).toEqual([]);
  });

  it("has a reason in docs/dependencies.md for each package, and no reason for another", () => {
    const sections = readFileSync("docs/dependencies.md", "utf8").split(/^## /m);
    const rows = (title: string) => [...(sections.find((section) => section.startsWith(title)) ?? "").matchAll(/^\| `([^`]+)` \| .{10,} \|$/gm)].map(([, name]) => name);
    expect(rows("Shipped")).toEqual(Object.keys(manifest.dependencies).sort());
    expect(rows("Development only")).toEqual(Object.keys(manifest.devDependencies).sort());
    expect(rows("The runtime")).toEqual(Object.keys(runtime.optionalDependencies).sort());
  });
});

describe("the bill of materials", () => {
  const bill = billOfMaterials();
  const references = new Set(bill.components.map((component) => component["bom-ref"]));

  it("names every package that is shipped, and reaches each from the product", () => {
    const reached = new Set<string>();
    const visit = (reference: string): void => {
      for (const next of bill.dependencies.find(({ ref }) => ref === reference)?.dependsOn ?? []) if (!reached.has(next)) visit((reached.add(next), next));
    };
    visit(bill.metadata.component["bom-ref"]);
    expect(bill.components).toHaveLength(shipped.length);
    expect([...reached].sort()).toEqual([...references].sort());
  });

  it("names every direct dependency", () => {
    expect(Object.entries(manifest.dependencies).filter(([name, version]) => !bill.components.some((component) => component.name === name && component.version === version))).toEqual([]);
  });
});

describe("the check for known vulnerabilities", () => {
  const report = (counts: object) => JSON.stringify({ metadata: { vulnerabilities: { info: 0, low: 0, moderate: 0, high: 0, critical: 0, ...counts } } });

  it.each([{ high: 1 }, { critical: 1 }])("fails on %o", (counts) => {
    expect(judge(report(counts))).toMatchObject({ passes: false });
  });

  it("passes on less", () => {
    expect(judge(report({ moderate: 3 }))).toMatchObject({ passes: true });
  });

  it("passes when nobody could be asked, and says so", () => {
    expect(judge(JSON.stringify({ message: "405 Method Not Allowed" }))).toEqual({ passes: true, says: expect.stringMatching(/^NOT ASKED: .*405 Method Not Allowed/) as string });
    expect(judge("")).toEqual({ passes: true, says: expect.stringContaining("NOT ASKED") as string });
  });
});

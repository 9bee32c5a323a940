/**
 * `npm run sbom`: what is shipped, as a CycloneDX 1.6 bill of materials on standard output, read off the lockfile.
 * Not `npm sbom`: with `--omit=dev` that leaves out every package that a development tool needs as well.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./runtime.mjs";

const read = (file) => JSON.parse(readFileSync(join(root, file), "utf8"));
const nameOf = (path) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);

/** Entries of the lockfile that are in the published package: no tools, and not the Node.js that is pinned for clones. @returns {[path: string, entry: any][]} */
export function shipped() {
  const runtime = read("runtime/package.json").optionalDependencies;
  return Object.entries(read("package-lock.json").packages).filter(([path, { dev, devOptional, link }]) => path.startsWith("node_modules/") && !dev && !devOptional && !link && !(nameOf(path) in runtime));
}

/**
 * @typedef {{ "bom-ref": string, name: string, version: string }} Component
 * @returns {{ metadata: { component: Component }, components: Component[], dependencies: { ref: string, dependsOn: string[] }[] } & Record<string, unknown>}
 */
export function billOfMaterials() {
  const own = read("package.json");
  const entries = new Map(shipped());
  const purl = (name, version) => `pkg:npm/${name.replace("@", "%40")}@${version}`;
  /** As Node.js looks a package up: beside, then in each folder above. */
  const find = (from, name) => {
    for (let folder = from; ; folder = folder.slice(0, Math.max(folder.lastIndexOf("/node_modules/"), 0))) {
      const path = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`;
      if (entries.has(path) || folder === "") return path;
    }
  };
  const reference = (path) => purl(nameOf(path), entries.get(path).version);
  const dependsOn = (path, names) => names.map((name) => find(path, name)).filter((found) => entries.has(found)).map(reference);
  const ownReference = purl(own.name, own.version);
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: { type: "application", "bom-ref": ownReference, name: own.name, version: own.version, purl: ownReference, licenses: [{ license: { id: own.license } }] } },
    components: [...entries].map(([path, { version, license, integrity }]) => ({
      type: "library",
      "bom-ref": reference(path),
      name: nameOf(path),
      version,
      purl: reference(path),
      licenses: [{ expression: license }],
      hashes: [{ alg: "SHA-512", content: Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex") }],
    })),
    dependencies: [
      { ref: ownReference, dependsOn: dependsOn("", Object.keys(own.dependencies)) },
      ...[...entries].map(([path, { dependencies = {}, optionalDependencies = {}, peerDependencies = {} }]) => ({ ref: reference(path), dependsOn: dependsOn(path, Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) })),
    ],
  };
}

if (process.argv[1]?.endsWith("sbom.mjs")) process.stdout.write(`${JSON.stringify(billOfMaterials(), null, 2)}\n`);

/** `doctor`: looks for what is unsafe or broken, says why, and how to mend it. */
import { existsSync, statfsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { styleText } from "node:util";
import type { Command } from "commander";
import { readConfig, ConfigError, type Config } from "../config/index.ts";
import { classifyAddress } from "../net/address.ts";
import type { Cli } from "./index.ts";
import { exitCodes } from "./output.ts";

interface Finding {
  check: string;
  status: "ok" | "warn" | "fail";
  detail: string;
  fix?: string;
}

/** What this host does to confine local servers, tried. */
export type DetectConfinement = () => { namespaces: boolean; limits: boolean; diesWithGateway: boolean; missing: readonly string[] };

export function doctorCommand(program: Command, cli: Cli, detectConfinement: DetectConfinement): void {
  const { output } = cli;
  program
    .command("doctor")
    .description("Look for unsafe or broken settings; exit code 1 when something fails")
    .action(async () => {
      const environment = cli.serverEnvironment();
      const findings: Finding[] = [nodeVersion()];
      let config: Config | undefined;
      try {
        config = readConfig(environment);
        findings.push({ check: "configuration", status: "ok", detail: "every setting can be read" });
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        findings.push(...error.lines.map((line): Finding => ({ check: "configuration", status: "fail", detail: line, fix: "docs/configuration.md explains every setting" })));
      }
      if (config) findings.push(...binding(config), dataFolder(config), diskSpace(config), ...exposure(config));
      findings.push(sandbox(detectConfinement(), config), await reachable(cli));
      const failed = findings.some(({ status }) => status === "fail");
      output.result({ ok: !failed, findings }, () => [
        ...findings.flatMap(({ check, status, detail, fix }) => [`${styleText(status === "ok" ? "green" : status === "warn" ? "yellow" : "red", status.padEnd(4))}  ${check.padEnd(14)}  ${detail}`, ...(fix ? [`${" ".repeat(22)}${styleText("dim", `fix: ${fix}`)}`] : [])]),
        failed ? "Something needs mending." : "Nothing is broken.",
      ]);
      if (failed) process.exitCode = exitCodes.failed;
    });
}

function nodeVersion(): Finding {
  const major = Number(process.versions.node.split(".")[0]);
  return major >= 24 ? { check: "runtime", status: "ok", detail: `Node.js ${process.version}` } : { check: "runtime", status: "fail", detail: `Node.js ${process.version} is too old`, fix: "use Node.js 24 or newer" };
}

function binding({ SALLYPORT_HOST: host, SALLYPORT_ALLOW_ALL_INTERFACES: all, SALLYPORT_TLS_CERT_FILE: cert }: Config): Finding[] {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  let kind = "name";
  try {
    kind = classifyAddress(bare).class;
  } catch {
    if (bare === "localhost") kind = "loopback";
  }
  const findings: Finding[] = [{ check: "binding", status: kind === "unspecified" ? (all ? "warn" : "fail") : "ok", detail: `${host} (${kind})`, ...(kind === "unspecified" ? { fix: "name one private address in SALLYPORT_HOST" } : {}) }];
  if (kind !== "loopback" && cert === undefined) findings.push({ check: "TLS", status: "warn", detail: "listening beyond loopback without TLS", fix: "set SALLYPORT_TLS_CERT_FILE and SALLYPORT_TLS_KEY_FILE, or put a TLS proxy in front" });
  return findings;
}

function dataFolder({ SALLYPORT_DATA_DIR: folder, SALLYPORT_DATABASE_URL: url }: Config): Finding {
  if (url) return { check: "storage", status: "ok", detail: "PostgreSQL" };
  const path = resolve(folder);
  if (!existsSync(path)) return { check: "storage", status: "ok", detail: `${path} will be made at the first start` };
  const open = process.platform !== "win32" && (statSync(path).mode & 0o077) !== 0;
  return open ? { check: "storage", status: "warn", detail: `${path} can be read by others`, fix: `chmod 700 ${path}` } : { check: "storage", status: "ok", detail: path };
}

function diskSpace({ SALLYPORT_DATA_DIR: folder }: Config): Finding {
  const path = existsSync(folder) ? folder : ".";
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  return { check: "disk", status: free < 256 * 1024 * 1024 ? "warn" : "ok", detail: `${Math.round(free / 1024 / 1024)} MiB free`, ...(free < 256 * 1024 * 1024 ? { fix: "make room: writes are refused when the disk is full" } : {}) };
}

function exposure(config: Config): Finding[] {
  const wide = config.SALLYPORT_UPSTREAM_ALLOW.filter((entry) => /\/(?:[0-9]|1[0-5])$/.test(entry));
  return [
    ...(wide.length > 0 ? [{ check: "upstreams", status: "warn" as const, detail: `SALLYPORT_UPSTREAM_ALLOW has very wide networks: ${wide.join(", ")}`, fix: "name the hosts or small networks that are needed" }] : []),
    ...(config.SALLYPORT_PASSWORD_GRANT === "enabled" ? [{ check: "password grant", status: "warn" as const, detail: "enabled beyond loopback", fix: "unset SALLYPORT_PASSWORD_GRANT" }] : []),
  ];
}

function sandbox({ namespaces, limits, diesWithGateway, missing }: ReturnType<DetectConfinement>, config: Config | undefined): Finding {
  const off = config?.SALLYPORT_STDIO_SANDBOX === "off";
  const inForce = [
    namespaces && !off ? "namespaces (read-only files, no network unless allowed, no foreign processes)" : undefined,
    limits ? "limits of memory, processor time and files" : undefined,
    diesWithGateway ? "end with the gateway" : undefined,
  ].filter((text) => text !== undefined);
  const detail = `for stdio servers: ${inForce.join("; ") || "nothing"}${missing.length > 0 ? `. Missing: ${missing.join("; ")}` : ""}${off ? ". Namespaces are switched off" : ""}`;
  if (namespaces && limits && !off) return { check: "sandbox", status: "ok", detail };
  const isUsed = config !== undefined && config.SALLYPORT_STDIO_ALLOW.length > 0;
  const status = config?.SALLYPORT_STDIO_SANDBOX === "required" && isUsed ? "fail" : "warn";
  return { check: "sandbox", status, detail, fix: off ? "unset SALLYPORT_STDIO_SANDBOX" : "install util-linux and allow user namespaces, or run no stdio servers" };
}

async function reachable(cli: Cli): Promise<Finding> {
  const { url } = cli.client();
  try {
    const ready = await fetch(`${url}/healthz/ready`, { signal: AbortSignal.timeout(3000) });
    if (!ready.ok) return { check: "server", status: "warn", detail: `${url} is not ready (${ready.status})`, fix: "look at its log" };
    const skew = Math.abs(Date.parse(ready.headers.get("date") ?? "") - Date.now());
    return skew > 60_000 ? { check: "server", status: "warn", detail: `${url} is ready, but its clock differs by ${Math.round(skew / 1000)} s`, fix: "synchronise the clocks" } : { check: "server", status: "ok", detail: `${url} is ready` };
  } catch {
    return { check: "server", status: "warn", detail: `${url} does not answer`, fix: "start it with 'npm start', or give --url" };
  }
}

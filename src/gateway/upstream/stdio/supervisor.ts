/**
 * stdio servers: every channel is a child of its own, so that nothing one user's calls leave behind in a process is ever seen by another.
 * Bounded in number, held back after crashes, confined as far as the host can, and gone when the gateway is.
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../../config/index.ts";
import type { Log } from "../../../kernel/log.ts";
import type { ServerState } from "../../../snapshot/index.ts";
import type { OpenChannel } from "../../exchange.ts";
import { UpstreamError } from "../http.ts";
import { searchPath, type AllowList } from "./allow.ts";
import { startChild, type Child } from "./child.ts";
import { endOrphans, ownerMark } from "./processes.ts";
import { confine, detectConfinement, type Confinement } from "./sandbox.ts";

export interface StdioLimits {
  /** Children in all, of one principal, and of one server. */
  children: number;
  perUser: number;
  perServer: number;
  /** Bytes. */
  memory: number;
  /** Seconds. */
  cpu: number;
  files: number;
  processes: number;
  /** Bytes of one message. */
  line: number;
  /** Milliseconds. */
  grace: number;
}

export function stdioLimits(config: Pick<Config, "SALLYPORT_STDIO_CHILDREN" | "SALLYPORT_STDIO_CHILDREN_PER_USER" | "SALLYPORT_STDIO_CHILDREN_PER_SERVER" | "SALLYPORT_STDIO_MEMORY" | "SALLYPORT_STDIO_CPU" | "SALLYPORT_STDIO_FILES" | "SALLYPORT_UPSTREAM_MESSAGE_LIMIT">): StdioLimits {
  return {
    children: config.SALLYPORT_STDIO_CHILDREN,
    perUser: config.SALLYPORT_STDIO_CHILDREN_PER_USER,
    perServer: config.SALLYPORT_STDIO_CHILDREN_PER_SERVER,
    memory: config.SALLYPORT_STDIO_MEMORY * 1_048_576,
    cpu: config.SALLYPORT_STDIO_CPU,
    files: config.SALLYPORT_STDIO_FILES,
    processes: 128,
    line: config.SALLYPORT_UPSTREAM_MESSAGE_LIMIT,
    grace: 2000,
  };
}

export interface StdioOptions {
  allow: AllowList;
  limits: StdioLimits;
  /** "required": nothing is started where namespaces cannot be had. */
  sandbox: "auto" | "required" | "off";
  /** The server's own variables, unsealed. */
  environment(server: ServerState): Record<string, string>;
  /** Folders that no child may read. */
  hidden: readonly string[];
  log: Log;
  /** Milliseconds, monotonic. */
  now?: () => number;
}

export interface Stdio {
  openStdio(server: ServerState): OpenChannel;
  /** Children that run. */
  readonly size: number;
  close(): Promise<void>;
}

interface Running {
  serverId: string;
  principalId: string;
  child: Promise<Child>;
}

interface Crashes {
  count: number;
  until: number;
  last: number;
  reason: string;
}

const longestBackOff = 60_000;
/** A program that ran for so long is taken to be sound again. */
const stableAfter = 30_000;
const plainEnvironment = { PATH: searchPath.join(":"), LANG: "C.UTF-8" };

export function createStdio({ allow, limits, sandbox, environment, hidden, log, now = () => performance.now() }: StdioOptions): Stdio {
  const running = new Set<Running>();
  const crashes = new Map<string, Crashes>();
  let isClosed = false;
  let confinement: Confinement | undefined;

  /** Found out once, at the start; a gateway that may start nothing pays nothing. */
  const confinementNow = (): Confinement => {
    if (confinement) return confinement;
    const orphans = endOrphans();
    if (orphans > 0) log.warn("stdio.orphans.ended", { count: orphans });
    const found = detectConfinement();
    confinement = sandbox === "off" ? { ...found, namespaces: false } : found;
    if (!confinement.namespaces) log.warn("stdio.unconfined", { reason: sandbox === "off" ? "SALLYPORT_STDIO_SANDBOX=off" : found.missing.join("; ") });
    return confinement;
  };

  const requireRoom = (serverId: string, principalId: string) => {
    const count = (of: (other: Running) => boolean) => [...running].filter(of).length;
    for (const [most, setting, whose, used] of [
      [limits.children, "SALLYPORT_STDIO_CHILDREN", "in all", running.size],
      [limits.perUser, "SALLYPORT_STDIO_CHILDREN_PER_USER", "of yours", count((other) => other.principalId === principalId)],
      [limits.perServer, "SALLYPORT_STDIO_CHILDREN_PER_SERVER", "of this server", count((other) => other.serverId === serverId)],
    ] as const) {
      if (used >= most) throw new UpstreamError("busy", `All ${most} local processes ${whose} are in use (${setting})`);
    }
  };

  /** What dies before its first word is broken for all; what dies later may have been killed by one user's call: only that user waits. */
  const keysOf = (serverId: string, principalId: string) => ({ start: serverId, later: `${serverId}\n${principalId}` });
  const requireCalm = (keys: readonly string[]) => {
    for (const key of keys) {
      const known = crashes.get(key);
      if (known && known.until > now()) throw new UpstreamError("unreachable", `${known.reason} (${known.count} times in a row: it is started again in ${Math.ceil((known.until - now()) / 1000)} s)`);
      if (known && now() - known.last > longestBackOff + stableAfter) crashes.delete(key);
    }
  };
  const noteEnd = (key: string, lasted: number, reason: string) => {
    const count = lasted > stableAfter ? 1 : (crashes.get(key)?.count ?? 0) + 1;
    crashes.set(key, { count, reason, last: now(), until: count === 1 ? 0 : now() + Math.min(longestBackOff, 250 * 2 ** Math.min(count, 20)) });
  };

  const start = async (server: ServerState): Promise<{ child: Child; home: string }> => {
    const { stdio } = server;
    const file = stdio && allow.fileOf(stdio.command);
    if (!stdio || file === undefined) throw new UpstreamError("refused", "The server's command is not on the list of allowed commands (SALLYPORT_STDIO_ALLOW)");
    const means = confinementNow();
    if (sandbox === "required" && !means.namespaces) throw new UpstreamError("refused", `Local servers need a sandbox here (SALLYPORT_STDIO_SANDBOX=required): ${means.missing.join("; ")}`);
    const own = environment(server);
    const home = mkdtempSync(join(tmpdir(), "sallyport-child-"));
    const directory = stdio.directory ?? home;
    const chain = confine({ file, args: stdio.args, directory, home, network: stdio.network, hidden }, limits, means);
    try {
      const child = await startChild({
        ...chain,
        directory: means.namespaces ? "/" : directory,
        environment: { ...own, ...plainEnvironment, HOME: home, TMPDIR: home },
        mark: `${ownerMark()}${randomUUID()}`,
        secrets: Object.values(own),
        lines: { line: limits.line, lines: 20_000, bytes: limits.line * 4, window: 10_000 },
        memory: limits.memory,
        processes: limits.processes,
        grace: limits.grace,
      });
      return { child, home };
    } catch (error) {
      rmSync(home, { recursive: true, force: true });
      throw error;
    }
  };

  if (allow.programs.length > 0) confinementNow();

  return {
    openStdio: (server) => async ({ principalId, signal }) => {
      signal.throwIfAborted();
      if (isClosed) throw new UpstreamError("unreachable", "The gateway is stopping");
      const keys = keysOf(server.id, principalId);
      requireCalm([keys.start, keys.later]);
      requireRoom(server.id, principalId);
      const began = now();
      const starting = start(server);
      const entry: Running = { serverId: server.id, principalId, child: starting.then(({ child }) => child) };
      entry.child.catch(() => undefined);
      running.add(entry);
      try {
        const { child, home } = await starting;
        log.debug("stdio.started", { server: server.name });
        void child.ended.then(({ byItself, reason }) => {
          running.delete(entry);
          rmSync(home, { recursive: true, force: true });
          if (byItself) noteEnd(child.hasSpoken ? keys.later : keys.start, now() - began, reason?.message ?? "The program ended");
          else if (now() - began > stableAfter) for (const key of [keys.start, keys.later]) crashes.delete(key);
          log[byItself ? "warn" : "debug"]("stdio.ended", { server: server.name, ...(reason ? { reason: reason.reason } : {}) });
        });
        if (signal.aborted) {
          void child.close();
          signal.throwIfAborted();
        }
        return child;
      } catch (error) {
        running.delete(entry);
        throw error;
      }
    },
    get size() {
      return running.size;
    },
    async close() {
      isClosed = true;
      await Promise.all([...running].map(({ child }) => child.then((open) => open.close()).catch(() => undefined)));
    },
  };
}

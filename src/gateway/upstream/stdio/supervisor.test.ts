/** Children at their worst: each is cut, told of, and gone, and nobody else feels it. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import fc from "fast-check";
import type { ServerState } from "../../../snapshot/index.ts";
import type { Channel, JsonObject } from "../../exchange.ts";
import { createAllowList } from "./allow.ts";
import { createLineReader } from "./lines.ts";
import { marked } from "./processes.ts";
import { redact } from "./redact.ts";
import { detectConfinement } from "./sandbox.ts";
import { createStdio, type Stdio, type StdioLimits, type StdioOptions } from "./supervisor.ts";

const peers = join(import.meta.dirname, "../../../../test/peers");
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, flush: () => undefined };
const limits: StdioLimits = { children: 8, perUser: 4, perServer: 6, memory: 512 * 1_048_576, cpu: 600, files: 256, processes: 64, line: 1_048_576, grace: 600 };
const namespaces = detectConfinement().namespaces;
const sandboxes = namespaces ? (["auto", "off"] as const) : (["off"] as const);

const serverOf = (args: readonly string[], more: Partial<NonNullable<ServerState["stdio"]>> = {}, id = args.join(" ")): ServerState =>
  ({ id, name: "local", transport: "stdio", stdio: { command: "node", args, directory: undefined, network: false, ...more } }) as unknown as ServerState;
const misbehaving = (kind: string) => serverOf([`${peers}/misbehaving-stdio.ts`, kind]);

const open: Stdio[] = [];
const supervise = (options: Partial<StdioOptions> = {}) => {
  const stdio = createStdio({ allow: createAllowList(["node"]), limits, sandbox: "auto", environment: () => ({}), hidden: [], log: silent, ...options });
  open.push(stdio);
  return stdio;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((stdio) => stdio.close()));
  expect(marked((mark) => mark.startsWith(`${process.pid}.`)), "processes that are left").toEqual([]);
});

const channelOf = (stdio: Stdio, server: ServerState, principalId = "u1") => stdio.openStdio(server)({ principalId, signal: new AbortController().signal });
const listen = (channel: Channel) => {
  const messages: JsonObject[] = [];
  let wake: () => void = () => undefined;
  const closed = new Promise<Error | undefined>((resolve) =>
    channel.receive((message) => {
      messages.push(message);
      wake();
    }, resolve),
  );
  const next = async (): Promise<JsonObject> => {
    while (messages.length === 0) {
      const more = new Promise<"more">((resolve) => {
        wake = () => resolve("more");
      });
      if ((await Promise.race([more, closed])) !== "more" && messages.length === 0) throw (await closed) ?? new Error("closed");
    }
    return messages.shift() ?? {};
  };
  let id = 0;
  return {
    closed,
    async ask(method: string, params: JsonObject = {}) {
      id += 1;
      await channel.send({ jsonrpc: "2.0", id, method, params });
      return next();
    },
  };
};
const initialize = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } };

/** A server of a few lines, in a file of its own. */
const folder = mkdtempSync(join(tmpdir(), "sallyport-stdio-test-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const script = (name: string, text: string) => {
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, text);
  return file;
};
const answering = (expression: string) => `import { createInterface } from "node:readline"; import * as fs from "node:fs"; import * as os from "node:os"; let state = 0;
createInterface({ input: process.stdin }).on("line", async (line) => { const { id, params } = JSON.parse(line); let result; try { result = await (${expression})(params); } catch (error) { result = { error: error.code ?? String(error) }; } process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, result }) + "\\n"); });`;

describe.each(sandboxes)("with the sandbox %s", (sandbox) => {
  it("a program that ends at once is told of at once, with what it wrote, without its secrets", async () => {
    const stdio = supervise({ sandbox });
    const began = performance.now();
    const error = await listen(await channelOf(stdio, misbehaving("exits"))).closed;
    expect(performance.now() - began).toBeLessThan(3000);
    expect(error?.message).toMatch(/exit code 3; it wrote: cannot reach postgres:\/\/\[redacted\]@10\.1\.2\.3\/db/);
    expect(error?.message).not.toContain("hunter2");
  });

  it("arguments arrive as they are, whatever a shell would make of them", async () => {
    const hostile = ["; touch /tmp/owned", "$(touch /tmp/owned)", "`touch /tmp/owned`", "| cat", "> /tmp/owned", "&& id", "*", "~", "$HOME", "'", '"', "\\", "--", "-e"];
    const file = script("args", answering("() => process.argv.slice(2)"));
    const { ask } = listen(await channelOf(supervise({ sandbox }), serverOf([file, ...hostile])));
    expect((await ask("x"))["result"]).toEqual(hostile);
  });

  it("a child gets its own variables and nothing of the gateway's", async () => {
    const file = script("environment", answering("() => process.env"));
    const { ask } = listen(await channelOf(supervise({ sandbox, environment: () => ({ API_KEY: "k", PATH: "/evil", HOME: "/evil" }) }), serverOf([file])));
    const seen = (await ask("x"))["result"] as Record<string, string>;
    expect(Object.keys(seen).sort()).toEqual(["API_KEY", "HOME", "LANG", "PATH", "TMPDIR", "_SALLYPORT_CHILD"]);
    expect(seen["PATH"]).not.toContain("evil");
    expect(seen["HOME"]).toContain("sallyport-child-");
  });

  it.each([["floods", /stopped: more than/], ["long-line", /stopped: a line of more than/]])("one that %s is cut", async (kind, message) => {
    const error = await listen(await channelOf(supervise({ sandbox }), misbehaving(kind))).closed;
    expect(error?.message).toMatch(message);
  });

  it("greetings on the standard output are skipped", async () => {
    const { ask } = listen(await channelOf(supervise({ sandbox }), misbehaving("garbage")));
    expect(await ask("initialize", initialize)).toMatchObject({ id: 1, result: { serverInfo: { name: "misbehaving-stdio" } } });
  });

  it("one that ignores every sign is killed after the grace", async () => {
    const channel = await channelOf(supervise({ sandbox }), misbehaving("stubborn"));
    await listen(channel).ask("ping");
    const began = performance.now();
    await channel.close();
    expect(performance.now() - began).toBeLessThan(3000);
  });

  it("what it started goes with it, even from another process group", async () => {
    const channel = await channelOf(supervise({ sandbox }), misbehaving("leaves-children"));
    await listen(channel).ask("ping");
    expect(marked((mark) => mark.startsWith(`${process.pid}.`)).length).toBeGreaterThanOrEqual(2);
    await channel.close();
    await delay(100);
    expect(marked((mark) => mark.startsWith(`${process.pid}.`))).toEqual([]);
  });

  it("one that hoards memory is stopped, and told why", async () => {
    const line = listen(await channelOf(supervise({ sandbox, limits: { ...limits, memory: 256 * 1_048_576 } }), misbehaving("hoards")));
    await line.ask("initialize", initialize);
    line.ask("tools/call", { name: "add" }).catch(() => undefined);
    expect((await line.closed)?.message).toMatch(/SALLYPORT_STDIO_MEMORY|ended/);
  }, 20_000);

  it("one that spins is stopped when its processor time is used up", async () => {
    const line = listen(await channelOf(supervise({ sandbox, limits: { ...limits, cpu: 1 } }), misbehaving("spins")));
    await line.ask("initialize", initialize);
    line.ask("tools/call", { name: "add" }).catch(() => undefined);
    expect(await line.closed).toBeInstanceOf(Error);
  }, 20_000);

  it("all end when the gateway is killed", async () => {
    const program = script("gateway", `import { createStdio } from ${JSON.stringify(join(import.meta.dirname, "supervisor.ts"))}; import { createAllowList } from ${JSON.stringify(join(import.meta.dirname, "allow.ts"))};
const quiet = () => undefined;
const stdio = createStdio({ allow: createAllowList(["node"]), limits: ${JSON.stringify(limits)}, sandbox: ${JSON.stringify(sandbox)}, environment: () => ({}), hidden: [], log: { debug: quiet, info: quiet, warn: quiet, error: quiet, flush: quiet } });
const channel = await stdio.openStdio(${JSON.stringify(misbehaving("stubborn"))})({ principalId: "u", signal: new AbortController().signal });
channel.receive(() => process.stdout.write("up\\n"), quiet); await channel.send({ jsonrpc: "2.0", id: 1, method: "ping" }); setInterval(quiet, 1000);`);
    const gateway = spawn(process.execPath, ["--no-warnings", program], { stdio: ["ignore", "pipe", "inherit"] });
    await once(gateway.stdout, "data");
    const ours = () => marked((mark) => mark.startsWith(`${gateway.pid}.`));
    expect(ours().length).toBeGreaterThan(0);
    gateway.kill("SIGKILL");
    await once(gateway, "exit");
    for (let tries = 0; tries < 50 && ours().length > 0; tries++) await delay(50);
    expect(ours()).toEqual([]);
  }, 20_000);
});

describe.runIf(namespaces)("in namespaces", () => {
  it("a child writes nowhere but at home, sees no other process, no network and nothing of the gateway's", async () => {
    const secret = mkdtempSync(join(tmpdir(), "sallyport-secret-"));
    writeFileSync(join(secret, "sallyport.db"), "the data");
    const file = script(
      "look",
      answering(`async () => { const attempt = (work) => { try { return work(); } catch (error) { return error.code; } };
const connect = () => new Promise((resolve) => import("node:net").then(({ connect }) => { const socket = connect(1, "192.0.2.1"); socket.on("error", (error) => resolve(error.code)); socket.on("connect", () => resolve("connected")); }));
return { pids: fs.readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name)).length, etc: attempt(() => fs.writeFileSync("/etc/owned", "x")), usr: attempt(() => fs.writeFileSync("/usr/owned", "x")), script: attempt(() => fs.writeFileSync(process.argv[1], "x")), home: attempt(() => fs.writeFileSync(process.env.HOME + "/x", "x")) ?? "written", data: attempt(() => fs.readFileSync(${JSON.stringify(join(secret, "sallyport.db"))}, "utf8")), network: await connect(), interfaces: Object.keys(os.networkInterfaces()), capabilities: /CapEff:\\s+(\\w+)/.exec(fs.readFileSync("/proc/self/status", "utf8"))?.[1] }; }`),
    );
    const { ask } = listen(await channelOf(supervise({ hidden: [secret] }), serverOf([file])));
    expect((await ask("x"))["result"]).toEqual({ pids: 1, etc: "EROFS", usr: "EROFS", script: "EROFS", home: "written", data: expect.stringMatching(/EACCES|ENOENT/) as string, network: "ENETUNREACH", interfaces: [], capabilities: "0000000000000000" });
    rmSync(secret, { recursive: true });
  });

  it("the network is there for a server that may use it", async () => {
    const file = script("network", answering("() => fs.readFileSync('/proc/net/dev', 'utf8').split('\\n').length"));
    const own = readFileSync("/proc/net/dev", "utf8").split("\n").length;
    const { ask } = listen(await channelOf(supervise(), serverOf([file], { network: true })));
    expect((await ask("x"))["result"]).toBe(own);
  });

  it("nothing can be mounted any more", async () => {
    expect(spawnSync("/usr/bin/unshare", ["--version"]).status).toBe(0);
    const file = script("mount", answering("async () => (await import('node:child_process')).spawnSync('/usr/bin/mount', ['-o', 'remount,rw', '/']).status"));
    const { ask } = listen(await channelOf(supervise(), serverOf([file])));
    expect((await ask("x"))["result"]).not.toBe(0);
  });
});

describe("the supervisor", () => {
  it("starts nothing that the list does not name, and no shell that it names", async () => {
    const stdio = supervise({ allow: createAllowList([]) });
    await expect(channelOf(stdio, misbehaving("silent"))).rejects.toThrow(/SALLYPORT_STDIO_ALLOW/);
    const list = createAllowList(["sh", "bash", "/bin/sh", "env", "./x", "no-such-program", "node", "/etc/passwd", "a/../b"]);
    expect(list.programs.map(({ name }) => name)).toEqual(["node"]);
    expect(list.fileOf("/usr/bin/../bin/node")).toBeUndefined();
    expect(list.fileOf(list.programs[0]?.file ?? "")).toBe(list.programs[0]?.file);
  });

  it("requires a sandbox where it is told to", async () => {
    const stdio = supervise({ sandbox: "required" });
    if (namespaces) await (await channelOf(stdio, misbehaving("silent"))).close();
    else await expect(channelOf(stdio, misbehaving("silent"))).rejects.toThrow(/SANDBOX=required/);
  });

  it("bounds children of a user, of a server and in all, and names the setting", async () => {
    const stdio = supervise({ sandbox: "off", limits: { ...limits, perUser: 1, perServer: 2, children: 3 } });
    await channelOf(stdio, serverOf([`${peers}/misbehaving-stdio.ts`, "silent"], {}, "a"), "u1");
    await expect(channelOf(stdio, misbehaving("silent"), "u1")).rejects.toThrow(/CHILDREN_PER_USER/);
    await channelOf(stdio, serverOf([`${peers}/misbehaving-stdio.ts`, "silent"], {}, "a"), "u2");
    await expect(channelOf(stdio, serverOf([`${peers}/misbehaving-stdio.ts`, "silent"], {}, "a"), "u3")).rejects.toThrow(/CHILDREN_PER_SERVER/);
    await channelOf(stdio, misbehaving("silent"), "u3");
    await expect(channelOf(stdio, misbehaving("silent"), "u4")).rejects.toThrow(/SALLYPORT_STDIO_CHILDREN\)/);
    expect(stdio.size).toBe(3);
  });

  it("holds a program back that keeps ending, longer each time, and lets it go on later", async () => {
    let clock = 0;
    const stdio = supervise({ sandbox: "off", now: () => clock });
    const once_ = async () => void (await listen(await channelOf(stdio, misbehaving("exits"))).closed);
    await once_();
    await once_();
    await expect(channelOf(stdio, misbehaving("exits"))).rejects.toThrow(/2 times in a row: it is started again in 1 s/);
    clock += 1001;
    await once_();
    await expect(channelOf(stdio, misbehaving("exits"))).rejects.toThrow(/3 times in a row: it is started again in 2 s/);
    clock += 200_000;
    await once_();
    await once_();
  });

  it("holds back only the user whose call ended it", async () => {
    const stdio = supervise({ sandbox: "off" });
    for (let round = 0; round < 2; round++) {
      const line = listen(await channelOf(stdio, misbehaving("crashes"), "u1"));
      await line.ask("initialize", initialize);
      await line.ask("tools/call", { name: "x" }).catch(() => undefined);
      await line.closed;
    }
    await expect(channelOf(stdio, misbehaving("crashes"), "u1")).rejects.toThrow(/in a row/);
    await (await channelOf(stdio, misbehaving("crashes"), "u2")).close();
  });

  it("never lets one channel see what another left in its process", async () => {
    const file = script("stateful", answering("(params) => { const before = state; state = params.value; return { before, pid: process.pid }; }"));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ who: fc.integer({ min: 0, max: 2 }), value: fc.integer({ min: 1 }) }), { minLength: 1, maxLength: 12 }), async (steps) => {
        const stdio = supervise({ sandbox: "off" });
        const lines = await Promise.all([0, 1, 2].map(async (who) => listen(await channelOf(stdio, serverOf([file]), `u${who}`))));
        const last = [0, 0, 0];
        for (const { who, value } of steps) {
          expect((await lines[who]?.ask("x", { value }))?.["result"]).toMatchObject({ before: last[who] });
          last[who] = value;
        }
        await stdio.close();
      }),
      { numRuns: 5 },
    );
  }, 60_000);
});

describe("what a child wrote", () => {
  it("is shown without the secrets that it was given, in whatever form", () => {
    const secret = ["p@ss", 'wo"rd'].join("/");
    const shown = redact(`token ${secret} ${encodeURIComponent(secret)} ${JSON.stringify(secret)} end`, [secret]);
    expect(shown).not.toMatch(/p@ss|p%40ss/);
    expect(shown).toContain("end");
  });

  it("comes line by line, however it is cut", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/g, ""))), fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (texts, cuts) => {
        const lines: string[] = [];
        const read = createLineReader({ line: 1000, lines: 1000, bytes: 100_000, window: 1000 }, (line) => lines.push(line.toString("utf8")));
        const all = Buffer.from(texts.map((text) => `${text}\n`).join(""));
        for (let at = 0, turn = 0; at < all.length; turn++) {
          const size = cuts[turn % cuts.length] ?? 1;
          read(all.subarray(at, at + size));
          at += size;
        }
        expect(lines).toEqual(texts.filter((text) => text !== ""));
      }),
    );
  });
});

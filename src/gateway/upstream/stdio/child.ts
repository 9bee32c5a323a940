/**
 * One child as a channel: JSON-RPC lines over its standard streams (MCP, stdio transport), its standard error kept for explanations, and
 * an end that leaves nothing behind: end of input, SIGTERM, SIGKILL, each to the whole process group, and to whatever left the group.
 */
import { spawn } from "node:child_process";
import { parseLosslessJson } from "../../../kernel/json.ts";
import type { Channel, JsonObject } from "../../exchange.ts";
import { UpstreamError } from "../http.ts";
import { isObject } from "../../wire/message.ts";
import { createLineReader, Flood, type LineBounds } from "./lines.ts";
import { kill, marked, marker, residentBytes, treeOf } from "./processes.ts";
import { redact, tailBytes } from "./redact.ts";

/** Why it is no more, with the redacted end of what it wrote to its standard error. */
export class ProgramEnded extends UpstreamError {}

export interface ChildOptions {
  file: string;
  args: readonly string[];
  directory: string;
  environment: Readonly<Record<string, string>>;
  /** Unlike any other child's. */
  mark: string;
  /** Values that are never shown. */
  secrets: readonly string[];
  lines: LineBounds;
  /** Bytes that the child and all it starts may occupy. */
  memory: number;
  /** Processes that may be its. */
  processes: number;
  /** Milliseconds between the polite ways of ending it and SIGKILL. */
  grace: number;
}

export interface Child extends Channel {
  readonly pid: number;
  /** Whether a message has come from it. */
  readonly hasSpoken: boolean;
  /** When everything of it is gone; `byItself`: not because it was closed. Never rejects. */
  readonly ended: Promise<{ byItself: boolean; reason: UpstreamError | undefined }>;
}

/** Lines that are not JSON: some servers greet on their standard output, which they must not. */
const mostJunk = 50;
/** Bytes that may wait for a child that does not read. */
const mostUnread = 16 * 1_048_576;
const parserLimits = { maxDepth: 96, maxKeys: 300_000, maxItems: 1_000_000 };

/** @throws UpstreamError when it cannot be started. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { file, args, directory, environment, mark, secrets, lines, memory, processes, grace } = options;
  const child = spawn(file, args, { cwd: directory, env: { ...environment, [marker]: mark }, stdio: ["pipe", "pipe", "pipe"], detached: true, shell: false, windowsHide: true });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => reject(new UpstreamError("unreachable", `The program cannot be started (${(error as NodeJS.ErrnoException).code ?? "unknown"})`, error)));
  });
  const pid = child.pid ?? 0;
  const waiting: JsonObject[] = [];
  let receiver: { onMessage: (message: JsonObject) => void; onClosed: (reason: Error | undefined) => void } | undefined;
  let reason: UpstreamError | undefined;
  let [hasSpoken, isClosing, isGone, isTold] = [false, false, false, false];
  let [junk, tail] = [0, Buffer.alloc(0)];
  /** Seen while it ran: what has left the group and lost its parent is found by the mark alone. */
  let tree: number[] = [pid];

  const said = () => {
    const text = redact(tail.toString("utf8"), secrets);
    return text === "" ? "" : `; it wrote: ${text.slice(-1000)}`;
  };
  const cut = (why: UpstreamError) => {
    reason ??= why;
    void close();
  };

  const onLine = (line: Buffer) => {
    let message: unknown;
    try {
      message = parseLosslessJson(line, { ...parserLimits, maxBytes: lines.line });
    } catch {
      message = undefined;
    }
    if (!isObject(message)) {
      if (++junk > mostJunk) cut(new UpstreamError("broken", "The program writes something other than JSON-RPC messages to its standard output"));
      return;
    }
    hasSpoken = true;
    if (receiver) receiver.onMessage(message);
    else waiting.push(message);
  };
  const read = createLineReader(lines, onLine);
  child.stdout.on("data", (chunk: Buffer) => {
    if (isClosing) return;
    try {
      read(chunk);
    } catch (error) {
      if (!(error instanceof Flood)) throw error;
      cut(new UpstreamError("too-large", `The program was stopped: ${error.message} on its standard output`));
    }
  });
  child.stderr.on("data", (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-tailBytes);
  });
  // A program that ended, or does not read, is told of by `exit`; its pipes have nothing to add.
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on("error", () => undefined);

  const watch = setInterval(() => {
    tree = treeOf(pid);
    const resident = residentBytes(tree);
    if (resident > memory) cut(new UpstreamError("broken", `The program was stopped: it occupied more than ${Math.round(memory / 1_048_576)} MiB (SALLYPORT_STDIO_MEMORY)`));
    else if (tree.length > processes) cut(new UpstreamError("broken", `The program was stopped: it started more than ${processes} processes`));
  }, 500);
  watch.unref();

  const endAll = () => {
    kill(-pid, "SIGKILL");
    for (const other of new Set([...tree.slice(1), ...marked((found) => found === mark)])) kill(other, "SIGKILL");
  };
  const exited = new Promise<void>((resolve) => {
    child.once("exit", (code, signal) => {
      if (!isClosing) reason ??= new UpstreamError("broken", `The program ended ${signal ? `by ${signal}` : `with exit code ${code}`}`);
      resolve();
    });
  });
  // What it started may hold its pipes: they are given a moment to be read to the end, then let go.
  const drained = Promise.all([child.stdout, child.stderr].map((stream) => new Promise<void>((resolve) => stream.once("close", resolve))));
  const ended = exited.then(async () => {
    const byItself = !isClosing;
    await Promise.race([drained, new Promise<void>((resolve) => void setTimeout(resolve, 100))]);
    clearInterval(watch);
    endAll();
    isGone = true;
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    if (reason) reason = new ProgramEnded(reason.reason, reason.message + said());
    // Whoever counts the ends hears first: who is told may want another at once.
    setImmediate(() => {
      isTold = true;
      receiver?.onClosed(reason);
    });
    return { byItself: byItself || reason !== undefined, reason };
  });

  async function close(): Promise<void> {
    if (!isClosing && !isGone) {
      isClosing = true;
      tree = treeOf(pid);
      child.stdin.end();
      const polite = setTimeout(() => kill(-pid, "SIGTERM"), reason ? 0 : grace / 2);
      const last = setTimeout(endAll, grace);
      void exited.then(() => {
        clearTimeout(polite);
        clearTimeout(last);
      });
    }
    await ended;
  }

  return {
    pid,
    ended,
    get hasSpoken() {
      return hasSpoken;
    },
    async send(message) {
      if (isClosing || isGone) throw reason ?? new UpstreamError("broken", "The program has ended");
      if (child.stdin.writableLength > mostUnread) throw new UpstreamError("busy", "The program does not read what it is sent");
      child.stdin.write(`${JSON.stringify(message)}\n`);
    },
    receive(onMessage, onClosed) {
      receiver = { onMessage, onClosed };
      for (const message of waiting.splice(0)) onMessage(message);
      if (isTold) onClosed(reason);
    },
    close,
  };
}

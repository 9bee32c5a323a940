/** Compiles OpenAPI documents off the main thread: a document can cost its worker everything, and nobody else anything. */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { DocumentError } from "./document.ts";
import type { Compiled, CompileLimits } from "./operations.ts";

/** Workers at a time: each may take this much memory. */
const mostWorkers = 2;
const heapMegabytes = 256;
let running = 0;
const waiting: (() => void)[] = [];

/** @param timeout milliseconds. @throws DocumentError with the reason, for whoever registered it. */
export async function compileDocument(text: string, limits: CompileLimits, timeout = 10_000): Promise<Compiled> {
  if (Buffer.byteLength(text) > limits.bytes) throw new DocumentError(`it is larger than ${limits.bytes} bytes (SALLYPORT_OPENAPI_DOCUMENT_LIMIT)`);
  if (running >= mostWorkers) await new Promise<void>((resolve) => void waiting.push(resolve));
  else running += 1;
  try {
    return await compileInWorker(text, limits, timeout);
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}

async function compileInWorker(text: string, limits: CompileLimits, timeout: number): Promise<Compiled> {
  const worker = new Worker(new URL(`worker${extname(import.meta.url)}`, import.meta.url), {
    workerData: { text, limits },
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 },
    env: {},
    stdin: false,
    stdout: true,
    stderr: true,
  });
  let clock: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Compiled>((resolve, reject) => {
      clock = setTimeout(() => reject(new DocumentError(`it takes longer than ${timeout / 1000} s to read`)), timeout);
      // ast-grep-ignore: json-parse -- written by our own worker
      worker.once("message", ({ compiled, fault }: { compiled?: string; fault?: string }) => (compiled === undefined ? reject(new DocumentError(fault ?? "it cannot be read")) : resolve(JSON.parse(compiled) as Compiled)));
      worker.once("error", (error) => reject(new DocumentError((error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY" ? "it takes too much memory to read" : "it cannot be read")));
      worker.once("exit", () => reject(new DocumentError("it cannot be read")));
    });
  } finally {
    clearTimeout(clock);
    await worker.terminate();
  }
}

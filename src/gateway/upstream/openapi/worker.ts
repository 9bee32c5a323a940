/** The thread in which documents of strangers are read: bounded in memory and time by whoever starts it. */
import { parentPort, workerData } from "node:worker_threads";
import { DocumentError, readDocument } from "./document.ts";
import { compileOperations, type CompileLimits } from "./operations.ts";

const { text, limits } = workerData as { text: string; limits: CompileLimits };
try {
  parentPort?.postMessage({ compiled: JSON.stringify(compileOperations(readDocument(text, limits.bytes), limits)) });
} catch (error) {
  parentPort?.postMessage({ fault: error instanceof DocumentError ? error.message : error instanceof RangeError ? "it is nested too deeply" : "it cannot be read" });
}

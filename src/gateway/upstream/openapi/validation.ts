/** Validation of arguments in a thread of its own, one after the other, each with a deadline: what runs longer ends with its thread. */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { UpstreamError } from "../http.ts";

export interface Validator {
  /** @param key names the schema. @returns what is wrong with the value, for its sender. @throws UpstreamError when it takes too long. */
  check(key: string, schema: () => string, value: string): Promise<string | undefined>;
  close(): Promise<void>;
}

const mostWaiting = 1000;

/** @param timeout milliseconds of one check, once the thread runs. */
export function createValidator(timeout = 2000): Validator {
  let worker: Worker | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  const start = async (): Promise<Worker> => {
    const started = new Worker(new URL(`validation-worker${extname(import.meta.url)}`, import.meta.url), { resourceLimits: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16 }, env: {} });
    started.unref();
    started.on("error", () => undefined);
    await new Promise<void>((resolve, reject) => {
      started.once("online", resolve);
      started.once("error", reject);
    });
    worker = started;
    return started;
  };

  const checkNow = async (key: string, schema: string, value: string): Promise<string | undefined> => {
    const thread = worker ?? (await start());
    let clock: NodeJS.Timeout | undefined;
    let onGone: () => void = () => undefined;
    try {
      return await new Promise<string | undefined>((resolve, reject) => {
        onGone = () => reject(new UpstreamError("broken", "The arguments could not be checked against the tool's schema"));
        thread.once("message", ({ fault }: { fault?: string }) => resolve(fault));
        thread.once("exit", onGone);
        clock = setTimeout(onGone, timeout);
        thread.postMessage({ key, schema, value });
      });
    } catch (error) {
      worker = undefined;
      await thread.terminate();
      throw error;
    } finally {
      clearTimeout(clock);
      thread.off("exit", onGone);
    }
  };

  return {
    async check(key, schema, value) {
      if (waiting >= mostWaiting) throw new UpstreamError("busy", "Too many calls wait for their arguments to be checked");
      waiting += 1;
      const mine = last.then(() => checkNow(key, schema(), value));
      last = mine.catch(() => undefined);
      try {
        return await mine;
      } finally {
        waiting -= 1;
      }
    },
    async close() {
      await worker?.terminate();
    },
  };
}

/** Answers from outside, read up to a limit whatever they claim to be: bytes on the wire, and bytes after decompression. */
import { pipeline, type Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { problem, type Problem } from "../kernel/problem.ts";

const decoders: Record<string, () => NodeJS.ReadWriteStream & Readable> = { gzip: createGunzip, "x-gzip": createGunzip, deflate: createInflate, br: createBrotliDecompress };

export interface BodyLimits {
  maxBytes: number;
  /** Whether a compressed answer was asked for; else it is refused. */
  compressed: boolean;
}

/** @throws Problem `upstream-failed` for too many bytes or an encoding that was not asked for; or the stream's error. */
export async function readBody(body: Readable, { "content-encoding": encoding, "content-length": length }: Record<string, string>, { maxBytes, compressed }: BodyLimits): Promise<Uint8Array> {
  // A body that is given up reports that as an error of its own; whoever gives it up has already said why.
  body.on("error", () => undefined);
  const giveUp = (why: Problem): Problem => {
    body.destroy();
    return why;
  };
  const coding = encoding?.trim().toLowerCase() ?? "identity";
  if (coding !== "identity" && !compressed) throw giveUp(problem("upstream-failed", { detail: "The answer is compressed although that was not asked for" }));
  const decoder = coding === "identity" ? undefined : decoders[coding];
  if (coding !== "identity" && decoder === undefined) throw giveUp(problem("upstream-failed", { detail: "The answer is compressed in an unknown way" }));
  if (Number(length ?? 0) > maxBytes) throw giveUp(tooLarge(maxBytes));
  const source = decoder === undefined ? body : pipeline(body, decoder(), () => undefined);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw giveUp(tooLarge(maxBytes));
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** The same limit for a body that is handed on as it comes. */
export function cappedStream(maxBytes: number): TransformStream<Uint8Array, Uint8Array> {
  let size = 0;
  return new TransformStream({
    transform(chunk, controller) {
      size += chunk.byteLength;
      if (size > maxBytes) controller.error(tooLarge(maxBytes));
      else controller.enqueue(chunk);
    },
  });
}

function tooLarge(maxBytes: number): Problem {
  return problem("upstream-failed", { detail: `The answer is larger than ${maxBytes} bytes` });
}

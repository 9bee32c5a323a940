/** An export: the log as JSON lines that verify themselves (verify.ts reads them), put together from pages. */
import { z } from "zod";
import { createTrailer, startSchema, type Header } from "./verify.ts";
import { canonicalize } from "../kernel/canonical.ts";

/** A page of the log, as the API hands it out. */
export const logPage = z.object({
  origin: z.string(),
  keys: z.array(z.string()).describe("C2SP verifier keys"),
  size: z.number().describe("Entries that the newest checkpoint covers"),
  start: startSchema.optional().describe("What stands for entries that retention has removed"),
  entries: z.array(z.string()).describe("Exactly as they are hashed"),
  checkpoints: z.array(z.object({ size: z.number(), note: z.string() })).describe("Signed notes"),
  next: z.number().nullable(),
  mismatches: z.array(z.string()).describe("What is wrong with the tables beside the entries"),
});
export type LogPage = z.output<typeof logPage>;

/** Lines without their breaks, and apart from them what the deployment itself found to be wrong. */
export async function* exportLines(read: (after: number | undefined) => Promise<LogPage>, exportedAt: string, onMismatch: (text: string) => void = () => undefined): AsyncGenerator<string> {
  const trailer = createTrailer();
  const kept = (line: string) => (trailer.add(line), line);
  let page = await read(undefined);
  const header: Header = { format: "sallyport-audit/1", origin: page.origin, exportedAt, keys: page.keys, ...(page.start ? { start: page.start } : {}) };
  yield kept(canonicalize(header));
  let at = page.start?.size ?? 0;
  for (;;) {
    for (const text of page.mismatches) onMismatch(text);
    const notes = [...page.checkpoints];
    for (const line of page.entries) {
      yield kept(line);
      at++;
      while (notes[0] && notes[0].size <= at) yield kept(JSON.stringify({ checkpoint: notes.shift()?.note }));
    }
    for (const { note } of notes) yield kept(JSON.stringify({ checkpoint: note }));
    if (page.next === null) break;
    page = await read(page.next);
  }
  yield trailer.end(at);
}

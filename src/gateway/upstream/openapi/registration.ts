/** A document on its way into the registry: fetched if it is an address, and read once, so that nothing is stored that cannot be served. */
import { problem } from "../../../kernel/problem.ts";
import type { Outbound } from "../../../net/outbound.ts";
import { compileDocument } from "./compile.ts";
import { DocumentError } from "./document.ts";
import type { CompileLimits } from "./operations.ts";

/**
 * @param source an address, or the document's text.
 * @returns the text. @throws Problem 422 `invalid`, `upstream-refused` or 5xx of the fetch.
 */
export async function readForRegistration(source: string, { outbound, compile }: { outbound: Pick<Outbound, "request">; compile: CompileLimits }): Promise<string> {
  const text = /^https?:\/\//.test(source) ? await fetchText(source, outbound, compile.bytes) : source;
  try {
    await compileDocument(text, compile);
  } catch (error) {
    if (error instanceof DocumentError) throw unusable(error.message);
    throw error;
  }
  return text;
}

async function fetchText(url: string, outbound: Pick<Outbound, "request">, maxBytes: number): Promise<string> {
  const { status, body } = await outbound.request(url, { maxBytes: maxBytes + 1, compressed: true, redirects: 3, totalTimeoutMs: 15_000, headers: { accept: "application/json, application/yaml, text/yaml, */*;q=0.5" } });
  if (status !== 200) throw unusable(`its address answered with HTTP status ${status}`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw unusable("it is not UTF-8 text");
  }
}

const unusable = (reason: string) => problem("invalid", { detail: `openapi: the document cannot be used: ${reason}`, errors: [{ field: "openapi", message: `The document cannot be used: ${reason}` }] });

/** The body of a POST, as bytes, before anything looks at it. */
import type { IncomingMessage } from "node:http";
import { problem } from "../../kernel/problem.ts";
import { refuseMarkup } from "../../net/body.ts";
import { UpstreamError } from "../upstream/http.ts";

/** @throws Problem 413, 415 or 400; UpstreamError when the client left. */
export async function readJsonBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const type = request.headers["content-type"] ?? "";
  if (!/^application\/json\s*(?:;|$)/i.test(type)) throw problem("unsupported-media-type", { detail: "Send application/json", headers: { accept: "application/json" } });
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") throw problem("unsupported-media-type", { detail: "Compressed bodies are not accepted" });
  const body = await collect(request, limit);
  refuseMarkup(body);
  return body;
}

function collect(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tooLarge = () => problem("too-large", { detail: `The body is larger than ${limit} bytes (SALLYPORT_BODY_LIMIT)`, headers: { connection: "close" } });
    if (Number(request.headers["content-length"] ?? 0) > limit) return reject(tooLarge());
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        request.removeAllListeners("data");
        request.pause();
        reject(tooLarge());
      } else chunks.push(chunk);
    });
    request.once("end", () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    request.once("error", (cause) => reject(problem("bad-request", { detail: "The body did not arrive completely", cause })));
    request.once("aborted", () => reject(new UpstreamError("client-left", "The client left")));
  });
}

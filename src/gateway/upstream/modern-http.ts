/** Carries modern messages over Streamable HTTP: one POST each, and nothing between them. */
import { EraChanged } from "./leg.ts";
import type { Endpoint } from "./endpoint.ts";
import { UpstreamError } from "./http.ts";
import type { Carry } from "./carriage.ts";

export function carryOverHttp(endpoint: Endpoint): Carry {
  let count = 0;
  return async ({ method, params, headers, credential, deadline, onNotification }) => {
    count += 1;
    const id = count;
    const posted = await endpoint.post({
      body: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
      headers: [...headers, ...credential.headers],
      id,
      deadline,
      onMessage(message) {
        if (message.kind === "request") throw new UpstreamError("broken", "The upstream sent a request on a stream, which 2026-07-28 does not allow");
        if (message.kind === "notification") onNotification({ method: message.method, ...(message.params === undefined ? {} : { params: message.params }) });
      },
    });
    if (posted.kind === "answer") return posted;
    if (posted.kind === "refused" && [400, 404, 405].includes(posted.status)) throw new EraChanged(`The upstream refused a request of 2026-07-28 (HTTP ${posted.status})`);
    if (posted.kind === "refused") throw new UpstreamError("broken", `The upstream refused the request (HTTP ${posted.status})`);
    throw new UpstreamError("broken", "The upstream's stream ended before the answer");
  };
}

/**
 * A loopback hop that adds the bearer token which the conformance suite has no option for. Everything else passes as it came: raw headers,
 * bytes as they arrive, aborts in both directions. Only its own address reads as the target's in Host and Origin: whoever names the shim
 * means the gateway, and whoever names somebody else must be refused by the gateway itself.
 */
import { request as send, type IncomingMessage, type ServerResponse } from "node:http";
import { listen } from "../peers/listener.ts";

export interface Shim {
  /** The target's path behind the shim's own address. */
  url: string;
  close(): Promise<void>;
}

export async function startShim(target: string, token: string): Promise<Shim> {
  const { host, hostname, port, pathname, search } = new URL(target);
  const { port: own, close } = await listen((request, response) => forward(request, response));
  const ownHost = `127.0.0.1:${own}`;

  function forward(request: IncomingMessage, response: ServerResponse): void {
    const headers = ["authorization", `Bearer ${token}`];
    for (let index = 0; index < request.rawHeaders.length; index += 2) {
      const name = request.rawHeaders[index] ?? "";
      const value = request.rawHeaders[index + 1] ?? "";
      const addressed = /^(?:host|origin)$/i.test(name) && (value === ownHost || value === `http://${ownHost}`);
      headers.push(name, addressed ? value.replace(ownHost, host) : value);
    }
    const onward = send({ hostname, port, path: request.url, method: request.method, headers, setHost: false, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.rawHeaders);
      response.flushHeaders();
      answer.pipe(response);
      answer.on("close", () => answer.complete || response.destroy());
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  }

  return { url: `http://${ownHost}${pathname}${search}`, close };
}

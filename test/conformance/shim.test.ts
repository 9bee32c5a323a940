/** The shim adds the token and nothing else: what the suite sends and hears through it is what it would send and hear directly. */
import { request, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import { expect, it } from "vitest";
import { listen } from "../peers/listener.ts";
import { startShim } from "./shim.ts";

async function withShim<T>(handler: (request: IncomingMessage, response: ServerResponse) => void, use: (shim: URL, target: string) => Promise<T>): Promise<T> {
  const target = await listen(handler);
  const shim = await startShim(`http://127.0.0.1:${target.port}/servers/x/mcp?a=b`, "the-token");
  try {
    return await use(new URL(shim.url), `127.0.0.1:${target.port}`);
  } finally {
    await shim.close();
    await target.close();
  }
}

const echo = (incoming: IncomingMessage, response: ServerResponse) => void response.end(JSON.stringify([incoming.url, ...incoming.rawHeaders]));

async function send(url: URL, headers: string[]): Promise<{ response: IncomingMessage; text: string }> {
  const [response] = (await once(request(url, { method: "GET", headers, setHost: false, agent: false }).end(), "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { response, text };
}

it("puts the token before the headers it was given, and keeps their order, case, repetition and spaces", () =>
  withShim(echo, async (url, target) => {
    const sent = ["Host", url.host, "mcp-METHOD", "tools/list", "X-Twice", "1", "x-twice", "2", "Mcp-Name", "=?base64?eA==?="];
    expect(JSON.parse((await send(url, sent)).text)).toEqual(["/servers/x/mcp?a=b", "authorization", "Bearer the-token", "Host", target, ...sent.slice(2), "Connection", expect.any(String)]);
  }));

it("names the target where it was named itself, and nobody else", () =>
  withShim(echo, async (url, target) => {
    expect(JSON.parse((await send(url, ["Host", url.host, "Origin", `http://${url.host}`])).text)).toEqual(expect.arrayContaining([target, `http://${target}`]));
    for (const host of ["evil.example.com", `${url.host}.evil.example.com`]) expect(JSON.parse((await send(url, ["Host", host, "Origin", `http://${host}`])).text)).toEqual(expect.arrayContaining([host, `http://${host}`]));
  }));

it("passes status and headers of the answer as they came", () =>
  withShim(
    (_incoming, response) => void response.writeHead(404, "Nowhere", ["Mcp-Session-Id", "s", "X-Twice", "1", "x-twice", "2"]).end(),
    async (url) => {
      const { response } = await send(url, ["Host", url.host]);
      expect([response.statusCode, response.statusMessage]).toEqual([404, "Nowhere"]);
      expect(response.rawHeaders.slice(0, 6)).toEqual(["Mcp-Session-Id", "s", "X-Twice", "1", "x-twice", "2"]);
    },
  ));

it("passes each event when it is sent, and tells the target when the client leaves", async () => {
  let left: (() => void) | undefined;
  const gone = new Promise<void>((resolve) => (left = resolve));
  await withShim(
    (_incoming, response) => {
      response.once("close", () => left?.());
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n");
    },
    async (url) => {
      const sending = request(url, { agent: false }).end();
      const [response] = (await once(sending, "response")) as [IncomingMessage];
      expect(String((await once(response, "data"))[0])).toBe("data: 1\n\n");
      sending.destroy();
      await gone;
    },
  );
});

it.each(["reset", "end"] as const)("breaks off towards the client when the target breaks off: %s", (how) =>
  withShim(
    (_incoming, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n", () => setTimeout(() => (how === "reset" ? response.socket?.resetAndDestroy() : response.socket?.destroy()), 20));
    },
    async (url) => {
      await expect(send(url, ["Host", url.host])).rejects.toMatchObject({ code: "ECONNRESET" });
    },
  ));

it("leaves no client waiting when there is no target", async () => {
  const { port, close } = await listen(echo);
  await close();
  const shim = await startShim(`http://127.0.0.1:${port}/mcp`, "the-token");
  await expect(send(new URL(shim.url), ["Host", "x"])).rejects.toMatchObject({ code: "ECONNRESET" });
  await shim.close();
});

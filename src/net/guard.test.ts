import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Problem } from "../kernel/problem.ts";
import { classifyAddress, parseAllowList } from "./address.ts";
import { createGuard, type Lookup } from "./guard.ts";
import { createOutbound } from "./outbound.ts";

/** Hosts that are 127.0.0.1, another forbidden address, or a name that must not be asked for, in every dress. `#` stands for a port. */
const disguises = [
  "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0x7f.0.0.1", "0177.0.0.1", "0177.1", "017700000001", "127.255.255.254", "127.0.0.1.", "①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1", "127．0．0．1", "%31%32%37.0.0.1", "%31%32%37%2e0%2e0%2e1",
  "0", "0.0.0.0", "0x0", "00", "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:5ef5:79fb:0:0:80ff:fffe]", "[fe80::5efe:7f00:1]", "[::ffff:0:7f00:1]",
  "169.254.169.254", "2852039166", "0xA9FEA9FE", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.254.43518", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[fd00:ec2::254]", "100.100.100.200", "192.0.0.192", "168.63.129.16", "169.254.170.2",
  "10.0.0.1", "10.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.257", "100.64.0.1", "198.18.0.1", "192.0.2.1", "203.0.113.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "[fe80::1]", "[fc00::1]", "[fd12:3456::1]", "[ff02::1]", "[fec0::1]", "[2001:db8::1]", "[100::1]", "[3fff::1]", "[5f00::1]",
  "localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost%2e", "ｌocalhost", "metadata.google.internal", "printer.local", "intranet",
];

describe("the address guard", () => {
  let canary: Server;
  let port = 0;
  let connections = 0;
  beforeAll(async () => {
    canary = createServer((_request, response) => response.end("reached"));
    canary.on("connection", () => connections++);
    await new Promise<void>((resolve) => canary.listen(0, "127.0.0.1", () => resolve()));
    port = (canary.address() as AddressInfo).port;
  });
  afterAll(() => void canary.close());

  const guarded = (allow: string[] = [], lookup?: Lookup, events: unknown[] = []) => {
    const guard = createGuard({ allow: parseAllowList(allow), onBlocked: (event) => events.push(event), ...(lookup ? { lookup } : {}) });
    return { guard, outbound: createOutbound({ guard, connectTimeout: 1000 }) };
  };
  const isRefused = async (work: Promise<unknown>): Promise<boolean> => {
    try {
      await work;
      return false;
    } catch (error) {
      for (let cause: unknown = error; cause !== undefined; cause = (cause as { cause?: unknown }).cause) if (cause instanceof Problem && cause.code === "upstream-refused") return true;
      return false;
    }
  };

  it.each(disguises)("refuses %s at every entrance, and connects to nothing", async (host) => {
    connections = 0;
    const { guard, outbound } = guarded();
    const wrong: Lookup = async () => [{ address: "127.0.0.1", family: 4 }];
    const { outbound: resolving } = guarded([], wrong);
    for (const scheme of ["http", "https"]) {
      const url = `${scheme}://${host}:${port}/mcp`;
      if (URL.canParse(url)) {
        const bare = new URL(url).hostname;
        expect(await isRefused(guard.resolve(bare, port, `${scheme}:`)), "resolve").toBe(true);
        expect(await isRefused(outbound.dispatcher.request({ origin: new URL(url).origin, path: "/", method: "GET" })), "dispatcher").toBe(true);
      }
      expect(await isRefused((async () => guard.checkLiteral(url))()), "checkLiteral").toBe(true);
      expect(await isRefused(outbound.request(url)), "request").toBe(true);
      expect(await isRefused(outbound.fetch(url).catch((error: unknown) => Promise.reject(error instanceof TypeError && !(error.cause instanceof Problem) ? Object.assign(new Error("x"), { cause: error.cause ?? refusedByParser(url) }) : error))), "fetch").toBe(true);
      expect(await isRefused(resolving.request(url)), "request after DNS").toBe(true);
    }
    expect(connections).toBe(0);
    await outbound.close();
    await resolving.close();
  });

  /** fetch refuses what is no URL at all before the guard is asked. */
  const refusedByParser = (url: string) => (URL.canParse(url) ? undefined : new Problem("upstream-refused", {}));

  it.each([["http:\\\\127.0.0.1\\"], ["http:/127.0.0.1"], ["http:127.0.0.1"], ["ht\ntp://127.0.0.1"], [" https://example.com"], ["https://example.com@127.0.0.1/"], ["https://127.0.0.1:80@example.com/"], ["https://user:pw@169.254.169.254/"], ["file:///etc/passwd"], ["gopher://127.0.0.1"], ["data:text/plain,x"], ["https://256.256.256.256/"], ["https://[fe80::1%25eth0]/"], ["https://exa%00mple.com/"], ["https://example.com:99999/"], ["https://xn--/"], ["https://"], ["https:///"], [""]])("refuses %j as an upstream URL", (url) => {
    expect(() => guarded().guard.checkLiteral(url)).toThrow(Problem);
  });

  it("never tells what a name resolved to", async () => {
    const { guard } = guarded([], async () => [{ address: "10.11.12.13", family: 4 }]);
    await expect(guard.resolve("internal.example.com", 443, "https:")).rejects.toThrow(/^The host resolves to an address that is not public/);
    await expect(guard.resolve("internal.example.com", 443, "https:")).rejects.not.toThrow(/10\.11/);
  });

  it("refuses a name with one forbidden address among public ones", async () => {
    const { guard } = guarded([], async () => [{ address: "93.184.216.34", family: 4 }, { address: "::ffff:127.0.0.1", family: 6 }]);
    await expect(guard.resolve("mixed.example.com", 443, "https:")).rejects.toThrow(Problem);
  });

  it("connects to the address it judged, whatever the name says a moment later", async () => {
    connections = 0;
    let asked = 0;
    const { outbound } = guarded(["127.0.0.1"], async () => [{ address: asked++ === 0 ? "127.0.0.1" : "10.0.0.1", family: 4 }]);
    // The first answer is allow-listed and reached; the second is not, so a new connection is refused.
    const first = await outbound.dispatcher.request({ origin: `https://rebind.example.com:${port}`, path: "/", method: "GET" }).catch((error: unknown) => String((error as Error).message));
    expect(asked).toBe(1);
    expect(connections).toBe(1);
    expect(first).not.toContain("not public");
    expect(await isRefused(outbound.dispatcher.request({ origin: `https://rebind.example.com:${port}`, path: "/", method: "GET" }))).toBe(true);
    expect(connections).toBe(1);
    await outbound.close();
  });

  it("reaches an allow-listed loopback address", async () => {
    const events: unknown[] = [];
    const { outbound } = guarded(["127.0.0.1"], undefined, events);
    expect(Buffer.from((await outbound.request(`http://127.0.0.1:${port}/`)).body).toString()).toBe("reached");
    expect(await (await outbound.fetch(`http://127.0.0.1:${port}/`)).text()).toBe("reached");
    expect(await isRefused(outbound.request("http://127.0.0.2/"))).toBe(true);
    expect(events).toEqual([{ host: "127.0.0.2", rule: "loopback" }]);
    await outbound.close();
  });

  it("allows metadata addresses only when named exactly", () => {
    for (const entry of ["0.0.0.0/0", "169.254.0.0/16", "169.254.169.254/32", "::/0"]) {
      const { guard } = guarded([entry]);
      expect(() => guard.checkLiteral("https://169.254.169.254/"), entry).toThrow(Problem);
      expect(() => guard.checkLiteral("https://[fd00:ec2::254]/"), entry).toThrow(Problem);
    }
    expect(() => guarded(["169.254.169.254"]).guard.checkLiteral("https://169.254.169.254/")).not.toThrow();
  });

  it("limits an allowed host to its port when one is given", () => {
    const { guard } = guarded(["127.0.0.1:9000", "mcp.internal:8443"]);
    expect(() => guard.checkLiteral("http://127.0.0.1:9000/")).not.toThrow();
    expect(() => guard.checkLiteral("http://127.0.0.1:9001/")).toThrow(Problem);
    expect(() => guard.checkLiteral("https://mcp.internal:8443/")).not.toThrow();
    expect(() => guard.checkLiteral("https://mcp.internal/")).toThrow(Problem);
  });

  it("refuses plain http to public hosts", () => {
    expect(() => guarded().guard.checkLiteral("http://mcp.example.com/")).toThrow(/use https/);
    expect(() => guarded(["mcp.example.com"]).guard.checkLiteral("http://mcp.example.com/")).not.toThrow();
  });

  it.each([["10.0.0.0/33"], ["nonsense/8"], ["a b"], ["http://x"], ["[1.2.3.4]"], ["host:port"]])("refuses the allow-list entry %j", (entry) => {
    expect(() => parseAllowList([entry])).toThrow(/SALLYPORT_UPSTREAM_ALLOW/);
  });

  it("judges every IPv6 form of an IPv4 address as the IPv4 address", () => {
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(octet, octet, octet, octet, (a, b, c, d) => {
        fc.pre(a + b + c > 0);
        const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
        const plain = classifyAddress(`${a}.${b}.${c}.${d}`);
        for (const form of [`::ffff:${a}.${b}.${c}.${d}`, `64:ff9b::${hex}`]) expect(classifyAddress(form), form).toEqual(plain);
      }),
    );
  });
});

describe("the outbound client's limits", () => {
  let server: Server;
  let base = "";
  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = request.url ?? "";
      if (path === "/endless") {
        response.writeHead(200);
        const timer = setInterval(() => response.write(Buffer.alloc(65_536)), 1);
        response.on("close", () => clearInterval(timer));
      } else if (path === "/drip") {
        response.writeHead(200);
        const timer = setInterval(() => response.write("x"), 50);
        response.on("close", () => clearInterval(timer));
      } else if (path === "/never") return;
      else if (path === "/gzip") response.writeHead(200, { "content-encoding": "gzip" }).end(Buffer.alloc(100));
      else if (path.startsWith("/to/")) response.writeHead(302, { location: decodeURIComponent(path.slice(4)) }).end();
      else if (path.startsWith("/307/")) response.writeHead(307, { location: decodeURIComponent(path.slice(5)) }).end();
      else response.end(JSON.stringify(request.headers));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const outbound = createOutbound({ guard: createGuard({ allow: parseAllowList(["127.0.0.1", "localhost"]) }) });
  afterAll(() => outbound.close());

  it("cuts an endless answer at the byte limit", async () => {
    await expect(outbound.request(`${base}/endless`, { maxBytes: 200_000 })).rejects.toThrow(/larger than 200000/);
  });

  it("ends a dripping and a silent upstream at the deadline", async () => {
    for (const path of ["/drip", "/never"]) {
      const began = performance.now();
      await expect(outbound.request(base + path, { totalTimeoutMs: 300 })).rejects.toThrow(/in time/);
      expect(performance.now() - began).toBeLessThan(1500);
    }
  });

  it("refuses a compressed answer that it did not ask for", async () => {
    await expect(outbound.request(`${base}/gzip`)).rejects.toThrow(/compressed/);
  });

  it("returns a redirect as it is unless told to follow", async () => {
    expect((await outbound.request(`${base}/to/x`)).status).toBe(302);
    expect((await outbound.fetch(`${base}/to/x`)).status).toBe(302);
  });

  it.each([["http://127.0.0.2/"], ["http://169.254.169.254/latest/"], ["http://[::1]/"], ["http://2852039166/"], ["file:///etc/passwd"], ["//10.0.0.1/"]])("judges the redirect to %s like any address", async (target) => {
    await expect(outbound.request(`${base}/to/${encodeURIComponent(target)}`, { redirects: 3 })).rejects.toThrow(Problem);
    await expect(outbound.request(`${base}/307/${encodeURIComponent(target)}`, { redirects: 3, method: "POST", body: "x" })).rejects.toThrow(Problem);
  });

  it("does not take credentials to another origin", async () => {
    const elsewhere = base.replace("127.0.0.1", "localhost");
    const answer = await outbound.request(`${base}/to/${encodeURIComponent(`${elsewhere}/`)}`, { redirects: 2, headers: { authorization: "Bearer x", "accept-language": "de", "x-plain": "1" } });
    const headers = JSON.parse(Buffer.from(answer.body).toString()) as Record<string, string>;
    expect(headers["accept-language"]).toBe("de");
    expect(headers["x-plain"]).toBeUndefined();
    expect(headers["authorization"]).toBeUndefined();
    const same = await outbound.request(`${base}/to/${encodeURIComponent("/")}`, { redirects: 2, headers: { authorization: "Bearer x" } });
    expect(JSON.parse(Buffer.from(same.body).toString())).toMatchObject({ authorization: "Bearer x" });
  });

  it("gives up on a circle of redirects", async () => {
    await expect(outbound.request(`${base}/to/${encodeURIComponent("/to/x")}`, { redirects: 1 })).rejects.toThrow(/redirects/);
  });
});

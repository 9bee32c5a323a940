/** A REST API as an administrator registers it and users call it: a real HTTP service behind the real gateway, over HTTP all the way. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { databases, startWorld, type World } from "../world.ts";

const document = {
  openapi: "3.0.3",
  info: { title: "Pets", version: "2.1" },
  servers: [{ url: "https://evil.example/steal" }],
  paths: {
    "/pets/{id}": { get: { operationId: "getPet", summary: "Read a pet", parameters: [{ name: "id", in: "path", required: true, schema: { type: "integer" } }, { name: "fields", in: "query", explode: false, schema: { type: "array", items: { type: "string" } } }], responses: {} } },
    "/pets": { post: { operationId: "addPet", requestBody: { required: true, content: { "application/json": { schema: { $ref: "#/components/schemas/Pet" } } } }, responses: {} } },
    "/broken": { get: { operationId: "broken", responses: {} } },
    "/photo": { get: { operationId: "photo", responses: {} } },
    "/elsewhere": { get: { operationId: "elsewhere", responses: {} } },
    "/huge": { get: { operationId: "huge", responses: {} } },
    "/slow": { get: { operationId: "slow", parameters: [{ name: "q", in: "query", schema: { type: "string", pattern: "^(a+)+$" } }], responses: {} } },
  },
  components: { schemas: { Pet: { type: "object", required: ["name"], properties: { name: { type: "string" }, parent: { $ref: "#/components/schemas/Pet" } } } }, securitySchemes: { key: { type: "apiKey", in: "query", name: "api_key" } } },
};

describe.each(databases)("an OpenAPI server on %s", (database) => {
  let world: World;
  let service: Server;
  let base = "";
  let admin = "";
  let client: Client;
  const seen: { method: string; url: string; headers: IncomingMessage["headers"]; body: string }[] = [];
  beforeAll(async () => {
    service = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString("utf8")));
      request.on("end", () => {
        seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, body });
        const path = (request.url ?? "").split("?")[0] ?? "";
        const json = (status: number, text: string) => response.writeHead(status, { "content-type": "application/json" }).end(text);
        if (path === "/openapi.json") json(200, JSON.stringify(document));
        else if (path.startsWith("/v1/pets")) json(200, `{"id":12345678901234567890,"name":"Rex"}`);
        else if (path === "/v1/broken") json(503, `{"reason":"tired"}`);
        else if (path === "/v1/photo") response.writeHead(200, { "content-type": "image/png" }).end(Buffer.from([137, 80, 78, 71]));
        else if (path === "/v1/elsewhere") response.writeHead(302, { location: "http://169.254.169.254/" }).end();
        else if (path === "/v1/huge") response.writeHead(200, { "content-type": "text/plain" }).end(Buffer.alloc(6_000_000, 120));
        else json(200, "[1,2]");
      });
    });
    await new Promise<void>((resolve) => void service.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    world = await startWorld({ database, settings: { SALLYPORT_APPROVAL: "off", SALLYPORT_UPSTREAM_MESSAGE_LIMIT: "4000000" } });
    admin = await world.admin();
    const response = await world.fetch("/api/v1/servers", { token: admin, json: { name: "pets", transport: "openapi", url: `${base}/v1`, openapi: `${base}/openapi.json`, headers: { authorization: "Bearer stored", key: "k&1" } } });
    expect(response.status, await response.clone().text()).toBe(201);
    expect(await response.json()).toMatchObject({ openapi: { source: `${base}/openapi.json`, digest: expect.stringMatching(/^sha256:/) as string }, state: { status: "reachable" }, hasHeaders: true, tools: expect.arrayContaining(["getPet", "addPet"]) as string[] });
    client = new Client({ name: "t", version: "1" });
    const token = await world.tokenAt("/servers/pets/mcp", admin);
    await client.connect(new StreamableHTTPClientTransport(new URL(`${world.url}/servers/pets/mcp`), { requestInit: { headers: { authorization: `Bearer ${token}` } } }));
  });
  afterAll(async () => {
    await client.close();
    await world.end();
    service.close();
  });
  const call = (name: string, args: Record<string, unknown> = {}) => client.callTool({ name, arguments: args }) as Promise<{ content: { type: string; text: string; resource?: Record<string, string> }[]; structuredContent?: unknown; isError?: boolean }>;

  it("lists a tool for each operation", async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(["getPet", "addPet", "broken", "photo", "elsewhere", "huge", "slow"]);
    expect(tools[0]).toMatchObject({ title: "Read a pet", annotations: { readOnlyHint: true }, inputSchema: { required: ["id"] } });
  });

  it("is called with path, query and stored credentials, at the registered address alone", async () => {
    const { content, structuredContent } = await call("getPet", { id: 7, fields: ["a b", "c"] });
    expect(seen.at(-1)).toMatchObject({ method: "GET", url: "/v1/pets/7?fields=a%20b,c&api_key=k%261", headers: { authorization: "Bearer stored" } });
    expect(seen.at(-1)?.headers["key"]).toBeUndefined();
    expect(structuredContent).toMatchObject({ name: "Rex" });
    expect(content[0]?.text).toBe(`{"id":12345678901234567890,"name":"Rex"}`);
  });

  it("sends a JSON body", async () => {
    await call("addPet", { body: { name: "Rex", parent: { name: "Max" } } });
    expect(seen.at(-1)).toMatchObject({ method: "POST", url: "/v1/pets?api_key=k%261", body: `{"name":"Rex","parent":{"name":"Max"}}`, headers: { "content-type": "application/json" } });
  });

  it.each([[{}, /required property 'id'/], [{ id: "x" }, /must be integer/], [{ id: 1, other: 2 }, /additional properties \(other\)/]])("tells what is wrong with %j and sends nothing", async (args, reason) => {
    const before = seen.length;
    const { content, isError } = await call("getPet", args);
    expect(isError).toBe(true);
    expect(content[0]?.text).toMatch(reason);
    expect(seen.length).toBe(before);
  });

  it("checks recursive schemas all the way down", async () => {
    const { content, isError } = await call("addPet", { body: { name: "a", parent: { name: "b", parent: { name: 3 } } } });
    expect(isError).toBe(true);
    expect(content[0]?.text).toContain("body/parent/parent/name must be string");
  });

  it("never runs a pattern that could take for ever", async () => {
    const began = performance.now();
    expect((await call("slow", { q: `${"a".repeat(40)}!` })).isError).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(1000);
  });

  it("gives an error status as an error of the tool, an array as an object, bytes as a resource", async () => {
    expect(await call("broken")).toMatchObject({ isError: true, content: [{ text: "The API answered with HTTP status 503" }, { text: `{"reason":"tired"}` }], structuredContent: { reason: "tired" } });
    expect((await call("slow")).structuredContent).toEqual({ result: [1, 2] });
    expect((await call("photo")).content[0]).toMatchObject({ type: "resource", resource: { mimeType: "image/png", blob: "iVBORw==" } });
  });

  it("follows no redirect, and cuts what is too large", async () => {
    expect(await call("elsewhere")).toMatchObject({ isError: true, content: [{ text: "The API answered with HTTP status 302" }] });
    await expect(call("huge")).rejects.toThrow();
  });

  it("knows no other tool", async () => {
    await expect(call("__proto__")).rejects.toThrow(/Unknown tool/);
  });

  it("is refused, with the reason and nothing stored, when its document cannot be used", async () => {
    const register = (fields: Record<string, unknown>) => world.fetch("/api/v1/servers", { token: admin, json: { name: "bad", transport: "openapi", url: base, ...fields } });
    for (const [openapi, reason] of [["openapi: 2", /must say 3.0.x/], [{ openapi: "3.1.0", paths: {} }, /no operations/], [`${base}/v1/broken`, /HTTP status 503/]] as const) {
      const response = await register({ openapi });
      expect(response.status).toBe(422);
      expect(((await response.json()) as { errors: { field: string; message: string }[] }).errors[0]).toMatchObject({ field: "openapi", message: expect.stringMatching(reason) as string });
    }
    expect((await register({ openapi: "http://169.254.169.254/latest" })).status).toBe(422);
    expect((await register({ openapi: document, url: "http://169.254.169.254/" })).status).toBe(422);
    expect((await world.fetch("/api/v1/servers/bad", { token: admin })).status).toBe(404);
  });

  it("keeps its document until another is given", async () => {
    const response = await world.fetch("/api/v1/servers/pets", { method: "PATCH", token: admin, json: { openapi: { openapi: "3.1.0", paths: { "/pets": { get: { operationId: "listPets" } } } } } });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ openapi: { source: "inline" }, tools: ["listPets"] });
    expect((await call("listPets")).isError).toBeUndefined();
    await world.restart();
    expect((await world.fetch("/api/v1/servers/pets", { token: await world.admin() })).status).toBe(200);
  });
});

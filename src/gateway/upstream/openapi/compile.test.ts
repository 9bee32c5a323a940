/** Documents of strangers, honest and hostile. */
import { describe, expect, it } from "vitest";
import { compileDocument } from "./compile.ts";

const limits = { bytes: 4_194_304, operations: 500 };
const document = (paths: unknown, rest: Record<string, unknown> = {}) => JSON.stringify({ openapi: "3.1.0", info: { title: "T", version: "1" }, paths, ...rest });
const compile = (text: string) => compileDocument(text, limits, 8000);
const reasonOf = (text: string) => compile(text).then(() => "served", (error: Error) => error.message);
const schemaOf = async (text: string) => (await compile(text)).tools[0]?.["inputSchema"] as { properties: Record<string, unknown>; $defs: Record<string, unknown>; required?: string[] };

describe("an OpenAPI document", () => {
  it("becomes one tool for each operation, with hints from the method", async () => {
    const { tools, operations } = await compile(
      document({ "/pets/{id}": { parameters: [{ name: "id", in: "path", required: true, schema: { type: "integer" } }], get: { operationId: "getPet", summary: "Read a pet", responses: {} }, delete: { responses: {} } }, "/pets": { post: { operationId: "addPet", requestBody: { required: true, content: { "application/json": { schema: { type: "object", required: ["name"], properties: { name: { type: "string" } } } } } }, responses: {} } } }),
    );
    expect(tools.map(({ name }) => name)).toEqual(["getPet", "delete_pets_id", "addPet"]);
    expect(tools[0]).toMatchObject({ title: "Read a pet", annotations: { readOnlyHint: true, idempotentHint: true }, inputSchema: { required: ["id"], properties: { id: { type: "integer" } }, additionalProperties: false } });
    expect(tools[1]).toMatchObject({ annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true } });
    expect(tools[2]).toMatchObject({ inputSchema: { required: ["body"], properties: { body: { required: ["name"] } } } });
    expect(operations["addPet"]).toMatchObject({ method: "POST", path: "/pets", body: { contentType: "application/json" } });
  });

  it("may be YAML", async () => {
    const { tools } = await compile("openapi: 3.0.3\ninfo: {title: T, version: '1'}\npaths:\n  /a:\n    get:\n      operationId: readA\n      responses: {}\n");
    expect(tools.map(({ name }) => name)).toEqual(["readA"]);
  });

  it("keeps recursive references, as definitions of the tool", async () => {
    const node = { type: "object", properties: { value: { type: "string" }, children: { type: "array", items: { $ref: "#/components/schemas/Node" } } } };
    const schema = await schemaOf(document({ "/a": { post: { requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Node" } } } } } } }, { components: { schemas: { Node: node } } }));
    expect(schema.properties["body"]).toEqual({ $ref: "#/$defs/Node" });
    expect(schema.$defs).toEqual({ Node: { ...node, properties: { ...node.properties, children: { type: "array", items: { $ref: "#/$defs/Node" } } } } });
  });

  it("keeps a circle of nothing but references", async () => {
    const schema = await schemaOf(document({ "/a": { get: { parameters: [{ name: "q", in: "query", schema: { $ref: "#/components/schemas/A" } }] } } }, { components: { schemas: { A: { $ref: "#/components/schemas/B" }, B: { $ref: "#/components/schemas/A" } } } }));
    expect(schema.$defs).toEqual({ A: { $ref: "#/$defs/B" }, B: { $ref: "#/$defs/A" } });
  });

  it("translates what OpenAPI 3.0 says in its own way", async () => {
    const schema = await schemaOf(JSON.stringify({ openapi: "3.0.3", info: {}, paths: { "/a": { get: { parameters: [{ name: "n", in: "query", schema: { type: "integer", nullable: true, minimum: 1, exclusiveMinimum: true } }] } } } }));
    expect(schema.properties["n"]).toEqual({ type: ["integer", "null"], exclusiveMinimum: 1 });
  });

  it("does not ask for what only answers carry", async () => {
    const schema = await schemaOf(document({ "/a": { post: { requestBody: { content: { "application/json": { schema: { type: "object", required: ["id", "name"], properties: { id: { readOnly: true }, name: {} } } } } } } } }));
    expect(schema.properties["body"]).toMatchObject({ required: ["name"] });
  });

  it("gives operations that share a name, by look or by case, names of their own, in whatever order they come", async () => {
    const entries = [["/a", "getPet"], ["/b", "getpet"], ["/c", "gеtPet"], ["/d", "getPet"], ["/e", "get Pet"]] as const;
    const paths = (list: readonly (readonly [string, string])[]) => document(Object.fromEntries(list.map(([path, operationId]) => [path, { get: { operationId } }])));
    const first = (await compile(paths(entries))).operations;
    const second = (await compile(paths([...entries].reverse()))).operations;
    expect(Object.keys(first)).toHaveLength(5);
    expect(Object.keys(first)).not.toContain("getPet");
    for (const name of Object.keys(first)) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    expect(Object.fromEntries(Object.entries(second).sort())).toEqual(Object.fromEntries(Object.entries(first).sort()));
  });

  it("does not let arguments set headers of the connection, of credentials or of intermediaries, nor the API's own keys", async () => {
    const headers = ["Authorization", "Host", "Content-Length", "Cookie", "X-Forwarded-For", "Transfer-Encoding", "X-Api-Key", "X-Mine"];
    const schema = await schemaOf(document({ "/a": { get: { parameters: headers.map((name) => ({ name, in: "header", schema: {} })) } } }, { components: { securitySchemes: { k: { type: "apiKey", in: "header", name: "x-api-key" } } } }));
    expect(Object.keys(schema.properties)).toEqual(["X-Mine"]);
  });

  it.each([
    ["another document", document({ "/a": { get: { parameters: [{ name: "q", in: "query", schema: { $ref: "https://evil.example/x.json" } }] } } }), "another document"],
    ["a file", document({ "/a": { get: { parameters: [{ $ref: "file:///etc/passwd" }] } } }), "another document"],
    ["nothing", document({ "/a": { get: { parameters: [{ $ref: "#/components/parameters/none" }] } } }), "leads nowhere"],
    ["a prototype", document({ "/a": { get: { parameters: [{ $ref: "#/constructor/prototype" }] } } }), "leads nowhere"],
    ["itself", document({ "/a": { get: { parameters: [{ $ref: "#/components/parameters/x" }] } } }, { components: { parameters: { x: { $ref: "#/components/parameters/x" } } } }), "circle"],
  ])("is refused when a reference names %s", async (_, text, reason) => {
    expect(await reasonOf(text)).toContain(reason);
  });

  it.each(["/../admin", "/a/./b", "/%2e%2e/x", "//evil.example/x", "/a?x=1", "/a#x", "/a\\b", "/a\nb", "/a b", "/{x}/{missing}"])("is refused when its only path is %j", async (path) => {
    expect(await reasonOf(document({ [path]: { get: { parameters: [{ name: "x", in: "path", schema: {} }] } } }))).toMatch(/none of its operations can be served/);
  });

  it.each<[string, () => string, RegExp]>([
    ["10 MB", () => document({ "/a": { get: { description: "x".repeat(10_000_000) } } }), /larger than 4194304 bytes \(SALLYPORT_OPENAPI_DOCUMENT_LIMIT\)/],
    ["10,000 levels of JSON", () => document({ "/a": { get: { a: 1 } } }).replace('{"a":1}', `${"[".repeat(10_000)}${"]".repeat(10_000)}`), /Nested deeper/],
    ["10,000 levels of YAML in flow style", () => `openapi: 3.1.0\npaths: ${"[".repeat(10_000)}${"]".repeat(10_000)}`, /nested too deeply/],
    ["10,000 levels of YAML in block style", () => `openapi: 3.1.0\n${Array.from({ length: 2000 }, (_, level) => `${" ".repeat(level)}a:`).join("\n")}`, /nested too deeply|within bounds/],
    ["10,000 levels of YAML over lines", () => `openapi: 3.1.0\npaths:\n  ${"[\n  ".repeat(10_000)}`, /nested too deeply|not YAML|within bounds|cannot be read/],
    ["100,000 operations", () => document(Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`/${index}`, { get: {} }]))), /more than 500 operations \(SALLYPORT_OPENAPI_OPERATIONS\)|larger than/],
    ["a billion laughs", () => `openapi: 3.1.0\na: &a [x,x,x,x,x,x,x,x,x]\n${[..."bcdefghij"].map((letter, index) => `${letter}: &${letter} [${Array(9).fill(`*${"abcdefghi"[index]}`).join(",")}]`).join("\n")}\n`, /within bounds|not YAML/],
    ["an alias of itself", () => "openapi: 3.1.0\npaths: &a\n  /x: *a\n", /within bounds|cannot be read|not YAML|nested/i],
    ["a tag of JavaScript", () => "openapi: 3.1.0\npaths: !!js/function 'function () {}'\n", /no operations|not YAML/],
    ["a reserved key", () => `{"openapi":"3.1.0","paths":{"__proto__":{}}}`, /reserved name/],
    ["duplicate keys", () => `{"openapi":"3.1.0","openapi":"3.1.0"}`, /[Dd]uplicate|twice/],
    ["Swagger 2.0", () => `{"swagger":"2.0","paths":{}}`, /Swagger 2.0/],
    ["an array", () => "- 1\n- 2\n", /not an object/],
    ["nothing", () => "", /not an object/],
  ])("is refused with the reason: %s", async (_, make, reason) => {
    expect(await reasonOf(make())).toMatch(reason);
  }, 20_000);

  it("leaves the main thread free while it is read", async () => {
    const text = document(Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`/${index}`, { get: { description: "x".repeat(5000), parameters: Array.from({ length: 20 }, (_unused, parameter) => ({ name: `p${parameter}`, in: "query", schema: { type: "string" } })) } }])));
    let longest = 0;
    let before = performance.now();
    const clock = setInterval(() => {
      longest = Math.max(longest, performance.now() - before);
      before = performance.now();
    }, 5);
    expect((await compile(text)).tools).toHaveLength(400);
    clearInterval(clock);
    expect(longest).toBeLessThan(500);
  });

  it("with a tree that doubles at each level costs no more than its budget", async () => {
    const schemas = Object.fromEntries(Array.from({ length: 60 }, (_, level) => [`L${level}`, { type: "object", properties: { a: { $ref: `#/components/schemas/L${level + 1}` }, b: { $ref: `#/components/schemas/L${level + 1}` } } }]));
    const schema = await schemaOf(document({ "/a": { post: { requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/L0" } } } } } } }, { components: { schemas: { ...schemas, L60: {} } } }));
    expect(JSON.stringify(schema).length).toBeLessThan(200_000);
  });
});

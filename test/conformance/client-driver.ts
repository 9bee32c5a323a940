/**
 * What the suite's client set runs for each scenario: `node client-driver.ts <upstream>`. By itself it is an ordinary client on the SDK v2,
 * which shows that what it does is what the scenarios look for. With CONFORMANCE_GATEWAY_URL and CONFORMANCE_GATEWAY_TOKEN it registers the
 * upstream and does the same through the gateway: then the suite judges the gateway's own requests, headers and authorization.
 */
import { randomBytes } from "node:crypto";
import { Client, StreamableHTTPClientTransport, UnauthorizedError, type OAuthClientInformationMixed, type OAuthClientProvider, type OAuthTokens, type StreamableHTTPClientTransportOptions } from "@modelcontextprotocol/client";
import { endpointToken } from "../endpoint-token.ts";
import { registerUpstream } from "./gateway.ts";

interface Context {
  /** Calls that the scenario wants made, exactly so. */
  toolCalls?: { name: string; arguments: Record<string, unknown> }[];
  /** Of a client that the authorization server knows already. */
  client_id?: string;
  client_secret?: string;
}

const surroundings = process.env;
const upstream = process.argv.at(-1) ?? "";
/** The scenario's own era, or the one asked for: a client of the other makes the gateway translate, and its requests are then all its own. */
const isModern = (surroundings["CONFORMANCE_CLIENT_VERSION"] ?? surroundings["MCP_CONFORMANCE_PROTOCOL_VERSION"]) === "2026-07-28";
const context = JSON.parse(surroundings["MCP_CONFORMANCE_CONTEXT"] ?? "{}") as Context;
const gateway = surroundings["CONFORMANCE_GATEWAY_URL"] === undefined ? undefined : { baseUrl: surroundings["CONFORMANCE_GATEWAY_URL"], adminToken: surroundings["CONFORMANCE_GATEWAY_TOKEN"] ?? "" };

/** The suite's authorization server takes every person for consenting and redirects at once; nobody listens at the address. */
const redirectUrl = "http://localhost:3000/callback";
/** The suite expects this client_id where a metadata document will do (its scenario auth/basic-cimd). */
const metadataUrl = "https://conformance-test.local/client-metadata.json";

/** An OAuth client in memory, and the person who consents. */
function createProvider(): OAuthClientProvider & { callback(): URLSearchParams | undefined } {
  let callback: URLSearchParams | undefined;
  let information: OAuthClientInformationMixed | undefined = context.client_id === undefined ? undefined : { client_id: context.client_id, ...(context.client_secret === undefined ? {} : { client_secret: context.client_secret }) };
  let tokens: OAuthTokens | undefined;
  let verifier = "";
  return {
    redirectUrl,
    clientMetadataUrl: metadataUrl,
    clientMetadata: { client_name: "conformance-driver", redirect_uris: [redirectUrl] },
    clientInformation: () => information,
    saveClientInformation: (given) => void (information = given),
    tokens: () => tokens,
    saveTokens: (given) => void (tokens = given),
    codeVerifier: () => verifier,
    saveCodeVerifier: (given) => void (verifier = given),
    invalidateCredentials(scope) {
      if (scope === "all" || scope === "client") information = undefined;
      if (scope === "all" || scope === "tokens") tokens = undefined;
    },
    async redirectToAuthorization(url) {
      const { headers } = await fetch(url, { redirect: "manual" });
      callback = new URL(headers.get("location") ?? "").searchParams;
    },
    callback: () => callback,
  };
}

/** Fills a form as its defaults say, and where there are none with something of the type. */
function fill(schema: { properties?: Record<string, { type?: string; default?: unknown; enum?: string[] }> } | undefined): Record<string, string | number | boolean> {
  const values = Object.entries(schema?.properties ?? {}).map(([name, { type, default: given, enum: choices }]) => [name, given ?? choices?.[0] ?? (type === "boolean" ? true : type === "string" ? "Ada" : 1)] as const);
  return Object.fromEntries(values) as Record<string, string | number | boolean>;
}

/** Follows an address that the gateway wants a person to visit; the token goes to the gateway alone. */
async function visit(address: string): Promise<void> {
  let next: string | undefined = address;
  for (let hops = 0; next !== undefined && hops < 10; hops++) {
    const isGateway = gateway !== undefined && new URL(next).origin === new URL(gateway.baseUrl).origin;
    const response: Response = await fetch(next, { redirect: "manual", headers: isGateway ? { authorization: `Bearer ${gateway.adminToken}` } : {} });
    await response.body?.cancel();
    const location = response.headers.get("location");
    next = location === null ? undefined : new URL(location, next).href;
  }
}

/** Connects and works; comes back with a token when the server wants one. */
async function withAuthorization(url: string, work: (client: Client) => Promise<void>): Promise<void> {
  const provider = createProvider();
  const options: StreamableHTTPClientTransportOptions = gateway ? { requestInit: { headers: { authorization: `Bearer ${await endpointToken(gateway.baseUrl, url, gateway.adminToken)}` } } } : { authProvider: provider };
  for (let attempt = 0; ; attempt++) {
    const client = new Client({ name: "conformance-driver", version: "1.0.0" }, { capabilities: { elicitation: { form: { applyDefaults: true }, url: {} }, sampling: {}, roots: { listChanged: true } }, versionNegotiation: { mode: isModern ? "auto" : "legacy" } });
    client.setRequestHandler("elicitation/create", async ({ params }) => {
      if (params.mode === "url") {
        await visit(params.url);
        return { action: "accept" };
      }
      return { action: "accept", content: fill(params.requestedSchema) };
    });
    client.setRequestHandler("sampling/createMessage", () => ({ role: "assistant", model: "test", content: { type: "text", text: "Yes" } }));
    client.setRequestHandler("roots/list", () => ({ roots: [] }));
    const transport = new StreamableHTTPClientTransport(new URL(url), options);
    try {
      await client.connect(transport);
      await work(client);
      return await client.close();
    } catch (error) {
      const callback = provider.callback();
      if (!(error instanceof UnauthorizedError) || !callback || attempt >= 2) throw error;
      await transport.finishAuth(callback);
    }
  }
}

/** Uses everything that the server offers, as a curious client would. */
async function exercise(client: Client): Promise<void> {
  const offered = client.getServerCapabilities() ?? {};
  const { tools } = await client.listTools();
  const focal = tools.find(({ name }) => name === "json_schema_2020_12_tool");
  const known: Record<string, Record<string, unknown>> = { add_numbers: { a: 5, b: 3 }, json_schema_echo: { schema: focal?.inputSchema } };
  const calls = context.toolCalls ?? tools.map(({ name, inputSchema }) => ({ name, arguments: known[name] ?? (inputSchema.properties && "region" in inputSchema.properties ? { region: "us-west1" } : {}) }));
  for (const call of calls) {
    await client.callTool(call).catch((error: unknown) => {
      if (error instanceof UnauthorizedError) throw error;
      process.stderr.write(`${call.name}: ${String(error)}\n`);
    });
  }
  if (offered.resources) {
    const { resources } = await client.listResources();
    if (resources[0]) await client.readResource({ uri: resources[0].uri });
  }
  if (offered.prompts) {
    const { prompts } = await client.listPrompts();
    if (prompts[0]) await client.getPrompt({ name: prompts[0].name, arguments: {} });
  }
}

const url = gateway ? await registerUpstream(gateway, `conformance-${randomBytes(6).toString("hex")}`, upstream) : upstream;
await withAuthorization(url, exercise);

/** One face for every kind of client that a gateway meets: the SDKs v1 and v2 in both eras, and plain HTTP+SSE of 2024-11-05. */
import { Client as V2Client, StreamableHTTPClientTransport as V2Transport } from "@modelcontextprotocol/client";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as V1Transport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema, LoggingMessageNotificationSchema, ResourceUpdatedNotificationSchema, ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { connectSse } from "./sse-client.ts";

export const clientKinds = ["v1", "v2-legacy", "v2-modern", "sse-2024"] as const;
export type ClientKind = (typeof clientKinds)[number];

type Params = Record<string, unknown>;
export type Progress = { progress: number; total?: number | undefined };

export interface CallOptions {
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

export interface TestClient {
  kind: ClientKind;
  /** Names, from every page. */
  listTools(): Promise<string[]>;
  /** @throws on a JSON-RPC error, with its `code`. */
  call(name: string, args?: Params, options?: CallOptions): Promise<Params>;
  listPrompts(): Promise<string[]>;
  getPrompt(name: string, args?: Record<string, string>): Promise<Params>;
  listResources(): Promise<string[]>;
  readResource(uri: string): Promise<Params>;
  /** The values offered for a prompt's argument. */
  complete(prompt: string, argument: string, value: string): Promise<string[]>;
  /** `updated` holds the addresses announced since. @returns what ends the subscription. */
  subscribe(uri: string): Promise<() => Promise<void>>;
  /** From now on, for this session or with every request, as the era has it. */
  setLogLevel(level: "debug" | "info" | "warning" | "error"): Promise<void>;
  /** Questions of the server, with their parameters, in order. */
  asked: { method: string; params: Params }[];
  /** Data of the log messages received. */
  logs: unknown[];
  /** Resources announced as updated. */
  updated: string[];
  /** Announcements that the list of tools changed. */
  toolChanges: number;
  close(): Promise<void>;
}

export interface ConnectOptions {
  token?: string;
  headers?: Record<string, string>;
  /** What the client declares; all that its era knows by default. */
  capabilities?: Params;
}

/** What every client answers when it is asked. */
export const answers = {
  elicitation: { action: "accept" as const, content: { username: "ada", email: "ada@example.org", name: "Ada", ok: true, color: "blue", context: "a test" } },
  sampling: { role: "assistant" as const, model: "test-model", content: { type: "text" as const, text: "an answer of the model" }, stopReason: "endTurn" },
  roots: { roots: [{ uri: "file:///srv/test", name: "test" }] },
};

const info = { name: "test-client", version: "1.0.0" };
const known = { elicitation: { form: {} }, sampling: {}, roots: { listChanged: true } };

/** What of the answer a form asked for: a form refuses fields that it does not know. */
function fill(params: Params): typeof answers.elicitation {
  const properties = (params["requestedSchema"] as { properties?: Params } | undefined)?.properties ?? {};
  return { action: "accept", content: Object.fromEntries(Object.entries(answers.elicitation.content).filter(([name]) => name in properties)) as never };
}

export function connectClient(kind: ClientKind, url: string, options: ConnectOptions = {}): Promise<TestClient> {
  const headers = { ...options.headers, ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }) };
  if (kind === "v1") return connectV1(url, headers, options.capabilities ?? known);
  if (kind === "sse-2024") return connectRaw(url, headers, options.capabilities ?? { sampling: {}, roots: {} });
  return connectV2(kind, url, headers, options.capabilities ?? known);
}

type Heard = Pick<TestClient, "asked" | "logs" | "updated" | "toolChanges">;
const listening = (): Heard => ({ asked: [], logs: [], updated: [], toolChanges: 0 });

async function connectV1(url: string, headers: Record<string, string>, capabilities: Params): Promise<TestClient> {
  const client = new V1Client(info, { capabilities });
  const heard = listening();
  const ask = (method: string, params: unknown) => void heard.asked.push({ method, params: (params ?? {}) as Params });
  if (capabilities["elicitation"]) {
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      ask("elicitation/create", params);
      return fill(params);
    });
  }
  if (capabilities["sampling"]) {
    client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => {
      ask("sampling/createMessage", params);
      return answers.sampling;
    });
  }
  if (capabilities["roots"]) {
    client.setRequestHandler(ListRootsRequestSchema, ({ params }) => {
      ask("roots/list", params);
      return answers.roots;
    });
  }
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void heard.logs.push(params.data));
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void heard.updated.push(params.uri));
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => void (heard.toolChanges += 1));
  const transport = new V1Transport(new URL(url), { requestInit: { headers } });
  await client.connect(transport);
  return Object.assign(heard, {
    kind: "v1" as const,
    listTools: () => everyPage(async (cursor) => {
      const { tools, nextCursor } = await client.listTools(cursor);
      return { items: tools.map(({ name }) => name), nextCursor };
    }),
    call: (name: string, args: Params = {}, { onProgress, signal }: CallOptions = {}) => client.callTool({ name, arguments: args }, undefined, { ...(onProgress ? { onprogress: onProgress } : {}), ...(signal ? { signal } : {}) }),
    listPrompts: async () => (await client.listPrompts()).prompts.map(({ name }) => name),
    getPrompt: (name: string, args: Record<string, string> = {}) => client.getPrompt({ name, arguments: args }),
    listResources: async () => (await client.listResources()).resources.map(({ uri }) => uri),
    readResource: (uri: string) => client.readResource({ uri }),
    complete: async (prompt: string, name: string, value: string) => (await client.complete({ ref: { type: "ref/prompt", name: prompt }, argument: { name, value } })).completion.values,
    async subscribe(uri: string) {
      await client.subscribeResource({ uri });
      return async () => void (await client.unsubscribeResource({ uri }));
    },
    setLogLevel: async (level: "debug" | "info" | "warning" | "error") => void (await client.setLoggingLevel(level)),
    async close() {
      await transport.terminateSession().catch(() => undefined);
      await client.close();
    },
  });
}

async function connectV2(kind: "v2-legacy" | "v2-modern", url: string, headers: Record<string, string>, capabilities: Params): Promise<TestClient> {
  const client = new V2Client(info, { capabilities, versionNegotiation: { mode: kind === "v2-modern" ? { pin: "2026-07-28" } : "legacy" } });
  const heard = listening();
  const ask = (method: string, params: unknown) => void heard.asked.push({ method, params: (params ?? {}) as Params });
  if (capabilities["elicitation"]) {
    client.setRequestHandler("elicitation/create", ({ params }) => {
      ask("elicitation/create", params);
      return fill(params);
    });
  }
  if (capabilities["sampling"]) {
    client.setRequestHandler("sampling/createMessage", ({ params }) => {
      ask("sampling/createMessage", params);
      return answers.sampling;
    });
  }
  if (capabilities["roots"]) {
    client.setRequestHandler("roots/list", ({ params }) => {
      ask("roots/list", params);
      return answers.roots;
    });
  }
  client.setNotificationHandler("notifications/message", ({ params }) => void heard.logs.push(params.data));
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => void heard.updated.push(params.uri));
  client.setNotificationHandler("notifications/tools/list_changed", () => void (heard.toolChanges += 1));
  const transport = new V2Transport(new URL(url), { requestInit: { headers } });
  await client.connect(transport);
  let meta: Params = {};
  return Object.assign(heard, {
    kind,
    listTools: () => everyPage(async (cursor) => {
      const { tools, nextCursor } = await client.listTools(cursor);
      return { items: tools.map(({ name }) => name), nextCursor };
    }),
    call: (name: string, args: Params = {}, { onProgress, signal }: CallOptions = {}) => client.callTool({ name, arguments: args, _meta: meta }, { ...(onProgress ? { onprogress: onProgress } : {}), ...(signal ? { signal } : {}) }),
    listPrompts: async () => (await client.listPrompts()).prompts.map(({ name }) => name),
    getPrompt: (name: string, args: Record<string, string> = {}) => client.getPrompt({ name, arguments: args }),
    listResources: async () => (await client.listResources()).resources.map(({ uri }) => uri),
    readResource: (uri: string) => client.readResource({ uri }),
    complete: async (prompt: string, name: string, value: string) => (await client.complete({ ref: { type: "ref/prompt", name: prompt }, argument: { name, value } })).completion.values,
    async subscribe(uri: string) {
      if (kind === "v2-modern") {
        const subscription = await client.listen({ resourceSubscriptions: [uri], toolsListChanged: true });
        return () => subscription.close();
      }
      await client.subscribeResource({ uri });
      return async () => void (await client.unsubscribeResource({ uri }));
    },
    async setLogLevel(level: "debug" | "info" | "warning" | "error") {
      if (kind === "v2-modern") meta = { "io.modelcontextprotocol/logLevel": level };
      else await client.setLoggingLevel(level);
    },
    async close() {
      if (kind === "v2-legacy") await transport.terminateSession().catch(() => undefined);
      await client.close();
    },
  });
}

async function connectRaw(url: string, headers: Record<string, string>, capabilities: Params): Promise<TestClient> {
  const heard = listening();
  const progress = new Map<unknown, (progress: Progress) => void>();
  const client = await connectSse(url, {
    headers,
    capabilities,
    onRequest(method, params) {
      heard.asked.push({ method, params });
      return method === "sampling/createMessage" ? answers.sampling : method === "roots/list" ? answers.roots : {};
    },
    onNotification(method, params) {
      if (method === "notifications/progress") progress.get(params["progressToken"])?.({ progress: Number(params["progress"]), total: params["total"] as number | undefined });
      if (method === "notifications/message") heard.logs.push(params["data"]);
      if (method === "notifications/resources/updated") heard.updated.push(String(params["uri"]));
      if (method === "notifications/tools/list_changed") heard.toolChanges += 1;
    },
  });
  const names = async (method: string, key: string, field: string) =>
    everyPage(async (cursor) => {
      const result = await client.request(method, { ...cursor });
      return { items: (result[key] as Params[]).map((item) => String(item[field])), nextCursor: result["nextCursor"] as string | undefined };
    });
  let tokens = 0;
  return Object.assign(heard, {
    kind: "sse-2024" as const,
    listTools: () => names("tools/list", "tools", "name"),
    async call(name: string, args: Params = {}, { onProgress, signal }: CallOptions = {}) {
      tokens += 1;
      const progressToken = `progress-${tokens}`;
      if (onProgress) progress.set(progressToken, onProgress);
      return client.request("tools/call", { name, arguments: args, ...(onProgress ? { _meta: { progressToken } } : {}) }, signal);
    },
    listPrompts: () => names("prompts/list", "prompts", "name"),
    getPrompt: (name: string, args: Record<string, string> = {}) => client.request("prompts/get", { name, arguments: args }),
    listResources: () => names("resources/list", "resources", "uri"),
    readResource: (uri: string) => client.request("resources/read", { uri }),
    async complete(prompt: string, name: string, value: string) {
      const result = await client.request("completion/complete", { ref: { type: "ref/prompt", name: prompt }, argument: { name, value } });
      return (result["completion"] as { values: string[] }).values;
    },
    async subscribe(uri: string) {
      await client.request("resources/subscribe", { uri });
      return async () => void (await client.request("resources/unsubscribe", { uri }));
    },
    setLogLevel: async (level: "debug" | "info" | "warning" | "error") => void (await client.request("logging/setLevel", { level })),
    async close() {
      client.close();
    },
  });
}

async function everyPage(read: (cursor: { cursor: string } | undefined) => Promise<{ items: string[]; nextCursor: string | undefined }>): Promise<string[]> {
  const items: string[] = [];
  let cursor: { cursor: string } | undefined;
  do {
    const page = await read(cursor);
    items.push(...page.items);
    cursor = page.nextCursor === undefined ? undefined : { cursor: page.nextCursor };
  } while (cursor);
  return items;
}

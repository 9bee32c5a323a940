/**
 * What a client can do with a server, feature by feature, as one table: each entry drives one client and throws when what came back is not
 * what the fixture answers. The same table serves clients directly at a peer of their era and across eras through the gateway.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { connectClient, type ClientKind, type ConnectOptions, type Progress, type TestClient } from "./clients.ts";

export const featureNames = ["list", "call", "progress", "cancel", "subscribe", "prompt", "completion", "elicitation", "sampling", "roots", "logging"] as const;
export type Feature = (typeof featureNames)[number];

/** How a call's tools are named for the client: as they are by default, `server__tool` behind an aggregate. */
export type Naming = (tool: string) => string;

const textOf = (result: Record<string, unknown>) => (result["content"] as { text?: string }[])[0]?.text;
const watched = "test://watched-resource";

/** @returns whether it came true in time. */
async function soon(holds: () => boolean | Promise<boolean>, milliseconds = 2000): Promise<boolean> {
  const end = performance.now() + milliseconds;
  while (!(await holds())) {
    if (performance.now() > end) return false;
    await sleep(20);
  }
  return true;
}

const works: Record<Feature, (client: TestClient, name: Naming) => Promise<void>> = {
  async list(client, name) {
    const tools = await client.listTools();
    for (const tool of ["test_simple_text", "test_structured", "json_schema_2020_12_tool"]) assert.ok(tools.includes(name(tool)), `${tool} is listed`);
    assert.equal(new Set(tools).size, tools.length, "no tool is listed twice");
  },
  async call(client, name) {
    assert.equal(textOf(await client.call(name("test_simple_text"))), "This is a simple text response for testing.");
    assert.equal((await client.call(name("test_error_handling")))["isError"], true);
    assert.deepEqual((await client.call(name("test_structured"), { city: "Oslo" }))["structuredContent"], { city: "Oslo", degrees: 12.5 });
    const fault = await client.call(name("no_such_tool")).catch((error: { code?: number }) => error);
    assert.equal(fault.code, -32602, "an unknown tool is an error of the parameters");
  },
  async progress(client, name) {
    const heard: Progress[] = [];
    await client.call(name("test_tool_with_progress"), {}, { onProgress: (progress) => void heard.push(progress) });
    assert.deepEqual(heard.map(({ progress, total }) => `${progress}/${total}`), ["0/100", "50/100", "100/100"]);
  },
  async cancel(client, name) {
    const cancelled = async () => Number(textOf(await client.call(name("test_cancellations"))));
    const before = await cancelled();
    const stop = new AbortController();
    const started = performance.now();
    const call = client.call(name("test_slow"), { milliseconds: 5000 }, { signal: stop.signal, onProgress: () => stop.abort(new Error("no longer wanted")) });
    await assert.rejects(call);
    assert.ok(performance.now() - started < 4000, "the client did not wait for the answer");
    assert.ok(await soon(async () => (await cancelled()) === before + 1), "the server stopped its work");
  },
  async subscribe(client, name) {
    const end = await client.subscribe(watched);
    await client.call(name("test_trigger_resource_update"), { uri: watched });
    assert.ok(await soon(() => client.updated.includes(watched)), "the update was announced");
    await client.call(name("test_trigger_resource_update"), { uri: "test://static-text" });
    assert.ok(!client.updated.includes("test://static-text"), "nothing else was announced");
    await end();
    const heard = client.updated.length;
    await client.call(name("test_trigger_resource_update"), { uri: watched });
    await sleep(100);
    assert.equal(client.updated.length, heard, "nothing is announced afterwards");
  },
  async prompt(client, name) {
    assert.ok((await client.listPrompts()).includes(name("test_simple_prompt")));
    const { messages } = (await client.getPrompt(name("test_prompt_with_arguments"), { arg1: "hello", arg2: "world" })) as { messages: { content: { text: string } }[] };
    assert.equal(messages[0]?.content.text, "Prompt with arguments: arg1='hello', arg2='world'");
    const { contents } = (await client.readResource("test://template/123/data")) as { contents: { text: string }[] };
    assert.match(contents[0]?.text ?? "", /Data for ID: 123/);
  },
  async completion(client, name) {
    assert.deepEqual(await client.complete(name("test_prompt_with_arguments"), "arg1", "par"), ["paris", "park", "party"]);
  },
  async elicitation(client, name) {
    const result = await client.call(name("test_elicitation"), { message: "Who are you?" });
    assert.equal(textOf(result), 'User response: action=accept, content={"username":"ada","email":"ada@example.org"}');
    assert.equal(client.asked.findLast(({ method }) => method === "elicitation/create")?.params["message"], "Who are you?");
  },
  async sampling(client, name) {
    assert.equal(textOf(await client.call(name("test_sampling"), { prompt: "Say something" })), "LLM response: an answer of the model");
  },
  async roots(client, name) {
    assert.equal(textOf(await client.call(name("test_input_required_result_list_roots"))), "Roots: file:///srv/test");
  },
  async logging(client, name) {
    await client.setLogLevel("error");
    await client.call(name("test_logging_tool"));
    await sleep(50);
    assert.deepEqual(client.logs, [], "nothing below the level is sent");
    await client.setLogLevel("info");
    await client.call(name("test_logging_tool"));
    assert.ok(await soon(() => client.logs.includes("test_logging_tool ran")), "the message was sent");
  },
};

/** "works", or how it was refused; "hangs" is never right. */
export type Outcome = "works" | "hangs" | { refused: string; code: number | undefined };

export async function tryFeature(feature: Feature, client: TestClient, { name = (tool: string) => tool, timeout = 10_000 }: { name?: Naming; timeout?: number } = {}): Promise<Outcome> {
  const stop = new AbortController();
  const attempt: Promise<Outcome> = works[feature](client, name).then(
    () => "works",
    (error: Error & { code?: unknown }) => ({ refused: error.message, code: typeof error.code === "number" ? error.code : undefined }),
  );
  const outcome = await Promise.race([attempt, sleep(timeout, "hangs" as const, { signal: stop.signal }).catch(() => "hangs" as const)]);
  stop.abort();
  return outcome;
}

/** What a kind of client cannot do whoever it talks to, because its revision has no such thing. */
export const beyond: Record<ClientKind, Partial<Record<Feature, string>>> = {
  v1: {},
  "v2-legacy": {},
  "v2-modern": {},
  // Elicitation came with 2025-06-18.
  "sse-2024": { elicitation: "The client does not support elicitation" },
};

/** One row of the matrix: a client of the kind at the address, through every feature in turn. A client that cannot connect is refused everything. */
export async function tryFeatures(kind: ClientKind, url: string, options: ConnectOptions & { name?: Naming; timeout?: number } = {}): Promise<Record<Feature, Outcome>> {
  const { timeout = 10_000 } = options;
  const connected = await Promise.race([connectClient(kind, url, options).catch((error: Error & { code?: unknown }) => error), sleep(timeout, "hangs" as const)]);
  const all = (outcome: Outcome) => Object.fromEntries(featureNames.map((feature) => [feature, outcome])) as Record<Feature, Outcome>;
  if (connected === "hangs") return all("hangs");
  if (connected instanceof Error) return all({ refused: connected.message, code: typeof connected.code === "number" ? connected.code : undefined });
  const outcomes: Partial<Record<Feature, Outcome>> = {};
  for (const feature of featureNames) outcomes[feature] = await tryFeature(feature, connected, options);
  await connected.close();
  return { ...all("hangs"), ...outcomes };
}

/** What crosses between eras and what is refused, as data: the matrix test holds the product to it, and docs/eras.md is written from it. */
import { expectedFailures } from "./conformance/expected-failures.ts";
import { clientKinds, type ClientKind } from "./peers/clients.ts";
import { featureNames, type Feature } from "./peers/features.ts";
import { upstreamKinds, type UpstreamKind } from "./peers/upstreams.ts";

export interface Refusal {
  /** Part of what the client is told. */
  error: string;
  because: string;
}

const tooOld: Refusal = { error: "elicitation", because: "Elicitation came with 2025-06-18: a client of 2024-11-05 cannot declare it, and the server is told so." };

/** Without a session there is no process of one's own: each call takes one of the user's that is free. */
const noProcess: Partial<Record<Feature, Refusal>> = {
  cancel: { error: "the server stopped its work", because: "At a stdio server, the process of a 2026 client's cancelled call is told so and given up: a later call runs in another, which cannot say what became of it." },
  subscribe: { error: "the update was announced", because: "At a stdio server, a 2026 client's subscription hears what its own process announces, not what a call did in another one." },
};

/** Cells that are refused, whatever else works. */
export function refusals(client: ClientKind, upstream: UpstreamKind): Partial<Record<Feature, Refusal>> {
  if (client === "sse-2024") return { elicitation: tooOld };
  return client === "v2-modern" && upstream === "stdio" ? noProcess : {};
}

const clientNames: Record<ClientKind, string> = { v1: "SDK v1, 2025-11-25", "v2-legacy": "SDK v2, 2025-11-25", "v2-modern": "SDK v2, 2026-07-28", "sse-2024": "HTTP+SSE, 2024-11-05" };
const upstreamNames: Record<UpstreamKind, string> = { "v1-http": "2025, sessions", "v1-sse": "2024, HTTP+SSE", "v2-stateless": "2026, stateless", "v2-legacy": "2025, SDK v2", stdio: "stdio, 2025" };

/** How each thing crosses where the eras differ. */
const crossings: readonly (readonly [string, string, string])[] = [
  ["Handshake", "`initialize` is answered from the server's `server/discover`; the version is the client's if served (2024-11-05 to 2025-11-25), else 2025-11-25", "`server/discover` is answered from the server's `initialize`"],
  ["Sessions", "the gateway's own: bound to the user and the endpoint, ended when idle or too old", "kept by the gateway at the server, never shared between users"],
  ["Tools, prompts, resources, completion, pages", "as they are", "as they are; results get `resultType`, and `ttlMs: 0`, `cacheScope: private` where the server gave no hints"],
  ["Sampling, elicitation, roots", "an `input_required` result becomes requests on the call's own stream; the server is called again with the answers (8 rounds at most)", "a request of the server becomes an `input_required` result; the call rests until the client calls again with its answers"],
  ["Addresses to visit first", "an elicitation in mode `url` gets an `elicitationId`", "error -32042 becomes an `input_required` result with the addresses"],
  ["Changes of lists, updates of resources", "`subscriptions/listen` at the server feeds the session's stream and `resources/subscribe`", "`subscriptions/listen` is fed by the server's stream and its `resources/subscribe`"],
  ["Log messages", "`logging/setLevel` holds for the session and is sent with each request; before it, everything is sent", "the level of the request is set at the server for it; without one nothing is sent"],
  ["Progress", "as it is, under the client's token", "as it is, under the client's token"],
  ["Cancellation", "`notifications/cancelled`; a broken stream cancels nothing and can be resumed with `Last-Event-ID`", "who leaves has cancelled: the server gets `notifications/cancelled`"],
  ["Mirrored headers (`Mcp-Param-*`)", "written by the gateway from the arguments", "checked by the gateway against the tool's schema, and not sent on"],
  ["Unknown resource", "-32602 becomes -32002", "-32002 becomes -32602 with the address in `data.uri`"],
  ["`ping`", "answered by the gateway", "not in this revision"],
  ["Batches (2025-03-26)", "taken apart, answered together", "not in this revision"],
];

/** What does not cross, and what the client hears instead. */
const refused: readonly (readonly [string, string, string])[] = [
  ["Tasks (2025-11-25 experiment, 2026-07-28 extension)", "neither is announced across eras; `tasks/*` is -32601, and a call with `task` runs as an ordinary one", "They are two protocols with different states, and a task outlives the call that could translate it. Within an era they are carried, also over HTTP+SSE and stdio."],
  ["Asking a client for what it did not declare", "-32021 to a client of 2026, -32602 to an older one, both with `requiredCapabilities`", "Nobody else can answer for it."],
  ["`notifications/elicitation/complete`", "not sent", "2026-07-28 has no such notification: the client calls again."],
  ["`notifications/roots/list_changed` of a client", "accepted and not sent on", "2026-07-28 has no such notification: roots are asked for when they are needed."],
  ["Resumption at a 2026 client", "`Last-Event-ID` is ignored", "That revision has no resumption: the client calls again."],
  ["Batches where both sides speak 2025-03-26", "-32600", "The bytes of such a server pass unchanged, and what is in a batch could not be checked one by one."],
];

const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]) => [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");

export function eraPage(): string {
  const cell = (client: ClientKind, upstream: UpstreamKind) => {
    const missing = Object.keys(refusals(client, upstream));
    return missing.length === 0 ? "all" : `all but ${missing.join(", ")}`;
  };
  const cells = clientKinds.map((client) => [clientNames[client], ...upstreamKinds.map((upstream) => cell(client, upstream))]);
  const suite = Object.entries(expectedFailures).flatMap(([revision, scenarios]) => Object.entries(scenarios).map(([scenario, reason]) => [revision, `\`${scenario}\``, reason]));
  const notes = [...new Set(clientKinds.flatMap((client) => upstreamKinds.flatMap((upstream) => Object.values(refusals(client, upstream)).map(({ because }) => because))))];
  return `# Clients and servers of different eras

<!-- Written by test/eras.test.ts (UPDATE_DOCS=1) from test/eras.ts, which the same test holds the product to. -->

MCP changed its foundations with revision 2026-07-28: before it, a client opens a session and keeps a stream; since then, every request stands
for itself. A client of either era can use a server of either era through Sallyport. Where both speak the same era over HTTP, nothing is
translated: the bytes pass.

| Client | Address |
| --- | --- |
| Streamable HTTP, 2025-03-26 to 2026-07-28 | \`/servers/{name}/mcp\`, \`/bundles/{name}/mcp\`, \`/mcp\` |
| HTTP+SSE, 2024-11-05 | \`/servers/{name}/sse\`, \`/bundles/{name}/sse\`, \`/sse\`; the token is one for the \`…/mcp\` address |

## What works

Tried with every client at every server: ${featureNames.join(", ")}.

${table(["Client \\ server", ...upstreamKinds.map((kind) => upstreamNames[kind])], cells)}

${notes.join("\n")}

The same holds at \`/mcp\` and \`/bundles/{name}/mcp\`, where servers of different eras stand in one list (tried with a server of 2024, one of 2025
and one of 2026 side by side).

## How it crosses

${table(["", "2025 client, 2026 server", "2026 client, 2025 server"], crossings)}

## What is refused

${table(["", "What the client gets", "Why"], refused)}

Of the official conformance suite, these scored scenarios cannot pass across eras:

${table(["Revision", "Scenario", "Why"], suite)}

## Handles

Session ids, \`requestState\`, cursors, task ids and event ids are given out as \`<handle>.<mark>\`. The mark binds them to the user and the server
they were given out for; in other hands they are unknown (404, or -32602). A handle to a call that rests expires (SALLYPORT_INPUT_TIMEOUT) and
works once.

## Several processes

Any process that has the same SALLYPORT_ENCRYPTION_KEY goes on with a 2025 session that another one opened: what it takes stands in the session's handle.
The answer to a question is brought to the process that asked through the database. These stay with one process, so that a load balancer
in front should route by \`Mcp-Session-Id\` where clients use them:

- the GET stream, with the resources that the session follows and the events kept for resumption, and the log level that the session set;
- \`notifications/cancelled\` for a call that runs elsewhere (the call then runs to its end);
- a 2026 call that rests on a question of a 2025 server (the retry elsewhere is refused with -32602, and the client calls again);
- HTTP+SSE sessions of 2024-11-05.
`;
}

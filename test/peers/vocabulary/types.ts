/** The words of the test peers: what a tool, prompt or resource of the fixture is, whichever SDK or era serves it. */

/** A request of the server to the client: `elicitation/create`, `sampling/createMessage` or `roots/list`. */
export interface Question {
  method: "elicitation/create" | "sampling/createMessage" | "roots/list";
  params?: Record<string, unknown>;
}

/** The answer is not final: the client is asked first, and the call made again with its answers and the state. */
export interface Ask {
  ask: Record<string, Question>;
  state?: Record<string, unknown>;
}

export type Result = Record<string, unknown>;

export type Event = { kind: "tools_list_changed" } | { kind: "prompts_list_changed" } | { kind: "resources_list_changed" } | { kind: "resource_updated"; uri: string };

/** What a handler may use of the exchange that it answers. */
export interface Call {
  /** As the client declared them, for this request or its session. */
  capabilities: Record<string, unknown>;
  answers: Record<string, unknown>;
  state: Record<string, unknown> | undefined;
  signal: AbortSignal;
  /** Sends nothing if the client gave no token. */
  progress(progress: number, total: number, message?: string): Promise<void>;
  /** Sends nothing below the level that the client set. */
  log(level: "debug" | "info" | "warning" | "error", data: unknown): Promise<void>;
  publish(event: Event): void;
  /** Closes the stream of this answer so that the client has to resume it (2025-11-25, SEP-1699). */
  dropStream(): void;
}

export interface Tool {
  name: string;
  title?: string;
  description: string;
  inputSchema: Record<string, unknown>;
  outputSchema?: Record<string, unknown>;
  annotations?: Record<string, unknown>;
  /** @throws whatever is to become an error result. */
  run(args: Record<string, unknown>, call: Call): Result | Ask | Promise<Result | Ask>;
}

export interface Prompt {
  name: string;
  title: string;
  description: string;
  arguments?: { name: string; description: string; required: boolean; values?: readonly string[] }[];
  get(args: Record<string, string>, call: Call): Result | Ask;
}

export interface Resource {
  uri: string;
  name: string;
  title: string;
  description: string;
  mimeType: string;
  read(): Result;
}

export interface Template {
  uriTemplate: string;
  name: string;
  title: string;
  description: string;
  mimeType: string;
  /** Values offered for the template's variable. */
  values: readonly string[];
  /** @returns undefined when the address is not one of this template. */
  read(uri: string): Result | undefined;
}

export const isAsk = (outcome: Result | Ask): outcome is Ask => "ask" in outcome;
export const text = (value: string): Result => ({ content: [{ type: "text", text: value }] });

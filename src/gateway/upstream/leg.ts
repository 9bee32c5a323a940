/** One era of one upstream: what a peer hands its calls to once it knows which era to speak. */
import type { Asking, ClientFacts, Discovery, Exchange, JsonObject, Listened, Listening } from "../exchange.ts";
import type { Deadline } from "./deadline.ts";

/** What the gateway shows an upstream on behalf of a caller. */
export interface Credential {
  /** Flat list of header names and values; for a child of ours, nothing. */
  readonly headers: readonly string[];
  /** Whose it is and which version: nothing that was got with one credential is shown to the holder of another. Never the secret itself. */
  readonly key: string;
}

/** Who asks, with what, and until when. */
export interface Context extends Pick<Asking, "caller" | "client" | "session" | "requestId"> {
  readonly credential: Credential;
  readonly deadline: Deadline;
}

export interface Leg {
  discover(context: Context): Promise<Discovery>;
  /** @throws WireError, UpstreamError or EraChanged. */
  request(exchange: Exchange, context: Context): Promise<JsonObject>;
  listen(listening: Listening, credential: Credential): Promise<Listened>;
  inputSchema(tool: string, context: Context): Promise<JsonObject | undefined>;
  release(session: string): void;
  close(): Promise<void>;
}

/** The upstream speaks as if it were of another era than was believed: what was believed is forgotten, and nothing of the request has run. */
export class EraChanged extends Error {
  constructor(message: string) {
    super(message);
    this.name = "EraChanged";
  }
}

/** Whose state it is: never shared between principals, nor between credentials. */
export const holderOf = ({ caller, credential }: Pick<Context, "caller" | "credential">): string => `${caller.userId}\n${credential.key}`;

const tasks = "io.modelcontextprotocol/tasks";

/** What the client declared, less what means another thing in the upstream's era: tasks are two different protocols. */
export function declaredFor(era: ClientFacts["era"], { era: clientEra, capabilities }: ClientFacts): JsonObject {
  if (era === clientEra) return capabilities;
  const { tasks: _experiment, extensions, ...rest } = capabilities;
  if (typeof extensions !== "object" || extensions === null || !Object.hasOwn(extensions, tasks)) return { ...rest, ...(extensions === undefined ? {} : { extensions }) };
  const { [tasks]: _extension, ...others } = extensions as JsonObject;
  return { ...rest, extensions: others };
}

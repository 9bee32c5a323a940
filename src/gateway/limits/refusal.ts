/** How a limit says no: HTTP 429 with Retry-After, and a JSON-RPC error under an application code (outside JSON-RPC's own range). */
import type { Principal } from "../../kernel/principal.ts";
import type { ServerState } from "../../snapshot/index.ts";
import { errorCodes, WireError } from "../wire/message.ts";

export type LimitKind = "rate" | "concurrency" | "quota";

/** To be called once, when the request has been answered. */
export type Release = () => void;

export interface Refusal {
  /** The rule, as an administrator knows it. */
  limit: string;
  kind: LimitKind;
  /** Whole seconds. */
  retryAfter: number;
}

export interface Limiter {
  /**
   * Counts one request against every limit that it falls under. Answers at once unless a share of a limit must be fetched first.
   * @param server undefined for what no single server answers. @param tool as the server's list shows it, for tools/call.
   */
  take(principal: Principal, server: Pick<ServerState, "id" | "name"> | undefined, tool: string | undefined): Taken | Promise<Taken>;
}

export type Taken = Release | Refusal;

export class LimitExceeded extends WireError {
  readonly retryAfter: number;

  constructor({ limit, kind, retryAfter }: Refusal) {
    super(429, errorCodes.limitReached, `Limit reached: ${limit}. Try again in ${retryAfter} s.`, undefined, { limit, kind, retryAfterSeconds: retryAfter });
    this.name = "LimitExceeded";
    this.retryAfter = retryAfter;
  }
}

/** @throws LimitExceeded */
export async function takeOrThrow(limiter: Limiter, ...of: Parameters<Limiter["take"]>): Promise<Release> {
  const taken = limiter.take(...of);
  const settled = taken instanceof Promise ? await taken : taken;
  if (typeof settled !== "function") throw new LimitExceeded(settled);
  return settled;
}

/** Lost updates are noticed: an entry's revision is its ETag, and If-Match is honoured (RFC 9110 section 13.1.1). */
import { problem } from "../kernel/problem.ts";
import type { RequestInfo } from "./route.ts";

export interface Revised {
  readonly id: string;
  readonly revision: number;
}

/** For `headers` of a response specification. */
export const etag = { etag: "Revision of the entry, for If-Match" };

export function etagOf({ id, revision }: Revised): string {
  return `"${id.slice(-12)}-${revision}"`;
}

/**
 * @returns the revision that a change must be based on; undefined when the caller named none (no If-Match, or *).
 * @throws Problem 412 when none of the named tags is current.
 */
export function revisionOf(request: RequestInfo, state: Revised): number | undefined {
  const header = request.headers.get("if-match");
  if (header === null || header.trim() === "*") return undefined;
  if (!header.split(",").some((tag) => tag.trim() === etagOf(state))) throw problem("precondition-failed", { detail: "It was changed since you read it", headers: { etag: etagOf(state) } });
  return state.revision;
}

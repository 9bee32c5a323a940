/** SCIM errors (RFC 7644 section 3.12): our problems in the form that provisioning clients read. */
import { problem, type Problem } from "../../kernel/problem.ts";

export type ScimType = "invalidFilter" | "tooMany" | "uniqueness" | "mutability" | "invalidSyntax" | "invalidPath" | "noTarget" | "invalidValue";

const prefix = "scim:";

/** A bad request of the named kind. */
export function scimError(type: ScimType, detail: string): Problem {
  return problem("bad-request", { detail, cause: prefix + type });
}

/** What a SCIM route answers instead of problem details. What the schema refuses is 400 here, not 422. */
export function presentScimError(error: Problem): { status: number; contentType: string; body: unknown } {
  const status = error.code === "invalid" || error.code === "invalid-json" ? 400 : error.status;
  const named = typeof error.extras.cause === "string" && error.extras.cause.startsWith(prefix) ? error.extras.cause.slice(prefix.length) : undefined;
  const type = named ?? (error.code === "conflict" ? "uniqueness" : error.code === "invalid" ? "invalidValue" : error.code === "invalid-json" ? "invalidSyntax" : undefined);
  return { status, contentType: "application/scim+json", body: { schemas: ["urn:ietf:params:scim:api:messages:2.0:Error"], status: String(status), ...(type ? { scimType: type } : {}), detail: error.message } };
}

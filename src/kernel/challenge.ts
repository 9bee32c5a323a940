/** The WWW-Authenticate header of a protected resource (RFC 6750 section 3, RFC 9728 section 5.1). */

export interface Challenge {
  /** Absent when no credentials were sent. */
  error?: "invalid_token" | "insufficient_scope";
  description?: string;
  /** URL of the resource's RFC 9728 metadata. */
  resourceMetadata?: string | undefined;
  /** All scopes that the request needs. */
  scope?: readonly string[];
}

/** What a protected resource tells every caller that it refuses: where its metadata is, and which scopes a call needs. */
export type ChallengeHints = Pick<Challenge, "resourceMetadata" | "scope">;

/** Values are ours and hold neither quotes nor backslashes. */
export function bearerChallenge({ error, description, resourceMetadata, scope }: Challenge): string {
  const fields = Object.entries({ error, error_description: description, resource_metadata: resourceMetadata, scope: scope?.join(" ") }).filter(([, value]) => value !== undefined);
  return ["Bearer", fields.map(([name, value]) => `${name}="${value}"`).join(", ")].filter(Boolean).join(" ");
}

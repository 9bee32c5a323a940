/** The WWW-Authenticate header of a protected resource (RFC 6750 section 3, RFC 9728 section 5.1). */

export interface Challenge {
  /** Absent when no credentials were sent. */
  error?: "invalid_token" | "insufficient_scope" | "invalid_dpop_proof";
  description?: string;
  /** URL of the resource's RFC 9728 metadata. */
  resourceMetadata?: string | undefined;
  /** All scopes that the request needs. */
  scope?: readonly string[];
}

/** What a protected resource tells every caller that it refuses: where its metadata is, and which scopes a call needs. */
export type ChallengeHints = Pick<Challenge, "resourceMetadata" | "scope">;

/** Values are ours and hold neither quotes nor backslashes. */
export function bearerChallenge(challenge: Challenge): string {
  return written("Bearer", challenge);
}

/** For a token that is bound to a key (RFC 9449 section 7.1). */
export function dpopChallenge(challenge: Challenge, algorithms: readonly string[]): string {
  return written("DPoP", challenge, { algs: algorithms.join(" ") });
}

function written(scheme: string, { error, description, resourceMetadata, scope }: Challenge, further: Record<string, string> = {}): string {
  const fields = Object.entries({ error, error_description: description, resource_metadata: resourceMetadata, scope: scope?.join(" "), ...further }).filter(([, value]) => value !== undefined);
  return [scheme, fields.map(([name, value]) => `${name}="${value}"`).join(", ")].filter(Boolean).join(" ");
}

/** Who is calling, as established from a verified token. */
export interface Principal {
  readonly userId: string;
  readonly scopes: ReadonlySet<string>;
  /** The token's audiences (RFC 9068 section 3). */
  readonly audience: readonly string[];
  readonly tokenId: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
}

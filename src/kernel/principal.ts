/** Who is calling, as established from a verified token. */
export interface Principal {
  readonly userId: string;
  readonly scopes: ReadonlySet<string>;
  /** The token's audiences (RFC 9068 section 3). */
  readonly audience: readonly string[];
  readonly tokenId: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** A program with an account of its own, or (when absent) a person. */
  readonly kind?: "person" | "service";
  /** Names of the groups that the user is in. */
  readonly groups?: readonly string[];
  /** The API key that was shown instead of a token. */
  readonly keyId?: string;
  /** The trusted issuer whose token was shown instead of one of ours. */
  readonly issuer?: string;
  /** Whether a second factor was proved when the token was issued. */
  readonly factor?: boolean;
  /** When the user last proved who they are, in milliseconds since the epoch. */
  readonly authenticatedAt?: number;
  /** Narrows what the user may reach; absent: all of it. */
  readonly restrictions?: Restrictions;
  /** The OAuth client that the token was issued to. */
  readonly clientId?: string;
  /** The OAuth grant behind the token, if there is one. */
  readonly grantId?: string;
  /** Who acts for the user, the nearest first (RFC 8693 section 4.1). */
  readonly actor?: readonly string[];
  /** Thumbprint of the key that the token is bound to (RFC 9449 section 6.1). */
  readonly boundTo?: string;
}

/** Of an API key. */
export interface Restrictions {
  /** Names of servers. */
  readonly servers?: readonly string[];
  /** Names of tools, `*` standing for any text. */
  readonly tools?: readonly string[];
}

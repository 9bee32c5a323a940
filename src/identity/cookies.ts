/**
 * The cookies of the pages (RFC 6265bis): HttpOnly, SameSite=Lax, the whole origin, no domain. Over https their names start with `__Host-`,
 * so that no neighbour can plant them; over plain http, where browsers refuse that prefix, they go by the bare name.
 */

export interface Cookie {
  readonly name: string;
  /** @returns the value in the Cookie header; undefined when absent, doubled or not of our making. */
  read(cookieHeader: string | null | undefined): string | undefined;
  /** The Set-Cookie value. @param maxAge seconds; the cookie ends with the browser when absent. */
  set(value: string, maxAge?: number): string;
  /** The Set-Cookie value that removes it. */
  clear(): string;
}

export function createCookie(publicUrl: string, bareName: string): Cookie {
  const isSecure = publicUrl.startsWith("https:");
  const name = isSecure ? `__Host-${bareName}` : bareName;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? "; Secure" : ""}`;
  return {
    name,
    read(cookieHeader) {
      const found = (cookieHeader ?? "").split(";").map((pair) => pair.trim()).filter((pair) => pair.startsWith(`${name}=`));
      // Two of one name: one of them was planted, and nobody can say which.
      const value = found.length === 1 ? found[0]?.slice(name.length + 1) : undefined;
      return value !== undefined && /^[A-Za-z0-9_-]{43}$/.test(value) ? value : undefined;
    },
    set: (value, maxAge) => `${name}=${value}; ${attributes}${maxAge === undefined ? "" : `; Max-Age=${maxAge}`}`,
    clear: () => `${name}=; ${attributes}; Max-Age=0`,
  };
}

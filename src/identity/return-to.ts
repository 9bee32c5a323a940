/** Where a page sends the browser afterwards: a path of this origin and nothing else (OWASP ASVS 5.0 V3.7.2, open redirects). */

/**
 * @param text as it came with the request.
 * @returns the path with its query; the fallback for whatever could lead elsewhere: another origin, `//host`, a backslash that browsers
 * read as a slash, a control character that they drop.
 */
export function returnPath(text: string | undefined, fallback = "/account"): string {
  if (text === undefined || text.length > 2048 || !/^\/(?!\/)[\u0021-\u005b\u005d-\u007e]*$/.test(text)) return fallback;
  const base = "http://origin.invalid";
  const url = URL.parse(text, base);
  return url !== null && url.origin === base && url.pathname.startsWith("/") && !url.pathname.startsWith("//") ? `${url.pathname}${url.search}${url.hash}` : fallback;
}

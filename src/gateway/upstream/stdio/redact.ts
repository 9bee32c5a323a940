/** What a child wrote to its standard error, fit to be shown: bounded, without control characters, and without what looks like a secret. */

/** Bytes of standard error that are kept of a child. */
export const tailBytes = 4096;

const looksSecret: readonly [RegExp, string][] = [
  [/:\/\/[^\s/@]{1,512}@/g, "://[redacted]@"],
  [/\b(bearer|basic)\s{1,4}[\w.~+/=-]{6,4096}/gi, "$1 [redacted]"],
  [/\beyJ[\w-]{8,4096}(?:\.[\w-]{0,4096}){1,4}/g, "[redacted]"],
  [/((?:secret|token|password|passwd|pwd|api[-_]?key|credential|authorization)["']?\s{0,4}[=:]\s{0,4})(?:"[^"]{0,4096}"|'[^']{0,4096}'|[^\s,;]{1,4096})/gi, "$1[redacted]"],
  [/\b(?:sk|pk|ghp|gho|ghs|github_pat|xox[abp]|AKIA|glpat)[-_]?[\w-]{12,512}/g, "[redacted]"],
];

/** @param secrets values that the child was given. */
export function redact(text: string, secrets: readonly string[]): string {
  let shown = text;
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    // Shorter ones ("1", "true") are not secrets, and their absence would tell more than they do.
    if (secret.length >= 4) for (const form of new Set([secret, encodeURIComponent(secret.toWellFormed()), JSON.stringify(secret).slice(1, -1)])) shown = shown.replaceAll(form, "[redacted]");
  }
  for (const [pattern, replacement] of looksSecret) shown = shown.replace(pattern, replacement);
  return shown.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
}

/** What a person recognises a sign-in by: browser, system, and roughly where. Self-reported: never a basis for security. */

const browsers: readonly (readonly [RegExp, string])[] = [[/\bEdg(?:e|A|iOS)?\//, "Edge"], [/\bOPR\//, "Opera"], [/\b(?:Firefox|FxiOS)\//, "Firefox"], [/\b(?:HeadlessChrome|Chrome|CriOS)\//, "Chrome"], [/\bSafari\//, "Safari"]];
const systems: readonly (readonly [RegExp, string])[] = [[/\bAndroid\b/, "Android"], [/\b(?:iPhone|iPad)\b/, "iOS"], [/\bWindows\b/, "Windows"], [/\bMac OS X\b/, "macOS"], [/\bCrOS\b/, "ChromeOS"], [/\bLinux\b/, "Linux"]];

/** "Firefox on Linux" */
export function deviceOf(userAgent: string | null): string {
  const text = (userAgent ?? "").slice(0, 512);
  const pick = (table: readonly (readonly [RegExp, string])[]) => table.find(([pattern]) => pattern.test(text))?.[1];
  const [browser, system] = [pick(browsers), pick(systems)];
  return browser === undefined ? "Another program" : system === undefined ? browser : `${browser} on ${system}`;
}

/** The network, not the machine: 203.0.113.x, 2001:db8:1::… */
export function coarseAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  if (/^\d+\.\d+\.\d+\.\d+$/.test(mapped)) return mapped.replace(/\.\d+$/, ".x");
  if (mapped === "::1") return "this machine";
  const [head = ""] = mapped.split("::");
  const groups = head.split(":").filter(Boolean).slice(0, 3);
  return groups.length === 0 ? "unknown" : `${groups.join(":")}::…`;
}

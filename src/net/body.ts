/** Request bodies before any parser sees them. */
import { problem } from "../kernel/problem.ts";

/** XML labelled as something else is still XML (OWASP A4:2017, XXE): no parser of ours ever sees it. */
export function refuseMarkup(bytes: Uint8Array): void {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (at < bytes.length && (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09)) at++;
  if (bytes[at] === 0x3c) throw problem("unsupported-media-type", { detail: "XML is not accepted" });
}

/** Server-rendered pages: no inline script, escaped by construction, one stylesheet of our own. */

/** Text already safe for HTML. Only `html` makes it. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Tagged template: every value is escaped unless it is `Html` (or a list of it) itself. */
export function html(parts: TemplateStringsArray, ...values: (string | number | Html | readonly Html[] | undefined)[]): Html {
  let text = parts[0] ?? "";
  values.forEach((value, index) => {
    text += value instanceof Html ? value.text : Array.isArray(value) ? value.map((part: Html) => part.text).join("") : String(value ?? "").replaceAll(/[&<>"']/g, (character) => entities[character] ?? "");
    text += parts[index + 1] ?? "";
  });
  return new Html(text);
}

/** Headers of every page: scripts do not run at all, and forms go only to ourselves. */
export const pageHeaders: Record<string, string> = {
  "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  // Not "no-referrer": browsers would send forms with "Origin: null", which is refused as foreign (Fetch, append a request Origin header).
  "referrer-policy": "same-origin",
};

/** Headers of a page with a script file of ours, which may talk to ourselves. */
export const scriptedPageHeaders: Record<string, string> = { ...pageHeaders, "content-security-policy": `${pageHeaders["content-security-policy"] ?? ""}; script-src 'self'; connect-src 'self'` };

/** @param script path of a script file of ours; needs `scriptedPageHeaders`. */
export function page(title: string, body: Html, script?: string): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Sallyport</title>
<link rel="stylesheet" href="/assets/pages.css">
${script === undefined ? undefined : html`<script type="module" src="${script}"></script>`}
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`.text;
}

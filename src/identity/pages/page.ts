/** What the pages of signing in and of the account share: answers, fields, the fields that every form carries. */
import { z } from "zod";
import { html, page, pageHeaders, scriptedPageHeaders, type Html } from "../../net/html.ts";
import type { ResponseSpec, RouteOutput } from "../../net/route.ts";

export interface Page {
  title: string;
  body: Html;
  status?: number;
  /** Set-Cookie. */
  cookie?: string | undefined;
  /** Whether passkeys can be used on it. */
  passkeys?: boolean;
  headers?: Record<string, string>;
}

export const passkeyScript = "/assets/passkeys.js";

export function show({ title, body, status = 200, cookie, passkeys = false, headers }: Page): RouteOutput {
  return {
    status,
    body: page(title, body, passkeys ? passkeyScript : undefined),
    headers: { ...(passkeys ? scriptedPageHeaders : pageHeaders), ...headers },
    cookies: cookie === undefined ? [] : [cookie],
  };
}

/** 303 to a path of ours. */
export function see(path: string, cookie?: string): RouteOutput {
  return { status: 303, headers: { location: path }, cookies: cookie === undefined ? [] : [cookie] };
}

export function pageOf(description: string): ResponseSpec {
  return { description, schema: z.string(), contentType: "text/html; charset=utf-8" };
}

export const csrfField = z.string().max(100).default("");
export const returnField = z.string().max(2048).optional();

export function hidden(fields: Record<string, string>): Html[] {
  return Object.entries(fields).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`);
}

export function alertOf(message: string | undefined): Html | undefined {
  return message === undefined ? undefined : html`<p role="alert" class="error">${message}</p>`;
}

export function codeField(label: string, describedBy?: string): Html {
  return html`<label for="code">${label}</label>
<input id="code" name="code" autocomplete="one-time-code" inputmode="text" autocapitalize="characters" spellcheck="false" required maxlength="64"${describedBy === undefined ? undefined : html` aria-describedby="${describedBy}"`}>`;
}

/**
 * A form that the script fills with a passkey's answer; it shows itself only where that works.
 * @param kind "get" to sign in, "create" to enrol.
 */
export function passkeyForm(kind: "get" | "create", { action, fields, button, before }: { action: string; fields: Record<string, string>; button: string; before?: Html }): Html {
  return html`<form method="post" action="${action}" data-passkey="${kind}" data-options="${action}/options" hidden>
${hidden({ ...fields, credential: "" })}
${before}
<button type="submit">${button}</button>
<p role="alert" class="error" hidden></p>
</form>`;
}

export function waitText(seconds: number): string {
  return `Too many failed attempts. Try again in ${seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`}.`;
}

export function pathWith(path: string, returnTo: string): string {
  return `${path}?${new URLSearchParams({ return_to: returnTo }).toString()}`;
}

/** Pages of the authorization server: consent, device, what was allowed, and errors for people. No script, and readable as plain HTML. */
import { scopes, type Scope } from "../../kernel/scopes.ts";
import { html, page, pageHeaders, type Html } from "../../net/html.ts";
import type { Resource } from "../resources.ts";

/** Who asks, as far as that is known. What it calls itself is its own claim. */
export interface Asker {
  clientId: string;
  name: string | undefined;
  /** Where the answer goes; undefined for a device. */
  redirectUri: string | undefined;
  /** Known here by an administrator's hand. */
  registered: boolean;
}

export interface Asked {
  resources: readonly { resource: Resource; scopes: readonly string[] }[];
  /** Asked for, but not held by this person. */
  withheld: readonly string[];
}

interface Form {
  action: string;
  token: string;
  fields?: Record<string, string>;
}

const resourceNames: Record<Resource["kind"], string> = { api: "Sallyport itself: its management API", aggregate: "All servers that you may call through the gateway", server: "One server at the gateway", bundle: "One bundle of tools at the gateway" };

/** May the browser follow the answer of this page's form to where the client waits (CSP form-action covers redirects)? */
export function consentHeaders(redirectUri: string | undefined): Record<string, string> {
  const url = redirectUri === undefined ? null : URL.parse(redirectUri);
  const target = url === null ? "" : url.origin === "null" ? ` ${url.protocol}` : ` ${url.origin}`;
  return { ...pageHeaders, "content-security-policy": String(pageHeaders["content-security-policy"]).replace("form-action 'self'", `form-action 'self'${target}`) };
}

export function consentPage(asker: Asker, asked: Asked, username: string, form: Form): string {
  const { registered, redirectUri } = asker;
  const loopback = redirectUri?.startsWith("http:") === true;
  return page(
    "Allow access",
    html`<h1>Allow access?</h1>
<p>A program that calls itself <strong>${asker.name ?? "nothing"}</strong> asks to act for you, <strong>${username}</strong>.</p>
${details(asker, registered)}
${loopback ? html`<p class="error">It runs on the computer that this browser runs on. Allow it only if you have just started it yourself.</p>` : undefined}
${wishes(asked)}
${buttons(form)}`,
  );
}

export function devicePage(asker: Asker, asked: Asked, username: string, userCode: string, form: Form): string {
  return page(
    "Allow a device",
    html`<h1>Allow this device?</h1>
<p>Go on only if the device or terminal before you shows exactly this code:</p>
<p><code>${userCode}</code></p>
<p>The program there calls itself <strong>${asker.name ?? "nothing"}</strong> and asks to act for you, <strong>${username}</strong>.</p>
${details(asker, asker.registered)}
${wishes(asked)}
${buttons(form)}`,
  );
}

export function deviceCodePage(form: Form, error?: string): string {
  return page(
    "Sign in a device",
    html`<h1>Sign in a device</h1>
${error === undefined ? undefined : html`<p role="alert" class="error">${error}</p>`}
<form method="get" action="${form.action}">
<label for="user_code">Code shown on the device</label>
<input id="user_code" name="user_code" autocomplete="off" autocapitalize="characters" required maxlength="20" autofocus>
<button type="submit">Next</button>
</form>`,
  );
}

export interface AllowedClient {
  hash: string;
  clientId: string;
  name: string | undefined;
  resources: readonly string[];
  since: number;
}

export function allowedClientsPage(allowed: readonly AllowedClient[], token: string): string {
  const rows = allowed.map(
    ({ hash, clientId, name, resources, since }) => html`<tr><th scope="row">${name ?? clientId}</th><td>${hostOf(clientId)}</td><td>${resources.join(", ")}</td><td>${new Date(since).toISOString().slice(0, 10)}</td>
<td><form method="post" action="/account/clients"><input type="hidden" name="token" value="${token}"><input type="hidden" name="grant" value="${hash}"><button type="submit" aria-label="End the access of ${name ?? clientId}, since ${new Date(since).toISOString().slice(0, 10)}">End access</button></form></td></tr>`,
  );
  return page(
    "Programs with access",
    html`<h1>Programs with access</h1>
${rows.length === 0 ? html`<p>You have allowed no program to act for you.</p>` : html`<p>Ending a program's access takes effect at once.</p>
<table><thead><tr><th scope="col">Program</th><th scope="col">From</th><th scope="col">May use</th><th scope="col">Since</th><th scope="col">Action</th></tr></thead><tbody>${rows}</tbody></table>`}`,
  );
}

/** Instead of a redirect that would follow on a form, which the form's page did not name. */
export function onwardPage(target: string, asker: Asker): string {
  return page("Continue", html`<meta http-equiv="refresh" content="0; url=${target}"><h1>You have allowed this before</h1><p><a href="${target}">Continue to ${asker.name ?? hostOf(asker.clientId)}</a></p>`);
}

export function messagePage(title: string, message: string): string {
  return page(title, html`<h1>${title}</h1><p>${message}</p>`);
}

function details({ clientId, redirectUri }: Asker, registered: boolean): Html {
  return html`<table><tbody>
<tr><th scope="row">Program of</th><td>${registered ? "this Sallyport: registered by an administrator" : hostOf(clientId)}</td></tr>
${redirectUri === undefined ? undefined : html`<tr><th scope="row">Answer goes to</th><td>${URL.parse(redirectUri)?.host || redirectUri}</td></tr>`}
</tbody></table>`;
}

function wishes({ resources, withheld }: Asked): Html {
  const lists = resources.map(
    ({ resource, scopes: wanted }) => html`<h2>${resourceNames[resource.kind]}</h2>
<p><code>${resource.uri}</code></p>
<ul>${wanted.map((scope) => html`<li>${scopes[scope as Scope]} (<code>${scope}</code>)</li>`)}</ul>`,
  );
  return html`${lists}${withheld.length === 0 ? undefined : html`<p class="hint">It also asked for ${withheld.join(", ")}, which you do not hold: it will not get that.</p>`}`;
}

function buttons({ action, token, fields = {} }: Form): Html {
  return html`<form method="post" action="${action}">
<input type="hidden" name="token" value="${token}">
${Object.entries(fields).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
<button type="submit" name="decision" value="allow">Allow</button>
<button type="submit" name="decision" value="deny">Deny</button>
</form>`;
}

/** A client id that is a URL tells whose it is; any other tells nothing. */
function hostOf(clientId: string): string {
  return URL.parse(clientId)?.host || clientId;
}

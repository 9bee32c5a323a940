/**
 * A person's own account: second factors, recovery codes, password, and where they are signed in. What changes how one signs in needs a
 * fresh factor (NIST SP 800-63B-4 section 4.1.2); every form carries the session's token.
 */
import { z } from "zod";
import type { Audit } from "../../audit/index.ts";
import { sameText } from "../../kernel/digest.ts";
import { Problem, problem } from "../../kernel/problem.ts";
import { html, type Html } from "../../net/html.ts";
import { route, type RequestInfo, type ResponseSpec, type Route, type RouteOutput } from "../../net/route.ts";
import type { Snapshot, UserState } from "../../snapshot/index.ts";
import { hasFactor, type Enrolled, type Factors } from "../mfa/factors.ts";
import { minimumAlone, minimumWithFactor } from "../password-rules.ts";
import { returnPath } from "../return-to.ts";
import { showedSecondFactor, type BrowserSession, type Factor, type Sessions } from "../sessions.ts";
import type { SignIn } from "../sign-in.ts";
import type { Users } from "../users.ts";
import { alertOf, codeField, csrfField, hidden, pageOf, passkeyForm, pathWith, returnField, see, show, waitText } from "./page.ts";
import { qrCode } from "./qr.ts";

export interface AccountRoutes {
  sessions: Sessions;
  signIn: SignIn;
  factors: Factors;
  users: Users;
  audit: Audit;
  snapshot: Pick<Snapshot, "users">;
  /** Seconds for which a factor counts as fresh. */
  stepUpWindow: number;
  now: () => number;
}

/** Who is signed in, with what. */
interface Person {
  session: BrowserSession;
  user: UserState;
  enrolled: Enrolled;
  request: RequestInfo;
}

interface Input {
  csrf: string;
}

export function accountRoutes({ sessions, signIn, factors, users, audit, snapshot, stepUpWindow, now }: AccountRoutes): Route[] {
  const personOf = async (request: RequestInfo): Promise<Person | undefined> => {
    const session = await sessions.read(request.headers.get("cookie"));
    const user = session && snapshot.users.get(session.userId);
    return session && user && { session, user, enrolled: await factors.of(user.id), request };
  };
  const isFresh = ({ session, enrolled }: Person) => now() - session.lastFactorAt <= stepUpWindow * 1000 && (!hasFactor(enrolled) || showedSecondFactor(session.factors));
  const passkeysHere = ({ request }: Person) => factors.passkeys.party !== undefined && new URL(factors.passkeys.party.origin).host === request.headers.get("host");
  const confirmPath = (returnTo: string) => pathWith("/account/confirm", returnTo);
  const required = (person: Person, action: string) => audit.record({ type: "step-up.required", actorId: person.user.id, requestId: person.request.id, detail: { action } });

  const base = { tag: "Account", access: "anyone" } as const;
  const away = { 303: { description: "To sign in, to confirm, or done" } };
  /** A page of somebody who is signed in; `fresh` pages ask for a factor first. */
  const pageFor = (path: string, operationId: string, summary: string, handler: (person: Person) => Promise<RouteOutput> | RouteOutput, { fresh = false } = {}): Route =>
    route({
      ...base,
      method: "get",
      path,
      operationId,
      summary,
      responses: { 200: pageOf("The page"), ...away },
      async handler({ request }) {
        const person = await personOf(request);
        if (!person) return see(pathWith("/login", path));
        if (fresh && !isFresh(person)) {
          required(person, operationId);
          return see(confirmPath(path));
        }
        return handler(person);
      },
    });
  /** What a form does: only with the token of the session it was shown in, and where it says so only with a fresh factor. */
  const actionFor = <S extends z.ZodType<Input>>(path: string, operationId: string, summary: string, back: string, schema: S, handler: (person: Person, body: z.output<S>) => Promise<RouteOutput>, { fresh = true, responses = {} }: { fresh?: boolean; responses?: Record<number, ResponseSpec> } = {}): Route =>
    route({
      ...base,
      method: "post",
      path,
      operationId,
      summary,
      body: { type: "form", schema },
      responses: { 200: pageOf("The next page"), ...away, 403: { description: "The form is not from here" }, 422: pageOf("The form again, saying what was wrong"), 429: pageOf("Too many failed attempts"), ...responses },
      async handler({ body, request }) {
        const person = await personOf(request);
        if (!person) return see(pathWith("/login", back));
        if (!sameText(person.session.csrfToken, (body as Input).csrf)) throw problem("forbidden", { detail: "This form is not from here, or your sign-in has changed. Go back and load the page again" });
        if (fresh && !isFresh(person)) {
          required(person, operationId);
          return see(confirmPath(back));
        }
        return handler(person, body as z.output<S>);
      },
    });
  const plain = z.object({ csrf: csrfField });

  /** After a first factor come the codes for when it is lost; they are shown this once. */
  const enrolledPage = async (person: Person, kind: "totp" | "passkey"): Promise<RouteOutput> => {
    const { user, session, enrolled, request } = person;
    audit.record({ type: "factor.enrolled", actorId: user.id, requestId: request.id, subject: `user:${user.id}`, detail: { kind, by: "person" } });
    const cookie = await sessions.rotate(session, [kind]);
    if (enrolled.recoveryCodes > 0) return see("/account/factors", cookie);
    return codesPage(await factors.newRecoveryCodes(user.id, request), "Your second factor is set", cookie);
  };
  const totpPage = ({ session }: Person, { secret, uri }: { secret: string; uri: string }, status: number, message?: string): RouteOutput =>
    show({
      title: "Authenticator app",
      status,
      body: html`<h1>Authenticator app</h1>
${alertOf(message)}
<ol>
<li><p>Scan this with your authenticator app, or <a href="${uri}">open it on this device</a>.</p>${qrCode(uri, "QR code of the secret below")}
<p>Without a camera, type this secret, with 6 digits every 30 seconds:</p><pre>${secret.match(/.{1,4}/g)?.join(" ") ?? secret}</pre></li>
<li><form method="post" action="/account/factors/totp/confirm">
${hidden({ csrf: session.csrfToken })}
${codeField("Type the code that the app shows now")}
<button type="submit">Finish</button>
</form></li>
</ol>
<p class="hint">The secret is shown only now.</p>`,
    });
  const passwordPage = ({ session, enrolled }: Person, status = 200, message?: string, headers: Record<string, string> = {}): RouteOutput => {
    const minimum = hasFactor(enrolled) ? minimumWithFactor : minimumAlone;
    return show({
      title: "Password",
      status,
      headers,
      body: html`${trail()}<h1>Change your password</h1>
${alertOf(message)}
<form method="post" action="/account/password">
${hidden({ csrf: session.csrfToken })}
<label for="current">Current password</label>
<input id="current" name="current" type="password" autocomplete="current-password" required maxlength="4096">
<label for="password">New password</label>
<input id="password" name="password" type="password" autocomplete="new-password" required minlength="${minimum}" maxlength="1024" aria-describedby="advice">
<p id="advice" class="hint">At least ${minimum} characters; a few unrelated words do well. All your other sign-ins and tokens end.</p>
<button type="submit">Change password</button>
</form>`,
    });
  };
  const confirmPage = (person: Person, returnTo: string, status = 200, message?: string, headers: Record<string, string> = {}): RouteOutput => {
    const { session, enrolled } = person;
    const fields = { csrf: session.csrfToken, return_to: returnTo };
    const withPasskey = enrolled.passkeys > 0 && passkeysHere(person);
    return show({
      title: "Is it you?",
      status,
      passkeys: withPasskey,
      headers,
      body: html`<h1>Is it you?</h1>
<p>What you are about to do needs a fresh sign-in.</p>
${alertOf(message)}
${withPasskey ? passkeyForm("get", { action: "/account/confirm/passkey", fields, button: "Use a passkey" }) : undefined}
<form method="post" action="/account/confirm">
${hidden(fields)}
${hasFactor(enrolled) ? codeField(enrolled.totp ? "Code from your app, or a recovery code" : "Recovery code") : html`<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="4096">`}
<button type="submit">Continue</button>
</form>`,
    });
  };
  const confirmed = async ({ session, user, request }: Person, shown: Factor, returnTo: string): Promise<RouteOutput> => {
    await signIn.succeeded(user);
    audit.record({ type: "step-up.completed", actorId: user.id, requestId: request.id, detail: { factors: [shown] } });
    return see(returnTo, await sessions.rotate(session, [shown]));
  };

  return [
    pageFor("/account", "accountPage", "Your account", (person) => overview(person)),
    pageFor("/account/factors", "factorsPage", "Your second factors", async (person) => factorsPage(person, await factors.passkeys.list(person.user.id), passkeysHere(person), factors.passkeys.party?.origin), { fresh: true }),
    actionFor("/account/factors/totp", "beginTotp", "Get a secret for an authenticator app", "/account/factors", plain, async (person) => {
      if (person.enrolled.totp) return see("/account/factors");
      return totpPage(person, await factors.totp.provision(person.user.id, person.user.username), 200);
    }),
    actionFor("/account/factors/totp/confirm", "confirmTotp", "Show that the authenticator app has the secret", "/account/factors", plain.extend({ code: z.string().max(64).default("") }), async (person, { code }) => {
      const pending = await factors.totp.pending(person.user.id, person.user.username);
      if (!pending) return see("/account/factors");
      if (!(await factors.totp.confirm(person.user.id, code.replaceAll(/\s/g, "")))) return totpPage(person, pending, 422, "That code is not the one that the app should show now. Is this device's clock right?");
      return enrolledPage(person, "totp");
    }),
    actionFor("/account/factors/totp/remove", "removeTotp", "Remove the authenticator app", "/account/factors", plain, async ({ user, session, request }) => see("/account/factors", await sessions.rotate(session, [], await factors.remove(user.id, { totp: true }, request)))),
    actionFor("/account/factors/passkeys/options", "passkeyOptions", "What the browser needs to make a passkey", "/account/factors", plain, async ({ user, session }) => ({ status: 200, body: await factors.passkeys.creationOptions(user, session.id) }), { responses: { 200: { description: "PublicKeyCredentialCreationOptions as JSON (WebAuthn Level 3)", schema: z.record(z.string(), z.unknown()) } } }),
    actionFor("/account/factors/passkeys", "addPasskey", "Add a passkey", "/account/factors", plain.extend({ name: z.string().max(100).default(""), credential: z.string().max(65_536).default("") }), async (person, { name, credential }) => {
      const { user, session, request } = person;
      if (await factors.passkeys.create(user, session.id, credential, name.trim() || "Passkey")) return enrolledPage(person, "passkey");
      audit.record({ type: "authentication.passkey.failed", actorId: user.id, requestId: request.id, detail: { reason: "enrolment" } });
      return factorsPage(person, await factors.passkeys.list(user.id), passkeysHere(person), factors.passkeys.party?.origin, 422, "That passkey was not accepted");
    }),
    actionFor("/account/factors/passkeys/remove", "removePasskey", "Remove a passkey", "/account/factors", plain.extend({ id: z.string().max(2048) }), async ({ user, session, request }, { id }) => see("/account/factors", await sessions.rotate(session, [], await factors.remove(user.id, { passkey: id }, request)))),
    actionFor("/account/factors/recovery-codes", "newRecoveryCodes", "Make new recovery codes", "/account/factors", plain, async ({ user, session, enrolled, request }) => {
      if (!hasFactor(enrolled)) return see("/account/factors");
      return codesPage(await factors.newRecoveryCodes(user.id, request), "New recovery codes", await sessions.rotate(session, []));
    }),
    pageFor("/account/password", "passwordPage", "Change your password", (person) => passwordPage(person), { fresh: true }),
    actionFor("/account/password", "changePassword", "Change your password", "/account/password", plain.extend({ current: z.string().max(4096).default(""), password: z.string().max(4096).default("") }), async (person, { current, password }) => {
      const { user, session, request } = person;
      const shown = await signIn.password(user.username, current, request);
      if ("refused" in shown) return shown.refused === "throttled" ? passwordPage(person, 429, waitText(shown.seconds), { "retry-after": String(shown.seconds) }) : passwordPage(person, 422, "The current password is not right");
      try {
        const { epoch } = await users.change(user.username, { password }, { actorId: user.id, requestId: request.id });
        return see("/account", await sessions.rotate(session, [], epoch));
      } catch (error) {
        if (error instanceof Problem && error.code === "invalid") return passwordPage(person, 422, `The new ${error.message}`);
        throw error;
      }
    }),
    pageFor("/account/sessions", "sessionsPage", "Where you are signed in", async (person) => sessionsPage(person, await sessions.list(person.user.id))),
    actionFor("/account/sessions", "revokeSession", "End one of your sign-ins, or all others", "/account/sessions", plain.extend({ id: z.string().max(100) }), async ({ user, session, request }, { id }) => {
      await sessions.revoke(user.id, id === "others" ? { allBut: session.id } : { id }, { actorId: user.id, requestId: request.id });
      return see("/account/sessions");
    }, { fresh: false }),
    route({
      ...base,
      method: "get",
      path: "/account/confirm",
      operationId: "confirmPage",
      summary: "Show anew who you are, before something that needs it",
      query: z.object({ return_to: returnField }),
      responses: { 200: pageOf("The form"), ...away },
      async handler({ query, request }) {
        const returnTo = returnPath(query.return_to);
        const person = await personOf(request);
        return person ? confirmPage(person, returnTo) : see(pathWith("/login", returnTo));
      },
    }),
    actionFor("/account/confirm", "confirm", "Show anew who you are: a code, or the password where there is no second factor", "/account", plain.extend({ return_to: returnField, code: z.string().max(64).default(""), password: z.string().max(4096).default("") }), async (person, body) => {
      const { user, enrolled, request } = person;
      const returnTo = returnPath(body.return_to);
      const shown = hasFactor(enrolled) ? await signIn.code(user, body.code, request) : await signIn.password(user.username, body.password, request);
      if (!("refused" in shown)) return confirmed(person, "factor" in shown ? shown.factor : "password", returnTo);
      return shown.refused === "throttled" ? confirmPage(person, returnTo, 429, waitText(shown.seconds), { "retry-after": String(shown.seconds) }) : confirmPage(person, returnTo, 422, hasFactor(enrolled) ? "That code is not right, or was used before" : "That password is not right");
    }, { fresh: false }),
    actionFor("/account/confirm/passkey/options", "confirmPasskeyOptions", "What the browser needs to ask for your passkey", "/account", plain.extend({ return_to: returnField }), async ({ user, session }) => ({ status: 200, body: await factors.passkeys.requestOptions(session.id, user.id) }), { fresh: false, responses: { 200: { description: "PublicKeyCredentialRequestOptions as JSON (WebAuthn Level 3)", schema: z.record(z.string(), z.unknown()) } } }),
    actionFor("/account/confirm/passkey", "confirmPasskey", "Show anew who you are with a passkey", "/account", plain.extend({ return_to: returnField, credential: z.string().max(65_536).default("") }), async (person, body) => {
      const { user, session, request } = person;
      const returnTo = returnPath(body.return_to);
      const used = await factors.passkeys.use(session.id, body.credential);
      if (used?.userId === user.id) return confirmed(person, "passkey", returnTo);
      audit.record({ type: "authentication.passkey.failed", actorId: user.id, requestId: request.id, detail: { reason: "confirmation" } });
      return confirmPage(person, returnTo, 422, "That passkey was not accepted");
    }, { fresh: false }),
  ];
}

function trail(): Html {
  return html`<nav aria-label="Account"><a href="/account">Your account</a></nav>`;
}

function day(at: number | undefined): string {
  return at === undefined ? "never" : new Date(at).toISOString().slice(0, 10);
}

function minute(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

function overview({ session, user, enrolled }: Person): RouteOutput {
  const kinds = [...(enrolled.totp ? ["an authenticator app"] : []), ...(enrolled.passkeys > 0 ? [enrolled.passkeys === 1 ? "a passkey" : `${enrolled.passkeys} passkeys`] : [])];
  return show({
    title: "Your account",
    body: html`<h1>${user.username}</h1>
<p>You hold ${user.scopes.length === 0 ? "no scopes yet" : html`<code>${user.scopes.join(" ")}</code>`}.</p>
${user.scopes.includes("admin") && kinds.length === 0 ? html`<p class="notice">You are an administrator, but <strong>admin</strong> needs a second factor: <a href="/account/factors">add one</a>.</p>` : undefined}
<dl class="facts">
<dt>Second factor</dt><dd>${kinds.length === 0 ? "none" : kinds.join(" and ")} · <a href="/account/factors">Change</a></dd>
<dt>Password</dt><dd><a href="/account/password">Change</a></dd>
<dt>Sign-ins</dt><dd><a href="/account/sessions">Where you are signed in</a></dd>
<dt>Programs</dt><dd><a href="/account/clients">What you have allowed to act for you</a></dd>
</dl>
<form method="post" action="/logout">${hidden({ csrf: session.csrfToken })}<button type="submit">Sign out</button></form>`,
  });
}

function factorsPage(person: Person, passkeys: Awaited<ReturnType<Factors["passkeys"]["list"]>>, passkeysHere: boolean, elsewhere: string | undefined, status = 200, message?: string): RouteOutput {
  const { session, enrolled } = person;
  const csrf = hidden({ csrf: session.csrfToken });
  return show({
    title: "Second factors",
    status,
    passkeys: passkeysHere,
    body: html`${trail()}<h1>Second factors</h1>
${alertOf(message)}
${hasFactor(enrolled) ? undefined : html`<p>With a second factor a stolen password opens nothing. Administrators need one.</p>`}
<h2>Passkeys</h2>
<p>A passkey lives in your device, your phone or a security key, and cannot be given to a false page.</p>
${passkeys.length === 0 ? undefined : html`<table><thead><tr><th scope="col">Passkey</th><th scope="col">Since</th><th scope="col">Last used</th><th scope="col">Kept</th><th scope="col">Action</th></tr></thead><tbody>${passkeys.map(({ id, name, createdAt, lastUsedAt, synced }) => html`<tr><th scope="row">${name}</th><td>${day(createdAt)}</td><td>${day(lastUsedAt)}</td><td>${synced ? "synchronised" : "on one device"}</td>
<td><form method="post" action="/account/factors/passkeys/remove">${csrf}${hidden({ id })}<button type="submit" aria-label="Remove ${name}">Remove</button></form></td></tr>`)}</tbody></table>`}
${passkeysHere ? html`${passkeyForm("create", { action: "/account/factors/passkeys", fields: { csrf: session.csrfToken }, button: "Add a passkey", before: html`<label for="name">Name of the passkey</label><input id="name" name="name" maxlength="100" placeholder="My laptop" autocomplete="off">` })}<noscript><p class="hint">Passkeys need JavaScript; an authenticator app does not.</p></noscript>` : elsewhere === undefined ? html`<p class="hint">Passkeys need a host name in SALLYPORT_PUBLIC_URL.</p>` : html`<p class="hint">To add or use passkeys, open <a href="${elsewhere}/account/factors">${elsewhere}</a>: they are bound to a name.</p>`}
<h2>Authenticator app</h2>
${enrolled.totp ? html`<p>An app shows your codes.</p><form method="post" action="/account/factors/totp/remove">${csrf}<button type="submit">Remove the app</button></form>` : html`<p>An app on your phone shows a new code every 30 seconds.</p><form method="post" action="/account/factors/totp">${csrf}<button type="submit">Set up an app</button></form>`}
${hasFactor(enrolled) ? html`<h2>Recovery codes</h2><p>${enrolled.recoveryCodes} of your codes are left. New ones replace them.</p><form method="post" action="/account/factors/recovery-codes">${csrf}<button type="submit">Make new codes</button></form>` : undefined}`,
  });
}

function codesPage(codes: readonly string[], title: string, cookie: string): RouteOutput {
  return show({
    title,
    cookie,
    body: html`<h1>${title}</h1>
<p>Keep these recovery codes where you will find them without your device: on paper, or in a password manager. Each works once, in place of your second factor.</p>
<ul class="codes">${codes.map((code) => html`<li><code>${code}</code></li>`)}</ul>
<p class="hint">They are shown only now.</p>
<p><a class="button" href="/account">I have kept them</a></p>`,
  });
}

function sessionsPage({ session }: Person, entries: Awaited<ReturnType<Sessions["list"]>>): RouteOutput {
  const csrf = hidden({ csrf: session.csrfToken });
  return show({
    title: "Where you are signed in",
    body: html`${trail()}<h1>Where you are signed in</h1>
<table><thead><tr><th scope="col">Device</th><th scope="col">Network</th><th scope="col">Since</th><th scope="col">Last used</th><th scope="col">Action</th></tr></thead><tbody>${entries.map(({ id, device, address, authenticatedAt, lastSeenAt }) => html`<tr><th scope="row">${device}</th><td>${address}</td><td>${minute(authenticatedAt)}</td><td>${minute(lastSeenAt)}</td>
<td>${id === session.id ? "this browser" : html`<form method="post" action="/account/sessions">${csrf}${hidden({ id })}<button type="submit" aria-label="Sign out ${device}, since ${minute(authenticatedAt)}">Sign out</button></form>`}</td></tr>`)}</tbody></table>
${entries.length > 1 ? html`<form method="post" action="/account/sessions">${csrf}${hidden({ id: "others" })}<button type="submit">Sign out everywhere else</button></form>` : undefined}`,
  });
}

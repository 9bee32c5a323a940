/**
 * Signing in with a browser: password, then the second factor where there is one; or a passkey alone. Until somebody is signed in, a cookie
 * of its own ties form, challenge and half-finished sign-in to one browser; it is renewed when a password was right (session fixation).
 */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { Audit } from "../../audit/index.ts";
import { sameText } from "../../kernel/digest.ts";
import { newToken } from "../../kernel/ids.ts";
import { problem } from "../../kernel/problem.ts";
import { html } from "../../net/html.ts";
import { route, type RequestInfo, type Route, type RouteOutput } from "../../net/route.ts";
import type { Snapshot, UserState } from "../../snapshot/index.ts";
import type { Vault } from "../../storage/index.ts";
import { createCookie } from "../cookies.ts";
import { hasFactor, type Factors } from "../mfa/factors.ts";
import { isEnoughAlone } from "../password-rules.ts";
import { returnPath } from "../return-to.ts";
import type { Factor, Sessions } from "../sessions.ts";
import type { SignIn } from "../sign-in.ts";
import type { Steps } from "../steps.ts";
import { alertOf, codeField, csrfField, hidden, pageOf, passkeyForm, passkeyScript, pathWith, returnField, see, show, waitText } from "./page.ts";

export interface LoginRoutes {
  sessions: Sessions;
  signIn: SignIn;
  factors: Factors;
  steps: Steps;
  vault: Vault;
  audit: Audit;
  snapshot: Pick<Snapshot, "users">;
  publicUrl: string;
  /** Other ways to sign in, shown as links. @param returnTo a path of this origin. */
  links?: (returnTo: string) => readonly { label: string; href: string }[];
}

/** Seconds from the password to the second factor. */
const attemptLifetime = 600;

export function loginRoutes({ sessions, signIn, factors, steps, vault, audit, snapshot, publicUrl, links = () => [] }: LoginRoutes): Route[] {
  const attemptCookie = createCookie(publicUrl, "sallyport-attempt");
  const attemptOf = (request: RequestInfo) => attemptCookie.read(request.headers.get("cookie"));
  const csrfOf = (attempt: string) => vault.keyedHash("csrf", attempt);
  const genuine = (attempt: string | undefined, csrf: string): attempt is string => attempt !== undefined && sameText(csrfOf(attempt), csrf);
  const passkeysHere = (request: RequestInfo) => factors.passkeys.party !== undefined && new URL(factors.passkeys.party.origin).host === request.headers.get("host");

  const loginPage = (request: RequestInfo, returnTo: string, { status = 200, message, username = "", headers = {} }: { status?: number; message?: string; username?: string; headers?: Record<string, string> } = {}): RouteOutput => {
    const attempt = attemptOf(request) ?? newToken();
    const fields = { csrf: csrfOf(attempt), return_to: returnTo };
    const passkeys = passkeysHere(request);
    const others = links(returnTo);
    return show({
      title: "Sign in",
      status,
      cookie: attemptCookie.set(attempt, attemptLifetime),
      passkeys,
      headers,
      body: html`<h1>Sign in</h1>
${alertOf(message)}
<form method="post" action="/login">
${hidden(fields)}
<label for="username">User name</label>
<input id="username" name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="200" value="${username}" autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="4096">
<button type="submit">Sign in</button>
</form>
${passkeys ? passkeyForm("get", { action: "/login/passkey", fields, button: "Sign in with a passkey" }) : undefined}
${others.length > 0 ? html`<h2>Other ways</h2><ul class="ways">${others.map(({ label, href }) => html`<li><a href="${href}">${label}</a></li>`)}</ul>` : undefined}`,
    });
  };

  const factorPage = async (request: RequestInfo, attempt: string, user: Pick<UserState, "id">, returnTo: string, { status = 200, message, headers = {} }: { status?: number; message?: string; headers?: Record<string, string> } = {}): Promise<RouteOutput> => {
    const { totp, passkeys } = await factors.of(user.id);
    const fields = { csrf: csrfOf(attempt), return_to: returnTo };
    const withPasskey = passkeys > 0 && passkeysHere(request);
    return show({
      title: "Second factor",
      status,
      passkeys: withPasskey,
      headers,
      body: html`<h1>Second factor</h1>
${alertOf(message)}
${withPasskey ? passkeyForm("get", { action: "/login/passkey", fields, button: "Use a passkey" }) : passkeys > 0 && factors.passkeys.party ? html`<p class="hint">Your passkeys work at <a href="${factors.passkeys.party.origin}/login">${factors.passkeys.party.origin}</a> only.</p>` : undefined}
<form method="post" action="/login/factor">
${hidden(fields)}
${codeField(totp ? "Code from your app, or a recovery code" : "Recovery code")}
<button type="submit">Continue</button>
</form>
<p><a href="${pathWith("/login", returnTo)}">Start again</a></p>`,
    });
  };

  const finish = async (user: UserState, shown: readonly Factor[], request: RequestInfo, path: string): Promise<RouteOutput> => {
    await signIn.succeeded(user);
    return see(path, await sessions.start(user.id, shown, request));
  };
  const expired = (request: RequestInfo, returnTo: string) => loginPage(request, returnTo, { status: 403, message: "That form was too old, or your browser keeps no cookies. Please try again." });
  /** The user whose password was right in this browser. */
  const halfway = async (attempt: string): Promise<UserState | undefined> => {
    const step = await steps.read<{ userId: string }>("password-shown", attempt, attempt);
    return step && snapshot.users.get(step.userId);
  };

  const base = { tag: "Signing in", access: "anyone" } as const;
  const answers = { 303: { description: "Signed in, or the next step" }, 403: pageOf("The form again: it was too old"), 422: pageOf("The form again, saying what was wrong"), 429: pageOf("Too many failed attempts") };
  const asked = z.object({ return_to: returnField });
  return [
    route({
      ...base,
      method: "get",
      path: "/login",
      operationId: "loginPage",
      summary: "The page to sign in at; `return_to` is a path of this origin to go to afterwards",
      query: asked,
      responses: { 200: pageOf("The form") },
      handler: ({ query, request }) => loginPage(request, returnPath(query.return_to)),
    }),
    route({
      ...base,
      method: "post",
      path: "/login",
      operationId: "login",
      summary: "Sign in with user name and password",
      body: { type: "form", schema: z.object({ csrf: csrfField, return_to: returnField, username: z.string().max(200).default(""), password: z.string().max(4096).default("") }) },
      responses: answers,
      async handler({ body, request }) {
        const returnTo = returnPath(body.return_to);
        if (!genuine(attemptOf(request), body.csrf)) return expired(request, returnTo);
        const shown = await signIn.password(body.username, body.password, request);
        if (!("user" in shown)) {
          const { username } = body;
          if (shown.refused === "throttled") return loginPage(request, returnTo, { status: 429, message: waitText(shown.seconds), username, headers: { "retry-after": String(shown.seconds) } });
          return loginPage(request, returnTo, { status: 422, message: "Incorrect user name or password", username });
        }
        const { user } = shown;
        // NIST SP 800-63B-4 section 3.1.1.1: what is too short to stand alone must be changed, or get a second factor.
        if (!hasFactor(await factors.of(user.id))) return finish(user, ["password"], request, isEnoughAlone(body.password) ? returnTo : "/account/password");
        const attempt = newToken();
        await steps.put("password-shown", attempt, attempt, { userId: user.id }, attemptLifetime);
        return see(pathWith("/login/factor", returnTo), attemptCookie.set(attempt, attemptLifetime));
      },
    }),
    route({
      ...base,
      method: "get",
      path: "/login/factor",
      operationId: "secondFactorPage",
      summary: "The page for the second factor, after the password",
      query: asked,
      responses: { 200: pageOf("The form"), 303: { description: "The password first" } },
      async handler({ query, request }) {
        const returnTo = returnPath(query.return_to);
        const attempt = attemptOf(request);
        const user = attempt === undefined ? undefined : await halfway(attempt);
        return attempt === undefined || !user ? see(pathWith("/login", returnTo)) : factorPage(request, attempt, user, returnTo);
      },
    }),
    route({
      ...base,
      method: "post",
      path: "/login/factor",
      operationId: "secondFactor",
      summary: "Finish signing in with a one-time code or recovery code",
      body: { type: "form", schema: z.object({ csrf: csrfField, return_to: returnField, code: z.string().max(64).default("") }) },
      responses: answers,
      async handler({ body, request }) {
        const returnTo = returnPath(body.return_to);
        const attempt = attemptOf(request);
        if (!genuine(attempt, body.csrf)) return expired(request, returnTo);
        const user = await halfway(attempt);
        if (!user) return see(pathWith("/login", returnTo));
        const shown = await signIn.code(user, body.code, request);
        if ("refused" in shown) {
          if (shown.refused === "throttled") return factorPage(request, attempt, user, returnTo, { status: 429, message: waitText(shown.seconds), headers: { "retry-after": String(shown.seconds) } });
          return factorPage(request, attempt, user, returnTo, { status: 422, message: "That code is not right, or was used before" });
        }
        if (!(await steps.take("password-shown", attempt, attempt))) return see(pathWith("/login", returnTo));
        return finish(user, ["password", shown.factor], request, returnTo);
      },
    }),
    route({
      ...base,
      method: "post",
      path: "/login/passkey/options",
      operationId: "passkeySignInOptions",
      summary: "What the browser needs to ask for a passkey",
      body: { type: "form", schema: z.object({ csrf: csrfField, return_to: returnField }) },
      responses: { 200: { description: "PublicKeyCredentialRequestOptions as JSON (WebAuthn Level 3)", schema: z.record(z.string(), z.unknown()) } },
      async handler({ body, request }) {
        const attempt = attemptOf(request);
        if (!genuine(attempt, body.csrf) || !factors.passkeys.party) throw problem("forbidden", { detail: "Load the page again" });
        const user = await halfway(attempt);
        return { status: 200, body: await factors.passkeys.requestOptions(attempt, user?.id) };
      },
    }),
    route({
      ...base,
      method: "post",
      path: "/login/passkey",
      operationId: "passkeySignIn",
      summary: "Sign in with a passkey, alone or as the second factor",
      body: { type: "form", schema: z.object({ csrf: csrfField, return_to: returnField, credential: z.string().max(65_536).default("") }) },
      responses: answers,
      async handler({ body, request }) {
        const returnTo = returnPath(body.return_to);
        const attempt = attemptOf(request);
        if (!genuine(attempt, body.csrf)) return expired(request, returnTo);
        const before = await halfway(attempt);
        const used = await factors.passkeys.use(attempt, body.credential);
        const user = used && snapshot.users.get(used.userId);
        // After a password, only a passkey of that very person is its second factor.
        if (!user || user.disabled || (before && before.id !== user.id)) {
          audit.record({ type: "authentication.passkey.failed", ...(user ? { actorId: user.id } : {}), requestId: request.id, detail: { reason: user ? "user" : "credential" } });
          return loginPage(request, returnTo, { status: 422, message: "That passkey was not accepted" });
        }
        audit.record({ type: "factor.used", actorId: user.id, requestId: request.id, detail: { kind: "passkey" } });
        if (before) await steps.take("password-shown", attempt, attempt);
        return finish(user, before ? ["password", "passkey"] : ["passkey"], request, returnTo);
      },
    }),
    route({
      ...base,
      method: "post",
      path: "/logout",
      operationId: "logout",
      summary: "End this browser's sign-in",
      body: { type: "form", schema: z.object({ csrf: csrfField }) },
      responses: { 303: { description: "Signed out" } },
      async handler({ body, request }) {
        const session = await sessions.read(request.headers.get("cookie"));
        if (session && !sameText(session.csrfToken, body.csrf)) return see("/account");
        return see("/login", await sessions.end(session, request));
      },
    }),
    route({
      ...base,
      method: "get",
      path: passkeyScript,
      operationId: "passkeyScript",
      summary: "The script of passkeys",
      responses: { 200: { description: "JavaScript", schema: z.string(), contentType: "text/javascript; charset=utf-8" } },
      handler: () => ({ status: 200, body: script, headers: { "cache-control": "public, max-age=3600" } }),
    }),
  ];
}

const script = readFileSync(new URL("assets/passkeys.mjs", import.meta.url), "utf8");

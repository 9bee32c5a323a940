/**
 * The authorization endpoint and the person's part in it: oidc-provider judges the request, this page asks the signed-in person, and the answer
 * goes back to the client by oidc-provider. An authorization belongs to the browser that began it (cookie) and to the session that consents.
 */
import type { Interaction, Provider } from "oidc-provider";
import type { Audit } from "../../audit/index.ts";
import { pageHeaders } from "../../net/html.ts";
import type { RequestInfo, RouteOutput } from "../../net/route.ts";
import type { Snapshot, UserState } from "../../snapshot/index.ts";
import type { Resources } from "../resources.ts";
import { callProvider, cookieOf, cookiePrefix, type ProviderAnswer } from "./bridge.ts";
import { authenticationClaims } from "../step-up.ts";
import { loginPath, type BrowserSession, type FormTokens, type ReadSession } from "./browser.ts";
import type { Consent, Request } from "./consent.ts";
import { routes, type Engine } from "./engine.ts";
import { consentHeaders, consentPage, messagePage, onwardPage } from "./pages.ts";
import { output, withDefaultScope, type Form } from "./token.ts";

export interface Authorize {
  begin(params: Form, request: RequestInfo): Promise<RouteOutput>;
  /** The person's page. */
  show(uid: string, request: RequestInfo): Promise<RouteOutput>;
  decide(uid: string, form: { token: string; decision: "allow" | "deny" }, request: RequestInfo): Promise<RouteOutput>;
  resume(uid: string, request: RequestInfo): Promise<RouteOutput>;
}

export interface AuthorizeOptions {
  engine: Engine;
  consent: Consent;
  resources: Resources;
  snapshot: Pick<Snapshot, "users">;
  readSession: ReadSession;
  forms: FormTokens;
  audit: Audit;
  now: () => number;
}

interface Begun {
  provider: Provider;
  interaction: Interaction;
}

interface Person extends Begun {
  session: BrowserSession;
  user: UserState;
  asked: Request;
}

export function createAuthorize({ engine, consent, resources, snapshot, readSession, forms, audit, now }: AuthorizeOptions): Authorize {
  const begun = async (uid: string, { headers }: RequestInfo): Promise<Begun | undefined> => {
    if (cookieOf(headers.get("cookie"), `${cookiePrefix}interaction`) !== uid) return undefined;
    const provider = await engine.get();
    const interaction = await provider.Interaction.find(uid);
    return interaction && { provider, interaction };
  };
  const person = async (uid: string, request: RequestInfo): Promise<Person | RouteOutput> => {
    const found = await begun(uid, request);
    if (!found) return html(400, messagePage("This request is over", "It has expired, was answered already, or was begun in another browser. Go back to the program and start again."));
    const { params } = found.interaction;
    const session = await readSession(request.headers.get("cookie") ?? undefined);
    const user = session && snapshot.users.get(session.userId);
    if (!session || !user || user.disabled || isTooOld(session, found.interaction, now())) return { status: 303, headers: { location: loginPath(`/interaction/${uid}`) } };
    const asked = await consent.read(found.provider, params, user);
    if (!asked) return html(400, messagePage("This request is over", "The program that asked is no longer known here."));
    return { ...found, session, user, asked };
  };
  const finish = async ({ interaction }: Begun, result: NonNullable<Interaction["result"]>): Promise<string> => {
    interaction.result = result;
    await interaction.save(Math.max(1, interaction.exp - Math.floor(now() / 1000)));
    return interaction.returnTo;
  };
  const allow = async (who: Person): Promise<string> => {
    const grantId = await consent.give(who.provider, who.asked, who.user);
    const how = authenticationClaims({ at: who.session.authenticatedAt, factors: who.session.factors });
    return finish(who, { login: { accountId: who.user.id, remember: false, ts: how.auth_time, amr: how.amr }, consent: { grantId } });
  };
  const grantsNothing = ({ asked }: Person) => asked.asked.resources.every(({ scopes }) => scopes.length === 0) && asked.openid.length === 0;

  return {
    async begin(params, request) {
      const complete = params["request_uri"] === undefined ? withDefaultScope(resources, params) : params;
      const query = new URLSearchParams(Object.entries(complete).filter((entry): entry is [string, string] => entry[1] !== undefined));
      return forPeople(await callProvider(await engine.get(), { method: "GET", target: `${routes.authorization}?${query}` }), request);
    },
    async show(uid, request) {
      const who = await person(uid, request);
      if ("status" in who) return who;
      const { asked, user, session, interaction } = who;
      if (grantsNothing(who)) {
        audit.record({ type: "oauth.consent.denied", actorId: user.id, requestId: request.id, detail: { client: asked.asker.clientId, reason: "scope" } });
        return html(200, onwardPage(await finish(who, { error: "invalid_scope", error_description: "The person holds none of the requested scopes" }), asked.asker));
      }
      const prompts = String(interaction.params["prompt"] ?? "").split(" ");
      if (!prompts.includes("consent") && (await consent.isRemembered(asked, user))) return html(200, onwardPage(await allow(who), asked.asker));
      const page = consentPage(asked.asker, asked.asked, user.username, { action: `/interaction/${uid}`, token: forms.make(session, uid) });
      return html(200, page, consentHeaders(asked.asker.redirectUri));
    },
    async decide(uid, form, request) {
      const who = await person(uid, request);
      if ("status" in who) return who;
      const { asked, user, session } = who;
      forms.require(session, uid, form.token);
      const granted = form.decision === "allow" && !grantsNothing(who);
      const detail = { client: asked.asker.clientId, resources: asked.asked.resources.map(({ resource }) => resource.uri), scopes: asked.asked.resources.flatMap(({ scopes }) => scopes) };
      audit.record(granted ? { type: "oauth.consent.given", actorId: user.id, requestId: request.id, detail } : { type: "oauth.consent.denied", actorId: user.id, requestId: request.id, detail: { client: asked.asker.clientId, reason: "person" } });
      return { status: 303, headers: { location: granted ? await allow(who) : await finish(who, { error: "access_denied", error_description: "The person did not allow it" }) } };
    },
    async resume(uid, request) {
      const resume = cookieOf(request.headers.get("cookie"), `${cookiePrefix}resume`);
      return forPeople(await callProvider(await engine.get(), { method: "GET", target: `${routes.authorization}/${uid}`, cookies: { resume } }), request);
    },
  };
}

/** `prompt=login` asks for a sign-in after the request began, `max_age` for one that is not older (OpenID Connect Core section 3.1.2.1). */
function isTooOld({ authenticatedAt }: BrowserSession, { params, iat }: Interaction, now: number): boolean {
  if (String(params["prompt"] ?? "").split(" ").includes("login") && authenticatedAt < iat * 1000) return true;
  const age = params["max_age"];
  return age !== undefined && now - authenticatedAt > Number(age) * 1000;
}

function html(status: number, body: string, headers: Record<string, string> = pageHeaders): RouteOutput {
  return { status, text: body, headers: { ...headers, "content-type": "text/html; charset=utf-8" } };
}

/** An error that goes to no client is for the person, in a browser; for a program it stays JSON. */
function forPeople(answer: ProviderAnswer, { headers }: RequestInfo): RouteOutput {
  if (answer.status < 400 || !/\btext\/html\b/.test(headers.get("accept") ?? "")) return output(answer);
  const { error_description: description, error } = answer.body ?? {};
  return { ...html(answer.status, messagePage("This cannot go on", `The program that sent you here asked for something that is not possible: ${String(description ?? error ?? "unknown")}`)), cookies: answer.cookies };
}

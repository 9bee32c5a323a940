/** The person's part of the device flow (RFC 8628 section 3.3): the code is typed or confirmed by a signed-in person, who sees who asks for what. */
import type { DeviceCode, Provider } from "oidc-provider";
import type { Audit } from "../../audit/index.ts";
import { pageHeaders } from "../../net/html.ts";
import type { RequestInfo, RouteOutput } from "../../net/route.ts";
import type { Snapshot, UserState } from "../../snapshot/index.ts";
import type { Throttle } from "../throttle.ts";
import { authenticationClaims } from "../step-up.ts";
import { loginPath, type BrowserSession, type FormTokens, type ReadSession } from "./browser.ts";
import type { Consent } from "./consent.ts";
import type { Engine } from "./engine.ts";
import { deviceCodePage, devicePage, messagePage } from "./pages.ts";

export interface Device {
  show(userCode: string | undefined, request: RequestInfo): Promise<RouteOutput>;
  decide(form: { user_code: string; token: string; decision: "allow" | "deny" }, request: RequestInfo): Promise<RouteOutput>;
}

export interface DeviceOptions {
  engine: Engine;
  consent: Consent;
  snapshot: Pick<Snapshot, "users">;
  readSession: ReadSession;
  forms: FormTokens;
  throttle: Throttle;
  audit: Audit;
}

interface Found {
  provider: Provider;
  code: DeviceCode;
}

export function createDevice({ engine, consent, snapshot, readSession, forms, throttle, audit }: DeviceOptions): Device {
  const signedIn = async ({ headers }: RequestInfo): Promise<{ session: BrowserSession; user: UserState } | undefined> => {
    const session = await readSession(headers.get("cookie") ?? undefined);
    const user = session && snapshot.users.get(session.userId);
    return session && user && !user.disabled ? { session, user } : undefined;
  };
  /** Guessing codes is slowed down per person, as guessing passwords is (RFC 8628 section 5.1). */
  const find = async (userCode: string, user: UserState): Promise<Found | string> => {
    const subject = { kind: "account", value: `device-code:${user.id}` } as const;
    if ((await throttle.blockedFor(subject)) > 0) return "Too many wrong codes; try again later.";
    const provider = await engine.get();
    const code = await provider.DeviceCode.findByUserCode(normal(userCode));
    if (code && !code.consumed && code.accountId === undefined && code.error === undefined && !code.isExpired) return { provider, code };
    await throttle.fail(subject);
    return "This code is wrong, used or expired. Start again on the device.";
  };
  const entry = (error?: string) => html(error === undefined ? 200 : 422, deviceCodePage({ action: "/device", token: "" }, error));

  return {
    async show(userCode, request) {
      const person = await signedIn(request);
      if (!person) return { status: 303, headers: { location: loginPath(`/device${userCode === undefined ? "" : `?${new URLSearchParams({ user_code: userCode })}`}`) } };
      if (userCode === undefined) return entry();
      const found = await find(userCode, person.user);
      if (typeof found === "string") return entry(found);
      const asked = await consent.read(found.provider, found.code.params ?? {}, person.user);
      if (!asked) return entry("The program that asked is no longer known here.");
      return html(200, devicePage(asked.asker, asked.asked, person.user.username, shown(normal(userCode)), { action: "/device", token: forms.make(person.session, normal(userCode)), fields: { user_code: normal(userCode) } }));
    },
    async decide(form, request) {
      const person = await signedIn(request);
      if (!person) return { status: 303, headers: { location: loginPath("/device") } };
      forms.require(person.session, form.user_code, form.token);
      const found = await find(form.user_code, person.user);
      if (typeof found === "string") return entry(found);
      const { provider, code } = found;
      const asked = await consent.read(provider, code.params ?? {}, person.user);
      if (!asked) return entry("The program that asked is no longer known here.");
      const granted = form.decision === "allow" && asked.asked.resources.some(({ scopes }) => scopes.length > 0);
      const client = asked.asker.clientId;
      const resources = asked.asked.resources.map(({ resource }) => resource.uri);
      const scopes = asked.asked.resources.flatMap((one) => one.scopes);
      if (granted) {
        const grantId = await consent.give(provider, asked, person.user);
        const how = authenticationClaims({ at: person.session.authenticatedAt, factors: person.session.factors });
        Object.assign(code, { accountId: person.user.id, grantId, scope: [...scopes, ...asked.openid].join(" "), resource: resources.length === 1 ? resources[0] : resources, authTime: how.auth_time, amr: how.amr });
      } else Object.assign(code, { error: "access_denied", errorDescription: "The person did not allow it" });
      await code.save();
      audit.record(granted ? { type: "oauth.consent.given", actorId: person.user.id, requestId: request.id, detail: { client, resources, scopes } } : { type: "oauth.consent.denied", actorId: person.user.id, requestId: request.id, detail: { client, reason: "person" } });
      return html(200, granted ? messagePage("The device is signed in", "You can close this page and go on there.") : messagePage("Denied", "The device was not signed in."));
    },
  };
}

/** As people type codes: any case, any separators. */
function normal(userCode: string): string {
  return userCode.toUpperCase().replaceAll(/[^A-Z]/g, "");
}

function shown(code: string): string {
  return `${code.slice(0, 4)}-${code.slice(4)}`;
}

function html(status: number, body: string): RouteOutput {
  return { status, text: body, headers: { ...pageHeaders, "content-type": "text/html; charset=utf-8" } };
}

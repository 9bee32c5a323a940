/** An OAuth client and its person, for tests: what the client sends, and a browser that keeps cookies and presses the buttons. */
import { createHash, randomBytes } from "node:crypto";
import type { StartOptions } from "../../src/main.ts";
import { startWorld, type World, type WorldOptions } from "../world.ts";

/** Signed in is who the cookie names: the sessions themselves are not what is tested here. */
export const readSession: NonNullable<StartOptions["readSession"]> = async (cookies) => {
  const userId = /(?:^|; )person=([^;]+)/.exec(cookies ?? "")?.[1];
  return userId === undefined ? undefined : { id: `session-of-${userId}`, userId, authenticatedAt: Date.now(), factors: ["password", "totp"], lastFactorAt: Date.now() };
};

export const startOAuthWorld = (options: WorldOptions = {}): Promise<World> => startWorld({ readSession, ...options });

export interface Person {
  userId: string;
  cookies: Map<string, string>;
}

export async function personOf(world: World, username: string): Promise<Person> {
  const user = (await (await world.fetch(`/api/v1/users/${username}`, { token: await world.admin() })).json()) as { id: string };
  return { userId: user.id, cookies: new Map([["person", user.id]]) };
}

export interface RegisteredClient {
  clientId: string;
  clientSecret?: string;
}

export async function registerClient(world: World, client: Record<string, unknown>): Promise<RegisteredClient> {
  const response = await world.fetch("/api/v1/clients", { token: await world.admin(), json: { name: "A client", authMethod: "none", grantTypes: ["authorization_code", "refresh_token"], redirectUris: [callback], ...client } });
  if (response.status !== 201) throw new Error(`client: ${response.status} ${await response.text()}`);
  return (await response.json()) as RegisteredClient;
}

/** Where a client waits; nobody listens there, the tests read the redirect. */
export const callback = "https://client.example/callback";

export function pkce(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString("base64url");
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") };
}

/** A browser's request: sends the person's cookies that are for the path, keeps what is set, follows nothing. */
export async function browse(world: World, person: Person, target: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(new URL(target, world.url), { ...init, redirect: "manual", headers: { accept: "text/html", cookie: [...person.cookies].map(([name, value]) => `${name}=${value}`).join("; "), ...(init.headers as Record<string, string>) } });
  for (const cookie of response.headers.getSetCookie()) {
    const [pair = ""] = cookie.split(";");
    const at = pair.indexOf("=");
    if (/expires=Thu, 01 Jan 1970/i.test(cookie)) person.cookies.delete(pair.slice(0, at));
    else person.cookies.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return response;
}

export interface AuthorizationRequest {
  clientId: string;
  redirectUri?: string;
  challenge: string;
  scope?: string;
  resource?: string;
  further?: Record<string, string | undefined>;
}

export function authorizationUrl({ clientId, redirectUri = callback, challenge, scope, resource, further = {} }: AuthorizationRequest): string {
  const parameters = { response_type: "code", client_id: clientId, redirect_uri: redirectUri, code_challenge: challenge, code_challenge_method: "S256", state: "a-state", scope, resource, ...further };
  return `/authorize?${new URLSearchParams(Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined))}`;
}

/** Goes through the pages until the browser is sent to the client. @returns the parameters that it brings, and the consent page if there was one. */
export async function authorize(world: World, person: Person, url: string, decision: "allow" | "deny" = "allow"): Promise<{ answer: URLSearchParams; page: string | undefined; location: URL }> {
  let response = await browse(world, person, url);
  let page: string | undefined;
  for (let hop = 0; hop < 10; hop++) {
    const location = response.headers.get("location");
    if (response.status === 303 && location !== null) {
      const target = new URL(location, world.url);
      if (target.origin !== world.url) return { answer: target.searchParams, page, location: target };
      response = await browse(world, person, target.pathname + target.search);
      continue;
    }
    const text = await response.text();
    const onward = /http-equiv="refresh" content="0; url=([^"]+)"/.exec(text)?.[1];
    if (onward !== undefined) {
      const target = new URL(onward.replaceAll("&amp;", "&"), world.url);
      response = await browse(world, person, target.pathname + target.search);
      continue;
    }
    const action = /<form method="post" action="([^"]+)"/.exec(text)?.[1];
    if (action === undefined) throw new Error(`stuck: ${response.status} ${text}`);
    page = text;
    const fields = [...text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)].map(([, name = "", value = ""]) => [name, value]);
    response = await browse(world, person, action, { method: "POST", body: new URLSearchParams([...fields, ["decision", decision]]), headers: { origin: world.url } });
  }
  throw new Error("too many hops");
}

export interface TokenAnswer {
  access_token: string;
  refresh_token?: string;
  token_type: string;
  expires_in: number;
  scope: string;
  id_token?: string;
}

export function tokenRequest(world: World, fields: Record<string, string | undefined>, headers: Record<string, string> = {}): Promise<Response> {
  return world.fetch("/token", { method: "POST", headers, body: new URLSearchParams(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined)) });
}

/** The whole code flow. @throws when it does not end in a token. */
export async function signIn(world: World, person: Person, request: Omit<AuthorizationRequest, "challenge">): Promise<TokenAnswer> {
  const { verifier, challenge } = pkce();
  const { answer } = await authorize(world, person, authorizationUrl({ ...request, challenge }));
  const response = await tokenRequest(world, { grant_type: "authorization_code", code: answer.get("code") ?? "", redirect_uri: request.redirectUri ?? callback, client_id: request.clientId, code_verifier: verifier });
  if (response.status !== 200) throw new Error(`token: ${response.status} ${await response.text()} ${answer}`);
  return (await response.json()) as TokenAnswer;
}

/** Signing in at an identity provider: two real oidc-providers, a browser that follows redirects, and everything that must not work. */
import { exportJWK, generateKeyPair } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startIdp, type Idp } from "./external-idp.ts";
import { databases, startWorld, type World } from "./world.ts";

const publicUrl = "http://localhost:8420";
const clientSecret = "the secret of a test client, long enough";

describe.each(databases)("identity providers on %s", (database) => {
  let world: World;
  let corp: Idp;
  let other: Idp;
  let admin = "";
  let clientKey: object;
  const send = (method: string, path: string, json?: unknown) => world.fetch(path, { token: admin, method, ...(json === undefined ? {} : { json }) });
  const settings = (idp: Idp, name: string, fields: object = {}) => ({ name, title: `Sign in with ${name}`, issuer: idp.issuer, clientId: "sallyport", secret: clientSecret, groups: { "corp-readers": "readers" }, mfa: { amr: ["mfa"] }, scopes: ["openid", "profile", "email", "groups"], ...fields });
  const configure = async (idp: Idp, name: string, fields: object = {}) => {
    const response = await send("PUT", `/api/v1/identity-providers/${name}`, settings(idp, name, fields));
    expect(response.status, await response.clone().text()).toBe(200);
  };
  const get = (path: string, cookie = "") => fetch(world.url + path, { redirect: "manual", headers: { cookie } });
  const cookieOf = (response: Response) => response.headers.getSetCookie().map((line) => line.split(";")[0]).join("; ");
  /** Leaves for the provider. */
  const leave = async (name: string, query = "") => {
    const response = await get(`/login/external/${name}${query}`);
    expect(response.status, await response.clone().text()).toBe(303);
    return { location: response.headers.get("location") ?? "", cookie: cookieOf(response) };
  };
  /** Comes back with what the provider's redirect says. */
  const arrive = (url: URL, cookie: string) => get(url.pathname + url.search, cookie);
  const signIn = async (idp: Idp, name: string, person: Idp["person"], query = "") => {
    idp.person = person;
    const { location, cookie } = await leave(name, query);
    return arrive(await idp.authorize(location), cookie);
  };
  const user = async (name: string) => (await (await send("GET", `/api/v1/users/${encodeURIComponent(name)}`)).json()) as { id: string; groups: string[]; effectiveScopes: string[]; disabled: boolean };
  const reason = async () => {
    const { items } = (await (await send("GET", "/api/v1/audit/events?type=authentication.external.failed&limit=1")).json()) as { items: { detail: { reason: string } }[] };
    return items[0]?.detail.reason;
  };

  beforeAll(async () => {
    const pair = await generateKeyPair("ES256", { extractable: true });
    clientKey = { ...(await exportJWK(pair.privateKey)), kid: "client-key", alg: "ES256" };
    const publicKey = { ...(await exportJWK(pair.publicKey)), kid: "client-key", alg: "ES256", use: "sig" };
    const clients = (name: string) => () => [
      { client_id: "sallyport", client_secret: clientSecret, redirect_uris: [`${publicUrl}/login/callback/${name}`], grant_types: ["authorization_code"], response_types: ["code" as const] },
      { client_id: "with-key", token_endpoint_auth_method: "private_key_jwt" as const, token_endpoint_auth_signing_alg: "ES256" as const, jwks: { keys: [publicKey] }, redirect_uris: [`${publicUrl}/login/callback/${name}`], grant_types: ["authorization_code"], response_types: ["code" as const] },
    ];
    [corp, other] = await Promise.all([startIdp(clients("corp")), startIdp(clients("other"))]);
    world = await startWorld({ database, settings: { SALLYPORT_PUBLIC_URL: publicUrl } });
    admin = await world.admin();
    await send("POST", "/api/v1/groups", { name: "readers", scopes: ["servers:read"] });
    for (const [idp, name] of [[corp, "corp"], [other, "other"]] as const) {
      const made = await send("POST", "/api/v1/identity-providers", settings(idp, name));
      expect(made.status, await made.clone().text()).toBe(201);
      const view = await made.text();
      expect(view).not.toContain(clientSecret);
      expect(JSON.parse(view)).toMatchObject({ hasSecret: true, redirectUri: `${publicUrl}/login/callback/${name}` });
    }
  });
  beforeEach(() => {
    for (const idp of [corp, other]) {
      idp.overrides.clear();
      idp.down = false;
    }
  });
  afterAll(async () => {
    await world.end();
    await Promise.all([corp.close(), other.close()]);
  });

  it("keeps the client secret sealed", async () => {
    const rows = await world.storage.db.selectFrom("identity_providers").select("secret").execute();
    for (const { secret } of rows) expect(secret).toMatch(/^v1\./);
  });

  it("are offered on the sign-in page, with the way on", async () => {
    const page = await (await get("/login?return_to=/account")).text();
    expect(page).toContain('href="/login/external/corp?return_to=%2Faccount"');
    expect(page).toContain("Sign in with other");
  });

  it("sign a person in: an account at first sight, groups by the claim, a session, and back to where the person was", async () => {
    const response = await signIn(corp, "corp", { sub: "ada-1", preferred_username: "ada", name: "Ada", groups: ["corp-readers", "unmapped"] }, "?return_to=/account");
    expect(response.status, await response.clone().text()).toBe(303);
    expect(response.headers.get("location")).toBe("/account");
    expect(cookieOf(response)).toContain("sallyport-session=");
    expect(await user("ada")).toMatchObject({ groups: ["readers"], effectiveScopes: ["servers:read"] });
  });

  it("know the person again by issuer and subject, whatever the name, and follow the groups each time", async () => {
    const { id } = await user("ada");
    expect((await signIn(corp, "corp", { sub: "ada-1", preferred_username: "ada.l", groups: [] })).status).toBe(303);
    expect(await user("ada")).toMatchObject({ id, groups: [] });
    expect((await send("GET", "/api/v1/users/ada.l")).status).toBe(404);
    expect((await signIn(corp, "corp", { sub: "ada-1", groups: ["corp-readers"] })).status).toBe(303);
    expect(await user("ada")).toMatchObject({ groups: ["readers"] });
    expect((await signIn(corp, "corp", { sub: "ada-1" })).status).toBe(303);
    expect(await user("ada")).toMatchObject({ groups: [] });
  });

  it("leave memberships alone that an administrator gave", async () => {
    await send("PUT", "/api/v1/groups/readers/members/ada");
    expect((await signIn(corp, "corp", { sub: "ada-1", groups: [] })).status).toBe(303);
    expect(await user("ada")).toMatchObject({ groups: ["readers"] });
    await send("DELETE", "/api/v1/groups/readers/members/ada");
  });

  it("say whether several factors were used, where the provider's word counts", async () => {
    const factors = async () => JSON.parse((await world.storage.db.selectFrom("browser_sessions").select("factors").orderBy("authenticated_at", "desc").orderBy("id", "desc").limit(1).executeTakeFirstOrThrow()).factors) as string[];
    await signIn(corp, "corp", { sub: "ada-1", amr: ["pwd"] });
    expect(await factors()).toEqual(["federated"]);
    await signIn(corp, "corp", { sub: "ada-1", amr: ["pwd", "mfa"] });
    expect(await factors()).toEqual(["federated", "mfa"]);
  });

  it("work with a private key instead of a secret, and through another database process at once", async () => {
    await configure(corp, "corp", { clientId: "with-key", clientAuth: "private_key_jwt", secret: JSON.stringify(clientKey) });
    expect((await signIn(corp, "corp", { sub: "ada-1" })).status).toBe(303);
    expect((await send("PUT", "/api/v1/identity-providers/corp", settings(corp, "corp", { clientAuth: "private_key_jwt", secret: "no key" }))).status).toBe(422);
    await configure(corp, "corp");
  });

  it("never lead to an account that exists, by name or by address", async () => {
    const before = await user("root");
    expect((await signIn(other, "other", { sub: "mallory", preferred_username: "root", email: "root@corp.example", email_verified: true })).status).toBe(303);
    expect(await user("root")).toEqual(before);
    expect(await user("root.other")).toMatchObject({ effectiveScopes: [] });
    // The same subject at another issuer is another person.
    expect((await signIn(other, "other", { sub: "ada-1", preferred_username: "ada" })).status).toBe(303);
    expect((await user("ada.other")).id).not.toBe((await user("ada")).id);
  });

  it("lead to an account that a directory provisioned, when configured, by its identifier", async () => {
    await send("POST", "/scim/v2/Users", { userName: "grace", externalId: "object-id-1" });
    const { id } = await user("grace");
    await configure(corp, "corp", { linkExternalId: "oid", createUsers: false });
    expect((await signIn(corp, "corp", { sub: "pairwise-1", oid: "object-id-1", preferred_username: "anything" })).status).toBe(303);
    const row = await world.storage.db.selectFrom("external_identities").select("user_id").where("subject", "=", "pairwise-1").executeTakeFirstOrThrow();
    expect(row.user_id).toBe(id);
    expect((await signIn(corp, "corp", { sub: "stranger", oid: "object-id-2" })).status).toBe(403);
    expect(await reason()).toBe("unknown-person");
    await send("DELETE", `/scim/v2/Users/${id}`);
    expect((await signIn(corp, "corp", { sub: "pairwise-1", oid: "object-id-1" })).status).toBe(403);
    expect(await reason()).toBe("deprovisioned");
    await configure(corp, "corp");
  });

  it("keep out who is disabled, and people of other domains", async () => {
    await send("PATCH", "/api/v1/users/ada", { disabled: true });
    expect((await signIn(corp, "corp", { sub: "ada-1" })).status).toBe(403);
    expect(await reason()).toBe("disabled");
    expect(await user("ada")).toMatchObject({ disabled: true });
    await send("PATCH", "/api/v1/users/ada", { disabled: false });
    await configure(corp, "corp", { allowedDomains: ["corp.example"] });
    for (const person of [{ email: "x@elsewhere.example", email_verified: true }, { email: "x@corp.example", email_verified: false }, { email: "x@corp.example" }, { email: "x@corp.example@elsewhere.example", email_verified: true }, {}]) {
      expect((await signIn(corp, "corp", { sub: "domain", ...person })).status, JSON.stringify(person)).toBe(403);
    }
    expect((await signIn(corp, "corp", { sub: "domain", email: "x@corp.example", email_verified: true })).status).toBe(303);
    await configure(corp, "corp");
  });

  it("refuse a groups claim of another form", async () => {
    for (const groups of [7, { a: 1 }, [["corp-readers"]], [1]]) expect((await signIn(corp, "corp", { sub: "ada-1", groups })).status, JSON.stringify(groups)).toBe(403);
    expect(await reason()).toBe("claim-groups");
  });

  it("refuse a redirect that comes back twice, late, without state, or to another browser", async () => {
    corp.person = { sub: "ada-1" };
    const { location, cookie } = await leave("corp");
    const back = await corp.authorize(location);
    expect((await arrive(back, "")).status).toBe(403);
    expect(await reason()).toBe("browser");
    // Whoever brought it to the wrong browser has spent it.
    expect((await arrive(back, cookie)).status).toBe(403);
    expect(await reason()).toBe("state");
    const again = await leave("corp");
    const second = await corp.authorize(again.location);
    expect((await arrive(second, again.cookie)).status).toBe(303);
    expect((await arrive(second, again.cookie)).status).toBe(403);
    const bare = new URL(second);
    bare.searchParams.delete("state");
    expect((await arrive(bare, again.cookie)).status).toBe(403);
    const third = await leave("corp");
    const theirs = await leave("corp");
    expect((await arrive(await corp.authorize(third.location), theirs.cookie)).status).toBe(403);
  });

  it("refuse the answer of one provider for another (mix-up)", async () => {
    [corp.person, other.person] = [{ sub: "ada-1" }, { sub: "ada-1" }];
    const toCorp = await leave("corp");
    const fromCorp = await corp.authorize(toCorp.location);
    const crossed = new URL(fromCorp);
    crossed.pathname = "/login/callback/other";
    expect((await arrive(crossed, toCorp.cookie)).status).toBe(403);
    expect(await reason()).toBe("mix-up");
    // A code of one provider with the state of another.
    const toOther = await leave("other");
    const state = new URL(toOther.location).searchParams.get("state") ?? "";
    const stolen = new URL(fromCorp);
    stolen.pathname = "/login/callback/other";
    stolen.searchParams.set("state", state);
    expect((await arrive(stolen, toOther.cookie)).status).toBe(403);
    const wrongIssuer = await leave("corp");
    const answer = await corp.authorize(wrongIssuer.location);
    answer.searchParams.set("iss", other.issuer);
    expect((await arrive(answer, wrongIssuer.cookie)).status).toBe(403);
    const noIssuer = await leave("corp");
    const silent = await corp.authorize(noIssuer.location);
    silent.searchParams.delete("iss");
    expect((await arrive(silent, noIssuer.cookie)).status).toBe(403);
  });

  it("refuse a person's no, and a code that is not the provider's", async () => {
    const { location, cookie } = await leave("corp");
    const state = new URL(location).searchParams.get("state") ?? "";
    expect((await get(`/login/callback/corp?${new URLSearchParams({ error: "access_denied", state, iss: corp.issuer })}`, cookie)).status).toBe(403);
    const next = await leave("corp");
    expect((await get(`/login/callback/corp?${new URLSearchParams({ code: "made-up", state: new URL(next.location).searchParams.get("state") ?? "", iss: corp.issuer })}`, next.cookie)).status).toBe(403);
  });

  const seconds = () => Math.floor(Date.now() / 1000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const idToken = (nonce: string, fields: object = {}) => ({ iss: corp.issuer, aud: "sallyport", sub: "ada-1", iat: seconds(), exp: seconds() + 300, nonce, ...fields });
  it.each<[string, (nonce: string) => Promise<string>]>([
    ["another nonce", (nonce) => corp.sign(idToken(`${nonce}x`), { typ: "JWT" })],
    ["no nonce", () => corp.sign(idToken("", { nonce: undefined }), { typ: "JWT" })],
    ["another audience", (nonce) => corp.sign(idToken(nonce, { aud: "somebody-else" }), { typ: "JWT" })],
    ["another issuer", (nonce) => corp.sign(idToken(nonce, { iss: other.issuer }), { typ: "JWT" })],
    ["an expired one", (nonce) => corp.sign(idToken(nonce, { exp: seconds() - 3600, iat: seconds() - 7200 }), { typ: "JWT" })],
    ["another provider's signature", (nonce) => other.sign(idToken(nonce), { typ: "JWT" })],
    ["alg none", async (nonce) => `${part({ alg: "none" })}.${part(idToken(nonce))}.`],
    ["a claim of the wrong type", (nonce) => corp.sign(idToken(nonce, { sub: 7 }), { typ: "JWT" })],
  ])("refuse an ID token with %s", async (_what, make) => {
    const { location, cookie } = await leave("corp");
    const sent = new URL(location).searchParams;
    const token = await make(sent.get("nonce") ?? "");
    corp.overrides.set("/token", (_request, response) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ access_token: "x", token_type: "Bearer", id_token: token })));
    expect((await get(`/login/callback/corp?${new URLSearchParams({ code: "c", state: sent.get("state") ?? "", iss: corp.issuer })}`, cookie)).status).toBe(403);
  });

  it("accept the same ID token when nothing is wrong with it", async () => {
    const { location, cookie } = await leave("corp");
    const sent = new URL(location).searchParams;
    const token = await corp.sign(idToken(sent.get("nonce") ?? ""), { typ: "JWT" });
    corp.overrides.set("/token", (_request, response) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ access_token: "x", token_type: "Bearer", id_token: token })));
    expect((await get(`/login/callback/corp?${new URLSearchParams({ code: "c", state: sent.get("state") ?? "", iss: corp.issuer })}`, cookie)).status).toBe(303);
  });

  it("send PKCE, state, nonce and exactly the registered redirect URI, and never lead elsewhere afterwards", async () => {
    const sent = new URL((await leave("corp")).location).searchParams;
    expect(Object.fromEntries(sent)).toMatchObject({ response_type: "code", code_challenge_method: "S256", redirect_uri: `${publicUrl}/login/callback/corp`, client_id: "sallyport" });
    for (const name of ["state", "nonce", "code_challenge"]) expect(sent.get(name)?.length).toBeGreaterThanOrEqual(43);
    for (const target of ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]) {
      expect((await signIn(corp, "corp", { sub: "ada-1" }, `?return_to=${encodeURIComponent(target)}`)).headers.get("location")).toMatch(/^\/account|^\/$/);
    }
  });

  it("answer 404 for what there is not, and 503 for a provider that is down and unknown", async () => {
    expect((await get("/login/external/nobody")).status).toBe(404);
    await configure(other, "other", { enabled: false });
    expect((await get("/login/external/other")).status).toBe(404);
    await configure(other, "other");
    const made = await send("POST", "/api/v1/identity-providers", settings(other, "dead", { issuer: "http://127.0.0.1:9" }));
    expect(made.status).toBe(201);
    expect((await get("/login/external/dead")).status).toBe(503);
    expect((await send("DELETE", "/api/v1/identity-providers/dead")).status).toBe(204);
  });

  it("leave an event of each sign-in, refusal and change", async () => {
    for (const type of ["authentication.external.succeeded", "authentication.external.failed", "identity-provider.changed", "user.provisioned", "group.member.added", "group.member.removed"]) {
      const { items } = (await (await send("GET", `/api/v1/audit/events?type=${type}`)).json()) as { items: unknown[] };
      expect(items.length, type).toBeGreaterThan(0);
    }
  });
});

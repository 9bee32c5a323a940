/** The authorization code flow on both databases: what OAuth 2.1 and RFC 9700 ask for, from the client's and the attacker's side. */
import { decodeJwt, decodeProtectedHeader } from "jose";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { adminName, databases, type World } from "../world.ts";
import { authorizationUrl, authorize, browse, callback, personOf, pkce, registerClient, signIn, startOAuthWorld, tokenRequest, type Person, type RegisteredClient } from "./flow.ts";

describe.each(databases)("the authorization server on %s", (database) => {
  let world: World;
  let person: Person;
  let client: RegisteredClient;
  let resource = "";
  const said: unknown[] = [];
  beforeAll(async () => {
    for (const method of ["log", "info", "warn", "error", "debug"] as const) vi.spyOn(console, method).mockImplementation((...args) => void said.push(args));
    world = await startOAuthWorld({ database });
    person = await personOf(world, adminName);
    client = await registerClient(world, {});
    await world.fetch("/api/v1/servers", { token: await world.admin(), json: { name: "one", url: "http://127.0.0.1:1/mcp" } });
    resource = `${world.publicUrl}/servers/one/mcp`;
  });
  afterAll(async () => {
    await world.end();
    vi.restoreAllMocks();
  });

  it("describes itself with exactly its issuer", async () => {
    for (const path of ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]) {
      const body = (await (await world.fetch(path)).json()) as Record<string, unknown>;
      expect(body).toMatchObject({ issuer: world.publicUrl, authorization_endpoint: `${world.publicUrl}/authorize`, token_endpoint: `${world.publicUrl}/token`, jwks_uri: `${world.publicUrl}/.well-known/jwks.json`, response_types_supported: ["code"], response_modes_supported: ["query"], code_challenge_methods_supported: ["S256"], authorization_response_iss_parameter_supported: true, client_id_metadata_document_supported: true });
      expect(body["grant_types_supported"]).not.toContain("implicit");
      expect(body["token_endpoint_auth_methods_supported"]).toContain("private_key_jwt");
      expect(body).not.toHaveProperty("registration_endpoint");
    }
  });

  it("gives a token for the resource alone, in our own form, and the call passes", async () => {
    const token = await signIn(world, person, { clientId: client.clientId, resource, scope: "tools:call" });
    expect(token).toMatchObject({ token_type: "Bearer", scope: "tools:call" });
    expect(decodeProtectedHeader(token.access_token)).toMatchObject({ typ: "at+jwt", alg: "EdDSA" });
    expect(decodeJwt(token.access_token)).toMatchObject({ iss: world.publicUrl, aud: resource, sub: person.userId, client_id: client.clientId, scope: "tools:call", scopes: ["tools:call"] });
    const call = (path: string) => fetch(world.url + path, { method: "POST", body: '{"jsonrpc":"2.0","id":1,"method":"ping"}', headers: { authorization: `Bearer ${token.access_token}`, "content-type": "application/json" } });
    expect((await call("/servers/one/mcp")).status).toBe(502);
    expect((await call("/servers/two/mcp")).status).toBe(401);
    expect((await world.fetch("/api/v1/servers", { headers: { authorization: `Bearer ${token.access_token}` } })).status).toBe(401);
  });

  describe("by RFC 9700", () => {
    const begin = async (changes: Record<string, string | undefined> = {}) => browse(world, person, authorizationUrl({ clientId: client.clientId, challenge: pkce().challenge, resource, scope: "tools:call", further: changes }));
    const codeOf = async (request: Partial<Parameters<typeof authorizationUrl>[0]> = {}) => {
      const { verifier, challenge } = pkce();
      const { answer } = await authorize(world, person, authorizationUrl({ clientId: client.clientId, challenge, resource, scope: "tools:call", ...request }));
      return { code: answer.get("code") ?? "", verifier, answer };
    };
    const redeem = (code: string, verifier: string | undefined, changes: Record<string, string | undefined> = {}) => tokenRequest(world, { grant_type: "authorization_code", code, redirect_uri: callback, client_id: client.clientId, code_verifier: verifier, ...changes });

    it.each([
      ["another path", `${callback}/more`],
      ["another query", `${callback}?x=1`],
      ["another case", callback.toUpperCase()],
      ["a port", "https://client.example:8443/callback"],
      ["another host that begins alike", "https://client.example.evil.example/callback"],
      ["credentials in it", "https://client.example@evil.example/callback"],
      ["a traversal", "https://client.example/callback/../evil"],
      ["http instead of https", "http://client.example/callback"],
      ["javascript", "javascript:alert(1)"],
    ])("1, 2: refuses a redirect URI with %s, and sends the browser nowhere", async (_what, uri) => {
      const response = await begin({ redirect_uri: uri });
      expect(response.status).toBe(400);
      expect(response.headers.get("location")).toBeNull();
      expect(response.headers.get("content-type")).toContain("text/html");
      expect(await response.text()).not.toContain("<script");
    });

    it("1: lets a program on loopback choose its port, and nothing else", async () => {
      const native = await registerClient(world, { redirectUris: ["http://127.0.0.1/cb"] });
      const at = (redirectUri: string) => browse(world, person, authorizationUrl({ clientId: native.clientId, redirectUri, challenge: pkce().challenge, resource }));
      expect((await at("http://127.0.0.1:49152/cb")).status).toBe(303);
      expect((await at("http://127.0.0.1:49152/other")).status).toBe(400);
      expect((await at("http://localhost:49152/cb")).status).toBe(400);
      expect((await at("https://127.0.0.1:49152/cb")).status).toBe(400);
    });

    it.each<[string, Record<string, string | undefined>, string]>([
      ["3: no PKCE", { code_challenge: undefined, code_challenge_method: undefined }, "invalid_request"],
      ["3: plain PKCE", { code_challenge_method: "plain" }, "invalid_request"],
      ["3: a challenge without its method", { code_challenge_method: undefined }, "invalid_request"],
      ["3: a challenge that is too short", { code_challenge: "short" }, "invalid_request"],
      ["7: the implicit grant", { response_type: "token" }, "invalid_request"],
      ["7: the hybrid flow", { response_type: "code id_token", nonce: "n", scope: "openid" }, "invalid_request"],
      ["an unknown resource", { resource: "https://evil.example/mcp" }, "invalid_target"],
      ["another's resource under our name", { resource: `${"http://127.0.0.1"}/servers/one/mcp/../../x` }, "invalid_target"],
      ["a request object", { request: "eyJhbGciOiJub25lIn0.e30." }, "request_not_supported"],
      ["a reference to a request elsewhere", { request_uri: "https://evil.example/request" }, "request_uri_not_supported"],
      ["no prompt at all", { prompt: "none" }, "login_required"],
    ])("refuses %s", async (_what, changes, error) => {
      const response = await begin(changes);
      const location = response.headers.get("location");
      if (location === null) expect(await response.text()).toMatch(/This cannot go on/);
      else {
        expect(response.status).toBe(303);
        const { hash, search } = new URL(location);
        expect(Object.fromEntries(new URLSearchParams(hash.slice(1) || search))).toMatchObject({ error, iss: world.publicUrl, state: "a-state" });
      }
    });

    it("3: takes a code only with its verifier", async () => {
      for (const verifier of [undefined, pkce().verifier, "short"]) {
        const { code } = await codeOf();
        expect((await redeem(code, verifier)).status, String(verifier)).toBe(400);
      }
    });

    it("4: takes a code once; its second use ends what the first gave", async () => {
      const { code, verifier } = await codeOf();
      const first = (await (await redeem(code, verifier)).json()) as { access_token: string; refresh_token: string };
      const call = () => fetch(`${world.url}/servers/one/mcp`, { method: "POST", body: '{"jsonrpc":"2.0","id":1,"method":"ping"}', headers: { authorization: `Bearer ${first.access_token}`, "content-type": "application/json" } });
      expect((await call()).status).toBe(502);
      const second = await redeem(code, verifier);
      expect(second.status).toBe(400);
      expect(await second.json()).toMatchObject({ error: "invalid_grant" });
      expect((await call()).status).toBe(401);
      expect((await tokenRequest(world, { grant_type: "refresh_token", refresh_token: first.refresh_token, client_id: client.clientId })).status).toBe(400);
    });

    it("4: of many uses of a code at once, no token survives", async () => {
      const { code, verifier } = await codeOf();
      const answers = await Promise.all(Array.from({ length: 8 }, async () => (await redeem(code, verifier)).json() as Promise<{ access_token?: string }>));
      const tokens = answers.flatMap(({ access_token }) => access_token ?? []);
      expect(tokens.length).toBeLessThanOrEqual(1);
      for (const token of tokens) expect((await fetch(`${world.url}/servers/one/mcp`, { method: "POST", headers: { authorization: `Bearer ${token}` } })).status).toBe(401);
    });

    it("5: lets a code live for a minute", async () => {
      const { code, verifier } = await codeOf();
      const now = Date.now();
      vi.spyOn(Date, "now").mockImplementation(() => now + 61_000);
      const late = await redeem(code, verifier);
      vi.mocked(Date.now).mockRestore();
      expect(await late.json()).toMatchObject({ error: "invalid_grant" });
    });

    it("6: names itself in the answer, good or bad", async () => {
      expect((await codeOf()).answer.get("iss")).toBe(world.publicUrl);
      const { answer } = await authorize(world, person, authorizationUrl({ clientId: client.clientId, challenge: pkce().challenge, resource, further: { prompt: "consent" } }), "deny");
      expect(Object.fromEntries(answer)).toMatchObject({ error: "access_denied", iss: world.publicUrl, state: "a-state" });
    });

    it("9: gives a new refresh token each time; the use of an old one ends the family", async () => {
      const token = await signIn(world, person, { clientId: client.clientId, resource, scope: "tools:call" });
      const refresh = async (refresh_token: string | undefined) => tokenRequest(world, { grant_type: "refresh_token", refresh_token, client_id: client.clientId });
      const second = (await (await refresh(token.refresh_token)).json()) as { access_token: string; refresh_token: string };
      expect(second.refresh_token).not.toBe(token.refresh_token);
      expect(decodeJwt(second.access_token).aud).toBe(resource);
      expect(await (await refresh(token.refresh_token)).json()).toMatchObject({ error: "invalid_grant" });
      expect(await (await refresh(second.refresh_token)).json()).toMatchObject({ error: "invalid_grant" });
      for (const dead of [token.access_token, second.access_token]) expect((await fetch(`${world.url}/servers/one/mcp`, { method: "POST", headers: { authorization: `Bearer ${dead}` } })).status).toBe(401);
    });

    it("9: of many uses of a refresh token at once, at most one succeeds, and the family ends", async () => {
      const token = await signIn(world, person, { clientId: client.clientId, resource, scope: "tools:call" });
      const answers = await Promise.all(Array.from({ length: 8 }, () => tokenRequest(world, { grant_type: "refresh_token", refresh_token: token.refresh_token, client_id: client.clientId })));
      const bodies = (await Promise.all(answers.map((answer) => answer.json()))) as { access_token?: string; refresh_token?: string; error?: string }[];
      const won = bodies.filter(({ access_token }) => access_token !== undefined);
      expect(won.length).toBeLessThanOrEqual(1);
      expect(bodies.filter(({ error }) => error === "invalid_grant").length).toBe(8 - won.length);
      for (const { access_token, refresh_token } of won) {
        expect((await fetch(`${world.url}/servers/one/mcp`, { method: "POST", headers: { authorization: `Bearer ${access_token}` } })).status).toBe(401);
        expect((await tokenRequest(world, { grant_type: "refresh_token", refresh_token, client_id: client.clientId })).status).toBe(400);
      }
    });

    it("10: ends a family of refresh tokens when its first would have ended", async () => {
      const token = await signIn(world, person, { clientId: client.clientId, resource, scope: "tools:call" });
      const now = Date.now();
      const at = (seconds: number) => vi.spyOn(Date, "now").mockImplementation(() => now + seconds * 1000);
      at(29 * 86_400);
      const fresh = (await (await tokenRequest(world, { grant_type: "refresh_token", refresh_token: token.refresh_token, client_id: client.clientId })).json()) as { refresh_token: string };
      expect(fresh.refresh_token).toBeDefined();
      at(31 * 86_400);
      const late = await tokenRequest(world, { grant_type: "refresh_token", refresh_token: fresh.refresh_token, client_id: client.clientId });
      vi.mocked(Date.now).mockRestore();
      expect(await late.json()).toMatchObject({ error: "invalid_grant" });
    });

    it("11: binds a refresh token to its client, resource and scope", async () => {
      const other = await registerClient(world, {});
      const token = await signIn(world, person, { clientId: client.clientId, resource, scope: "tools:call" });
      const refresh = async (changes: Record<string, string>) => (await tokenRequest(world, { grant_type: "refresh_token", refresh_token: token.refresh_token, client_id: client.clientId, ...changes })).json();
      expect(await refresh({ client_id: other.clientId })).toMatchObject({ error: "invalid_grant" });
      expect(await refresh({ resource: `${world.publicUrl}/servers/two/mcp` })).toMatchObject({ error: "invalid_target" });
      const again = await signIn(world, person, { clientId: client.clientId, resource, scope: "tools:call" });
      expect(await (await tokenRequest(world, { grant_type: "refresh_token", refresh_token: again.refresh_token, client_id: client.clientId, scope: "tools:call admin" })).json()).toMatchObject({ error: "invalid_scope" });
    });

    it("12: refuses another resource at the token endpoint than was consented to", async () => {
      const { code, verifier } = await codeOf();
      expect(await (await redeem(code, verifier, { resource: world.publicUrl })).json()).toMatchObject({ error: "invalid_target" });
    });

    it("12: without a resource, the token is for the management API", async () => {
      const token = await signIn(world, person, { clientId: client.clientId });
      expect(decodeJwt(token.access_token)).toMatchObject({ aud: world.publicUrl, scope: "servers:read" });
      expect((await world.fetch("/api/v1/servers", { headers: { authorization: `Bearer ${token.access_token}` } })).status).toBe(200);
    });

    it("14: takes no token from the query", async () => {
      const token = await signIn(world, person, { clientId: client.clientId });
      expect((await world.fetch(`/api/v1/servers?access_token=${token.access_token}`)).status).toBe(401);
    });

    it("16: redirects with 303 only", async () => {
      const response = await begin();
      expect(response.status).toBe(303);
    });

    it("17: answers no origin at the authorization endpoint", async () => {
      const allowed = await begin();
      expect(allowed.headers.get("access-control-allow-origin")).toBeNull();
      const preflight = await world.fetch("/authorize", { method: "OPTIONS", headers: { origin: world.url, "access-control-request-method": "GET" } });
      expect(preflight.headers.get("access-control-allow-origin")).toBeNull();
    });

    it("18, 19, 22: shows who asks for what, and where the answer goes, on a page that cannot be framed or scripted", async () => {
      const hostile = await registerClient(world, { name: 'Evil"><script>alert(1)</script>' });
      const { page } = await authorize(world, person, authorizationUrl({ clientId: hostile.clientId, challenge: pkce().challenge, resource, scope: "tools:call", further: { prompt: "consent" } }));
      expect(page).toContain("client.example");
      expect(page).toContain("Call tools through the gateway");
      expect(page).toContain(resource);
      expect(page).not.toContain("<script");
      const begun = await browse(world, person, authorizationUrl({ clientId: hostile.clientId, challenge: pkce().challenge, resource, further: { prompt: "consent" } }));
      const shown = await browse(world, person, begun.headers.get("location") ?? "");
      expect(shown.headers.get("content-security-policy")).toBe("default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' https://client.example; frame-ancestors 'none'; base-uri 'none'");
      expect(shown.headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(shown.headers.get("x-frame-options")).toBe("DENY");
      expect(shown.headers.get("referrer-policy")).toBe("same-origin");
      expect(shown.headers.get("cache-control")).toBe("no-store");
    });

    it("20: answers metadata of its own name only", async () => {
      expect((await fetch(`${world.url.replace("127.0.0.1", "localhost")}/.well-known/oauth-authorization-server`).then((response) => response.json())) as object).toMatchObject({ issuer: world.publicUrl, token_endpoint: `${world.publicUrl}/token` });
    });

    it("21: an authorization belongs to the browser that began it", async () => {
      const begun = await begin({ prompt: "consent" });
      const path = begun.headers.get("location") ?? "";
      const stranger: Person = { userId: person.userId, cookies: new Map([["person", person.userId]]) };
      const shown = await browse(world, stranger, path);
      expect(shown.status).toBe(400);
      expect(await shown.text()).toContain("another browser");
      expect((await browse(world, stranger, path.replace("/interaction/", "/authorize/"))).status).toBe(400);
    });

    it("21: a form that is not from the person's own session is refused", async () => {
      const begun = await begin({ prompt: "consent" });
      const path = begun.headers.get("location") ?? "";
      const post = (token: string, headers: Record<string, string> = { origin: world.url }) => browse(world, person, path, { method: "POST", body: new URLSearchParams({ token, decision: "allow" }), headers });
      expect((await post("forged")).status).toBe(403);
      expect((await post("", { origin: "https://evil.example" })).status).toBe(403);
    });

    it("asks a person who is not signed in to sign in, and comes back", async () => {
      const nobody: Person = { userId: "", cookies: new Map() };
      const begun = await browse(world, nobody, authorizationUrl({ clientId: client.clientId, challenge: pkce().challenge, resource }));
      const path = begun.headers.get("location") ?? "";
      const sent = await browse(world, nobody, path);
      expect(sent.status).toBe(303);
      expect(sent.headers.get("location")).toBe(`/login?${new URLSearchParams({ return_to: path })}`);
    });

    it("sets cookies that no script reads and no other path gets", async () => {
      const cookies = (await begin()).headers.getSetCookie();
      expect(cookies).toHaveLength(2);
      for (const cookie of cookies) expect(cookie).toMatch(/^__Secure-sallyport-oauth-(?:interaction=[\w-]+; path=\/interaction\/|resume=[\w-]+; path=\/authorize\/)[\w-]+;.*samesite=lax.*httponly.*secure$/i);
    });
  });

  describe("consent", () => {
    const again = (clientId: string, further: Record<string, string> = {}, request: { resource?: string; scope?: string; redirectUri?: string } = {}) => authorize(world, person, authorizationUrl({ clientId, challenge: pkce().challenge, resource, scope: "tools:call", ...request, further }));

    it("is asked once per client, place and scope", async () => {
      const one = await registerClient(world, {});
      expect((await again(one.clientId)).page).toBeDefined();
      expect((await again(one.clientId)).page).toBeUndefined();
      expect((await again(one.clientId, { prompt: "consent" })).page).toBeDefined();
      expect((await again(one.clientId, {}, { resource: `${world.publicUrl}/servers/two/mcp` })).page).toBeDefined();
      expect((await again((await registerClient(world, {})).clientId)).page).toBeDefined();
    });

    it("is asked each time of a program on loopback", async () => {
      const native = await registerClient(world, { redirectUris: ["http://127.0.0.1/cb"] });
      for (let time = 0; time < 2; time++) expect((await again(native.clientId, {}, { redirectUri: "http://127.0.0.1:7777/cb" })).page).toContain("Allow it only if you have just started it yourself");
    });

    it("grants nothing that the person does not hold", async () => {
      await world.user("poor", "tools:call");
      const poor = await personOf(world, "poor");
      const one = await registerClient(world, {});
      const { verifier, challenge } = pkce();
      const { answer, page } = await authorize(world, poor, authorizationUrl({ clientId: one.clientId, challenge, scope: "admin tools:call" }));
      expect(page).toContain("which you do not hold");
      const token = (await (await tokenRequest(world, { grant_type: "authorization_code", code: answer.get("code") ?? "", redirect_uri: callback, client_id: one.clientId, code_verifier: verifier })).json()) as { scope: string };
      expect(token.scope).toBe("tools:call");
      const nothing = await authorize(world, poor, authorizationUrl({ clientId: one.clientId, challenge, scope: "admin" }));
      expect(nothing.answer.get("error")).toBe("invalid_scope");
    });

    it("is listed, and ends at once with all its tokens", async () => {
      await world.user("lister", "tools:call");
      const lister = await personOf(world, "lister");
      const one = await registerClient(world, { name: "Listed client" });
      const token = await signIn(world, lister, { clientId: one.clientId, resource, scope: "tools:call" });
      const page = await (await browse(world, lister, "/account/clients")).text();
      expect(page).toContain("Listed client");
      const field = (name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page)?.[1] ?? "";
      const forged = await browse(world, person, "/account/clients", { method: "POST", body: new URLSearchParams({ token: field("token"), grant: field("grant") }), headers: { origin: world.url } });
      expect(forged.status).toBe(403);
      expect((await browse(world, lister, "/account/clients", { method: "POST", body: new URLSearchParams({ token: field("token"), grant: field("grant") }), headers: { origin: world.url } })).status).toBe(303);
      expect((await fetch(`${world.url}/servers/one/mcp`, { method: "POST", headers: { authorization: `Bearer ${token.access_token}` } })).status).toBe(401);
      expect(await (await browse(world, lister, "/account/clients")).text()).toContain("You have allowed no program");
    });

    it("ends when the person's account changes", async () => {
      await world.user("changing", "tools:call");
      const changing = await personOf(world, "changing");
      const one = await registerClient(world, {});
      const token = await signIn(world, changing, { clientId: one.clientId, resource, scope: "tools:call" });
      await world.fetch("/api/v1/users/changing", { token: await world.admin(), method: "PATCH", json: { password: "an entirely new password" } });
      expect((await fetch(`${world.url}/servers/one/mcp`, { method: "POST", headers: { authorization: `Bearer ${token.access_token}` } })).status).toBe(401);
      expect(await (await tokenRequest(world, { grant_type: "refresh_token", refresh_token: token.refresh_token, client_id: one.clientId })).json()).toMatchObject({ error: "invalid_grant" });
    });
  });

  it("keeps no code, token or user code in the database as it is", async () => {
    const token = await signIn(world, person, { clientId: client.clientId, resource, scope: "tools:call" });
    const rows = JSON.stringify(await world.storage.db.selectFrom("oauth_records").selectAll().execute());
    for (const secret of [token.access_token, token.refresh_token ?? "-", decodeJwt(token.access_token).jti ?? "-"]) expect(rows).not.toContain(secret);
    expect(rows).not.toContain(callback);
    expect(world.logLines.join("")).not.toContain(token.refresh_token ?? "-");
  });

  it("says nothing on the console", () => {
    expect(said).toEqual([]);
  });
});

/** Tokens of other issuers at the gateway and the API: signed by a real oidc-provider's keys, fetched from its real JWKS. */
import { createHmac, randomBytes } from "node:crypto";
import { exportSPKI, generateKeyPair, SignJWT, type JWTPayload } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startIdp, type Idp } from "./external-idp.ts";
import { databases, startWorld, type World } from "./world.ts";

const audience = "https://sallyport.example/agents";
const seconds = () => Math.floor(Date.now() / 1000);

describe.each(databases)("trusted issuers on %s", (database) => {
  let world: World;
  let idp: Idp;
  let admin = "";
  let skew = 0;
  const send = (method: string, path: string, json?: unknown, token = admin) => world.fetch(path, { token, method, ...(json === undefined ? {} : { json }) });
  const settings = (fields: object = {}) => ({ name: "corp", issuer: idp.issuer, audiences: [audience], opens: ["gateway", "api"], scopes: ["servers:read", "tools:call", "admin"], ...fields });
  const people = { groups: { "corp-readers": "readers" }, mfa: { amr: ["mfa"] } };
  const configure = async (fields: object) => {
    const response = await send("PUT", "/api/v1/trusted-issuers/corp", settings(fields));
    expect(response.status, await response.clone().text()).toBe(200);
  };
  const claims = (fields: JWTPayload = {}): JWTPayload => ({ iss: idp.issuer, aud: audience, sub: "someone", iat: seconds(), exp: seconds() + 300, ...fields });
  const read = async (token: string) => (await fetch(`${world.url}/api/v1/servers`, { headers: { authorization: `Bearer ${token}` } })).status;

  beforeAll(async () => {
    idp = await startIdp(() => [{ client_id: "worker", client_secret: "of-a-test", grant_types: ["client_credentials"], redirect_uris: [], response_types: [] }]);
    world = await startWorld({ database, now: () => Date.now() + skew });
    admin = await world.admin();
    await send("POST", "/api/v1/groups", { name: "readers", scopes: ["servers:read"] });
    await send("POST", "/api/v1/service-accounts", { name: "robot", scopes: ["servers:read", "tools:call", "admin"] });
    const made = await send("POST", "/api/v1/trusted-issuers", settings({ people }));
    expect(made.status, await made.clone().text()).toBe(201);
  });
  afterAll(async () => {
    await world.end();
    await idp.close();
  });

  it("lets a person in with a real token of the issuer, and follows the groups claim", async () => {
    const token = await idp.sign(claims({ sub: "ada", preferred_username: "ada", groups: ["corp-readers", "unmapped"] }));
    expect(await read(token)).toBe(200);
    expect(await (await send("GET", "/api/v1/users/ada")).json()).toMatchObject({ scopes: [], effectiveScopes: ["servers:read"], groups: ["readers"] });
    expect(await read(await idp.sign(claims({ sub: "ada", groups: [] })))).toBe(403);
    expect(await (await send("GET", "/api/v1/users/ada")).json()).toMatchObject({ groups: [] });
  });

  it("asks the issuer nothing and checks no signature on a warm call", async () => {
    const token = await idp.sign(claims({ sub: "warm", groups: ["corp-readers"] }));
    expect(await read(token)).toBe(200);
    const before = [...idp.asked.values()].reduce((sum, count) => sum + count, 0);
    idp.down = true;
    for (let count = 0; count < 20; count++) expect(await read(token)).toBe(200);
    idp.down = false;
    expect([...idp.asked.values()].reduce((sum, count) => sum + count, 0)).toBe(before);
  });

  it("ends with the account, at once, and with the trust", async () => {
    const token = await idp.sign(claims({ sub: "ending", preferred_username: "ending", groups: ["corp-readers"] }));
    expect(await read(token)).toBe(200);
    await send("PATCH", "/api/v1/users/ending", { disabled: true });
    expect(await read(token)).toBe(401);
    expect(await read(await idp.sign(claims({ sub: "ending", groups: ["corp-readers"], n: 2 })))).toBe(401);
    await send("PATCH", "/api/v1/users/ending", { disabled: false });
    expect(await read(token)).toBe(200);
    await configure({ people, enabled: false });
    expect(await read(token)).toBe(401);
    await configure({ people });
    expect(await read(token)).toBe(200);
  });

  it("carries no more than the issuer may, and administration only with several factors", async () => {
    const { id } = (await (await send("GET", "/api/v1/users/ada")).json()) as { id: string };
    expect(id).toBeDefined();
    await send("PATCH", "/api/v1/users/ada", { scopes: ["admin", "servers:write"] });
    const list = async (fields: JWTPayload) => (await fetch(`${world.url}/api/v1/users`, { headers: { authorization: `Bearer ${await idp.sign(claims({ sub: "ada", ...fields }))}` } })).status;
    expect(await list({})).toBe(403);
    expect(await list({ amr: ["pwd"] })).toBe(403);
    expect(await list({ amr: ["pwd", "mfa"] })).toBe(200);
    const writer = await idp.sign(claims({ sub: "ada", amr: ["mfa"] }));
    expect((await fetch(`${world.url}/api/v1/servers`, { method: "POST", headers: { authorization: `Bearer ${writer}`, "content-type": "application/json" }, body: "{}" })).status).toBe(403);
    await send("PATCH", "/api/v1/users/ada", { scopes: [] });
  });

  describe("refuse", () => {
    const wrong: [string, JWTPayload, Record<string, unknown>?][] = [
      ["another audience", { aud: "https://elsewhere.example" }],
      ["no audience", { aud: undefined as unknown as string }],
      ["the audience with a slash more", { aud: `${audience}/` }],
      ["an expired token", { exp: seconds() - 60, iat: seconds() - 120 }],
      ["a token that lives too long", { exp: seconds() + 200_000 }],
      ["a token of the future", { nbf: seconds() + 600 }],
      ["no subject", { sub: undefined as unknown as string }],
      ["an ID token", {}, { typ: "JWT" }],
      ["no typ", {}, { typ: undefined }],
      ["a groups claim that is a number", { groups: 7 }],
      ["a groups claim that holds objects", { groups: [{ name: "corp-readers" }] }],
      ["a token that is bound to a key", { cnf: { jkt: "x" } }],
      ["an unknown critical header", {}, { crit: ["x"], x: 1 }],
    ];
    it.each(wrong)("%s", async (what, fields, header) => {
      expect(await read(await idp.sign(claims({ sub: what, ...fields }), header).catch(() => `${what.length}.x.y`))).toBe(401);
    });

    it("another issuer, alg none, a foreign key, and HMAC with the public key", async () => {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
      const foreign = await generateKeyPair("RS256");
      const jwk = await idp.publicJwk();
      const pem = await exportSPKI(idp.publicKey());
      const tokens = [await idp.sign(claims({ iss: "https://evil.example" })), await idp.sign(claims({ iss: `${idp.issuer}/` })), await new SignJWT(claims()).setProtectedHeader({ alg: "RS256", kid: "key-1", typ: "at+jwt" }).sign(foreign.privateKey), await new SignJWT(claims()).setProtectedHeader({ alg: "RS256", typ: "at+jwt", jwk }).sign(foreign.privateKey)];
      for (const alg of ["none", "None", "nOnE"]) tokens.push(`${part({ alg, typ: "at+jwt" })}.${part(claims())}.`, `${part({ alg, typ: "at+jwt" })}.${part(claims())}.AA`);
      for (const secret of [pem, JSON.stringify(jwk), ""]) {
        const body = `${part({ alg: "HS256", kid: "key-1", typ: "at+jwt" })}.${part(claims())}`;
        tokens.push(`${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`);
      }
      for (const token of tokens) expect(await read(token), token.slice(0, 60)).toBe(401);
    });

    it("claims given twice, however they are read", async () => {
      const good = await idp.sign(claims({ sub: "twice" }));
      const [header = "", payload = "", signature = ""] = good.split(".");
      const text = Buffer.from(payload, "base64url").toString();
      expect(await read(`${header}.${Buffer.from(`{"sub":"root",${text.slice(1)}`).toString("base64url")}.${signature}`)).toBe(401);
    });

    it("weak audiences, at configuration", async () => {
      for (const weak of ["account", "worker", "api://default", "https://kubernetes.default.svc", "https://github.com/octo-org", "00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com", idp.issuer, `${idp.issuer}/userinfo`, "https://*.example", `${world.publicUrl}/nothing`, "0fbd8a1e-8f3b-4c0a-9d6a-1f1f1f1f1f1f"]) {
        const response = await send("PUT", "/api/v1/trusted-issuers/corp", settings({ people, audiences: [weak] }));
        expect(response.status, weak).toBe(422);
        expect(await response.text()).toContain("audiences");
      }
    });

    it("our own issuer, an issuer that may not be reached, an unknown account, and a rule for everybody", async () => {
      expect((await send("PUT", "/api/v1/trusted-issuers/corp", settings({ people, issuer: world.publicUrl }))).status).toBe(422);
      expect((await send("PUT", "/api/v1/trusted-issuers/corp", settings({ people, issuer: "https://169.254.169.254" }))).status).toBe(422);
      expect((await send("PUT", "/api/v1/trusted-issuers/corp", settings({ workloads: [{ account: "nobody", subject: "x" }] }))).status).toBe(404);
      expect((await send("PUT", "/api/v1/trusted-issuers/corp", settings({ workloads: [{ account: "robot", subject: "*" }] }))).status).toBe(422);
      expect((await send("PUT", "/api/v1/trusted-issuers/corp", settings({}))).status).toBe(422);
      expect((await send("PUT", "/api/v1/trusted-issuers/corp", settings({ people: { groups: { a: "no such group" } } }))).status).toBe(422);
    });

    it("to take over an account by its name or address", async () => {
      const token = await idp.sign(claims({ sub: "mallory", preferred_username: "root", email: "root@sallyport.example", email_verified: true, amr: ["mfa"] }));
      expect((await fetch(`${world.url}/api/v1/users`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(403);
      expect(await (await send("GET", "/api/v1/users/root.corp")).json()).toMatchObject({ scopes: [], effectiveScopes: [] });
    });
  });

  it("open exactly the endpoint that the audience names, when it is one of ours", async () => {
    const one = `${world.publicUrl}/servers/one/mcp`;
    await configure({ people, audiences: [one, audience], opens: ["gateway"] });
    await send("POST", "/api/v1/servers", { name: "one", url: "http://127.0.0.1:9/mcp" });
    await send("PATCH", "/api/v1/groups/readers", { scopes: ["servers:read", "tools:call"] });
    await send("PUT", "/api/v1/groups/readers/grants/one");
    const at = async (token: string, server: string) => (await fetch(`${world.url}/servers/${server}/mcp`, { method: "POST", headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }, body: "{}" })).status;
    const exact = await idp.sign(claims({ aud: one, sub: "caller", groups: ["corp-readers"] }));
    expect(await at(exact, "one")).toBe(400);
    expect(await at(exact, "two")).toBe(401);
    expect(await read(exact)).toBe(401);
    const wide = await idp.sign(claims({ sub: "caller", groups: ["corp-readers"] }));
    expect(await at(wide, "one")).toBe(400);
    expect(await read(wide)).toBe(401);
    await configure({ people });
  });

  it("learns new keys, forgets old ones, and asks only once for a flood of unknown ones", async () => {
    const old = await idp.sign(claims({ sub: "rotating", groups: ["corp-readers"] }));
    await idp.rotate();
    skew += 40_000;
    const token = await idp.sign(claims({ sub: "rotating", groups: ["corp-readers"], n: 1 }));
    expect(await read(token)).toBe(200);
    expect(await read(old)).toBe(401);
    const before = idp.asked.get("/jwks") ?? 0;
    const flood = await Promise.all(Array.from({ length: 50 }, () => idp.sign(claims(), { kid: randomBytes(8).toString("hex") })));
    skew += 40_000;
    expect(new Set(await Promise.all(flood.map(read)))).toEqual(new Set([401]));
    expect((idp.asked.get("/jwks") ?? 0) - before).toBe(1);
  });

  it("goes on with known keys while the issuer is down, for a bounded time", async () => {
    skew += 700_000;
    const life = { iat: seconds() + 700, exp: seconds() + 80_000, groups: ["corp-readers"] };
    expect(await read(await idp.sign(claims({ sub: "down", n: 1, ...life })))).toBe(200);
    idp.down = true;
    skew += 3_600_000;
    expect(await read(await idp.sign(claims({ sub: "down", n: 2, ...life })))).toBe(200);
    skew += 25 * 3_600_000;
    const late = { iat: seconds() + Math.floor(skew / 1000) - 60, exp: seconds() + Math.floor(skew / 1000) + 600 };
    expect(await read(await idp.sign(claims({ sub: "down", n: 3, ...late })))).toBe(401);
    idp.down = false;
    skew += 60_000;
    expect(await read(await idp.sign(claims({ sub: "down", n: 4, ...late, groups: ["corp-readers"] })))).toBe(200);
    skew = 0;
  });

  describe("workloads", () => {
    const subject = "system:serviceaccount:agents:deployer";
    const rules = { workloads: [{ account: "robot", subject: "system:serviceaccount:agents:*", claims: { "kubernetes.io.namespace": "agents" } }] };
    const kubernetes = { sub: subject, "kubernetes.io": { namespace: "agents" } };
    const token = (fields: JWTPayload = {}, header: object = {}) => idp.sign(claims({ sub: subject, "kubernetes.io.namespace": "agents", ...fields }), { ...header });
    const exchange = async (fields: Record<string, string>) => fetch(`${world.url}/token`, { method: "POST", body: new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", ...fields }) });
    beforeAll(() => configure(rules));

    it("act as the service account that the rule names, directly and never as administrators", async () => {
      expect(await read(await token())).toBe(200);
      expect((await fetch(`${world.url}/api/v1/users`, { headers: { authorization: `Bearer ${await token()}` } })).status).toBe(403);
    });

    it("are refused when no rule fits, or a claim of one does not", async () => {
      expect(await read(await token({ sub: "system:serviceaccount:other:deployer" }))).toBe(401);
      expect(await read(await token({ "kubernetes.io.namespace": "other" }))).toBe(401);
      expect(await read(await idp.sign(claims({ ...kubernetes, "kubernetes.io": {} })))).toBe(401);
    });

    it("exchange a token once for one of ours, for one endpoint", async () => {
      const resource = `${world.publicUrl}/servers/one/mcp`;
      const assertion = await token({ aud: `${world.publicUrl}/token`, jti: randomBytes(8).toString("hex") });
      const answer = await exchange({ assertion, resource, scope: "tools:call" });
      expect(answer.status, await answer.clone().text()).toBe(200);
      expect(await answer.json()).toMatchObject({ token_type: "Bearer", scope: "tools:call" });
      expect(await (await exchange({ assertion, resource })).json()).toMatchObject({ error: "invalid_grant" });
    });

    it("get OAuth errors for anything else", async () => {
      const cases: [Record<string, string>, string][] = [
        [{}, "invalid_request"],
        [{ assertion: "x.y.z" }, "invalid_grant"],
        [{ assertion: await token({ aud: "https://elsewhere.example" }) }, "invalid_grant"],
        [{ assertion: await token(), scope: "admin" }, "invalid_scope"],
        [{ assertion: await token(), resource: "https://elsewhere.example" }, "invalid_target"],
      ];
      for (const [fields, error] of cases) {
        const response = await exchange(fields);
        expect(response.status).toBe(400);
        expect(await response.json()).toMatchObject({ error });
      }
    });

    it("stop with their account", async () => {
      const good = await token({ n: 9 });
      expect(await read(good)).toBe(200);
      await send("PATCH", "/api/v1/service-accounts/robot", { disabled: true });
      expect(await read(good)).toBe(401);
      expect(await (await exchange({ assertion: await token({ n: 10 }) })).json()).toMatchObject({ error: "invalid_grant" });
      await send("PATCH", "/api/v1/service-accounts/robot", { disabled: false });
    });

    it("may come from the issuer's own token endpoint", async () => {
      await configure({ workloads: [{ account: "robot", subject: "worker" }] });
      const issued = (await (await fetch(`${idp.issuer}/token`, { method: "POST", headers: { authorization: `Basic ${Buffer.from("worker:of-a-test").toString("base64")}` }, body: new URLSearchParams({ grant_type: "client_credentials", resource: audience, scope: "call" }) })).json()) as { access_token: string };
      expect(await read(issued.access_token)).toBe(200);
    });
  });

  it("leaves an event for every change and refusal", async () => {
    for (const type of ["trusted-issuer.changed", "user.provisioned", "issuer.keys.failed", "authentication.workload.succeeded", "authentication.token.refused"]) {
      const { items } = (await (await send("GET", `/api/v1/audit/events?type=${type}`)).json()) as { items: unknown[] };
      expect(items.length, type).toBeGreaterThan(0);
    }
  });
});

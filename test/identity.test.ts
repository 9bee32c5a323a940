/** Tokens, users and set-up, on both databases. */
import { createHmac, createPrivateKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTokens, openKeys } from "../src/identity/index.ts";
import { openAudit } from "../src/audit/index.ts";
import { createLog } from "../src/ops/index.ts";
import { adminName, adminPassword, databases, startWorld, tokenOf, type World } from "./world.ts";

describe.each(databases)("the token endpoint on %s", (database) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ database });
  });
  afterAll(() => world.end());
  const token = async (fields: Record<string, string>) => world.fetch("/token", { method: "POST", body: new URLSearchParams({ ...fields, ...(fields["username"] === adminName ? { otp: await world.code(adminName) } : {}) }) });

  it("issues an RFC 9068 access token with exactly the scopes asked for", async () => {
    const response = await world.login(adminName, adminPassword, "servers:read admin");
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    const body = (await response.json()) as { access_token: string };
    expect(body).toMatchObject({ token_type: "Bearer", expires_in: 3600, scope: "servers:read admin" });
    expect(decodeProtectedHeader(body.access_token)).toMatchObject({ alg: "EdDSA", typ: "at+jwt" });
    expect(decodeJwt(body.access_token)).toMatchObject({ iss: world.publicUrl, aud: world.publicUrl, scope: "servers:read admin", scopes: ["servers:read", "admin"] });
  });

  it("issues all that the user holds when no scope is named", async () => {
    expect(await (await world.login(adminName, adminPassword)).json()).toMatchObject({ scope: "servers:read servers:write admin tools:call" });
  });

  it("publishes keys that verify its tokens, and nothing private", async () => {
    const { keys } = (await (await world.fetch("/.well-known/jwks.json")).json()) as { keys: Record<string, unknown>[] };
    const header = decodeProtectedHeader(await world.admin());
    expect(keys.map((key) => key["kid"])).toContain(header.kid);
    for (const key of keys) expect(key).not.toHaveProperty("d");
  });

  it("issues a token for one server when the resource names it, which opens nothing else", async () => {
    const resource = `${world.publicUrl}/servers/one/mcp`;
    const one = await tokenOf(await token({ grant_type: "password", username: adminName, password: adminPassword, resource }));
    expect(decodeJwt(one).aud).toBe(resource);
    expect((await world.fetch("/api/v1/servers", { token: one })).status).toBe(401);
    expect((await world.fetch("/servers/another/mcp", { token: one, json: {} })).status).toBe(401);
    expect((await world.fetch("/servers/one/mcp", { token: one, json: {} })).status).toBe(404);
    for (const foreign of ["https://evil.example/", `${world.publicUrl}/servers/one/mcp/`, `${world.publicUrl}/servers/../x/mcp`, `${world.publicUrl}.evil.example/servers/one/mcp`]) expect(await (await token({ grant_type: "password", username: adminName, password: adminPassword, resource: foreign })).json()).toMatchObject({ error: "invalid_target" });
  });

  it.each<[string, Record<string, string>, string]>([
    ["a wrong password", { grant_type: "password", username: adminName, password: "wrong wrong wrong wrong" }, "invalid_grant"],
    ["an unknown user", { grant_type: "password", username: "nobody-here", password: "wrong wrong wrong wrong" }, "invalid_grant"],
    ["no grant type", { username: adminName, password: adminPassword }, "invalid_request"],
    ["another grant type", { grant_type: "implicit" }, "unsupported_grant_type"],
    ["no password", { grant_type: "password", username: adminName }, "invalid_request"],
    ["an unknown scope", { grant_type: "password", username: adminName, password: adminPassword, scope: "servers:read root" }, "invalid_scope"],
    ["a scope by prefix", { grant_type: "password", username: adminName, password: adminPassword, scope: "admi" }, "invalid_scope"],
  ])("answers %s with the OAuth error", async (_what, fields, error) => {
    const response = await token(fields);
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toContain("application/json");
    expect(await response.json()).toMatchObject({ error });
  });

  it("says the same about an unknown user and a wrong password", async () => {
    const wrong = await (await token({ grant_type: "password", username: adminName, password: "x" })).json();
    const unknown = await (await token({ grant_type: "password", username: "nobody-at-all", password: "x" })).json();
    expect(unknown).toEqual(wrong);
  });

  it("does not give a user a scope that the user lacks", async () => {
    const { password } = await world.user("limited", "servers:read");
    expect((await world.login("limited", password, "servers:read admin")).status).toBe(400);
    expect(await (await world.login("limited", password)).json()).toMatchObject({ scope: "servers:read" });
  });

  it("throttles wrong passwords per account, even for the right one then, and forgets on success", async () => {
    const { password } = await world.user("throttled", "servers:read");
    for (let attempt = 0; attempt < 3; attempt++) expect((await world.login("throttled", "wrong")).status).toBe(400);
    expect((await world.login("THROTTLED", password)).status).toBe(200);
    for (let attempt = 0; attempt < 5; attempt++) await world.login("throttled", "wrong");
    const blocked = await world.login("Throttled", password);
    expect(blocked.status).toBe(429);
    expect(Number(blocked.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  it("takes user names whatever their case and width, once", async () => {
    await world.user("Ada");
    const again = await world.fetch("/api/v1/users", { token: await world.admin(), json: { username: "aＤa", password: "a quite long password", scopes: [] } });
    expect(again.status).toBe(409);
  });

  it("stores passwords as argon2id and setup tokens as keyed hashes only", async () => {
    const row = await world.storage.db.selectFrom("users").select("password_hash").where("username", "=", adminName).executeTakeFirstOrThrow();
    expect(row.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    const keys = await world.storage.db.selectFrom("signing_keys").select("private_jwk").execute();
    for (const key of keys) expect(key.private_jwk).toMatch(/^v1\./);
  });

  it("ends every token of a user whose password, scopes or state changed, at once", async () => {
    for (const change of [{ password: "another long password" }, { scopes: ["servers:read"] }, { disabled: true }]) {
      const name = `changing-${Object.keys(change)[0]}`;
      const user = await world.user(name, "servers:read");
      expect((await world.fetch("/api/v1/servers", { token: user.token })).status).toBe(200);
      await world.fetch(`/api/v1/users/${name}`, { token: await world.admin(), method: "PATCH", json: change });
      expect((await world.fetch("/api/v1/servers", { token: user.token })).status, name).toBe(401);
    }
  });

  it("never leaves itself without an active administrator", async () => {
    const admin = await world.admin();
    for (const change of [{ disabled: true }, { scopes: ["servers:read"] }]) expect((await world.fetch(`/api/v1/users/${adminName}`, { token: admin, method: "PATCH", json: change })).status).toBe(409);
    expect((await world.fetch("/api/v1/users", { token: admin })).status).toBe(200);
  });

  it.each([["short"], ["passwordpassword"], ["aaaaaaaaaaaaaaaaaaaa"]])("refuses the weak password %j with 422", async (password) => {
    const response = await world.fetch("/api/v1/users", { token: await world.admin(), json: { username: "weak", password, scopes: [] } });
    expect(response.status).toBe(422);
    expect(await response.text()).not.toContain(password === "short" ? "\"short\"" : password);
  });
});

describe("the password grant", () => {
  it.each<[string, Record<string, string>, number]>([
    ["answers on loopback", {}, 200],
    ["answers with a public URL on loopback", { SALLYPORT_PUBLIC_URL: "http://localhost:9" }, 200],
    ["is refused behind a proxy, where the public URL says so", { SALLYPORT_PUBLIC_URL: "https://mcp.example.com" }, 400],
    ["is refused behind trusted proxies", { SALLYPORT_TRUSTED_PROXY_HOPS: "1" }, 400],
    ["is refused on every interface", { SALLYPORT_HOST: "0.0.0.0", SALLYPORT_ALLOW_ALL_INTERFACES: "yes" }, 400],
    ["answers beyond loopback when that is switched on", { SALLYPORT_PUBLIC_URL: "https://mcp.example.com", SALLYPORT_PASSWORD_GRANT: "enabled" }, 200],
    ["is refused everywhere when switched off", { SALLYPORT_PASSWORD_GRANT: "disabled" }, 400],
  ])("%s", async (_what, settings, status) => {
    const world = await startWorld({ settings });
    const response = await fetch(`http://127.0.0.1:${new URL(world.url).port}/token`, { method: "POST", body: new URLSearchParams({ grant_type: "password", username: adminName, password: adminPassword, otp: await world.code(adminName) }) });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject(status === 200 ? { token_type: "Bearer" } : { error: "unauthorized_client" });
    await world.end();
  });
});

describe("the setup link", () => {
  const fresh = () => startWorld({ settings: { SALLYPORT_ADMIN_USERNAME: "", SALLYPORT_ADMIN_PASSWORD: "" } });
  const submit = (world: World, fields: Record<string, string>) => world.fetch("/setup", { method: "POST", body: new URLSearchParams(fields) });

  it("creates the first administrator once", async () => {
    const world = await fresh();
    const link = new URL(world.setupLink ?? "");
    expect((await world.fetch(link.pathname + link.search)).status).toBe(200);
    const token = link.searchParams.get("token") ?? "";
    const weak = await submit(world, { token, username: "boss", password: "short" });
    expect(weak.status).toBe(422);
    expect(await weak.text()).toContain("15 characters");
    const both = await Promise.all([submit(world, { token, username: "boss", password: "four plain words here" }), submit(world, { token, username: "thief", password: "four plain words here" })]);
    expect(both.map((response) => response.status).sort()).toEqual([201, 404]);
    expect((await submit(world, { token, username: "late", password: "four plain words here" })).status).toBe(404);
    expect((await world.fetch(link.pathname + link.search)).status).toBe(404);
    const winner = (await world.login("boss", "four plain words here")).status === 200 ? "boss" : "thief";
    // The administrator has no second factor yet, so `admin` stays out.
    expect(decodeJwt(await tokenOf(await world.login(winner, "four plain words here")))["scopes"]).toEqual(["servers:read", "servers:write", "tools:call"]);
    expect(both.find((response) => response.status === 201)?.headers.getSetCookie()).toEqual([expect.stringMatching(/^sallyport-session=/)]);
    await world.end();
  });

  it("expires, is replaced at the next start, and is stored only as a hash", async () => {
    let skew = 0;
    const world = await startWorld({ settings: { SALLYPORT_ADMIN_USERNAME: "", SALLYPORT_ADMIN_PASSWORD: "" }, now: () => Date.now() + skew });
    const token = new URL(world.setupLink ?? "").searchParams.get("token") ?? "";
    expect(JSON.stringify(await world.storage.db.selectFrom("setup_tokens").selectAll().execute())).not.toContain(token);
    skew = 3_700_000;
    expect((await submit(world, { token, username: "boss", password: "four plain words here" })).status).toBe(404);
    skew = 0;
    await world.restart();
    expect((await submit(world, { token, username: "boss", password: "four plain words here" })).status).toBe(404);
    expect(new URL(world.setupLink ?? "").searchParams.get("token")).not.toBe(token);
    await world.end();
  });

  it("escapes what was typed", async () => {
    const world = await fresh();
    const token = new URL(world.setupLink ?? "").searchParams.get("token") ?? "";
    const page = await (await world.fetch(`/setup?token=${token}`)).text();
    expect(page).not.toMatch(/<script/);
    const response = await submit(world, { token, username: 'x"><script>alert(1)</script>', password: "p" });
    expect(await response.text()).not.toContain("<script>");
    await world.end();
  });
});

describe.each([
  ["the management API", "/api/v1/servers", 200],
  // No such server: the token was accepted.
  ["the gateway", "/servers/none/mcp", 404],
] as const)("bearer tokens that must not work at %s", (_place, path, accepted) => {
  let world: World;
  let good = "";
  let kid = "";
  let subject = "";
  /** The audience of the place. */
  let place = "";
  beforeAll(async () => {
    world = await startWorld();
    const own = await world.admin();
    good = path.startsWith("/servers") ? await world.tokenAt(path, own) : own;
    place = path.startsWith("/servers") ? world.publicUrl + path : world.publicUrl;
    kid = decodeProtectedHeader(good).kid ?? "";
    subject = decodeJwt(good).sub ?? "";
  });
  afterAll(() => world.end());

  const encode = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
  const status = async (token: string) => (await world.fetch(path, { headers: { authorization: `Bearer ${token}` } })).status;
  const parts = () => good.split(".") as [string, string, string];
  const key = async (changes: Record<string, unknown>, header: Record<string, unknown> = {}) => {
    // Signed with the product's own key: only the claim in question is wrong.
    const row = await world.storage.db.selectFrom("signing_keys").selectAll().executeTakeFirstOrThrow();
    const jwk = JSON.parse(world.storage.vault.open({ table: "signing_keys", column: "private_jwk", row: row.kid }, row.private_jwk)) as { kty: string };
    const claims: Record<string, unknown> = { ...decodeJwt(good), ...changes };
    for (const [name, value] of Object.entries(changes)) if (value === undefined) delete claims[name];
    const protectedHeader = { alg: "EdDSA", kid, typ: "at+jwt", ...header };
    const input = `${encode(protectedHeader)}.${encode(claims)}`;
    return `${input}.${sign(null, Buffer.from(input), createPrivateKey({ key: jwk, format: "jwk" })).toString("base64url")}`;
  };

  it("accepts the control: the same claims, signed the same way", async () => {
    expect(await status(good)).toBe(accepted);
    expect(await status(await key({}))).toBe(accepted);
  });

  const now = () => Math.floor(Date.now() / 1000);
  it.each<[string, () => Promise<string> | string]>([
    ["alg none", () => `${encode({ alg: "none", typ: "at+jwt" })}.${parts()[1]}.`],
    ["alg None", () => `${encode({ alg: "None", typ: "at+jwt", kid })}.${parts()[1]}.`],
    ["alg nOnE", () => `${encode({ alg: "nOnE", typ: "at+jwt", kid })}.${parts()[1]}.${parts()[2]}`],
    ["alg missing", () => `${encode({ typ: "at+jwt", kid })}.${parts()[1]}.${parts()[2]}`],
    ["alg empty", () => `${encode({ alg: "", typ: "at+jwt", kid })}.${parts()[1]}.${parts()[2]}`],
    ["HS256 with the public key as secret", async () => {
      const { keys } = (await (await world.fetch("/.well-known/jwks.json")).json()) as { keys: { x: string }[] };
      const input = `${encode({ alg: "HS256", typ: "at+jwt", kid })}.${parts()[1]}`;
      return `${input}.${createHmac("sha256", Buffer.from(keys[0]?.x ?? "", "base64url")).update(input).digest("base64url")}`;
    }],
    ["HS256 with the JWK text as secret", async () => {
      const text = await (await world.fetch("/.well-known/jwks.json")).text();
      const input = `${encode({ alg: "HS256", typ: "at+jwt", kid })}.${parts()[1]}`;
      return `${input}.${createHmac("sha256", text).update(input).digest("base64url")}`;
    }],
    ["a key of the attacker's under our kid", async () => {
      const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519" });
      return new SignJWT(decodeJwt(good)).setProtectedHeader({ alg: "EdDSA", kid, typ: "at+jwt" }).sign(privateKey);
    }],
    ["a jwk header", async () => {
      const { privateKey, publicKey } = await generateKeyPair("EdDSA", { crv: "Ed25519" });
      return new SignJWT(decodeJwt(good)).setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", jwk: await exportJWK(publicKey) }).sign(privateKey);
    }],
    ["a jku header", async () => {
      const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519" });
      return new SignJWT(decodeJwt(good)).setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: "x", jku: "http://127.0.0.1:1/jwks" }).sign(privateKey);
    }],
    ["an x5u header", async () => {
      const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519" });
      return new SignJWT(decodeJwt(good)).setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: "x", x5u: "http://127.0.0.1:1/c" }).sign(privateKey);
    }],
    ["a kid that is a path", () => key({}, { kid: "../../../../dev/null" })],
    ["a kid that is SQL", () => key({}, { kid: "x' union select 'a" })],
    ["a kid that is __proto__", () => key({}, { kid: "__proto__" })],
    ["no kid", () => key({}, { kid: undefined })],
    ["a kid that is no string", () => key({}, { kid: { a: 1 } })],
    ["an unknown critical header", () => key({}, { crit: ["x"], x: 1 })],
    ["b64 false", () => key({}, { crit: ["b64"], b64: false })],
    ["typ JWT", () => key({}, { typ: "JWT" })],
    ["typ of an ID-JAG", () => key({}, { typ: "oauth-id-jag+jwt" })],
    ["no typ", () => key({}, { typ: undefined })],
    ["another issuer", () => key({ iss: "https://evil.example" })],
    ["no issuer", () => key({ iss: undefined })],
    ["an issuer with a trailing slash", () => key({ iss: `${world.publicUrl}/` })],
    ["another audience", () => key({ aud: "https://other.example" })],
    ["no audience", () => key({ aud: undefined })],
    ["an empty list of audiences", () => key({ aud: [] })],
    ["an audience that is a prefix", () => key({ aud: place.slice(0, -1) })],
    ["an audience with a trailing slash", () => key({ aud: `${place}/` })],
    ["an audience in capitals", () => key({ aud: place.toUpperCase() })],
    ["an audience list with numbers", () => key({ aud: [place, 7] })],
    ["an expiry in the past", () => key({ exp: now() - 60 })],
    ["an expiry as text", () => key({ exp: String(now() + 600) })],
    ["an expiry that is no number", () => key({ exp: null })],
    ["no expiry", () => key({ exp: undefined })],
    ["an expiry of 1e400", async () => {
      const token = await key({});
      const [header, body, mac] = token.split(".") as [string, string, string];
      return `${header}.${encode(Buffer.from(body, "base64url").toString().replace(/"exp":\d+/, '"exp":1e400'))}.${mac}`;
    }],
    ["a start in the future", () => key({ nbf: now() + 600 })],
    ["an issue time in the future", () => key({ iat: now() + 600, nbf: now() + 600 })],
    ["no subject", () => key({ sub: undefined })],
    ["a subject that is no string", () => key({ sub: 7 })],
    ["an unknown subject", () => key({ sub: "01a20752-0000-7000-8000-000000000000" })],
    ["a subject of __proto__", () => key({ sub: "__proto__" })],
    ["no jti", () => key({ jti: undefined })],
    ["no scope", () => key({ scope: undefined })],
    ["a scope that is a list", () => key({ scope: ["servers:read"] })],
    ["an older epoch", () => key({ epoch: 0 })],
    ["an epoch as text", () => key({ epoch: "1" })],
    ["an empty signature", () => `${parts()[0]}.${parts()[1]}.`],
    ["no signature part", () => `${parts()[0]}.${parts()[1]}`],
    ["a signature of zeros", () => `${parts()[0]}.${parts()[1]}.${Buffer.alloc(64).toString("base64url")}`],
    ["an ES256 signature of zeros (psychic)", () => `${encode({ alg: "ES256", kid, typ: "at+jwt" })}.${parts()[1]}.${Buffer.alloc(64).toString("base64url")}`],
    ["ES256 by another key", () => {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const input = `${encode({ alg: "ES256", kid, typ: "at+jwt" })}.${parts()[1]}`;
      return `${input}.${sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
    }],
    ["changed claims under the old signature", () => `${parts()[0]}.${encode({ ...decodeJwt(good), scope: "admin", sub: subject })}.${parts()[2]}`],
    ["a claim given twice", async () => {
      const [header, body, mac] = (await key({})).split(".") as [string, string, string];
      return `${header}.${encode(Buffer.from(body, "base64url").toString().replace("{", '{"scope":"admin",'))}.${mac}`;
    }],
    ["a JWE", () => `${encode({ alg: "dir", enc: "A256GCM" })}..${encode("iv")}.${encode("text")}.${encode("tag")}`],
    ["four parts", () => `${good}.x`],
    ["a megabyte", () => `${parts()[0]}.${"a".repeat(12_000)}.${parts()[2]}`],
    ["spaces inside", () => `${parts()[0]} .${parts()[1]}.${parts()[2]}`],
    ["base64 instead of base64url", () => `${parts()[0]}.${parts()[1]}.${Buffer.from(parts()[2], "base64url").toString("base64")}==`],
    ["nothing but dots", () => ".."],
    ["no JSON in the header", () => `${encode("nonsense")}.${parts()[1]}.${parts()[2]}`],
    ["no JSON in the claims", async () => {
      const input = `${parts()[0]}.${encode("nonsense")}`;
      return `${input}.${randomBytes(64).toString("base64url")}`;
    }],
  ])("%s", async (_what, forge) => {
    expect(await status(await forge())).toBe(401);
  });
});

describe("signing keys", () => {
  it("rotate without refusing a token that is still valid", async () => {
    let skew = 0;
    const world = await startWorld({ settings: { SALLYPORT_SIGNING_KEY_LIFETIME: "3600", SALLYPORT_TOKEN_LIFETIME: "7200" }, now: () => Date.now() + skew });
    const old = await world.admin();
    skew = 3601_000;
    const fresh = await world.admin();
    expect(decodeProtectedHeader(fresh).kid).not.toBe(decodeProtectedHeader(old).kid);
    expect((await world.fetch("/api/v1/servers", { token: old })).status).toBe(200);
    expect((await world.fetch("/api/v1/servers", { token: fresh })).status).toBe(200);
    expect(((await (await world.fetch("/.well-known/jwks.json")).json()) as { keys: unknown[] }).keys).toHaveLength(2);
    await world.end();
  });

  it("are shared by processes on one database", async () => {
    const world = await startWorld({ database: "postgres" });
    const log = createLog({ level: "silent" });
    const audit = await openAudit({ storage: world.storage, log, host: "other" });
    const keys = await openKeys({ storage: world.storage, audit, algorithm: "EdDSA", lifetime: 3600, tokenLifetime: 60, now: Date.now });
    const other = createTokens({ keys, snapshot: { users: new Map([[decodeJwt(await world.admin()).sub ?? "", { id: "x", username: "x", scopes: [], disabled: false, epoch: 1, createdAt: 0 }]]) }, issuer: world.publicUrl, lifetime: 60, now: Date.now });
    await expect(other.verify(`Bearer ${await world.admin()}`, [world.publicUrl])).resolves.toMatchObject({ scopes: new Set(["servers:read", "servers:write", "admin", "tools:call"]) });
    await audit.close();
    await world.end();
  });
});

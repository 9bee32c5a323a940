/** HTTP of federation: the administration of identity providers and trusted issuers. */
import { z } from "zod";
import { problem } from "../../kernel/problem.ts";
import type { Guard } from "../../net/guard.ts";
import { route, type RequestInfo, type Route } from "../../net/route.ts";
import type { Snapshot } from "../../snapshot/index.ts";
import type { ServiceAccounts } from "../machines/service-accounts.ts";
import type { Resources } from "../resources.ts";
import { importClientKey, providerSettings, type ProviderSettings } from "./sign-in.ts";
import type { Entry, EntryStore } from "./store.ts";
import { trustedIssuerSettings, weakAudience, type TrustedIssuerSettings } from "./trusted-issuers.ts";

export interface ProviderRoutes {
  providers: EntryStore<ProviderSettings>;
  issuers: EntryStore<TrustedIssuerSettings>;
  accounts: Pick<ServiceAccounts, "find">;
  snapshot: Pick<Snapshot, "groups">;
  resources: Resources;
  guard: Pick<Guard, "checkLiteral">;
}

const slug = z.string().regex(/^[a-z0-9][a-z0-9-]{0,49}$/, "must be lower-case letters, digits and hyphens");
const issuerUrl = z.string().max(2048).refine((text) => {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "" && url.username === "";
}, "must be a URL without query and fragment");
const common = { name: slug, issuer: issuerUrl.describe("As the issuer itself writes it, letter for letter"), enabled: z.boolean().default(true) };
const secretField = z.string().min(1).max(10_000).optional().describe("Client secret, or for private_key_jwt the private key (JWK or PKCS #8 PEM); kept sealed, never shown, unchanged when absent");
const base = { access: { scopes: ["admin"] } } as const;
const named = z.strictObject({ name: slug });
const missing = { 404: { description: "Nothing of that name" } };
const invalid = (field: string, message: string) => problem("invalid", { detail: `${field}: ${message}`, errors: [{ field, message }] });

export function providerRoutes({ providers, issuers, accounts, snapshot, resources, guard }: ProviderRoutes): Route[] {
  const requireGroups = (mapping: Record<string, string>, field: string) => {
    const known = new Set([...snapshot.groups.values()].map((group) => group.name.toLowerCase()));
    const unknown = Object.values(mapping).find((group) => !known.has(group.toLowerCase()));
    if (unknown !== undefined) throw invalid(field, `there is no group ${JSON.stringify(unknown)}`);
  };
  const shown = z.object({ name: z.string(), issuer: z.string(), enabled: z.boolean(), revision: z.number() });
  const providerView = shown.extend({ ...providerSettings.shape, hasSecret: z.boolean(), redirectUri: z.string() });
  const issuerView = shown.extend(trustedIssuerSettings.shape);
  const presentProvider = (entry: Entry<ProviderSettings>) => ({ name: entry.name, issuer: entry.issuer, enabled: entry.enabled, revision: entry.revision, ...entry.settings, hasSecret: entry.secret !== undefined, redirectUri: `${resources.api.uri}/login/callback/${entry.name}` });
  const presentIssuer = (entry: Entry<TrustedIssuerSettings>) => ({ name: entry.name, issuer: entry.issuer, enabled: entry.enabled, revision: entry.revision, ...entry.settings });

  const providerBody = z.strictObject({ ...common, ...providerSettings.shape, secret: secretField });
  const putProvider = async ({ name, issuer, enabled, secret, ...settings }: z.output<typeof providerBody>, existing: boolean, by: { actorId: string; requestId: string }) => {
    guard.checkLiteral(issuer);
    requireGroups(settings.groups, "groups");
    if (!settings.scopes.includes("openid")) throw invalid("scopes", "must include openid");
    if (secret === undefined && !(existing && providers.find(name).secret !== undefined)) throw invalid("secret", "is needed");
    if (secret !== undefined && settings.clientAuth === "private_key_jwt") await importClientKey(secret).catch(() => Promise.reject(invalid("secret", "is neither a private JWK nor a PKCS #8 key in PEM")));
    return presentProvider(await providers.put({ name, issuer, enabled, settings, secret }, existing, by));
  };
  const issuerBody = z.strictObject({ ...common, ...trustedIssuerSettings.shape });
  const putIssuer = async ({ name, issuer, enabled, ...settings }: z.output<typeof issuerBody>, existing: boolean, by: { actorId: string; requestId: string }) => {
    guard.checkLiteral(issuer);
    if (issuer === resources.api.uri) throw invalid("issuer", "is this server itself");
    if (settings.jwksUri !== undefined) guard.checkLiteral(settings.jwksUri);
    const clientIds = providers.list().map((provider) => provider.settings.clientId);
    for (const audience of settings.audiences) {
      const weak = weakAudience(audience, issuer, resources, clientIds);
      if (weak !== undefined) throw invalid("audiences", `${audience} ${weak}`);
    }
    if (issuers.list().some((other) => other.name !== name && other.issuer === issuer)) throw problem("conflict", { detail: "That issuer is trusted already, under another name" });
    if (!settings.people && settings.workloads.length === 0) throw invalid("workloads", "give people, workloads or both: otherwise no token leads anywhere");
    if (settings.people) requireGroups(settings.people.groups, "people.groups");
    for (const { account, subject } of settings.workloads) {
      accounts.find(account);
      if (/^\*+$/.test(subject)) throw invalid("workloads", "a subject of * alone would let every workload of the issuer in");
    }
    return presentIssuer(await issuers.put({ name, issuer, enabled, settings }, existing, by));
  };

  return [
    ...administration({ tag: "Identity providers", path: "/api/v1/identity-providers", noun: "IdentityProvider", words: "identity provider", view: providerView, body: providerBody, list: () => providers.list().map(presentProvider), find: (name) => presentProvider(providers.find(name)), put: putProvider, remove: (name, by) => providers.remove(name, by) }),
    ...administration({ tag: "Trusted issuers", path: "/api/v1/trusted-issuers", noun: "TrustedIssuer", words: "trusted issuer", view: issuerView, body: issuerBody, list: () => issuers.list().map(presentIssuer), find: (name) => presentIssuer(issuers.find(name)), put: putIssuer, remove: (name, by) => issuers.remove(name, by) }),
  ];
}

type Doing = { actorId: string; requestId: string };

interface Administration<B extends z.ZodType<{ name: string }>> {
  tag: string;
  path: string;
  noun: string;
  words: string;
  view: z.ZodType;
  body: B;
  list(): unknown[];
  find(name: string): unknown;
  put(body: z.output<B>, existing: boolean, by: Doing): Promise<{ name: string }>;
  remove(name: string, by: Doing): Promise<void>;
}

/** The same five routes for both kinds of entry. */
function administration<B extends z.ZodType<{ name: string }>>({ tag, path, noun, words, view, body, list, find, put, remove }: Administration<B>): Route[] {
  const own = { ...base, tag };
  const one = `${path}/{name}`;
  const by = (principal: { userId: string }, request: RequestInfo): Doing => ({ actorId: principal.userId, requestId: request.id });
  return [
    route({ ...own, method: "get", path, operationId: `list${noun}s`, summary: `List ${words}s`, responses: { 200: { description: "All of them", schema: z.object({ items: z.array(view) }) } }, handler: () => ({ status: 200, body: { items: list() } }) }),
    route({
      ...own,
      method: "post",
      path,
      operationId: `create${noun}`,
      stepUp: true,
      summary: `Add an ${words}`.replace(" an t", " a t"),
      body: { type: "json", schema: body },
      responses: { 201: { description: "Added", schema: view, headers: { location: "Its address" } }, 409: { description: "The name exists already" } },
      async handler({ body: given, principal, request }) {
        const made = await put(given as z.output<B>, false, by(principal, request));
        return { status: 201, body: made, headers: { location: `${path}/${made.name}` } };
      },
    }),
    route({ ...own, method: "get", path: one, operationId: `get${noun}`, summary: `Read an ${words}`.replace(" an t", " a t"), params: named, responses: { 200: { description: "As it is", schema: view }, ...missing }, handler: ({ params }) => ({ status: 200, body: find(params.name) }) }),
    route({
      ...own,
      method: "put",
      path: one,
      operationId: `replace${noun}`,
      stepUp: true,
      summary: `Replace an ${words}; takes effect at once`.replace(" an t", " a t"),
      params: named,
      body: { type: "json", schema: body },
      responses: { 200: { description: "As replaced", schema: view }, ...missing },
      async handler({ params, body: given, principal, request }) {
        if ((given as { name: string }).name !== params.name) throw invalid("name", "cannot be changed");
        return { status: 200, body: await put(given as z.output<B>, true, by(principal, request)) };
      },
    }),
    route({
      ...own,
      method: "delete",
      path: one,
      operationId: `delete${noun}`,
      stepUp: true,
      summary: `Remove an ${words}; its accounts stay`.replace(" an t", " a t"),
      params: named,
      responses: { 204: { description: "Removed" }, ...missing },
      async handler({ params, principal, request }) {
        await remove(params.name, by(principal, request));
        return { status: 204 };
      },
    }),
  ];
}

/**
 * What a client asks for against what a person holds, and what the person has allowed before. Consent is per person, client, place and scope;
 * a program on the person's own machine is asked about each time, since any other program there could pose as it (RFC 8252 section 8.6).
 */
import type { Client, Provider } from "oidc-provider";
import type { UserState } from "../../snapshot/index.ts";
import type { Resource, Resources } from "../resources.ts";
import { cliClient, type Clients } from "./clients.ts";
import { isLoopbackRedirect } from "./engine.ts";
import type { Asked, Asker } from "./pages.ts";
import type { Records } from "./records.ts";

export interface Request {
  client: Client;
  asker: Asker;
  asked: Asked;
  /** Of OpenID Connect: openid, offline_access. */
  openid: readonly string[];
}

export interface Consent {
  /** @param params of the authorization request. @returns undefined when the client is gone. */
  read(provider: Provider, params: Record<string, unknown>, user: UserState): Promise<Request | undefined>;
  /** Whether the person need not be asked. */
  isRemembered(request: Request, user: UserState): Promise<boolean>;
  /** Writes the grant. @returns its id. */
  give(provider: Provider, request: Request, user: UserState): Promise<string>;
}

const openidScopes = ["openid", "offline_access"];

export function createConsent({ records, clients, resources }: { records: Records; clients: Clients; resources: Resources }): Consent {
  return {
    async read(provider, params, user) {
      const clientId = text(params["client_id"]);
      const client = await provider.Client.find(clientId);
      if (!client) return undefined;
      const wanted = text(params["scope"]).split(" ").filter(Boolean);
      const places = [params["resource"] ?? resources.api.uri].flat().flatMap((uri) => resources.parse(String(uri)) ?? []);
      const held = (resource: Resource) => resource.scopes.filter((scope) => wanted.includes(scope) && user.scopes.includes(scope));
      const known = clientId === cliClient.client_id || (await clients.metadataOf(clientId)) !== undefined;
      return {
        client,
        asker: { clientId, name: client.clientName, redirectUri: params["redirect_uri"] === undefined ? undefined : text(params["redirect_uri"]), registered: known },
        asked: {
          resources: places.map((resource) => ({ resource, scopes: held(resource) })),
          withheld: [...new Set(places.flatMap(({ scopes }) => scopes))].filter((scope) => wanted.includes(scope) && !user.scopes.includes(scope)),
        },
        openid: openidScopes.filter((scope) => wanted.includes(scope)),
      };
    },
    async isRemembered({ asker, asked }, user) {
      if (asker.redirectUri === undefined || isLoopbackRedirect(asker.redirectUri) || !asker.redirectUri.startsWith("https:")) return false;
      const grants = (await records.grantsOf(user.id)).filter(({ clientId }) => clientId === asker.clientId);
      return grants.some((grant) => asked.resources.every(({ resource, scopes }) => scopes.every((scope) => (grant.resources[resource.uri] ?? "").split(" ").includes(scope))));
    },
    async give(provider, { client, asked, openid }, user) {
      const grant = new provider.Grant({ accountId: user.id, clientId: client.clientId });
      if (openid.length > 0) grant.addOIDCScope(openid.join(" "));
      for (const { resource, scopes } of asked.resources) {
        grant.addResourceScope(resource.uri, scopes.join(" "));
        // Answered, so that it is not asked again: with no.
        if (asked.withheld.length > 0) grant.rejectResourceScope(resource.uri, asked.withheld.join(" "));
      }
      return grant.save();
    },
  };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Authorization server metadata (RFC 8414, OpenID Connect Discovery), as oidc-provider has it, less what we do not do, more what we add. */
import type { RouteOutput } from "../../net/route.ts";
import { exchangeGrantType } from "../exchange.ts";
import { callProvider } from "./bridge.ts";
import type { Engine, OAuthProfile } from "./engine.ts";

export interface Metadata {
  describe(): Promise<RouteOutput>;
}

export interface MetadataOptions {
  engine: Engine;
  profile: OAuthProfile;
  /** Of resources, beside OpenID Connect's. */
  scopes: readonly string[];
}

export const idJagProfile = "urn:ietf:params:oauth:grant-profile:id-jag";

export function createMetadata({ engine, profile, scopes }: MetadataOptions): Metadata {
  return {
    async describe() {
      const { body = {} } = await callProvider(await engine.get(), { method: "GET", target: "/.well-known/oauth-authorization-server" });
      const grants = (body["grant_types_supported"] as string[]).filter((type) => type !== "implicit");
      return {
        status: 200,
        body: {
          ...body,
          scopes_supported: ["openid", ...scopes],
          response_modes_supported: ["query"],
          grant_types_supported: grants,
          ...(profile === "fapi2" ? {} : { grant_types_supported: [...new Set([...grants, exchangeGrantType])] }),
          ...(grants.includes("urn:ietf:params:oauth:grant-type:jwt-bearer") ? { authorization_grant_profiles_supported: [idJagProfile] } : {}),
        },
        headers: { "cache-control": "public, max-age=300" },
      };
    },
  };
}

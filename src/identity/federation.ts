/** Federation put together: groups, machines, identity providers, trusted issuers and SCIM, as one thing that main.ts wires. */
import type { Audit } from "../audit/index.ts";
import type { Log } from "../kernel/log.ts";
import type { Guard } from "../net/guard.ts";
import type { Outbound } from "../net/outbound.ts";
import type { Route } from "../net/route.ts";
import type { Snapshot } from "../snapshot/index.ts";
import type { Storage } from "../storage/index.ts";
import { createGroups } from "./groups/groups.ts";
import { groupRoutes } from "./groups/routes.ts";
import { createApiKeys } from "./machines/api-keys.ts";
import { machineRoutes } from "./machines/routes.ts";
import { createServiceAccounts } from "./machines/service-accounts.ts";
import { createWorkloadExchange, type ExchangeWorkloadToken } from "./machines/workload.ts";
import type { VerifyIdentityAssertion } from "./oauth/grants.ts";
import { createIdJag } from "./providers/id-jag.ts";
import { createIssuerKeys } from "./providers/issuer-keys.ts";
import { createPeople } from "./providers/people.ts";
import { providerRoutes } from "./providers/routes.ts";
import { signInRoutes, type SignInRoutes } from "./providers/sign-in-routes.ts";
import { createExternalSignIn, providerSettings, type ExternalSignIn } from "./providers/sign-in.ts";
import { openEntries } from "./providers/store.ts";
import { createTrustedIssuers, trustedIssuerSettings } from "./providers/trusted-issuers.ts";
import { scimRoutes } from "./scim/routes.ts";
import { createScimUsers } from "./scim/users.ts";
import type { Resources } from "./resources.ts";
import type { Tokens, Verifier } from "./tokens.ts";
import type { Users } from "./users.ts";

export interface Federation {
  /** For `createTokens`: API keys, and tokens of trusted issuers. */
  readonly verifiers: readonly Verifier[];
  readonly routes: Route[];
  /** For the sign-in page: the identity providers. */
  readonly links: ExternalSignIn["links"];
  /** Where a browser leaves for a provider and comes back. */
  signInRoutes(startSession: SignInRoutes["startSession"]): Route[];
  /** For clients that bring an identity provider's assertion. */
  readonly verifyIdentityAssertion: VerifyIdentityAssertion;
  /** The JWT bearer grant. */
  exchangeWorkloadToken(tokens: Tokens): ExchangeWorkloadToken;
  close(): void;
}

export interface FederationOptions {
  storage: Storage;
  snapshot: Snapshot;
  audit: Audit;
  log: Log;
  guard: Guard;
  outbound: Outbound;
  users: Users;
  resources: Resources;
  publicUrl: string;
  /** Seconds. */
  longestKeyLife: number;
  now: () => number;
}

export async function openFederation(options: FederationOptions): Promise<Federation> {
  const { storage, snapshot, audit, outbound, guard, users, resources, publicUrl, longestKeyLife, now } = options;
  const groups = createGroups(options);
  const apiKeys = createApiKeys({ ...options, longestLife: longestKeyLife });
  const accounts = createServiceAccounts(options);
  const keys = createIssuerKeys({ outbound, now, onFailure: (issuer, reason) => audit.record({ type: "issuer.keys.failed", detail: { issuer, reason } }) });
  const people = createPeople({ storage, snapshot, groups, audit, now });
  const providers = await openEntries({ storage, audit, table: "identity_providers", event: "identity-provider.changed", schema: providerSettings, now });
  const issuers = await openEntries({ storage, audit, table: "trusted_issuers", event: "trusted-issuer.changed", schema: trustedIssuerSettings, now });
  const trusted = createTrustedIssuers({ entries: issuers, keys, people, accounts, resources, now });
  const signIn = createExternalSignIn({ ...options, entries: providers, keys, people });
  return {
    verifiers: [apiKeys.verifier, trusted.verifier],
    routes: [...groupRoutes({ groups, users, snapshot }), ...machineRoutes({ keys: apiKeys, accounts, users, snapshot }), ...providerRoutes({ providers, issuers, accounts, snapshot, resources, guard }), ...scimRoutes({ users: createScimUsers(options), groups, snapshot, publicUrl })],
    links: signIn.links,
    signInRoutes: (startSession) => signInRoutes({ signIn, startSession }),
    verifyIdentityAssertion: createIdJag({ entries: providers, keys, people, publicUrl: options.publicUrl, now }),
    exchangeWorkloadToken: (tokens) => createWorkloadExchange({ issuers: trusted, tokens, resources, storage, audit, now }),
    close() {
      providers.close();
      issuers.close();
    },
  };
}

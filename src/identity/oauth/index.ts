/** The authorization server, put together. */
import type { Audit } from "../../audit/index.ts";
import type { Log } from "../../kernel/log.ts";
import { allScopes } from "../../kernel/scopes.ts";
import type { Outbound } from "../../net/outbound.ts";
import type { RequestInfo, Route, RouteOutput } from "../../net/route.ts";
import type { Snapshot } from "../../snapshot/index.ts";
import type { Storage } from "../../storage/index.ts";
import type { Keys } from "../keys.ts";
import type { Resources } from "../resources.ts";
import type { Revocations } from "../revocations.ts";
import type { Throttle } from "../throttle.ts";
import type { Actor, Tokens } from "../tokens.ts";
import { createAllowedClients } from "./allowed.ts";
import { createAuthorize } from "./authorize.ts";
import { callProvider } from "./bridge.ts";
import { createFormTokens, type ReadSession } from "./browser.ts";
import { clientRoutes } from "./client-routes.ts";
import { createClients } from "./clients.ts";
import { createConsent } from "./consent.ts";
import { createDevice } from "./device.ts";
import { createEngine, routes, type OAuthProfile } from "./engine.ts";
import { createGrants, type VerifyIdentityAssertion } from "./grants.ts";
import { createMetadata } from "./metadata.ts";
import { createRecords } from "./records.ts";
import { oauthRoutes } from "./routes.ts";
import { createTokenEndpoint, output, type Form } from "./token.ts";

export type { OAuthProfile } from "./engine.ts";
export type { ReadSession } from "./browser.ts";

export interface OAuth {
  routes: Route[];
  /** Every grant type at the token endpoint that is oidc-provider's. */
  issue(form: Form, request: RequestInfo): Promise<RouteOutput>;
  close(): void;
}

export interface OAuthOptions {
  storage: Storage;
  snapshot: Snapshot;
  audit: Audit;
  log: Log;
  keys: Keys;
  tokens: Tokens;
  revocations: Revocations;
  resources: Resources;
  throttle: Throttle;
  outbound: Pick<Outbound, "fetch">;
  readSession: ReadSession;
  verifyIdentityAssertion: VerifyIdentityAssertion | undefined;
  issuer: string;
  profile: OAuthProfile;
  clientHosts: readonly string[];
  registration: boolean;
  /** Seconds. */
  tokenLifetime: number;
  refreshLifetime: number;
  now: () => number;
}

const sweepInterval = 600_000;

export function createOAuth(options: OAuthOptions): OAuth {
  const { storage, snapshot, audit, log, tokens, revocations, resources, throttle, readSession, profile, registration, now } = options;
  const records = createRecords({ storage, snapshot, revocations, audit, now });
  const clients = createClients({ storage, snapshot, audit, revocations, now });
  const further = new WeakMap<object, { act?: Actor; gid?: string | undefined }>();
  // Under FAPI 2.0 every token is bound to its client's key, which these two do not do.
  const extraGrants = profile === "fapi2" ? [] : createGrants({ ...options, records, clients, remember: (saved, claims) => void further.set(saved, claims) });
  const engine = createEngine({ ...options, records, clients, vault: storage.vault, extraGrants, furtherClaims: (saved) => further.get(saved) });
  const consent = createConsent({ records, clients, resources });
  const forms = createFormTokens(storage.vault);
  const token = createTokenEndpoint({ engine, tokens, records, clients, resources, snapshot, storage, revocations, audit });
  const sweeping = setInterval(() => void Promise.all([records.sweep(), revocations.sweep()]).catch((error: unknown) => log.error("oauth.sweep.failed", { error })), sweepInterval);
  sweeping.unref();
  return {
    routes: [
      ...oauthRoutes({
        metadata: createMetadata({ engine, profile, scopes: allScopes }),
        token,
        authorize: createAuthorize({ engine, consent, resources, snapshot, readSession, forms, audit, now }),
        device: createDevice({ engine, consent, snapshot, readSession, forms, throttle, audit }),
        allowed: createAllowedClients({ engine, records, readSession, forms }),
        register: registration ? async (metadata) => output(await callProvider(await engine.get(), { method: "POST", target: routes.registration, body: { type: "json", text: JSON.stringify(metadata) } })) : undefined,
      }),
      ...clientRoutes({ clients }),
    ],
    issue: token.issue,
    close: () => clearInterval(sweeping),
  };
}

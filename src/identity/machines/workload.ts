/**
 * The JWT bearer grant (RFC 7523 section 2.1) for workloads: the token of a platform that is trusted here becomes a short-lived token of
 * ours for the service account that a rule names. An assertion with a `jti` works once.
 */
import { errors } from "jose";
import type { Audit } from "../../audit/index.ts";
import type { RequestInfo } from "../../net/route.ts";
import type { Storage } from "../../storage/index.ts";
import type { Resources } from "../resources.ts";
import { Refused, type IssuedToken, type Tokens } from "../tokens.ts";
import type { TrustedIssuers } from "../providers/trusted-issuers.ts";

export const jwtBearerGrantType = "urn:ietf:params:oauth:grant-type:jwt-bearer";

export interface WorkloadForm {
  assertion?: string | undefined;
  scope?: string | undefined;
  resource?: string | undefined;
}

export type WorkloadExchanged = { issued: IssuedToken } | { error: "invalid_request" | "invalid_grant" | "invalid_scope" | "invalid_target"; description: string };

export interface WorkloadOptions {
  issuers: TrustedIssuers;
  tokens: Tokens;
  resources: Resources;
  storage: Storage;
  audit: Audit;
  now: () => number;
}

export type ExchangeWorkloadToken = (form: WorkloadForm, request: RequestInfo) => Promise<WorkloadExchanged>;

export function createWorkloadExchange({ issuers, tokens, resources, storage, audit, now }: WorkloadOptions): ExchangeWorkloadToken {
  const refuse = (request: RequestInfo, reason: string): WorkloadExchanged => {
    audit.record({ type: "authentication.token.refused", requestId: request.id, detail: { reason } });
    return { error: "invalid_grant", description: "The assertion is not acceptable" };
  };
  /** @returns whether it is the first time. */
  const once = async (issuer: string, id: string, expiresAt: number): Promise<boolean> => {
    await storage.db.deleteFrom("used_assertions").where("expires_at", "<", now()).execute();
    const inserted = await storage.db.insertInto("used_assertions").values({ assertion_hash: storage.vault.keyedHash("assertion", `${issuer} ${id}`), expires_at: expiresAt }).onConflict((conflict) => conflict.column("assertion_hash").doNothing()).executeTakeFirst();
    return Number(inserted.numInsertedOrUpdatedRows ?? 0) === 1;
  };
  return async (form, request) => {
    if (!form.assertion) return { error: "invalid_request", description: "assertion is needed" };
    const resource = form.resource === undefined ? resources.api : resources.parse(form.resource);
    if (!resource) return { error: "invalid_target", description: "The resource is not one of this server's" };
    let found: Awaited<ReturnType<TrustedIssuers["workload"]>>;
    try {
      found = await issuers.workload(form.assertion, `${resources.api.uri}/token`);
    } catch (error) {
      if (error instanceof Refused || error instanceof errors.JOSEError) return refuse(request, error instanceof Refused ? error.message : error.code);
      throw error;
    }
    const { account, issuer, claims } = found;
    const expiresAt = Number(claims["exp"]);
    if (typeof claims["jti"] === "string" && !(await once(issuer.issuer, claims["jti"], (expiresAt + 60) * 1000))) return refuse(request, "replayed");
    const held = account.scopes.filter((scope) => scope !== "admin" && (issuer.settings.scopes as string[]).includes(scope));
    const wanted = form.scope === undefined || form.scope.trim() === "" ? held : [...new Set(form.scope.trim().split(/ +/))];
    if (!wanted.every((scope) => held.includes(scope))) return { error: "invalid_scope", description: "The service account does not hold a requested scope, or the issuer's tokens may not carry it" };
    const issued = await tokens.issue(account, wanted, { audience: resource.uri, clientId: issuer.name });
    audit.record({ type: "authentication.workload.succeeded", actorId: account.id, requestId: request.id, detail: { issuer: issuer.name, scopes: wanted } });
    return { issued };
  };
}

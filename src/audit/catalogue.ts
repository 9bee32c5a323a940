/**
 * Every security event there is: one catalogue for the code, the audit table and the documentation (OWASP ASVS 5.0 V16.3).
 * An event carries only the detail fields its entry names.
 */

export type Severity = "info" | "notice" | "warning" | "critical";
export type Outcome = "success" | "failure" | "denied";

interface EventType {
  severity: Severity;
  description: string;
  detail: readonly string[];
}

function event<const D extends readonly string[]>(severity: Severity, description: string, ...detail: D): EventType & { detail: D } {
  return { severity, description, detail };
}

export const catalogue = {
  "authentication.password.succeeded": event("info", "A password was accepted and a token issued", "scopes", "client"),
  "authentication.password.failed": event("notice", "A password was refused", "reason"),
  "authentication.throttled": event("warning", "Further attempts of an account or address are refused for a while", "by"),
  "authentication.token.refused": event("notice", "A bearer token was refused", "reason"),
  "authentication.code.failed": event("notice", "A one-time or recovery code was refused", "reason"),
  "authentication.passkey.failed": event("notice", "A passkey was refused", "reason"),
  "session.started": event("info", "Somebody signed in with a browser", "factors", "device"),
  "session.ended": event("info", "A browser's sign-in was ended by its holder"),
  "session.revoked": event("notice", "Sign-ins of a user were revoked", "count"),
  "factor.enrolled": event("notice", "A second factor was added", "kind", "by"),
  "factor.removed": event("warning", "A second factor was removed", "kind"),
  "factor.used": event("info", "A second factor was accepted", "kind"),
  "factor.reset": event("warning", "An administrator removed all second factors of a user", "passkeys", "totp"),
  "recovery-codes.created": event("notice", "Recovery codes were made; older ones no longer work", "count"),
  "recovery-code.used": event("warning", "A recovery code was used", "left"),
  "step-up.required": event("notice", "A fresh sign-in was asked for", "action"),
  "step-up.completed": event("info", "Somebody showed anew who they are", "factors"),
  "token.exchanged": event("info", "A token was exchanged for one of another audience", "resource", "scopes", "client"),
  "oauth.token.issued": event("info", "The authorization server issued an access token", "grant", "client", "resource", "scopes"),
  "oauth.token.refused": event("notice", "The authorization server refused a token request", "grant", "client", "reason"),
  "oauth.assertion.refused": event("notice", "An identity provider's assertion was refused", "client", "reason"),
  "oauth.token.revoked": event("notice", "A client revoked a token", "client"),
  "oauth.grant.revoked": event("notice", "A grant ended before its time, with all its tokens: revoked, or a code or refresh token was used twice", "reason"),
  "oauth.consent.given": event("notice", "A person allowed a client to act for them", "client", "resources", "scopes"),
  "oauth.consent.denied": event("notice", "A client was not allowed to act for a person", "client", "reason"),
  "oauth.client.created": event("notice", "An OAuth client was registered", "client", "name", "grants"),
  "oauth.client.removed": event("notice", "An OAuth client was removed; its tokens ended", "client"),
  "oauth.client.secret.renewed": event("notice", "An OAuth client got a new secret", "client"),
  "oauth.client.read": event("info", "A client was known by its metadata document", "client"),
  "authorization.denied": event("notice", "A caller lacked a scope, ownership or a grant", "action", "needs"),
  "setup.link.created": event("notice", "A link to create the first administrator was made"),
  "setup.completed": event("notice", "The first administrator was created", "by"),
  "user.created": event("notice", "An administrator created a user", "scopes"),
  "user.scopes.changed": event("notice", "An administrator changed a user's scopes", "scopes"),
  "user.disabled": event("notice", "An administrator disabled a user"),
  "user.enabled": event("notice", "An administrator enabled a user"),
  "user.password.changed": event("notice", "A user's password was changed"),
  "grant.created": event("notice", "A user was granted calls to a server", "user"),
  "grant.removed": event("notice", "A user's grant for a server was removed", "user"),
  "group.created": event("notice", "A group was created", "name", "scopes", "members"),
  "group.changed": event("notice", "A group's name, description or scopes were changed", "name", "scopes"),
  "group.deleted": event("notice", "A group was removed", "name"),
  "group.member.added": event("notice", "A user came into a group", "user", "by"),
  "group.member.removed": event("notice", "A user left a group", "user", "by"),
  "group.grant.created": event("notice", "A group was granted calls to a server", "server"),
  "group.grant.removed": event("notice", "A group's grant for a server was removed", "server"),
  "service-account.created": event("notice", "A service account was created", "scopes"),
  "service-account.changed": event("notice", "A service account's description or owner was changed"),
  "user.deprovisioned": event("notice", "A user or service account was removed: disabled, its tokens, keys, groups and grants ended", "by"),
  "user.provisioned": event("notice", "A user was created from a directory or at the first sign-in", "by"),
  "user.profile.changed": event("info", "A directory changed what it says of a user", "by"),
  "api-key.created": event("notice", "An API key was created", "prefix", "scopes", "servers", "tools", "expires"),
  "api-key.revoked": event("notice", "An API key was revoked", "prefix"),
  "identity-provider.changed": event("notice", "An identity provider was added, changed or removed", "name", "issuer", "change"),
  "trusted-issuer.changed": event("notice", "A trusted issuer was added, changed or removed", "name", "issuer", "change"),
  "authentication.external.succeeded": event("info", "Somebody signed in at an identity provider", "provider"),
  "authentication.external.failed": event("notice", "A sign-in at an identity provider was refused", "provider", "reason"),
  "authentication.workload.succeeded": event("info", "A workload's token was exchanged for one of ours", "issuer", "scopes"),
  "issuer.keys.failed": event("warning", "The keys of an identity provider or trusted issuer could not be fetched", "issuer", "reason"),
  "server.created": event("notice", "A server was registered; of a local one, everything that it runs", "name", "transport", "command"),
  "server.updated": event("notice", "A server's entry was changed; of a local one, everything that it runs now", "name", "fields", "command"),
  "server.enabled": event("notice", "A server was enabled", "name"),
  "server.disabled": event("notice", "A server was disabled", "name"),
  "server.deleted": event("notice", "A server was removed", "name"),
  "server.inspected": event("info", "A server was asked what it offers, and the answer recorded", "name", "items", "withheld", "reason"),
  "server.inspection.failed": event("warning", "A server did not say what it offers", "name", "items", "withheld", "reason"),
  "server.review.changed": event("notice", "The review state of a server was changed", "name", "state", "reason"),
  "item.withheld": event("notice", "A new tool, prompt, resource or template is withheld until somebody approves it", "server", "kind", "name", "digest"),
  "item.changed": event("warning", "A known tool, prompt, resource or template changed and is withheld", "server", "kind", "name", "digest"),
  "item.returned": event("notice", "A version seen before is shown again", "server", "kind", "name", "digest"),
  "item.approval.proposed": event("notice", "An approval waits for a second person", "server", "kind", "name", "digest", "reason"),
  "item.approved": event("notice", "A version of a tool, prompt, resource or template was approved", "server", "kind", "name", "digest", "reason"),
  "item.held": event("notice", "A version was put on hold", "server", "kind", "name", "digest", "reason"),
  "item.rejected": event("notice", "A version was rejected", "server", "kind", "name", "digest", "reason"),
  "item.settings.changed": event("notice", "A tool was enabled, disabled, renamed or described anew", "server", "kind", "name", "fields"),
  "item.refused": event("warning", "A call to something withheld was refused", "server", "kind", "name", "standing"),
  "policy.created": event("notice", "A policy was added", "name", "enabled"),
  "policy.changed": event("notice", "A policy was changed", "name", "enabled", "fields"),
  "policy.removed": event("notice", "A policy was removed", "name"),
  "policy.denied": event("notice", "A policy, or the lack of one, refused a call", "server", "kind", "name", "policies"),
  "policy.limit.reached": event("notice", "A policy's limit refused a call", "server", "name", "policy"),
  "approval.asked": event("notice", "A call waits for a person's consent", "server", "name", "policy"),
  "approval.given": event("notice", "A person let a waiting call through, once", "server", "name", "policy"),
  "approval.refused": event("notice", "A person refused a waiting call", "server", "name", "policy"),
  "result.suspicious": event("warning", "A result carried what looks like instructions to the model, hidden characters or a secret", "server", "name", "rules", "effect"),
  "secret.stored": event("notice", "Upstream credentials were stored", "name", "headers"),
  "secret.accessed": event("info", "Upstream credentials were decrypted for use", "name"),
  "signing-key.created": event("notice", "A signing key was created", "kid", "algorithm"),
  "outbound.blocked": event("warning", "A connection to a forbidden address was refused", "host", "rule"),
  "call.completed": event("info", "A call was carried to an upstream server", "method", "tool", "status", "milliseconds", "bytes"),
  "call.failed": event("warning", "A call could not be carried or was not answered", "method", "tool", "reason", "milliseconds"),
  "bundle.created": event("notice", "A bundle was made", "name", "tools"),
  "bundle.updated": event("notice", "A bundle was changed", "name", "fields"),
  "bundle.deleted": event("notice", "A bundle was removed", "name"),
  "bundle.granted": event("notice", "A user was granted use of a bundle", "name", "user"),
  "bundle.revoked": event("notice", "A user's use of a bundle was withdrawn", "name", "user"),
  "limit.created": event("notice", "A limit was set", "name", "rule"),
  "limit.updated": event("notice", "A limit was changed", "name", "rule"),
  "limit.deleted": event("notice", "A limit was removed", "name"),
  "limit.exceeded": event("warning", "Requests were refused because a limit was reached; repeated refusals are counted, not repeated", "limit", "kind", "tool", "count"),
  "request.refused": event("notice", "A request was refused before any handler saw it", "reason"),
  "server.started": event("notice", "The product started", "profile"),
  "server.stopped": event("notice", "The product stopped"),
  "audit.read": event("info", "Audit events were read: recorded once a minute and reader", "what"),
  "audit.body.read": event("notice", "What was captured of a call was unsealed for an auditor", "event"),
  "audit.log.started": event("notice", "The log began: so many older events, the entries before this one, were taken into it", "adopted"),
  "audit.events.lost": event("critical", "Events could not be written while the database was away, and were dropped", "count"),
  "audit.row.refused": event("critical", "An event that waited to be taken into the log was not written by this product, or changed", "event", "type"),
  "audit.key.created": event("notice", "A key that signs checkpoints was created", "keyId", "key"),
  "audit.removed": event("notice", "Entries older than the retention time were removed from the log", "through", "days"),
} as const satisfies Record<string, EventType>;

export type EventName = keyof typeof catalogue;
export type DetailField<N extends EventName> = (typeof catalogue)[N]["detail"][number];

export interface AuditEvent<N extends EventName = EventName> {
  type: N;
  outcome?: Outcome;
  actorId?: string | undefined;
  /** "kind:id" of what it was about. */
  subject?: string | undefined;
  requestId?: string | undefined;
  detail?: Partial<Record<DetailField<N>, string | number | boolean | readonly string[] | undefined>>;
}

/** What a call carried, as text: kept only where SALLYPORT_AUDIT_BODIES says so, and sealed. */
export interface CallBody {
  request?: string | undefined;
  response?: string | undefined;
}

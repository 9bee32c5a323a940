/**
 * The tables, as Kysely sees them on both databases. Portable column types only: text, and whole numbers
 * (milliseconds since the epoch for times, 0/1 for booleans). JSON is text. Enveloped columns say so.
 */
import type { Generated } from "kysely";

export interface UserTable {
  id: string;
  /** As entered, for display. */
  username: string;
  /** Case-folded; unique. */
  username_key: string;
  /** argon2id, PHC string. */
  password_hash: string;
  /** JSON array of scopes. */
  scopes: string;
  disabled: number;
  /** Raised on every change that must end existing tokens. */
  epoch: number;
  created_at: number;
  updated_at: number;
  /** "person" or "service". */
  kind: Generated<string>;
  /** Who answers for a service account. */
  owner_id: string | null;
  description: string | null;
  /** The provisioning client's identifier (SCIM externalId). */
  external_id: string | null;
  /** JSON object of what a directory says of the person: names, addresses. */
  profile: string | null;
  /** Deprovisioned: the row stays for the audit trail and for what it owns. */
  deleted_at: number | null;
}

export interface ServerTable {
  id: string;
  name: string;
  url: string;
  title: string | null;
  description: string | null;
  tags: string;
  transport: string;
  auth_mode: string;
  /** Envelope of a JSON object: header name to value. */
  headers: string | null;
  owner_id: string;
  enabled: number;
  /** unknown, reachable or unreachable, from the last probe. */
  state: string;
  state_detail: string | null;
  checked_at: number | null;
  /** JSON array of tool names from the last probe, for search. */
  tool_names: string;
  /** JSON object: the command, args, directory and network of a stdio server. */
  stdio: string | null;
  /** Envelope of a JSON object: variable name to value. */
  environment: string | null;
  /** JSON object: source and digest of the document of an OpenAPI server. */
  openapi: string | null;
  /** Raised by every change; the ETag. */
  revision: number;
  created_at: number;
  updated_at: number;
}

export interface OpenapiDocumentTable {
  server_id: string;
  /** As it was read: JSON or YAML. */
  document: string;
  stored_at: number;
}

export interface GrantTable {
  user_id: string;
  server_id: string;
  created_by: string;
  created_at: number;
}

export interface SigningKeyTable {
  kid: string;
  algorithm: string;
  public_jwk: string;
  /** Envelope of the private JWK. */
  private_jwk: string;
  created_at: number;
  /** No longer signs after this; verifies until the last token has expired. */
  retires_at: number;
}

export interface SetupTokenTable {
  /** Keyed hash. */
  token_hash: string;
  expires_at: number;
}

export interface ThrottleTable {
  /** Keyed hash of what is throttled: an account or an address. */
  key: string;
  failures: number;
  last_failure_at: number;
  blocked_until: number;
}

/** Events of changes, written in the transaction of the change; the log takes them from here within moments. */
export interface AuditOutboxTable {
  sequence: Generated<number>;
  id: string;
  at: number;
  type: string;
  severity: string;
  outcome: string;
  /** User id, or null for nobody in particular. */
  actor_id: string | null;
  /** Kind and id of what it was about, e.g. "server:0198…". */
  subject: string | null;
  request_id: string | null;
  /** JSON object of allow-listed fields. */
  detail: string;
  /** Keyed hash of the event; null for events that are older than the log. */
  seal: string | null;
}

/** One row, id 1: where the log stands. Whoever appends must find it as expected. */
export interface AuditChainTable {
  id: number;
  /** Names the log in its checkpoints; set at the first start. */
  origin: string | null;
  /** Entries so far. */
  size: number;
  /** Hash of the last entry, hexadecimal. */
  hash: string;
  /** Right edge of the Merkle tree: hexadecimal hashes, separated by blanks. */
  frontier: string;
  /** Entries that retention has removed; their frontier is in the checkpoint of this size. */
  removed: number;
  /** Rows of the outbox up to this one are older than the log, and have no seal. */
  adopted: number;
}

/** Entries that were written together. Merely how they are stored: chain and tree know only entries. */
export interface AuditSegmentTable {
  /** Sequence numbers. */
  first: number;
  last: number;
  /** Earliest and latest time of an event in it. */
  first_at: number;
  last_at: number;
  /** What its entries can be found by, a line each: "type:…", "outcome:…", "actor:…", "subject:…". */
  terms: string;
  /** JSON lines. */
  entries: string;
}

/** Inner nodes of the Merkle tree over 256, 65,536, … entries. */
export interface AuditNodeTable {
  level: number;
  position: number;
  hash: string;
}

export interface AuditCheckpointTable {
  size: number;
  at: number;
  /** Hash of the last entry it covers. */
  hash: string;
  frontier: string;
  /** C2SP signed note. */
  note: string;
}

export interface AuditKeyTable {
  /** Eight hexadecimal digits, as in signed notes. */
  key_id: string;
  name: string;
  /** C2SP verifier key. */
  verifier: string;
  /** Envelope of the PKCS #8 key. */
  private_key: string;
  created_at: number;
}

export interface AuditBodyTable {
  /** Id of the event. */
  event_id: string;
  at: number;
  /** Envelope of what was captured of the call. */
  envelope: string;
}

/** What a server said of one tool, prompt, resource, template or of itself: every version ever seen, by digest. */
export interface TrustItemTable {
  server_id: string;
  kind: string;
  /** The tool's or prompt's name, the resource's URI, the template's text; empty for the server itself. */
  name: string;
  digest: string;
  /** JSON as the server gave it; null when it is too large to keep. */
  definition: string | null;
  verdict: string;
  /** JSON array of findings. */
  findings: string;
  tier: string;
  tokens: number;
  /** Whether the last inspection saw this version. */
  present: number;
  first_seen_at: number;
  last_seen_at: number;
}

export interface TrustDecisionTable {
  id: string;
  server_id: string;
  kind: string;
  name: string;
  digest: string;
  /** approved, held or rejected. */
  decision: string;
  reason: string;
  /** Null: decided by the rule for clean first inspections. */
  decided_by: string | null;
  decided_at: number;
  expires_at: number | null;
  /** Waits for a second person. */
  pending: number;
  seconded_by: string | null;
  seconded_at: number | null;
}

/** What an administrator sets for a tool or a pattern of names; survives every inspection. */
export interface TrustOverrideTable {
  server_id: string;
  kind: string;
  /** An exact name, or a pattern with `*`. */
  name: string;
  enabled: number | null;
  /** The name that clients see; for an exact name only. */
  alias: string | null;
  title: string | null;
  description: string | null;
  changed_by: string;
  changed_at: number;
}

export interface TrustServerTable {
  server_id: string;
  /** draft, in-review, approved, held, rejected or retired. */
  state: string;
  reason: string;
  /** Null: decided by the rule for clean first inspections. */
  changed_by: string | null;
  changed_at: number;
  /** Null until an inspection has succeeded. */
  inspected_at: number | null;
  /** JSON: phases and times of the last inspection. */
  inspection: string;
}

export interface GroupTable {
  id: string;
  name: string;
  /** Case-folded; unique. */
  name_key: string;
  description: string | null;
  /** JSON array of scopes that every member holds. */
  scopes: string;
  /** The provisioning client's identifier (SCIM externalId). */
  external_id: string | null;
  /** Raised by every change; the ETag. */
  revision: number;
  created_at: number;
  updated_at: number;
}

export interface GroupMemberTable {
  group_id: string;
  user_id: string;
  /** Who says so: "manual" (an administrator or SCIM), or "claim:<issuer>", which that issuer's next sign-in replaces. */
  source: string;
  created_at: number;
}

export interface GroupGrantTable {
  group_id: string;
  server_id: string;
  created_by: string;
  created_at: number;
}

/** Identity providers (people sign in there) and trusted issuers (their tokens are accepted here): the same columns, other settings. */
export interface IssuerTable {
  id: string;
  name: string;
  issuer: string;
  /** JSON object, as the API takes it. */
  settings: string;
  /** Envelope: client secret, or private JWK. */
  secret: string | null;
  enabled: number;
  revision: number;
  created_at: number;
  updated_at: number;
}

export interface ExternalIdentityTable {
  issuer: string;
  /** The value of the claim that names the person there, `sub` as a rule. */
  subject: string;
  user_id: string;
  created_at: number;
  last_seen_at: number;
}

/** A sign-in that has gone out to a provider and not yet come back. */
export interface ExternalSignInTable {
  /** Keyed hash of `state`. */
  state_hash: string;
  provider_id: string;
  /** Envelope: nonce, code verifier, browser binding, where to go then. */
  sealed: string;
  expires_at: number;
}

export interface ApiKeyTable {
  id: string;
  user_id: string;
  name: string;
  /** Shown in lists, so that people recognise a key. */
  prefix: string;
  /** Keyed hash. */
  key_hash: string;
  /** JSON array. */
  scopes: string;
  /** JSON array of server names; null: any that the user may call. */
  servers: string | null;
  /** JSON array of tool names, * standing for any text; null: any. */
  tools: string | null;
  created_by: string;
  created_at: number;
  expires_at: number;
  last_used_at: number | null;
  revoked_at: number | null;
}

export interface UsedAssertionTable {
  /** Keyed hash of issuer and `jti`. */
  assertion_hash: string;
  expires_at: number;
}

/** What the authorization server keeps: codes, tokens, grants, interactions. */
export interface OAuthRecordTable {
  /** Keyed hash of the id, which is the token, code or URI itself. */
  id_hash: string;
  model: string;
  /** Envelope of a JSON object. */
  payload: string;
  /** Id hash of the grant that it belongs to. */
  grant_hash: string | null;
  /** Keyed hash. */
  user_code_hash: string | null;
  account_id: string | null;
  client_id: string | null;
  /** The account's at that time: a later one ends the record. */
  epoch: number | null;
  consumed_at: number | null;
  created_at: number;
  expires_at: number;
}

export interface OAuthClientTable {
  client_id: string;
  name: string;
  /** JSON object: the client metadata of RFC 7591 that is kept. */
  metadata: string;
  /** Keyed hash. */
  secret_hash: string | null;
  /** JSON array: the most that its own tokens (client_credentials) may hold. */
  scopes: string;
  /** The account whose grants its own tokens use. */
  acts_as: string | null;
  created_at: number;
  updated_at: number;
}

export interface OAuthRevocationTable {
  /** "token:<jti>", "grant:<grant hash>" or "client:<client id>". */
  ref: string;
  /** When the last token concerned has expired by itself. */
  expires_at: number;
}

export interface RelayedAnswerTable {
  id: string;
  /** Of a legacy client, as the gateway names it. */
  session: string;
  /** Envelope of the JSON-RPC response. */
  message: string;
  created_at: number;
}

export interface PolicyTable {
  id: string;
  name: string;
  /** Cedar text: exactly one policy. */
  text: string;
  enabled: number;
  revision: number;
  changed_by: string | null;
  changed_at: number;
}

/** A call that waits for a person, or that a person let through once. */
export interface CallApprovalTable {
  id: string;
  user_id: string;
  server_id: string;
  tool: string;
  /** Of the canonical arguments: the approval is for these and no others. */
  arguments_digest: string;
  policy: string;
  /** waiting, approved, refused or used. */
  state: string;
  asked_at: number;
  expires_at: number;
  decided_by: string | null;
  decided_at: number | null;
}

/** A person signed in with a browser. */
export interface BrowserSessionTable {
  id: string;
  user_id: string;
  /** Keyed hash of the cookie's value; replaced at every rotation. */
  token_hash: string;
  /** The user's when the session began: another one ends it. */
  epoch: number;
  /** JSON array of what was shown: password, totp, passkey, recovery, federated. */
  factors: string;
  authenticated_at: number;
  last_factor_at: number;
  last_seen_at: number;
  expires_at: number;
  /** Browser and system, as far as the browser says. */
  device: string;
  /** Coarse: /24 or /48. */
  address: string;
}

/** What rests between two requests of a sign-in or an enrolment: challenges, and a password that was right. */
export interface SignInStepTable {
  /** Keyed hash. */
  token_hash: string;
  kind: string;
  /** The browser session or sign-in attempt that it belongs to. */
  bound_to: string;
  /** Envelope of a JSON object. */
  sealed: string;
  expires_at: number;
}

export interface TotpFactorTable {
  user_id: string;
  /** Envelope of the base32 secret. */
  secret: string;
  /** The latest time step whose code was used: none is used twice. */
  last_step: number;
  created_at: number;
  /** Null until a first code has shown that the app has the secret. */
  confirmed_at: number | null;
}

export interface PasskeyTable {
  /** Credential id, base64url. */
  id: string;
  user_id: string;
  name: string;
  /** COSE key, base64url. */
  public_key: string;
  counter: number;
  /** singleDevice or multiDevice. */
  device_type: string;
  backed_up: number;
  /** JSON array. */
  transports: string;
  created_at: number;
  last_used_at: number | null;
}

export interface RecoveryCodeTable {
  /** Keyed hash of user and code. */
  code_hash: string;
  user_id: string;
  created_at: number;
}

export interface BundleTable {
  id: string;
  name: string;
  title: string | null;
  description: string | null;
  /** Instead of the servers' own instructions. */
  instructions: string | null;
  /** 1: only find_tools and call_tool are listed. */
  discover: number;
  /** JSON: chosen tools, prompts and resources. */
  contents: string;
  owner_id: string;
  enabled: number;
  /** Raised by every change; the ETag. */
  revision: number;
  created_at: number;
  updated_at: number;
}

export interface BundleGrantTable {
  user_id: string;
  bundle_id: string;
  created_by: string;
  created_at: number;
}

export interface LimitTable {
  id: string;
  name: string;
  /** A user's id; "*": counted for each alone; null: counted for all together. Likewise for servers (id) and tools (name). */
  user_match: string | null;
  server_match: string | null;
  tool_match: string | null;
  /** Thousandths of a request. */
  per_second_milli: number | null;
  burst: number | null;
  concurrent: number | null;
  per_day: number | null;
  revision: number;
  created_at: number;
  updated_at: number;
}

/** What is left of a limit and not lent to any process. */
export interface BudgetTable {
  key: string;
  /** Thousandths of a request. */
  milli: number;
  /** When it was counted. */
  at: number;
}

/** Places of a concurrency limit that a process holds. */
export interface BudgetSlotTable {
  key: string;
  holder: string;
  amount: number;
  expires_at: number;
}

export interface MetaTable {
  key: string;
  value: string;
}

export interface Tables {
  users: UserTable;
  servers: ServerTable;
  openapi_documents: OpenapiDocumentTable;
  grants: GrantTable;
  signing_keys: SigningKeyTable;
  setup_tokens: SetupTokenTable;
  throttles: ThrottleTable;
  audit_outbox: AuditOutboxTable;
  audit_chain: AuditChainTable;
  audit_segments: AuditSegmentTable;
  audit_nodes: AuditNodeTable;
  audit_checkpoints: AuditCheckpointTable;
  audit_keys: AuditKeyTable;
  audit_bodies: AuditBodyTable;
  oauth_records: OAuthRecordTable;
  oauth_clients: OAuthClientTable;
  oauth_revocations: OAuthRevocationTable;
  policies: PolicyTable;
  call_approvals: CallApprovalTable;
  trust_items: TrustItemTable;
  trust_decisions: TrustDecisionTable;
  trust_overrides: TrustOverrideTable;
  trust_servers: TrustServerTable;
  groups: GroupTable;
  group_members: GroupMemberTable;
  group_grants: GroupGrantTable;
  identity_providers: IssuerTable;
  trusted_issuers: IssuerTable;
  external_identities: ExternalIdentityTable;
  external_sign_ins: ExternalSignInTable;
  api_keys: ApiKeyTable;
  used_assertions: UsedAssertionTable;
  relayed_answers: RelayedAnswerTable;
  browser_sessions: BrowserSessionTable;
  sign_in_steps: SignInStepTable;
  totp_factors: TotpFactorTable;
  passkeys: PasskeyTable;
  recovery_codes: RecoveryCodeTable;
  bundles: BundleTable;
  bundle_grants: BundleGrantTable;
  limits: LimitTable;
  budgets: BudgetTable;
  budget_slots: BudgetSlotTable;
  meta: MetaTable;
}

/**
 * Every setting of the product: one table gives the parser, the types, `sallyport config` and docs/configuration.md.
 * A setting is read from its environment variable, or from the file that `<NAME>_FILE` names.
 */
import { z } from "zod";
import { Secret } from "../kernel/secret.ts";

export type SettingGroup = "Listening" | "Storage" | "Secrets" | "First administrator" | "Identity" | "Upstream servers" | "Limits" | "Audit" | "Operations" | "Command line";

export interface Setting<T = unknown> {
  group: SettingGroup;
  description: string;
  schema: z.ZodType<T, string>;
  /** Text as one would write it in the environment. Absent: the setting is optional and undefined. */
  default?: string;
  /** A secret is never printed; keys and passwords are checked for strength. */
  sensitive?: "key" | "password" | "credential";
  /** The start stops without it. */
  required?: boolean;
}

const port = z.string().regex(/^\d{1,5}$/).transform(Number).pipe(z.number().int().min(0).max(65535));
const integer = (min: number, max: number) => z.string().regex(/^\d{1,15}$/, "must be a whole number").transform(Number).pipe(z.number().int().min(min).max(max));
const yes = z.enum(["yes", "no"], { error: "must be 'yes' or 'no'" }).transform((text) => text === "yes");
const list = z.string().transform((text) => text.split(",").map((entry) => entry.trim()).filter((entry) => entry !== ""));
const text = z.string().min(1);
const httpUrl = z.string().refine((value) => {
  const url = URL.parse(value);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "" && url.search === "" && url.hash === "";
}, "must be an http or https URL without credentials, query or fragment").transform((value) => value.replace(/\/$/, ""));
const secret = text.transform((value) => new Secret(value));
const totpSecret = z.string().transform((value) => value.replaceAll(/[\s=-]/g, "").toUpperCase()).pipe(z.string().regex(/^[A-Z2-7]{26,128}$/, "must be base32 of at least 128 bits (26 characters)")).transform((value) => new Secret(value));
const databaseUrl = z.string().refine((value) => /^postgres(?:ql)?:$/.test(URL.parse(value)?.protocol ?? ""), "must be a postgres:// URL").transform((value) => new Secret(value));

function setting<T, const S extends Setting<T>>(entry: S & Setting<T>): S {
  return entry;
}

export const settings = {
  SALLYPORT_HOST: setting({ group: "Listening", default: "127.0.0.1", schema: text, description: "Address to listen on: loopback by default, or a specific private address. All interfaces (0.0.0.0, ::) only with SALLYPORT_ALLOW_ALL_INTERFACES=yes." }),
  SALLYPORT_PORT: setting({ group: "Listening", default: "8420", schema: port, description: "Port to listen on; 0 takes a free one." }),
  SALLYPORT_ALLOW_ALL_INTERFACES: setting({ group: "Listening", default: "no", schema: yes, description: "Acknowledges that the product may listen on every network interface or on a public address." }),
  SALLYPORT_PUBLIC_URL: setting({ group: "Listening", schema: httpUrl, description: "The URL that clients use, if it differs from http://HOST:PORT (behind a reverse proxy, say). It is the token issuer; it is never derived from request headers." }),
  SALLYPORT_ALLOWED_HOSTS: setting({ group: "Listening", default: "", schema: list, description: "Further Host header values that are answered, comma-separated. The public URL's and the loopback names are always allowed." }),
  SALLYPORT_ALLOWED_ORIGINS: setting({ group: "Listening", default: "", schema: list, description: "Further Origin header values that are answered, comma-separated. The public URL's own origin is always allowed." }),
  SALLYPORT_TLS_CERT_FILE: setting({ group: "Listening", schema: text, description: "PEM certificate chain: serve HTTPS (TLS 1.2 and 1.3) directly. Needs SALLYPORT_TLS_KEY_FILE." }),
  SALLYPORT_TLS_KEY_FILE: setting({ group: "Listening", schema: text, description: "PEM private key of SALLYPORT_TLS_CERT_FILE." }),
  SALLYPORT_TRUSTED_PROXY_HOPS: setting({ group: "Listening", default: "0", schema: integer(0, 10), description: "Number of reverse proxies in front whose X-Forwarded-For entry is trusted, counted from the right." }),

  SALLYPORT_DATA_DIR: setting({ group: "Storage", default: "data", schema: text, description: "Folder of the embedded database and of everything else kept on disk (mode 0700)." }),
  SALLYPORT_DATABASE_URL: setting({ group: "Storage", schema: databaseUrl, sensitive: "credential", description: "postgres://user:password@host:port/database: use PostgreSQL instead of the embedded database." }),

  SALLYPORT_ENCRYPTION_KEY: setting({ group: "Secrets", required: true, sensitive: "key", schema: secret, description: "Root key (at least 32 random characters, such as 'openssl rand -base64 32'): encrypts secret columns and keys the hashes of tokens. Losing it loses what it protects." }),
  SALLYPORT_ENCRYPTION_KEY_PREVIOUS: setting({ group: "Secrets", sensitive: "key", schema: secret, description: "The root key before rotation: still decrypts, never encrypts." }),

  SALLYPORT_ADMIN_USERNAME: setting({ group: "First administrator", schema: text, description: "Creates the first administrator at start, instead of the setup link, when no user exists. Needs SALLYPORT_ADMIN_PASSWORD." }),
  SALLYPORT_ADMIN_PASSWORD: setting({ group: "First administrator", sensitive: "password", schema: secret, description: "Password of the first administrator (at least 15 characters)." }),
  SALLYPORT_ADMIN_TOTP_SECRET: setting({ group: "First administrator", sensitive: "credential", schema: totpSecret, description: "Second factor of the first administrator, whom SALLYPORT_ADMIN_USERNAME creates: base32 of at least 128 bits, as for an authenticator app (RFC 6238: SHA-1, 6 digits, 30 seconds). Without a second factor an administrator gets no token with 'admin'." }),

  SALLYPORT_PASSWORD_GRANT: setting({ group: "Identity", default: "loopback", schema: z.enum(["loopback", "enabled", "disabled"]), description: "OAuth2 password grant at POST /token: 'loopback' answers only while nobody beyond this machine comes in (listening on loopback, a public URL on loopback if any, no trusted proxies), 'enabled' always, 'disabled' never." }),
  SALLYPORT_TOKEN_LIFETIME: setting({ group: "Identity", default: "3600", schema: integer(60, 86_400), description: "Lifetime of access tokens, in seconds." }),
  SALLYPORT_API_KEY_MAX_LIFETIME: setting({ group: "Identity", default: "31536000", schema: integer(60, 315_360_000), description: "Longest life that an API key may be given, in seconds." }),
  SALLYPORT_SIGN_IN_IDLE: setting({ group: "Identity", default: "3600", schema: integer(60, 2_592_000), description: "Seconds after which a browser's sign-in that nobody uses ends." }),
  SALLYPORT_SIGN_IN_LIFETIME: setting({ group: "Identity", default: "86400", schema: integer(60, 2_592_000), description: "Seconds after which a browser's sign-in ends in any case." }),
  SALLYPORT_STEP_UP_WINDOW: setting({ group: "Identity", default: "300", schema: integer(30, 86_400), description: "Seconds for which a sign-in counts as fresh: destructive administration (deleting servers, changing users, factors and keys) needs one." }),
  SALLYPORT_SETUP_LINK_LIFETIME: setting({ group: "Identity", default: "3600", schema: integer(60, 86_400), description: "Lifetime of the setup link, in seconds." }),
  SALLYPORT_SIGNING_ALGORITHM: setting({ group: "Identity", default: "EdDSA", schema: z.enum(["EdDSA", "ES256"]), description: "Signature algorithm of new access-token keys." }),
  SALLYPORT_SIGNING_KEY_LIFETIME: setting({ group: "Identity", default: "2592000", schema: integer(3600, 31_536_000), description: "Seconds after which a new signing key takes over; the old one verifies until its last token has expired." }),

  SALLYPORT_OAUTH_PROFILE: setting({ group: "Identity", default: "mcp", schema: z.enum(["mcp", "fapi2"]), description: "Rules of the authorization server: 'mcp' is OAuth 2.1 as the Model Context Protocol asks for it; 'fapi2' also requires pushed requests, DPoP and private_key_jwt of every client (FAPI 2.0 Security Profile)." }),
  SALLYPORT_OAUTH_CLIENT_HOSTS: setting({ group: "Identity", default: "*", schema: list.transform((hosts) => hosts.filter((host) => host !== "none").map((host) => host.toLowerCase())), description: "Hosts (with their port, if not 443) whose client ID metadata documents are accepted, comma-separated; '*' accepts any public host, 'none' no host. Addresses that are not public need SALLYPORT_UPSTREAM_ALLOW as well." }),
  SALLYPORT_OAUTH_REGISTRATION: setting({ group: "Identity", default: "disabled", schema: z.enum(["disabled", "enabled"]), description: "Dynamic client registration at POST /register, for old clients only: deprecated by MCP in favour of client ID metadata documents." }),
  SALLYPORT_REFRESH_LIFETIME: setting({ group: "Identity", default: "2592000", schema: integer(300, 31_536_000), description: "Seconds after which a program that a person has allowed must ask again: the longest life of a family of refresh tokens." }),

  SALLYPORT_UPSTREAM_ALLOW: setting({ group: "Upstream servers", default: "", schema: list, description: "Hosts, addresses and CIDRs beyond public ones that upstream URLs may name, comma-separated (for example 127.0.0.1,::1,localhost,10.1.0.0/16,mcp.internal). Cloud metadata addresses only when named exactly." }),
  SALLYPORT_APPROVAL: setting({ group: "Upstream servers", default: "auto", schema: z.enum(["auto", "required", "clean", "off"]), description: "What may be listed and called. 'required': only what a reviewer approved. 'clean': also what the scanner finds nothing in when a server is first inspected; what changes or comes later waits for a reviewer. 'off': everything. 'auto': 'clean' while this deployment and the server are both on loopback, otherwise 'required'." }),
  SALLYPORT_FOUR_EYES: setting({ group: "Upstream servers", default: "no", schema: yes, description: "What a server's owner approves takes effect only when a second person has confirmed it." }),
  SALLYPORT_RESULT_INSPECTION: setting({ group: "Upstream servers", default: "report", schema: z.enum(["off", "report", "annotate", "redact", "block"]), description: "What happens to results that carry instructions to the model, hidden characters or secrets. 'report': they pass, and the audit trail says so; 'annotate': _meta says so; 'redact': the text is taken out; 'block': the result is refused." }),
  SALLYPORT_GUARDRAIL_URL: setting({ group: "Upstream servers", schema: httpUrl, description: "A guardrail that judges results besides the built-in one: it is sent {server, method, name, texts} and answers {effect, findings}. Its host must be reachable under SALLYPORT_UPSTREAM_ALLOW like any other; when it does not answer, results count as 'block'." }),
  SALLYPORT_INSPECTION_INTERVAL: setting({ group: "Upstream servers", default: "300", schema: integer(1, 86_400), description: "Seconds between two inspections of a server. What has not been verified for twice as long is not called." }),

  SALLYPORT_STDIO_ALLOW: setting({ group: "Upstream servers", default: "", schema: list, description: "Programs that stdio servers may run, comma-separated: absolute paths, or bare names that are looked for beside our own Node.js and in /usr/local/bin, /usr/bin and /bin. Never a shell. Empty: no stdio servers." }),
  SALLYPORT_STDIO_SANDBOX: setting({ group: "Upstream servers", default: "auto", schema: z.enum(["auto", "required", "off"]), description: "Namespaces around stdio servers (read-only file systems, no network unless allowed, no foreign processes): 'auto' where the host has them, 'required' starts nothing without, 'off' never. 'sallyport doctor' says what is in force." }),

  SALLYPORT_BODY_LIMIT: setting({ group: "Limits", default: "1048576", schema: integer(1024, 104_857_600), description: "Largest request body, in bytes." }),
  SALLYPORT_UPSTREAM_TIMEOUT: setting({ group: "Limits", default: "30", schema: integer(1, 3600), description: "Seconds until an upstream server must have started its answer." }),
  SALLYPORT_STREAM_IDLE_TIMEOUT: setting({ group: "Limits", default: "300", schema: integer(1, 86_400), description: "Seconds that a response stream may stay silent." }),
  SALLYPORT_MAX_CONNECTIONS: setting({ group: "Limits", default: "10000", schema: integer(10, 1_000_000), description: "Open client connections; more are refused at once." }),
  SALLYPORT_RESPONSE_LIMIT: setting({ group: "Limits", default: "67108864", schema: integer(1024, 10_737_418_240), description: "Largest upstream JSON response, in bytes. Event streams are bounded by time instead." }),
  SALLYPORT_SESSIONS_PER_USER: setting({ group: "Limits", default: "100", schema: integer(1, 1_000_000), description: "Sessions of clients of 2025 and earlier that one user may have; at the limit the longest idle one makes room." }),
  SALLYPORT_SESSIONS: setting({ group: "Limits", default: "10000", schema: integer(1, 10_000_000), description: "Sessions of clients of 2025 and earlier in all." }),
  SALLYPORT_SESSION_IDLE: setting({ group: "Limits", default: "1800", schema: integer(1, 604_800), description: "Seconds after which a session that nobody uses ends." }),
  SALLYPORT_SESSION_LIFETIME: setting({ group: "Limits", default: "86400", schema: integer(1, 2_592_000), description: "Seconds after which a session ends in any case." }),
  SALLYPORT_STREAMS_PER_USER: setting({ group: "Limits", default: "100", schema: integer(1, 1_000_000), description: "Open streams (GET streams, HTTP+SSE sessions, subscriptions) that one user may have." }),
  SALLYPORT_STREAMS: setting({ group: "Limits", default: "5000", schema: integer(1, 10_000_000), description: "Open streams in all." }),
  SALLYPORT_STREAM_LIFETIME: setting({ group: "Limits", default: "3600", schema: integer(1, 604_800), description: "Seconds after which an open stream is ended in any case; clients open a new one." }),
  SALLYPORT_STREAM_KEEP_ALIVE: setting({ group: "Limits", default: "15", schema: integer(1, 3600), description: "Seconds between comments on a silent stream, and between checks that whoever holds it still may." }),
  SALLYPORT_STREAM_BUFFER: setting({ group: "Limits", default: "1048576", schema: integer(1024, 1_073_741_824), description: "Bytes that may wait for a slow reader before its stream is cut." }),
  SALLYPORT_PARKED_CALLS_PER_USER: setting({ group: "Limits", default: "20", schema: integer(1, 1_000_000), description: "Calls of one user that may rest until a question to the client is answered." }),
  SALLYPORT_PARKED_CALLS: setting({ group: "Limits", default: "1000", schema: integer(1, 10_000_000), description: "Calls that may rest until a question is answered, in all." }),
  SALLYPORT_INPUT_TIMEOUT: setting({ group: "Limits", default: "600", schema: integer(1, 86_400), description: "Seconds that a client may take to answer a question." }),
  SALLYPORT_REPLAY_PER_SESSION: setting({ group: "Limits", default: "262144", schema: integer(0, 1_073_741_824), description: "Bytes of events kept per session so that a broken stream can be resumed." }),
  SALLYPORT_REPLAY: setting({ group: "Limits", default: "67108864", schema: integer(0, 68_719_476_736), description: "Bytes of events kept for resumption in all." }),
  SALLYPORT_CALLS_PER_SESSION: setting({ group: "Limits", default: "64", schema: integer(1, 100_000), description: "Requests of one session that may run at once." }),
  SALLYPORT_SUBSCRIPTIONS: setting({ group: "Limits", default: "256", schema: integer(1, 100_000), description: "Resources that one session or subscription may follow." }),
  SALLYPORT_BATCH_LIMIT: setting({ group: "Limits", default: "50", schema: integer(1, 10_000), description: "Messages in one batch (2025-03-26 only)." }),
  SALLYPORT_STDIO_CHILDREN: setting({ group: "Limits", default: "64", schema: integer(1, 10_000), description: "Processes of stdio servers in all." }),
  SALLYPORT_STDIO_CHILDREN_PER_USER: setting({ group: "Limits", default: "16", schema: integer(1, 10_000), description: "Processes of stdio servers that one user's calls may hold." }),
  SALLYPORT_STDIO_CHILDREN_PER_SERVER: setting({ group: "Limits", default: "16", schema: integer(1, 10_000), description: "Processes of one stdio server." }),
  SALLYPORT_STDIO_MEMORY: setting({ group: "Limits", default: "512", schema: integer(16, 1_048_576), description: "MiB that one process of a stdio server, with all it starts, may occupy." }),
  SALLYPORT_STDIO_CPU: setting({ group: "Limits", default: "3600", schema: integer(1, 31_536_000), description: "Seconds of processor time of one process of a stdio server." }),
  SALLYPORT_STDIO_FILES: setting({ group: "Limits", default: "512", schema: integer(32, 1_048_576), description: "Files that one process of a stdio server may have open." }),
  SALLYPORT_OPENAPI_DOCUMENT_LIMIT: setting({ group: "Limits", default: "4194304", schema: integer(1024, 104_857_600), description: "Largest OpenAPI document, in bytes." }),
  SALLYPORT_OPENAPI_OPERATIONS: setting({ group: "Limits", default: "500", schema: integer(1, 10_000), description: "Operations of one OpenAPI document that may become tools; a document with more is refused." }),

  SALLYPORT_AUDIT_BODIES: setting({ group: "Audit", default: "no", schema: yes, description: "Keep what tool calls carry, sealed, for those with the scope audit:read. The rest of the audit trail never has it." }),
  SALLYPORT_AUDIT_RETENTION_DAYS: setting({ group: "Audit", default: "0", schema: integer(0, 36_500), description: "Days after which audit events are removed, under a signed checkpoint; 0 keeps them all." }),
  SALLYPORT_CALL_TIMEOUT: setting({ group: "Limits", default: "900", schema: integer(1, 86_400), description: "Seconds that a call to an upstream server may take in all, whatever progress it reports; waiting for a person's answer does not count." }),
  SALLYPORT_UPSTREAM_MESSAGE_LIMIT: setting({ group: "Limits", default: "16777216", schema: integer(1024, 1_073_741_824), description: "Largest single message or event of an upstream server that the gateway has to read (where eras differ, and in lists), in bytes." }),
  SALLYPORT_UPSTREAM_STREAM_LIMIT: setting({ group: "Limits", default: "268435456", schema: integer(1024, 1_099_511_627_776), description: "All that one upstream event stream may bring while the gateway reads it, in bytes." }),
  SALLYPORT_UPSTREAM_CONCURRENCY: setting({ group: "Limits", default: "64", schema: integer(1, 10_000), description: "Calls in flight to one upstream server, where the gateway translates; more wait." }),
  SALLYPORT_UPSTREAM_QUEUE: setting({ group: "Limits", default: "256", schema: integer(0, 100_000), description: "Calls that may wait for one upstream server; more are refused." }),
  SALLYPORT_UPSTREAM_SESSIONS: setting({ group: "Limits", default: "128", schema: integer(1, 100_000), description: "Sessions that the gateway holds open with one upstream server." }),
  SALLYPORT_UPSTREAM_SESSIONS_PER_USER: setting({ group: "Limits", default: "16", schema: integer(1, 10_000), description: "Sessions that the gateway holds open with one upstream server for one user." }),
  SALLYPORT_UPSTREAM_SESSION_IDLE: setting({ group: "Limits", default: "300", schema: integer(1, 86_400), description: "Seconds after which an unused session with an upstream server is ended." }),
  SALLYPORT_UPSTREAM_SESSION_LIFETIME: setting({ group: "Limits", default: "28800", schema: integer(1, 604_800), description: "Seconds after which a session with an upstream server is replaced." }),
  SALLYPORT_UPSTREAM_QUESTIONS: setting({ group: "Limits", default: "32", schema: integer(0, 10_000), description: "Questions that an upstream server may ask the client in the midst of one call." }),
  SALLYPORT_UPSTREAM_FAILURES: setting({ group: "Limits", default: "5", schema: integer(1, 1000), description: "Failures in a row after which an upstream server is left alone for a while." }),
  SALLYPORT_UPSTREAM_COOLDOWN: setting({ group: "Limits", default: "15", schema: integer(1, 3600), description: "Seconds that an upstream server is left alone before one call tries it again." }),
  SALLYPORT_UPSTREAM_ERA_LIFETIME: setting({ group: "Limits", default: "3600", schema: integer(1, 604_800), description: "Seconds until the gateway finds out anew which protocol eras an upstream server speaks." }),
  SALLYPORT_CONCURRENT_REQUESTS: setting({ group: "Limits", default: "256", schema: integer(0, 1_000_000), description: "Requests of one user under way at once through the gateway, within one process; 0: no limit." }),
  SALLYPORT_REQUESTS_PER_SECOND: setting({ group: "Limits", default: "0", schema: integer(0, 1_000_000), description: "Requests per second of one user through the gateway, on average, in all processes together; 0: no limit. Finer limits: 'sallyport limits'." }),
  SALLYPORT_REQUESTS_PER_DAY: setting({ group: "Limits", default: "0", schema: integer(0, 2_000_000_000), description: "Requests per day (UTC) of one user through the gateway, in all processes together; 0: no limit." }),
  SALLYPORT_FANOUT_DEADLINE: setting({ group: "Limits", default: "2000", schema: integer(10, 60_000), description: "Milliseconds that /mcp and bundles wait for the servers behind them; who has not answered by then is shown as last known, or named as missing." }),
  SALLYPORT_FANOUT_SERVERS: setting({ group: "Limits", default: "500", schema: integer(1, 10_000), description: "Most servers behind /mcp or a bundle, in order of their names; those beyond are named as missing." }),
  SALLYPORT_LIST_REFRESH: setting({ group: "Limits", default: "30", schema: integer(1, 86_400), description: "Seconds for which /mcp and bundles use a server's list before they ask again, unless the server allows longer or announces a change." }),
  SALLYPORT_LIST_KEEP: setting({ group: "Limits", default: "3600", schema: integer(1, 604_800), description: "Seconds for which /mcp and bundles show the last known list of a server that does not answer." }),
  SALLYPORT_LIST_PAGE: setting({ group: "Limits", default: "1000", schema: integer(10, 10_000), description: "Entries in one page of a list of /mcp or a bundle." }),
  SALLYPORT_TOOL_DISCOVERY: setting({ group: "Limits", default: "no", schema: yes, description: "Whether /mcp lists only find_tools and call_tool instead of every tool; a client may ask for either with ?tools=discover or ?tools=all." }),

  SALLYPORT_LOG_LEVEL: setting({ group: "Operations", default: "info", schema: z.enum(["debug", "info", "warn", "error", "silent"]), description: "Least severe log line written." }),

  SALLYPORT_URL: setting({ group: "Command line", schema: httpUrl, description: "The Sallyport that the command line talks to, instead of the one 'sallyport login' remembered." }),
  SALLYPORT_TOKEN: setting({ group: "Command line", sensitive: "credential", schema: secret, description: "Access token for the command line, instead of the one 'sallyport login' stored." }),
} as const;

export type SettingName = keyof typeof settings;
type Parsed<S> = S extends { schema: z.ZodType<infer T, string> } ? T : never;
type Present<S> = S extends { default: string } | { required: true } ? Parsed<S> : Parsed<S> | undefined;

/** The parsed environment, one property per setting; secrets are `Secret`, so printing them is harmless. */
export type Config = { [K in SettingName]: Present<(typeof settings)[K]> };

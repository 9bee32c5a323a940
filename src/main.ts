/**
 * The composition root: configuration → storage → features → listener. The only place that wires.
 * Run as a program it is the command line: `sallyport serve`, `sallyport config`, and everything in cli/.
 */
import { resolve } from "node:path";
import { openAudit, auditRoutes } from "./audit/index.ts";
import type { Config } from "./config/index.ts";
import { bundleRoutes, createAllowList, createBundles, createEndpoints, createGateway, createLimitRules, createLimits, createLocalLedger, createOpenApi, createPeers, createPermission, createResults, createSharedLedger, createStdio, createStoredCredentials, createVisit, createToolGate, detectConfinement, frontLimits, limitRoutes, peerLimits, readForRegistration, stdioLimits, type Peer } from "./gateway/index.ts";
import { createFactors, createResources, createSetup, createSigningIn, createStepUp, createThrottle, createTokens, createUsers, hasFactor, identityRoutes, openFederation, openKeys, openRevocations, createOAuth, resourceMetadataRoutes, type ReadSession, type Tokens } from "./identity/index.ts";
import { newId } from "./kernel/ids.ts";
import type { Log } from "./kernel/log.ts";
import { administratorScopes } from "./kernel/scopes.ts";
import { parseAllowList } from "./net/address.ts";
import { createApi } from "./net/api.ts";
import { createGuard } from "./net/guard.ts";
import { openInbound } from "./net/inbound.ts";
import { createOutbound } from "./net/outbound.ts";
import type { Principal } from "./kernel/principal.ts";
import type { RequestInfo, Route } from "./net/route.ts";
import { createLog, createMetrics, opsRoutes } from "./ops/index.ts";
import { authorize, createApprovals, denial, openPolicies, policyRoutes } from "./policy/index.ts";
import { createSearch, createServers, registryRoutes, storedDocument } from "./registry/index.ts";
import { openSnapshot, type ServerState } from "./snapshot/index.ts";
import { openStorage, type Storage } from "./storage/index.ts";
import { createGate, createReview, httpGuardrail, inspectTexts, openPins, scheduleInspections, trustRoutes, type ApprovalMode } from "./trust/index.ts";
import { version } from "./version.ts";

export interface Running {
  /** As bound, for example http://127.0.0.1:8420 */
  readonly url: string;
  readonly publicUrl: string;
  readonly dataDir: string;
  /** Present when no user exists yet. */
  readonly setupLink: string | undefined;
  readonly routes: readonly Route[];
  readonly storage: Storage;
  readonly tokens: Tokens;
  stop(): Promise<void>;
}

export interface StartOptions {
  config: Config;
  profile: "local" | "production";
  log?: Log;
  now?: () => number;
  /** Who is signed in in a browser, instead of the product's own sessions. */
  readSession?: ReadSession;
}

const graceMilliseconds = 10_000;

export async function startServer({ config, profile, log = createLog({ level: config.SALLYPORT_LOG_LEVEL }), now = Date.now, readSession }: StartOptions): Promise<Running> {
  const dataDir = resolve(config.SALLYPORT_DATA_DIR);
  const inbound = await openInbound({
    host: config.SALLYPORT_HOST,
    port: config.SALLYPORT_PORT,
    allowAllInterfaces: config.SALLYPORT_ALLOW_ALL_INTERFACES,
    publicUrl: config.SALLYPORT_PUBLIC_URL,
    allowedHosts: config.SALLYPORT_ALLOWED_HOSTS,
    allowedOrigins: config.SALLYPORT_ALLOWED_ORIGINS,
    tls: config.SALLYPORT_TLS_CERT_FILE && config.SALLYPORT_TLS_KEY_FILE ? { certFile: config.SALLYPORT_TLS_CERT_FILE, keyFile: config.SALLYPORT_TLS_KEY_FILE } : undefined,
    trustedProxyHops: config.SALLYPORT_TRUSTED_PROXY_HOPS,
    maxConnections: config.SALLYPORT_MAX_CONNECTIONS,
    log,
    onRefused: (reason, requestId) => audit?.record({ type: "request.refused", requestId, detail: { reason } }),
  });
  const publicUrl = config.SALLYPORT_PUBLIC_URL ?? inbound.url;

  const storage = await openStorage({ config: { ...config, SALLYPORT_DATA_DIR: dataDir }, onError: (error) => log.error("storage.failed", { error }) }).catch(async (error: unknown) => {
    await inbound.stop(0);
    throw error;
  });
  const metrics = createMetrics();
  const trail = await openAudit({ storage, log, host: new URL(publicUrl).host, keepsBodies: config.SALLYPORT_AUDIT_BODIES, retentionDays: config.SALLYPORT_AUDIT_RETENTION_DAYS, now }).catch(async (error: unknown) => {
    await inbound.stop(0);
    await storage.close();
    throw error;
  });
  const audit = metrics.counting(trail);
  const snapshot = await openSnapshot({ storage });
  const guard = createGuard({ allow: parseAllowList(config.SALLYPORT_UPSTREAM_ALLOW), onBlocked: ({ host, rule }) => audit.record({ type: "outbound.blocked", detail: { host, rule } }) });
  const outbound = createOutbound({ guard });

  const keys = await openKeys({ storage, audit, algorithm: config.SALLYPORT_SIGNING_ALGORITHM, lifetime: config.SALLYPORT_SIGNING_KEY_LIFETIME, tokenLifetime: config.SALLYPORT_TOKEN_LIFETIME, now });
  await keys.signing();
  const resources = createResources(publicUrl);
  const revocations = await openRevocations({ storage, tokenLifetime: config.SALLYPORT_TOKEN_LIFETIME, now });
  const factors = createFactors({ storage, audit, publicUrl, now });
  const users = createUsers({ storage, snapshot, audit, hasFactor: async (userId) => hasFactor(await factors.of(userId)), now });
  const federation = await openFederation({ storage, snapshot, audit, log, guard, outbound, users, resources, publicUrl, longestKeyLife: config.SALLYPORT_API_KEY_MAX_LIFETIME, now });
  const tokens = createTokens({ verifiers: federation.verifiers, keys, snapshot, issuer: publicUrl, lifetime: config.SALLYPORT_TOKEN_LIFETIME, now, isRevoked: revocations.isRevoked });
  const throttle = createThrottle({ storage, now });
  const signingIn = createSigningIn({ storage, snapshot, audit, users, factors, throttle, publicUrl, idle: config.SALLYPORT_SIGN_IN_IDLE, lifetime: config.SALLYPORT_SIGN_IN_LIFETIME, stepUpWindow: config.SALLYPORT_STEP_UP_WINDOW, links: federation.links, now });
  const setup = createSetup({ storage, users, audit, lifetime: config.SALLYPORT_SETUP_LINK_LIFETIME, now });
  if (config.SALLYPORT_ADMIN_USERNAME && config.SALLYPORT_ADMIN_PASSWORD && users.list().length === 0) {
    await users.createFirst({ username: config.SALLYPORT_ADMIN_USERNAME, password: config.SALLYPORT_ADMIN_PASSWORD.reveal(), scopes: administratorScopes }, "environment", { after: async (transaction, userId) => (config.SALLYPORT_ADMIN_TOTP_SECRET ? factors.provision(transaction, userId, config.SALLYPORT_ADMIN_TOTP_SECRET.reveal()) : undefined) });
  }
  const setupToken = await setup.createLink();

  const allow = createAllowList(config.SALLYPORT_STDIO_ALLOW);
  for (const { name, reason } of allow.refused) log.warn("stdio.allow.refused", { reason: `${name} ${reason}` });
  const environment = (server: ServerState) => (server.sealedEnvironment === undefined ? {} : (JSON.parse(storage.vault.open({ table: "servers", column: "environment", row: server.id }, server.sealedEnvironment)) as Record<string, string>));
  const stdio = createStdio({ allow, limits: stdioLimits(config), sandbox: config.SALLYPORT_STDIO_SANDBOX, environment, hidden: [dataDir], log });
  const stored = createStoredCredentials({ vault: storage.vault, audit });
  const compile = { bytes: config.SALLYPORT_OPENAPI_DOCUMENT_LIMIT, operations: config.SALLYPORT_OPENAPI_OPERATIONS };
  const openapi = createOpenApi({ outbound, snapshot, document: (serverId) => storedDocument(storage, serverId), credentials: stored, compile, limits: peerLimits(config), version });
  const peers = createPeers({
    outbound,
    snapshot,
    credentials: stored,
    version,
    log,
    now,
    limits: peerLimits(config),
    stdio: (server) => stdio.openStdio(server),
    onTrouble: (server) => void servers.check(server).catch((error: unknown) => log.warn("server.check.failed", { server: server.name, error })),
  });
  const pins = await openPins(storage);
  const mode = approvalMode(config, inbound.isLoopback);
  const peerOf = (server: ServerState): Peer => (server.transport === "openapi" ? openapi.createOpenApiTarget(server) : peers.of(server));
  const review = createReview({ storage, snapshot, audit, pins, visit: createVisit({ of: peerOf }), mode, fourEyes: config.SALLYPORT_FOUR_EYES, now });
  const interval = config.SALLYPORT_INSPECTION_INTERVAL * 1000;
  const gate = createGate({ pins, review, mode, maxAge: 2 * interval, now, onRefused: (server, kind, name, standing) => audit.record({ type: "item.refused", subject: `server:${server.id}`, detail: { server: server.name, kind, name, standing } }) });
  const kindsOfPolicies = ["tool", "prompt", "resource"] as const;
  const itemsOf = (server: ServerState) => kindsOfPolicies.flatMap((kind) => [...(pins.of(server.id)?.items() ?? [])].filter((pin) => pin.kind === kind).map(({ name, tier }) => ({ kind, name, tier })));
  const policies = await openPolicies({ storage, snapshot, audit, log, now, itemsOf, tierOf: (server, kind, name) => pins.of(server.id)?.original(kind, name)?.tier ?? "write" });
  const approvals = createApprovals({ storage, audit, now, nameOf: (id) => [...snapshot.servers.values()].find((server) => server.id === id)?.name ?? id });
  const permission = createPermission({ policies, approvals, audit, now });
  const results = createResults({ mode: config.SALLYPORT_RESULT_INSPECTION, hooks: [inspectTexts, ...(config.SALLYPORT_GUARDRAIL_URL ? [httpGuardrail({ outbound, url: config.SALLYPORT_GUARDRAIL_URL })] : [])], audit });
  const access = { isGranted: (userId: string, serverId: string) => snapshot.isGranted(userId, serverId), admits: (principal: Principal, server: ServerState) => policies.admits(principal, server) };
  const stopInspections = scheduleInspections({ snapshot, inspect: (server) => servers.check(server), interval });

  const servers = createServers({
    storage,
    snapshot,
    audit,
    guard,
    async probe(server) {
      const { ok, error } = await review.inspect(server);
      const tools = [...(pins.of(server.id)?.items() ?? [])].filter(({ kind }) => kind === "tool").map(({ name }) => name.slice(0, 128));
      return ok ? { status: "reachable", tools: tools.slice(0, 2000) } : { status: "unreachable", ...(error === undefined ? {} : { detail: error }) };
    },
    search: createSearch(snapshot),
    transports: { isAllowedCommand: (command) => allow.fileOf(command) !== undefined, readDocument: (source) => readForRegistration(source, { outbound, compile }) },
    now,
  });
  const requireCommand = (principal: Principal, request: RequestInfo) => {
    const decision = authorize(snapshot, principal, { kind: "route", scopes: ["admin"] });
    if (decision.allowed) return;
    audit.record({ type: "authorization.denied", actorId: principal.userId, requestId: request.id, detail: { action: "register-command", needs: decision.needs } });
    throw denial(decision);
  };
  const requireChange = (principal: Principal, server: ServerState, request: RequestInfo) => {
    const decision = authorize(snapshot, principal, { kind: "change-server", server });
    if (decision.allowed) return;
    audit.record({ type: "authorization.denied", actorId: principal.userId, requestId: request.id, subject: `server:${server.id}`, detail: { action: "change-server", needs: decision.needs } });
    throw denial(decision);
  };
  const oauth = createOAuth({ storage, snapshot, audit, log, keys, tokens, revocations, resources, throttle, outbound, readSession: readSession ?? signingIn.readSession, verifyIdentityAssertion: federation.verifyIdentityAssertion, issuer: publicUrl, profile: config.SALLYPORT_OAUTH_PROFILE, clientHosts: config.SALLYPORT_OAUTH_CLIENT_HOSTS, registration: config.SALLYPORT_OAUTH_REGISTRATION === "enabled", tokenLifetime: config.SALLYPORT_TOKEN_LIFETIME, refreshLifetime: config.SALLYPORT_REFRESH_LIFETIME, now });
  let serving = true;
  const routes: Route[] = [
    ...identityRoutes({ tokens, keys, users, setup, signIn: signingIn.signIn, sessions: signingIn.sessions, factors, audit, now, snapshot, resources, oauth, exchangeWorkloadToken: federation.exchangeWorkloadToken(tokens), passwordGrant: passwordGrantAnswers(config, inbound.isLoopback) }),
    ...oauth.routes,
    ...federation.routes,
    ...federation.signInRoutes(signingIn.sessions.start),
    ...signingIn.routes,
    ...resourceMetadataRoutes({ resources, issuer: publicUrl }),
    ...registryRoutes({ servers, snapshot, users, publicUrl, requireChange, requireCommand }),
    ...trustRoutes({ review, pins, snapshot, requireChange }),
    ...policyRoutes({ policies, approvals, snapshot, itemsOf }),
    ...bundleRoutes({ bundles: createBundles({ storage, snapshot, audit, now }), users, snapshot, audit, publicUrl, statusOf: (...about) => endpoints.statusOf(...about) }),
    ...limitRoutes({ rules: createLimitRules({ storage, snapshot, audit, now }), users, snapshot }),
    ...auditRoutes({ storage, audit, now }),
  ];
  let measured = () => "";
  routes.push(...opsRoutes({ storage, version, publicUrl, isServing: () => serving, metrics: () => measured() }, routes));
  const api = createApi({
    routes,
    log,
    bodyLimit: config.SALLYPORT_BODY_LIMIT,
    async authenticate(authorization, request) {
      try {
        return await tokens.verify(authorization, [publicUrl], {}, { proof: request.headers.get("dpop") ?? undefined, method: request.method, url: publicUrl + request.path });
      } catch (error) {
        audit.record({ type: "authentication.token.refused", requestId: request.id, detail: { reason: String((error as Error).cause ?? "none") } });
        throw error;
      }
    },
    requireScopes(principal, scopes, request) {
      const decision = authorize(snapshot, principal, { kind: "route", scopes });
      if (decision.allowed) return;
      audit.record({ type: "authorization.denied", actorId: principal.userId, requestId: request.id, detail: { action: "route", needs: decision.needs } });
      throw denial(decision);
    },
    requireFreshSignIn: createStepUp({ audit, window: config.SALLYPORT_STEP_UP_WINDOW, now }),
    onRefused: (reason, request) => audit.record({ type: "request.refused", requestId: request.id, detail: { reason } }),
  });
  const onLedgerError = (error: unknown) => log.error("limits.failed", { error });
  const limiter = createLimits({
    snapshot,
    defaults: { perSecond: config.SALLYPORT_REQUESTS_PER_SECOND, perDay: config.SALLYPORT_REQUESTS_PER_DAY, concurrent: config.SALLYPORT_CONCURRENT_REQUESTS },
    ledger: createSharedLedger({ storage, now, holder: newId(), onError: onLedgerError }),
    local: createLocalLedger(now),
    audit,
    now,
  });
  const endpoints = createEndpoints({
    snapshot,
    storage,
    audit,
    gate: createToolGate({ access, permission, pins, now }),
    pins,
    permission,
    results,
    trust: gate,
    limits: limiter,
    peer: peerOf,
    version,
    now,
    discover: config.SALLYPORT_TOOL_DISCOVERY,
    deadline: config.SALLYPORT_FANOUT_DEADLINE,
    refresh: config.SALLYPORT_LIST_REFRESH * 1000,
    keep: config.SALLYPORT_LIST_KEEP * 1000,
    timeout: config.SALLYPORT_UPSTREAM_TIMEOUT * 1000,
    mostServers: config.SALLYPORT_FANOUT_SERVERS,
    pageSize: config.SALLYPORT_LIST_PAGE,
  });
  const gateway = createGateway({
    snapshot,
    tokens,
    resources,
    storage,
    audit,
    outbound,
    access,
    gate,
    permission,
    results,
    log,
    now,
    limits: frontLimits(config),
    peer: peerOf,
    target: endpoints.target,
    limiter,
    bodyLimit: config.SALLYPORT_BODY_LIMIT,
    responseLimit: config.SALLYPORT_RESPONSE_LIMIT,
    upstreamTimeout: config.SALLYPORT_UPSTREAM_TIMEOUT * 1000,
    idleTimeout: config.SALLYPORT_STREAM_IDLE_TIMEOUT * 1000,
  });
  measured = () => metrics.text({ gauges: gateway.gauges, limits: gateway.limitsReached, version });
  inbound.serve(api, gateway.handle);
  audit.record({ type: "server.started", detail: { profile } });
  log.info("server.started", { address: config.SALLYPORT_HOST, port: Number(new URL(inbound.url).port) });

  return {
    url: inbound.url,
    publicUrl,
    dataDir,
    setupLink: setupToken && `${publicUrl}/setup?token=${setupToken}`,
    routes,
    storage,
    tokens,
    async stop() {
      serving = false;
      log.info("server.stopping");
      stopInspections();
      gateway.stop();
      metrics.close();
      await inbound.stop(graceMilliseconds);
      audit.record({ type: "server.stopped" });
      await peers.close();
      await stdio.close();
      await openapi.close();
      await limiter.close();
      await audit.close();
      await outbound.close();
      policies.close();
      pins.close();
      oauth.close();
      revocations.close();
      federation.close();
      snapshot.close();
      keys.close();
      await storage.close();
      log.info("server.stopped");
      log.flush();
    },
  };
}

const loopbackHosts = ["localhost", "127.0.0.1", "[::1]"];

/** Whether nobody beyond this machine comes in: neither directly nor through a proxy in front. */
function isLocal(config: Config, listensOnLoopback: boolean): boolean {
  const publicHost = config.SALLYPORT_PUBLIC_URL === undefined ? "localhost" : new URL(config.SALLYPORT_PUBLIC_URL).hostname;
  return listensOnLoopback && config.SALLYPORT_TRUSTED_PROXY_HOPS === 0 && loopbackHosts.includes(publicHost);
}

/** RFC 9700 section 2.4: not beyond this machine, unless asked for; nor beside FAPI 2.0, which knows no such grant. */
function passwordGrantAnswers(config: Config, listensOnLoopback: boolean): boolean {
  if (config.SALLYPORT_OAUTH_PROFILE === "fapi2") return config.SALLYPORT_PASSWORD_GRANT === "enabled";
  return config.SALLYPORT_PASSWORD_GRANT === "enabled" || (config.SALLYPORT_PASSWORD_GRANT === "loopback" && isLocal(config, listensOnLoopback));
}

/** The strictest rule wherever this deployment or the server is not on loopback. */
function approvalMode(config: Config, listensOnLoopback: boolean): (server: ServerState) => ApprovalMode {
  const { SALLYPORT_APPROVAL: chosen } = config;
  const local = isLocal(config, listensOnLoopback);
  return (server) => (chosen !== "auto" ? chosen : local && (server.transport === "stdio" || loopbackHosts.includes(new URL(server.url).hostname)) ? "clean" : "required");
}

if (import.meta.main) {
  const { runCommandLine } = await import("./cli/index.ts");
  await runCommandLine(process.argv.slice(2), { startServer, detectConfinement });
}

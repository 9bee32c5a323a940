/** Peers: every registered upstream as a target, in whichever era and over whichever transport it speaks. One upstream's trouble stays its own. */
import type { Log } from "../../kernel/log.ts";
import type { Principal } from "../../kernel/principal.ts";
import { Problem } from "../../kernel/problem.ts";
import { parseUpstreamUrl } from "../../net/guard.ts";
import type { Outbound } from "../../net/outbound.ts";
import type { ServerState, Snapshot } from "../../snapshot/index.ts";
import type { Asking, Channel, Era, OpenChannel, Peer } from "../exchange.ts";
import { errorCodes, WireError } from "../wire/message.ts";
import type { Carry } from "./carriage.ts";
import { openChannelSession } from "./channel-session.ts";
import { createDeadline, type Deadline } from "./deadline.ts";
import { createVerdict, detectEras, type Finding, type Probes } from "./detect.ts";
import { createEndpoint } from "./endpoint.ts";
import { createGate, type Gate } from "./gate.ts";
import { UpstreamError } from "./http.ts";
import { createLegacy, type SessionRequest } from "./legacy.ts";
import { EraChanged, type Context, type Credential, type Leg } from "./leg.ts";
import type { PeerLimits } from "./limits.ts";
import { carryOverChannel } from "./modern-channel.ts";
import { carryOverHttp } from "./modern-http.ts";
import { createModern } from "./modern.ts";
import { isSafe } from "./rpc.ts";
import type { LegacySession } from "./session.ts";
import { openSseChannel } from "./sse-channel.ts";
import { openStreamableSession } from "./streamable-session.ts";

export interface PeersOptions {
  outbound: Pick<Outbound, "dispatcherFor">;
  snapshot: Pick<Snapshot, "onServer">;
  /** What the gateway shows the server for this caller; undefined: for itself. */
  credentials(server: ServerState, caller: Principal | undefined): Promise<Credential> | Credential;
  /** Supervised children, for servers whose transport is stdio. */
  stdio?: ((server: ServerState) => OpenChannel) | undefined;
  version: string;
  log: Log;
  now: () => number;
  limits: PeerLimits;
  /** An upstream failed so often that it is left alone for a while. */
  onTrouble?: ((server: ServerState) => void) | undefined;
}

export interface Peers {
  /** Cheap; the same peer for as long as what matters of the server stays the same. */
  of(server: ServerState): ServerPeer;
  close(): Promise<void>;
}

export interface ServerPeer extends Peer {
  /** @param caller who finds out, where it is not known: the gateway itself unless told otherwise. */
  eras(wanted?: Era, caller?: typeof inspector): Promise<readonly Era[]>;
  /** What is known of the eras is found out anew. */
  forget(): void;
  readonly state: { readonly circuit: Gate["state"]; readonly eras: readonly Era[] | undefined };
  close(): Promise<void>;
}

/** What a peer is made of: another value of these is another peer. */
const factsOf = ({ url, transport, authMode, sealedHeaders, enabled, stdio, sealedEnvironment }: ServerState) => JSON.stringify([url, transport, authMode, sealedHeaders, enabled, stdio, sealedEnvironment]);

export function createPeers(options: PeersOptions): Peers {
  const peers = new Map<string, { facts: string; name: string; peer: ServerPeer }>();
  const drop = (id: string) => {
    const entry = peers.get(id);
    peers.delete(id);
    void entry?.peer.close().catch(() => undefined);
  };
  options.snapshot.onServer((name, state) => {
    if (state === undefined) for (const [id, entry] of peers) if (entry.name === name) drop(id);
    const known = state && peers.get(state.id);
    if (state && known && known.facts !== factsOf(state)) drop(state.id);
  });
  return {
    of(server) {
      const known = peers.get(server.id);
      if (known?.facts === factsOf(server)) return known.peer;
      drop(server.id);
      const peer = createPeer(server, options);
      peers.set(server.id, { facts: factsOf(server), name: server.name, peer });
      return peer;
    },
    async close() {
      const open = [...peers.values()].map(({ peer }) => peer.close());
      peers.clear();
      await Promise.all(open);
    },
  };
}

/** The gateway asking on its own account. */
export const itself: Principal = { userId: "gateway", scopes: new Set(), audience: [], tokenId: "", expiresAt: 0 };
/** Looks at a server even while callers are kept from it: how else would it be found to be well again? */
export const inspector: Principal = { ...itself, userId: "inspector" };
const isGateway = (caller: Principal) => caller === itself || caller === inspector;
const asItself = (era: Era, caller: Principal): Asking => ({ caller, client: { era, protocolVersion: "2026-07-28", capabilities: {}, info: undefined }, session: undefined, requestId: "", signal: new AbortController().signal });

function createPeer(server: ServerState, { outbound, credentials, stdio, version, log, now, limits, onTrouble }: PeersOptions): ServerPeer {
  const transport = server.transport === "sse" || server.transport === "stdio" ? server.transport : "streamable-http";
  const gate = createGate(limits, { onTrouble: () => onTrouble?.(server) });
  const verdict = createVerdict(limits.eras, now);
  const legs = createLegs(server, transport, { outbound, stdio, version, log, now, limits });
  const unbroken = new AbortController().signal;

  const run = async <T>(asking: Asking, method: string, work: (leg: Leg, context: Context) => Promise<T>): Promise<T> => {
    const deadline = createDeadline(limits, asking.signal);
    let leave: () => void = () => undefined;
    try {
      if (asking.caller !== inspector) leave = await gate.enter(deadline.signal);
      // A call that waits for its client occupies nothing.
      const clock: Deadline = {
        ...deadline,
        pause() {
          leave();
          return deadline.pause();
        },
      };
      const { caller, client, session, requestId } = asking;
      const context: Context = { caller, client, session, requestId, credential: await credentials(server, isGateway(caller) ? undefined : caller), deadline: clock };
      for (let attempt = 0; ; attempt++) {
        try {
          const eras = await verdict.eras(client.era, (before) => legs.detect(context, client.era, before));
          const result = await work(legs[eras.includes(client.era) ? client.era : (eras[0] ?? "legacy")], context);
          gate.report(undefined);
          return result;
        } catch (error) {
          if (attempt > 0 || deadline.signal.aborted) throw error;
          if (error instanceof EraChanged) verdict.forget();
          else if (!(error instanceof UpstreamError && error.reason === "broken" && isSafe(method))) throw error;
        }
      }
    } catch (thrown) {
      const error = asking.signal.aborted ? leftOf(thrown) : failureOf(thrown);
      gate.report(error);
      throw error;
    } finally {
      leave();
      deadline.end();
    }
  };

  return {
    transport,
    get state() {
      return { circuit: gate.state, eras: verdict.known("modern") };
    },
    async eras(wanted = "modern", caller = itself) {
      return verdict.known(wanted) ?? run(asItself(wanted, caller), "server/discover", async () => verdict.known(wanted) ?? []);
    },
    discover: (asking) => run(asking, "server/discover", (leg, context) => leg.discover(context)),
    async request(exchange) {
      // It becomes a header: what could not stand there is no method of anybody's.
      if (!/^[\x21-\x7e]{1,200}$/.test(exchange.method)) throw new WireError(404, errorCodes.methodNotFound, "Method not found");
      return run(exchange, exchange.method, (leg, context) => leg.request(exchange, context));
    },
    inputSchema: (tool, asking) => run(asking, "tools/list", (leg, context) => leg.inputSchema(tool, context)),
    listen: (listening) => run({ ...listening, signal: listening.signal ?? unbroken }, "subscriptions/listen", (leg, { credential }) => leg.listen(listening, credential)),
    release: (session) => legs.legacy.release(session),
    forget: verdict.forget,
    async close() {
      await Promise.all([legs.modern.close(), legs.legacy.close()]);
    },
  };
}

interface Legs extends Record<Era, Leg> {
  detect(context: Context, wanted: Era, before: Finding | undefined): Promise<Finding>;
}

function createLegs(server: ServerState, transport: Peer["transport"], { outbound, stdio, version, log, now, limits }: Pick<PeersOptions, "outbound" | "stdio" | "version" | "log" | "now" | "limits">): Legs {
  const common = { server: server.name, version, log, now };
  const legsOf = (carry: Carry, closeTransport: () => Promise<void>, open: (request: SessionRequest) => Promise<LegacySession>, { probe = carry, mayHaveSessions = async () => true }: { probe?: Carry; mayHaveSessions?: Probes["mayHaveSessions"] } = {}): Legs => ({
    modern: createModern({ ...common, carry, closeTransport }),
    legacy: createLegacy({ ...common, open, limits }),
    detect: (context, wanted, before) =>
      detectEras(
        {
          carry: probe,
          mayHaveSessions,
          version,
          async initialize({ caller, credential, deadline }) {
            const session = await open({ principalId: caller.userId, credential, capabilities: {}, info: { name: "sallyport", version }, deadline, onNotification: () => undefined });
            await session.close().catch(() => undefined);
          },
        },
        context,
        wanted,
        before,
      ),
  });

  if (transport === "stdio") {
    const openChannel = ({ principalId, signal }: { principalId: string; signal: AbortSignal }): Promise<Channel> => {
      if (!stdio) throw new UpstreamError("unreachable", "This deployment runs no stdio servers");
      return stdio(server)({ principalId, signal });
    };
    const open = async (request: SessionRequest) => openChannelSession(await openChannel({ principalId: request.principalId, signal: request.deadline.signal }), { ...request, limits });
    const lines = carryOverChannel({ open: ({ principalId }) => openChannel({ principalId, signal: new AbortController().signal }), limits });
    // Found out on a process of its own: one that has heard of the other era may have made up its mind.
    const apart: Carry = async (carriage) => {
      const line = carryOverChannel({ open: ({ principalId }) => openChannel({ principalId, signal: carriage.deadline.signal }), limits });
      try {
        return await line.carry(carriage);
      } finally {
        void line.close().catch(() => undefined);
      }
    };
    return legsOf(lines.carry, lines.close, open, { probe: apart });
  }

  const url = parseUpstreamUrl(server.url);
  const dispatcher = outbound.dispatcherFor(url);
  const endpoint = createEndpoint({ dispatcher, url, limits });
  const nothing = async () => undefined;
  if (transport === "streamable-http") {
    const mayHaveSessions: Probes["mayHaveSessions"] = async ({ credential, deadline }) => ![404, 405, 501].includes(await endpoint.bare("GET", { headers: credential.headers, deadline }).catch(() => 0));
    return legsOf(carryOverHttp(endpoint), nothing, (request) => openStreamableSession({ ...request, endpoint, limits }), { mayHaveSessions });
  }
  const open = async (request: SessionRequest) => openChannelSession(await openSseChannel({ dispatcher, url, credential: request.credential, limits, signal: request.deadline.signal }), { ...request, limits });
  const legs = legsOf(() => Promise.reject(new EraChanged("HTTP+SSE is of 2024-11-05")), nothing, open);
  return { ...legs, detect: async () => ({ modern: false, legacy: true, isSure: true }) };
}

/** Of what may be thrown, what callers know. */
function failureOf(error: unknown): Error {
  if (error instanceof UpstreamError || error instanceof WireError) return error;
  if (error instanceof EraChanged) return new UpstreamError("broken", error.message, error);
  if (error instanceof Problem) return error.code === "unavailable" ? new UpstreamError("busy", error.message, error) : new UpstreamError(error.code === "upstream-refused" ? "refused" : "unreachable", error.code === "upstream-refused" ? "The upstream's address is not allowed" : error.message, error);
  return error instanceof Error ? error : new Error("failed", { cause: error });
}

function leftOf(error: unknown): Error {
  return error instanceof UpstreamError || error instanceof WireError ? error : new UpstreamError("client-left", "The call was cancelled", error);
}

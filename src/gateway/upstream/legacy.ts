/**
 * Speaks 2025 and before to an upstream, through sessions that it keeps: one for each session of a client at the gateway; for clients
 * without sessions one for each call at a time, so that whatever the server asks in the midst of it belongs to that call and nobody else.
 */
import type { Discovery, Exchange, JsonObject, Listened, Listening, Notification } from "../exchange.ts";
import type { Log } from "../../kernel/log.ts";
import { pauseFor } from "./backoff.ts";
import { createDeadline, type Deadline } from "./deadline.ts";
import { declaredFor, holderOf, type Context, type Credential, type Leg } from "./leg.ts";
import { createLegacyListening } from "./legacy-listening.ts";
import type { PeerLimits } from "./limits.ts";
import { createPool, type Lease, type PoolKey } from "./pool.ts";
import { SessionLost, type LegacySession } from "./session.ts";
import { createToolMemory } from "./tools.ts";
import { UpstreamError } from "./http.ts";
import { WireError } from "../wire/message.ts";

export interface SessionRequest {
  principalId: string;
  credential: Credential;
  capabilities: JsonObject;
  info: JsonObject;
  deadline: Deadline;
  onNotification(notification: Notification): void;
}

export interface LegacyOptions {
  open(request: SessionRequest): Promise<LegacySession>;
  limits: PeerLimits;
  version: string;
  log: Log;
  now: () => number;
}

/** Milliseconds that the stream for questions gets to open before the call goes out; some servers do not say that it is open. */
const headStart = 150;

export type Borrow = (context: Pick<Context, "caller" | "client" | "session" | "credential">, purpose: "call" | "listen", signal: AbortSignal) => Promise<Lease<LegacySession>>;

export function createLegacy({ open, limits, version, now }: LegacyOptions): Leg {
  const pool = createPool<LegacySession>(limits);
  const tools = createToolMemory(now);

  /** A session of the caller's, opened by a clock of its own: who asked first may leave while others wait for it too. */
  const borrow: Borrow = async ({ caller, client, session, credential }, purpose, signal) => {
    const capabilities = declaredFor("legacy", client);
    const holder = holderOf({ caller, credential });
    const key: PoolKey = { id: [holder, session ?? purpose, JSON.stringify(capabilities)].join("\n"), principalId: caller.userId, isShared: session !== undefined || purpose === "listen", session };
    const leasing = pool.lease(key, async () => {
      const deadline = createDeadline({ start: limits.start, idle: limits.start, total: limits.start });
      try {
        return await open({
          principalId: caller.userId,
          credential,
          capabilities,
          info: (session === undefined ? undefined : client.info) ?? { name: "sallyport", version },
          deadline,
          onNotification(notification) {
            if (notification.method.endsWith("/list_changed")) tools.forget();
            listening.hear(holder, notification);
          },
        });
      } finally {
        deadline.end();
      }
    });
    return raced(leasing, signal);
  };
  const listening = createLegacyListening(borrow);

  /** A session that is found to be gone is replaced once: the server has said that nothing ran. */
  const withSession = async <T>(context: Context, work: (session: LegacySession) => Promise<T>): Promise<T> => {
    for (let attempt = 0; ; attempt++) {
      const { item, giveBack } = await borrow(context, "call", context.deadline.signal);
      try {
        const result = await work(item);
        giveBack(true);
        return result;
      } catch (error) {
        // An error of the server's is an answer like any other; after everything else, what is still under way there could speak into the next call.
        giveBack(error instanceof WireError || (context.session !== undefined && !(error instanceof SessionLost) && item.isAlive));
        if (!(error instanceof SessionLost)) throw error;
        if (attempt > 0) throw new UpstreamError("broken", "The upstream forgets its sessions at once", error);
      }
    }
  };
  /** Questions, and log messages without a call, come by the stream that belongs to no call. */
  const mayBeAsked = ({ client }: Context) => Object.keys(client.capabilities).length > 0;
  const ask = (context: Context, exchange: Pick<Exchange, "method" | "params" | "logLevel" | "notify" | "ask">): Promise<JsonObject> =>
    withSession(context, async (session) => {
      if (exchange.logLevel !== undefined || mayBeAsked(context)) await Promise.race([session.hear(), pauseFor(headStart, context.deadline.signal)]);
      const { method, params, logLevel } = exchange;
      return session.request({ method, params, logLevel, deadline: context.deadline, notify: (notification) => exchange.notify(notification), ask: (questions) => exchange.ask(questions) });
    });
  const silent = { logLevel: undefined, notify: () => undefined, ask: async () => Promise.reject(new UpstreamError("broken", "The upstream asked in the midst of a list")) };
  const memoryKey = (context: Context) => `${holderOf(context)}\n${JSON.stringify(declaredFor("legacy", context.client))}`;

  return {
    discover: (context) => withSession(context, async ({ initialized }) => discoveryOf(initialized)),
    async request(exchange, context) {
      const result = await ask(context, exchange);
      if (exchange.method === "tools/list") tools.remember(memoryKey(context), exchange.params?.["cursor"], result);
      return result;
    },
    listen: (wanted: Listening, credential): Promise<Listened> => listening.listen(wanted, credential),
    inputSchema: (tool, context) => tools.schema(memoryKey(context), tool, (cursor) => ask(context, { method: "tools/list", params: cursor === undefined ? undefined : { cursor }, ...silent })),
    release: pool.release,
    async close() {
      listening.close();
      await pool.close();
    },
  };
}

function discoveryOf({ serverInfo, capabilities, instructions, protocolVersion }: LegacySession["initialized"]): Discovery {
  return { era: "legacy", serverInfo, capabilities, instructions, protocolVersions: [protocolVersion], ttlMs: 0, cacheScope: "private" };
}

/** What comes too late is given back. */
async function raced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw signal.reason;
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } catch (error) {
    if (signal.aborted) work.then((late) => (late as Partial<Lease<LegacySession>> | undefined)?.giveBack?.(true)).catch(() => undefined);
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}


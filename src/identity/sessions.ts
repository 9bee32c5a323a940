/**
 * Browser sessions: a random cookie whose keyed hash is stored, with idle and absolute limits (NIST SP 800-63B-4 section 5), rotated when
 * rights are gained. A session ends at once when its user is disabled, changed in scopes or password, or loses a factor: the user's epoch.
 */
import type { Audit } from "../audit/index.ts";
import { newId, newToken } from "../kernel/ids.ts";
import { problem } from "../kernel/problem.ts";
import type { RequestInfo } from "../net/route.ts";
import type { Storage } from "../storage/index.ts";
import { createCookie } from "./cookies.ts";
import { coarseAddress, deviceOf } from "./device.ts";

/** "federated": an identity provider vouched for the person; "mfa": and says that more than one factor was shown there. */
export type Factor = "password" | "totp" | "passkey" | "recovery" | "federated" | "mfa";

/** Whether more than a password was shown: what `admin` needs. */
export function showedSecondFactor(factors: readonly string[]): boolean {
  return factors.some((factor) => factor === "totp" || factor === "passkey" || factor === "recovery" || factor === "mfa");
}

export interface BrowserSession {
  readonly id: string;
  readonly userId: string;
  /** Milliseconds: when the person signed in. */
  readonly authenticatedAt: number;
  /** Milliseconds: when the person last showed a factor. */
  readonly lastFactorAt: number;
  readonly factors: readonly Factor[];
  /** For every form shown in this session; another one after each rotation. */
  readonly csrfToken: string;
}

/** One line of "where am I signed in". */
export interface SessionEntry {
  readonly id: string;
  readonly device: string;
  readonly address: string;
  readonly authenticatedAt: number;
  readonly lastSeenAt: number;
  readonly expiresAt: number;
}

export interface Sessions {
  /** @returns the session of the cookie while it holds; using it counts against the idle limit. */
  read(cookieHeader: string | null | undefined): Promise<BrowserSession | undefined>;
  /** Signs in; a session that came with the request ends. @returns the Set-Cookie value. @throws Problem 403 for a disabled user. */
  start(userId: string, factors: readonly Factor[], request: RequestInfo): Promise<string>;
  /**
   * The same session with more shown, under a new cookie.
   * @param raisedTo the user's new epoch after a change that this very session made: all others end, it goes on.
   * @returns the Set-Cookie value.
   */
  rotate(session: BrowserSession, shown: readonly Factor[], raisedTo?: number): Promise<string>;
  /** @returns the Set-Cookie value that removes the cookie. */
  end(session: BrowserSession | undefined, request: RequestInfo): Promise<string>;
  list(userId: string): Promise<SessionEntry[]>;
  /** One of the user's own, or all of them but one. @returns how many ended. */
  revoke(userId: string, which: { id: string } | { allBut: string }, by: { actorId: string; requestId: string }): Promise<number>;
}

export interface SessionsOptions {
  storage: Storage;
  audit: Audit;
  publicUrl: string;
  /** Seconds. */
  idle: number;
  lifetime: number;
  now: () => number;
}

/** How exactly the last use is known: a write for every page would be waste. */
const precision = 30_000;

export function createSessions({ storage, audit, publicUrl, idle, lifetime, now }: SessionsOptions): Sessions {
  const { db, vault } = storage;
  const cookie = createCookie(publicUrl, "sallyport-session");
  const hashOf = (token: string) => vault.keyedHash("browser-session", token);
  const alive = () => ({ used: now() - idle * 1000, at: now() });

  return {
    async read(cookieHeader) {
      const shown = cookie.read(cookieHeader);
      if (shown === undefined) return undefined;
      const tokenHash = hashOf(shown);
      const { used, at } = alive();
      const row = await db
        .selectFrom("browser_sessions as session")
        .innerJoin("users", "users.id", "session.user_id")
        .selectAll("session")
        .where("session.token_hash", "=", tokenHash)
        .where("session.expires_at", ">", at)
        .where("session.last_seen_at", ">", used)
        .where("users.disabled", "=", 0)
        .whereRef("users.epoch", "=", "session.epoch")
        .executeTakeFirst();
      if (!row) return undefined;
      if (at - row.last_seen_at > Math.min(precision, (idle * 1000) / 10)) await db.updateTable("browser_sessions").set({ last_seen_at: at }).where("id", "=", row.id).where("last_seen_at", "<", at).execute();
      return { id: row.id, userId: row.user_id, authenticatedAt: row.authenticated_at, lastFactorAt: row.last_factor_at, factors: JSON.parse(row.factors) as Factor[], csrfToken: vault.keyedHash("csrf", tokenHash) };
    },
    async start(userId, factors, request) {
      const token = newToken();
      const device = deviceOf(request.headers.get("user-agent"));
      const at = now();
      const before = cookie.read(request.headers.get("cookie"));
      await storage.write(async (transaction) => {
        const user = await transaction.selectFrom("users").select(["epoch", "disabled"]).where("id", "=", userId).executeTakeFirst();
        if (user?.disabled !== 0) throw problem("forbidden", { detail: "This account is disabled" });
        await transaction.deleteFrom("browser_sessions").where((where) => where.or([where("expires_at", "<=", at), where("last_seen_at", "<=", at - idle * 1000), ...(before === undefined ? [] : [where("token_hash", "=", hashOf(before))])])).execute();
        await transaction
          .insertInto("browser_sessions")
          .values({ id: newId(), user_id: userId, token_hash: hashOf(token), epoch: user.epoch, factors: JSON.stringify(factors), authenticated_at: at, last_factor_at: at, last_seen_at: at, expires_at: at + lifetime * 1000, device, address: coarseAddress(request.address) })
          .execute();
        await audit.recordIn(transaction, { type: "session.started", actorId: userId, requestId: request.id, detail: { factors, device } });
      });
      return cookie.set(token);
    },
    async rotate(session, shown, raisedTo) {
      const token = newToken();
      await db
        .updateTable("browser_sessions")
        .set({ token_hash: hashOf(token), factors: JSON.stringify([...new Set([...session.factors, ...shown])]), ...(raisedTo === undefined ? {} : { epoch: raisedTo }), ...(shown.length > 0 ? { last_factor_at: now() } : {}) })
        .where("id", "=", session.id)
        // Whoever changed the user besides has ended this session: nothing revives it.
        .$if(raisedTo !== undefined, (query) => query.where("epoch", "=", (raisedTo ?? 0) - 1))
        .execute();
      return cookie.set(token);
    },
    async end(session, request) {
      if (session) {
        await storage.write(async (transaction) => {
          await transaction.deleteFrom("browser_sessions").where("id", "=", session.id).execute();
          await audit.recordIn(transaction, { type: "session.ended", actorId: session.userId, requestId: request.id });
        });
      }
      return cookie.clear();
    },
    async list(userId) {
      const { used, at } = alive();
      const rows = await db
        .selectFrom("browser_sessions as session")
        .innerJoin("users", "users.id", "session.user_id")
        .select(["session.id", "session.device", "session.address", "session.authenticated_at", "session.last_seen_at", "session.expires_at"])
        .where("session.user_id", "=", userId)
        .where("session.expires_at", ">", at)
        .where("session.last_seen_at", ">", used)
        .whereRef("users.epoch", "=", "session.epoch")
        .orderBy("session.last_seen_at", "desc")
        .execute();
      return rows.map((row) => ({ id: row.id, device: row.device, address: row.address, authenticatedAt: row.authenticated_at, lastSeenAt: row.last_seen_at, expiresAt: row.expires_at }));
    },
    async revoke(userId, which, by) {
      return storage.write(async (transaction) => {
        const { numDeletedRows } = await transaction
          .deleteFrom("browser_sessions")
          .where("user_id", "=", userId)
          .where("id", "id" in which ? "=" : "!=", "id" in which ? which.id : which.allBut)
          .executeTakeFirst();
        const count = Number(numDeletedRows);
        if (count > 0) await audit.recordIn(transaction, { type: "session.revoked", ...by, subject: `user:${userId}`, detail: { count } });
        return count;
      });
    },
  };
}

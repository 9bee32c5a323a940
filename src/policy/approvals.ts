/**
 * Calls that a policy lets through only with a person's consent (`@approval`): the first attempt waits under the digest of its arguments;
 * once somebody else has consented, the same call by the same caller goes through once.
 */
import type { Audit } from "../audit/index.ts";
import { digestOf } from "../kernel/digest.ts";
import { newId } from "../kernel/ids.ts";
import { problem } from "../kernel/problem.ts";
import type { ServerState } from "../snapshot/index.ts";
import type { Storage } from "../storage/index.ts";
import type { Doer } from "./policies.ts";

export interface WaitingCall {
  id: string;
  userId: string;
  serverId: string;
  tool: string;
  policy: string;
  state: string;
  askedAt: number;
  expiresAt: number;
}

export interface Approvals {
  /** @returns undefined when the call may go through now (the consent is then used up), otherwise the id under which it waits. */
  use(call: { userId: string; requestId: string; server: ServerState; tool: string; arguments: unknown; policy: string; minutes: number }): Promise<string | undefined>;
  waiting(): Promise<WaitingCall[]>;
  /** @throws Problem 404, or 403 for a call of one's own. */
  decide(id: string, consent: boolean, by: Doer): Promise<void>;
}

const mostWaitingPerUser = 50;

export function createApprovals({ storage, audit, now, nameOf }: { storage: Storage; audit: Audit; now: () => number; nameOf: (serverId: string) => string }): Approvals {
  return {
    async use({ userId, requestId, server, tool, arguments: given, policy, minutes }) {
      const digest = digestOf(given ?? {});
      const at = now();
      return storage.write(async (transaction) => {
        const rows = await transaction.selectFrom("call_approvals").selectAll().where("user_id", "=", userId).where("server_id", "=", server.id).where("tool", "=", tool).where("arguments_digest", "=", digest).where("expires_at", ">", at).execute();
        const consent = rows.find(({ state }) => state === "approved");
        if (consent) {
          const { numUpdatedRows } = await transaction.updateTable("call_approvals").set({ state: "used" }).where("id", "=", consent.id).where("state", "=", "approved").executeTakeFirst();
          if (numUpdatedRows === 1n) return undefined;
        }
        const waits = rows.find(({ state }) => state === "waiting");
        if (waits) return waits.id;
        const { count } = await transaction.selectFrom("call_approvals").select((row) => row.fn.countAll<number>().as("count")).where("user_id", "=", userId).where("state", "=", "waiting").where("expires_at", ">", at).executeTakeFirstOrThrow();
        if (Number(count) >= mostWaitingPerUser) throw problem("too-many-requests", { detail: `More than ${mostWaitingPerUser} calls of yours wait for consent` });
        const id = newId();
        await transaction.deleteFrom("call_approvals").where("expires_at", "<=", at).execute();
        await transaction.insertInto("call_approvals").values({ id, user_id: userId, server_id: server.id, tool, arguments_digest: digest, policy, state: "waiting", asked_at: at, expires_at: at + minutes * 60_000, decided_by: null, decided_at: null }).execute();
        await audit.recordIn(transaction, { type: "approval.asked", actorId: userId, requestId, subject: `server:${server.id}`, detail: { server: server.name, name: tool, policy } });
        return id;
      });
    },
    async waiting() {
      const rows = await storage.db.selectFrom("call_approvals").selectAll().where("state", "=", "waiting").where("expires_at", ">", now()).orderBy("asked_at").limit(1000).execute();
      return rows.map((row) => ({ id: row.id, userId: row.user_id, serverId: row.server_id, tool: row.tool, policy: row.policy, state: row.state, askedAt: row.asked_at, expiresAt: row.expires_at }));
    },
    async decide(id, consent, by) {
      await storage.write(async (transaction) => {
        const row = await transaction.selectFrom("call_approvals").selectAll().where("id", "=", id).where("state", "=", "waiting").where("expires_at", ">", now()).executeTakeFirst();
        if (!row) throw problem("not-found", { detail: "Nothing of that id waits" });
        if (row.user_id === by.actorId) throw problem("forbidden", { detail: "Somebody else must consent to a call of yours" });
        const { numUpdatedRows } = await transaction.updateTable("call_approvals").set({ state: consent ? "approved" : "refused", decided_by: by.actorId, decided_at: now() }).where("id", "=", id).where("state", "=", "waiting").executeTakeFirst();
        if (numUpdatedRows !== 1n) throw problem("not-found", { detail: "Nothing of that id waits" });
        await audit.recordIn(transaction, { type: consent ? "approval.given" : "approval.refused", ...by, subject: `server:${row.server_id}`, detail: { server: nameOf(row.server_id), name: row.tool, policy: row.policy } });
      });
    },
  };
}

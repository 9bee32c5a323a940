/** Limits as administrators set them: stored with their audit event in one transaction, read from the snapshot. */
import type { Audit } from "../../audit/index.ts";
import { newId } from "../../kernel/ids.ts";
import { problem } from "../../kernel/problem.ts";
import type { LimitState, Snapshot } from "../../snapshot/index.ts";
import type { Storage } from "../../storage/index.ts";

/** What a rule says; undefined members do not bind. */
export type LimitRule = Pick<LimitState, "user" | "server" | "tool" | "perSecond" | "burst" | "concurrent" | "perDay">;

export interface By {
  actorId: string;
  requestId: string;
}

export interface LimitRules {
  /** @throws Problem 404. */
  find(name: string): LimitState;
  list(): readonly LimitState[];
  /** @throws Problem 409 when the name is taken. */
  create(name: string, rule: LimitRule, by: By): Promise<LimitState>;
  /** @param revision the one the change is based on, when the caller named it. @throws Problem 412 when it is no longer that. */
  replace(limit: LimitState, rule: LimitRule, revision: number | undefined, by: By): Promise<LimitState>;
  remove(limit: LimitState, revision: number | undefined, by: By): Promise<void>;
}

export function createLimitRules({ storage, snapshot, audit, now }: { storage: Storage; snapshot: Snapshot; audit: Audit; now: () => number }): LimitRules {
  const find = (name: string): LimitState => {
    const limit = snapshot.limits.find((known) => known.name === name);
    if (!limit) throw problem("not-found", { detail: "No such limit" });
    return limit;
  };
  const columns = ({ user, server, tool, perSecond, burst, concurrent, perDay }: LimitRule) => ({
    user_match: user ?? null,
    server_match: server ?? null,
    tool_match: tool ?? null,
    per_second_milli: perSecond === undefined ? null : Math.round(perSecond * 1000),
    burst: burst ?? null,
    concurrent: concurrent ?? null,
    per_day: perDay ?? null,
  });
  const event = (type: "limit.created" | "limit.updated", id: string, name: string, rule: LimitRule, { actorId, requestId }: By) => ({ type, actorId, requestId, subject: `limit:${id}`, detail: { name, rule: JSON.stringify(rule) } }) as const;
  const changedMeanwhile = () => problem("precondition-failed", { detail: "The limit was changed or removed since you read it" });
  return {
    find,
    list: () => snapshot.limits,
    async create(name, rule, by) {
      const [id, at] = [newId(), now()];
      await storage
        .write(async (transaction, announce) => {
          await transaction.insertInto("limits").values({ id, name, ...columns(rule), revision: 1, created_at: at, updated_at: at }).execute();
          await audit.recordIn(transaction, event("limit.created", id, name, rule, by));
          announce({ topic: "limit", ref: id });
        })
        .catch((error: unknown) => {
          throw (error as { code?: unknown }).code === "conflict" ? problem("conflict", { detail: "A limit of that name already exists" }) : error;
        });
      return find(name);
    },
    async replace(limit, rule, revision, by) {
      await storage.write(async (transaction, announce) => {
        const { numUpdatedRows } = await transaction
          .updateTable("limits")
          .set((row) => ({ ...columns(rule), revision: row("revision", "+", 1), updated_at: now() }))
          .where("id", "=", limit.id)
          .$if(revision !== undefined, (query) => query.where("revision", "=", revision ?? 0))
          .executeTakeFirst();
        if (numUpdatedRows !== 1n) throw changedMeanwhile();
        await audit.recordIn(transaction, event("limit.updated", limit.id, limit.name, rule, by));
        announce({ topic: "limit", ref: limit.id });
      });
      return find(limit.name);
    },
    async remove(limit, revision, { actorId, requestId }) {
      await storage.write(async (transaction, announce) => {
        const { numDeletedRows } = await transaction.deleteFrom("limits").where("id", "=", limit.id).$if(revision !== undefined, (query) => query.where("revision", "=", revision ?? 0)).executeTakeFirst();
        if (numDeletedRows !== 1n) throw changedMeanwhile();
        await audit.recordIn(transaction, { type: "limit.deleted", actorId, requestId, subject: `limit:${limit.id}`, detail: { name: limit.name } });
        announce({ topic: "limit", ref: limit.id });
      });
    },
  };
}

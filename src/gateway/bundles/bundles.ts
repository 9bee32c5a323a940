/** Bundles as their makers keep them: stored with their audit event in one transaction, read from the snapshot. */
import type { Audit } from "../../audit/index.ts";
import { newId } from "../../kernel/ids.ts";
import { problem } from "../../kernel/problem.ts";
import type { BundleContents, BundleState, Snapshot } from "../../snapshot/index.ts";
import type { Storage } from "../../storage/index.ts";
import type { BundleFields, BundlePatch } from "./schema.ts";

export interface By {
  actorId: string;
  requestId: string;
}

export interface Bundles {
  /** @throws Problem 404. */
  find(name: string): BundleState;
  list(): BundleState[];
  /** @throws Problem 409 when the name is taken. */
  create(name: string, fields: BundleFields, by: By): Promise<BundleState>;
  /** @param revision the one the change is based on, when the caller named it. @throws Problem 412 when it is no longer that. */
  change(bundle: BundleState, patch: BundlePatch, revision: number | undefined, by: By): Promise<BundleState>;
  remove(bundle: BundleState, revision: number | undefined, by: By): Promise<void>;
  grant(bundle: BundleState, userId: string, by: By): Promise<void>;
  revoke(bundle: BundleState, userId: string, by: By): Promise<void>;
}

export function createBundles({ storage, snapshot, audit, now }: { storage: Storage; snapshot: Snapshot; audit: Audit; now: () => number }): Bundles {
  const find = (name: string): BundleState => {
    const bundle = snapshot.bundles.get(name);
    if (!bundle) throw problem("not-found", { detail: "No such bundle" });
    return bundle;
  };
  const about = (id: string, { actorId, requestId }: By) => ({ actorId, requestId, subject: `bundle:${id}` });
  const changedMeanwhile = () => problem("precondition-failed", { detail: "The bundle was changed or removed since you read it" });
  const contentsOf = ({ tools, prompts, resources }: BundleContents) => JSON.stringify({ tools, prompts, resources } satisfies BundleContents);
  return {
    find,
    list: () => [...snapshot.bundles.values()],
    async create(name, fields, by) {
      const [id, at] = [newId(), now()];
      await storage
        .write(async (transaction, announce) => {
          await transaction
            .insertInto("bundles")
            .values({ id, name, title: fields.title ?? null, description: fields.description ?? null, instructions: fields.instructions ?? null, discover: Number(fields.discover), contents: contentsOf(fields), owner_id: by.actorId, enabled: Number(fields.enabled), revision: 1, created_at: at, updated_at: at })
            .execute();
          await transaction.insertInto("bundle_grants").values({ user_id: by.actorId, bundle_id: id, created_by: by.actorId, created_at: at }).execute();
          await audit.recordIn(transaction, { type: "bundle.created", ...about(id, by), detail: { name, tools: fields.tools.map(({ server, tool }) => `${server}/${tool}`) } });
          announce({ topic: "bundle", ref: id });
        })
        .catch((error: unknown) => {
          throw (error as { code?: unknown }).code === "conflict" ? problem("conflict", { detail: "A bundle of that name already exists" }) : error;
        });
      return find(name);
    },
    async change(bundle, patch, revision, by) {
      await storage.write(async (transaction, announce) => {
        const { numUpdatedRows } = await transaction
          .updateTable("bundles")
          .set((row) => ({
            ...(patch.title === undefined ? {} : { title: patch.title }),
            ...(patch.description === undefined ? {} : { description: patch.description }),
            ...(patch.instructions === undefined ? {} : { instructions: patch.instructions }),
            ...(patch.discover === undefined ? {} : { discover: Number(patch.discover) }),
            ...(patch.enabled === undefined ? {} : { enabled: Number(patch.enabled) }),
            contents: contentsOf({ tools: patch.tools ?? bundle.tools, prompts: patch.prompts ?? bundle.prompts, resources: patch.resources ?? bundle.resources }),
            revision: row("revision", "+", 1),
            updated_at: now(),
          }))
          .where("id", "=", bundle.id)
          // Parts that the patch leaves as they are were read from this revision: another's change is never undone by it.
          .where("revision", "=", revision ?? bundle.revision)
          .executeTakeFirst();
        if (numUpdatedRows !== 1n) throw changedMeanwhile();
        await audit.recordIn(transaction, { type: "bundle.updated", ...about(bundle.id, by), detail: { name: bundle.name, fields: Object.keys(patch) } });
        announce({ topic: "bundle", ref: bundle.id });
      });
      return find(bundle.name);
    },
    async remove(bundle, revision, by) {
      await storage.write(async (transaction, announce) => {
        const { numDeletedRows } = await transaction.deleteFrom("bundles").where("id", "=", bundle.id).$if(revision !== undefined, (query) => query.where("revision", "=", revision ?? 0)).executeTakeFirst();
        if (numDeletedRows !== 1n) throw changedMeanwhile();
        await audit.recordIn(transaction, { type: "bundle.deleted", ...about(bundle.id, by), detail: { name: bundle.name } });
        announce({ topic: "bundle", ref: bundle.id });
      });
    },
    async grant(bundle, userId, by) {
      await storage.write(async (transaction, announce) => {
        await transaction
          .insertInto("bundle_grants")
          .values({ user_id: userId, bundle_id: bundle.id, created_by: by.actorId, created_at: now() })
          .onConflict((conflict) => conflict.columns(["user_id", "bundle_id"]).doNothing())
          .execute();
        await audit.recordIn(transaction, { type: "bundle.granted", ...about(bundle.id, by), detail: { name: bundle.name, user: userId } });
        announce({ topic: "bundle", ref: bundle.id });
      });
    },
    async revoke(bundle, userId, by) {
      await storage.write(async (transaction, announce) => {
        const { numDeletedRows } = await transaction.deleteFrom("bundle_grants").where("user_id", "=", userId).where("bundle_id", "=", bundle.id).executeTakeFirst();
        if (numDeletedRows === 0n) throw problem("not-found", { detail: "No such grant" });
        await audit.recordIn(transaction, { type: "bundle.revoked", ...about(bundle.id, by), detail: { name: bundle.name, user: userId } });
        announce({ topic: "bundle", ref: bundle.id });
      });
    },
  };
}

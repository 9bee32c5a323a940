/**
 * From somebody whom an issuer describes to an account here. The key is issuer and subject, never an address: addresses are handed on, and
 * an issuer that may say any address would own every account. Groups follow the claim at every sign-in; who is disabled stays so.
 */
import type { Audit } from "../../audit/index.ts";
import { sha256Hex } from "../../kernel/digest.ts";
import type { Snapshot, UserState } from "../../snapshot/index.ts";
import type { Storage } from "../../storage/index.ts";
import { insertAccount } from "../accounts.ts";
import type { Groups } from "../groups/groups.ts";
import { Refused } from "../tokens.ts";
import { usernameKey, type Doer } from "../users.ts";
import type { Described, PeopleSettings } from "./claims.ts";

export interface People {
  /**
   * @param name of the provider or trusted issuer, for the names of new accounts.
   * @param whole whether an absent groups claim means "no groups" (an ID token) or says nothing (an access token).
   * @throws Refused with the reason.
   */
  resolve(person: Described, settings: PeopleSettings, name: string, whole: boolean, by: Doer): Promise<UserState>;
}

export function createPeople({ storage, snapshot, groups, audit, now }: { storage: Storage; snapshot: Snapshot; groups: Groups; audit: Audit; now: () => number }): People {
  const linked = async ({ issuer, subject }: Described): Promise<string | undefined> => (await storage.db.selectFrom("external_identities").select("user_id").where("issuer", "=", issuer).where("subject", "=", subject).executeTakeFirst())?.user_id;

  /** Whom a directory has provisioned under the identifier that the issuer gives. */
  const provisioned = async ({ externalId }: Described): Promise<UserState | undefined> => {
    if (externalId === undefined || externalId === "") return undefined;
    const rows = await storage.db.selectFrom("users").select("id").where("external_id", "=", externalId).where("kind", "=", "person").where("deleted_at", "is", null).limit(2).execute();
    return rows.length === 1 && rows[0] ? snapshot.users.get(rows[0].id) : undefined;
  };

  const link = async (person: Described, userId: string) => {
    const values = { issuer: person.issuer, subject: person.subject, user_id: userId, created_at: now(), last_seen_at: now() };
    await storage.db.insertInto("external_identities").values(values).onConflict((conflict) => conflict.columns(["issuer", "subject"]).doUpdateSet({ user_id: userId, last_seen_at: now() })).execute();
  };

  const create = async (person: Described, name: string, by: Doer): Promise<string> => {
    const username = freeName(person, name, snapshot);
    return storage.write(async (transaction, announce) => {
      const id = await insertAccount(transaction, announce, { username, kind: "person", profile: { displayName: person.displayName, emails: person.email === undefined ? [] : [{ value: person.email, primary: true }] } }, now());
      await transaction.insertInto("external_identities").values({ issuer: person.issuer, subject: person.subject, user_id: id, created_at: now(), last_seen_at: now() }).execute();
      await audit.recordIn(transaction, { type: "user.provisioned", ...by, subject: `user:${id}`, detail: { by: name } });
      return id;
    });
  };

  const accountOf = async (person: Described, settings: PeopleSettings, name: string, by: Doer): Promise<UserState> => {
    const id = await linked(person);
    const known = id === undefined ? undefined : snapshot.users.get(id);
    if (known) return known;
    const waiting = await provisioned(person);
    if (waiting) {
      await link(person, waiting.id);
      return waiting;
    }
    if (id !== undefined) throw new Refused("deprovisioned");
    if (!settings.createUsers) throw new Refused("unknown-person");
    const made = await create(person, name, by).catch(async (error: unknown) => {
      // Somebody else's request was faster, with the same person or with the same name.
      if ((error as { code?: unknown }).code !== "conflict") throw error;
      return (await linked(person)) ?? create(person, name, by);
    });
    const user = snapshot.users.get(made);
    if (!user) throw new Refused("deprovisioned");
    return user;
  };

  return {
    async resolve(person, settings, name, whole, by) {
      if (settings.allowedDomains.length > 0) {
        const domain = person.email?.split("@").at(-1)?.toLowerCase();
        if (!person.emailVerified || domain === undefined || !settings.allowedDomains.includes(domain)) throw new Refused("domain");
      }
      const user = await accountOf(person, settings, name, by);
      if (user.disabled) throw new Refused("disabled");
      if (person.groups !== undefined || whole) await groups.follow(user.id, person.groups ?? [], `claim:${person.issuer}`, by);
      return snapshot.users.get(user.id) ?? user;
    },
  };
}

/** The name that the issuer gives, unless it is taken: then with the provider's, then with a part of the subject's digest. Never an existing account. */
function freeName(person: Described, provider: string, snapshot: Snapshot): string {
  const taken = new Set([...snapshot.users.values()].map((user) => usernameKey(user.username)));
  const wished = (person.username ?? person.email ?? "").normalize("NFKC").replaceAll(/[^\p{L}\p{N}._@+-]/gu, "").slice(0, 60);
  const digest = sha256Hex(`${person.issuer} ${person.subject}`).slice(0, 12);
  const names = [...(wished === "" ? [] : [wished, `${wished}.${provider}`]), `${wished || "user"}.${provider}.${digest}`];
  return names.find((name) => !taken.has(usernameKey(name))) ?? `${provider}.${digest}`;
}

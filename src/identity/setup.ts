/** The setup link: single use, expiring, for the first administrator only. Only a keyed hash of it is stored. */
import type { Audit } from "../audit/index.ts";
import { newToken } from "../kernel/ids.ts";
import { problem } from "../kernel/problem.ts";
import { administratorScopes } from "../kernel/scopes.ts";
import type { Storage } from "../storage/index.ts";
import type { Users } from "./users.ts";

export interface Setup {
  /** @returns the token of a new link (older links stop working), or undefined when a user exists. */
  createLink(): Promise<string | undefined>;
  isOpen(token: string): Promise<boolean>;
  /** @throws Problem 404 for a link that is unknown, used or expired; 422 for a weak password. */
  complete(token: string, username: string, password: string): Promise<string>;
}

export interface SetupOptions {
  storage: Storage;
  users: Users;
  audit: Audit;
  /** Seconds. */
  lifetime: number;
  now: () => number;
}

export function createSetup({ storage, users, audit, lifetime, now }: SetupOptions): Setup {
  const hashOf = (token: string) => storage.vault.keyedHash("setup-token", token);
  const gone = () => problem("not-found", { detail: "This setup link is unknown, used or expired. A new one is printed when the server starts and no user exists" });
  return {
    async createLink() {
      if (users.list().length > 0) return undefined;
      const token = newToken();
      await storage.write(async (transaction) => {
        await transaction.deleteFrom("setup_tokens").execute();
        await transaction.insertInto("setup_tokens").values({ token_hash: hashOf(token), expires_at: now() + lifetime * 1000 }).execute();
        await audit.recordIn(transaction, { type: "setup.link.created" });
      });
      return token;
    },
    async isOpen(token) {
      const row = await storage.db.selectFrom("setup_tokens").select("expires_at").where("token_hash", "=", hashOf(token)).executeTakeFirst();
      return row !== undefined && row.expires_at > now();
    },
    async complete(token, username, password) {
      if (!(await this.isOpen(token))) throw gone();
      const id = await users.createFirst({ username, password, scopes: administratorScopes }, "setup link", {
        async before(transaction) {
          // Deleting is what spends the link: of two at once, one finds nothing to delete.
          const { numDeletedRows } = await transaction.deleteFrom("setup_tokens").where("token_hash", "=", hashOf(token)).where("expires_at", ">", now()).executeTakeFirst();
          if (numDeletedRows !== 1n) throw gone();
        },
      });
      if (id === undefined) throw gone();
      return id;
    },
  };
}

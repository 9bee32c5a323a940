/** What a person has allowed: the programs that may act for them, and ending that. */
import { pageHeaders } from "../../net/html.ts";
import type { RequestInfo, RouteOutput } from "../../net/route.ts";
import { loginPath, type FormTokens, type ReadSession } from "./browser.ts";
import type { Engine } from "./engine.ts";
import { allowedClientsPage } from "./pages.ts";
import type { Records } from "./records.ts";

export interface AllowedClients {
  show(request: RequestInfo): Promise<RouteOutput>;
  end(form: { token: string; grant: string }, request: RequestInfo): Promise<RouteOutput>;
}

export function createAllowedClients({ engine, records, readSession, forms }: { engine: Engine; records: Records; readSession: ReadSession; forms: FormTokens }): AllowedClients {
  const here = "/account/clients";
  const away: RouteOutput = { status: 303, headers: { location: loginPath(here) } };
  return {
    async show({ headers }) {
      const session = await readSession(headers.get("cookie") ?? undefined);
      if (!session) return away;
      const provider = await engine.get();
      const allowed = await Promise.all(
        (await records.grantsOf(session.userId)).map(async ({ hash, clientId, resources, createdAt }) => {
          // A client whose document cannot be read now is still listed, and can be ended.
          const client = await provider.Client.find(clientId).catch(() => undefined);
          return { hash, clientId, name: client?.clientName, resources: Object.keys(resources), since: createdAt };
        }),
      );
      return { status: 200, text: allowedClientsPage(allowed, forms.make(session, here)), headers: { ...pageHeaders, "content-type": "text/html; charset=utf-8" } };
    },
    async end({ token, grant }, { headers }) {
      const session = await readSession(headers.get("cookie") ?? undefined);
      if (!session) return away;
      forms.require(session, here, token);
      const own = await records.grantsOf(session.userId);
      if (own.some(({ hash }) => hash === grant)) await records.revokeGrant(grant, "person");
      return { status: 303, headers: { location: here } };
    },
  };
}

/** The credentials that were stored with a server, the same for every caller: opened once for each revision, which the audit trail tells. */
import type { Audit } from "../../audit/index.ts";
import type { ServerState } from "../../snapshot/index.ts";
import type { Vault } from "../../storage/index.ts";
import type { Credential } from "./leg.ts";

const none: Credential = { headers: [], key: "none" };

export function createStoredCredentials({ vault, audit }: { vault: Vault; audit: Audit }): (server: ServerState) => Credential {
  const opened = new WeakMap<ServerState, Credential>();
  return (server) => {
    if (server.authMode !== "headers" || server.sealedHeaders === undefined) return none;
    const known = opened.get(server);
    if (known) return known;
    const headers = JSON.parse(vault.open({ table: "servers", column: "headers", row: server.id }, server.sealedHeaders)) as Record<string, string>;
    audit.record({ type: "secret.accessed", subject: `server:${server.id}`, detail: { name: server.name } });
    const credential = { headers: Object.entries(headers).flatMap(([name, value]) => [name.toLowerCase(), value]), key: "stored" };
    opened.set(server, credential);
    return credential;
  };
}

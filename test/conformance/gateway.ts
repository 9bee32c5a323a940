/** The conformance suite through the gateway: registers an upstream as an administrator would and runs the suite against its endpoint, with a token. */
import { endpointToken } from "../endpoint-token.ts";
import { compareVerdicts, runConformance, type Difference, type Revision, type Verdict } from "./harness.ts";

export interface Gateway {
  /** http(s)://host:port of the running product. */
  baseUrl: string;
  /** May register servers and call them. */
  adminToken: string;
}

/** @returns the server's endpoint on the gateway. @throws with the gateway's answer if it refuses. */
export async function registerUpstream({ baseUrl, adminToken }: Gateway, name: string, url: string, further: Record<string, unknown> = {}): Promise<string> {
  const response = await fetch(new URL("/api/v1/servers", baseUrl), {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    body: JSON.stringify({ name, url, transport: "streamable-http", ...further }),
  });
  const answer = await response.text();
  if (response.status !== 201) throw new Error(`The gateway refused to register ${name}: ${response.status} ${answer}`);
  return new URL(`/servers/${name}/mcp`, baseUrl).href;
}

export interface Through {
  name: string;
  /** Of the upstream. */
  url: string;
  requirements: Revision;
  scenarios?: readonly string[];
  /** The caller's token for the endpoint; the administrator's by default. */
  token?: string;
  /** Of the registration, besides name, URL and transport. */
  further?: Record<string, unknown>;
}

/** Registers the upstream under the name and runs the suite through the gateway. */
export async function runThroughGateway(gateway: Gateway, { name, url, requirements, scenarios, token, further }: Through): Promise<Verdict> {
  const endpoint = await registerUpstream(gateway, name, url, further);
  return runConformance({ command: "server", url: endpoint, requirements, token: token ?? (await endpointToken(gateway.baseUrl, endpoint, gateway.adminToken)), ...(scenarios ? { scenarios } : {}) });
}

/** Every check whose verdict through the gateway differs from the upstream's own. `directUrl` is the like of the upstream, so that both runs go at once. */
export async function parity(gateway: Gateway, directUrl: string, through: Through): Promise<{ direct: Verdict; through: Verdict; differences: Difference[] }> {
  const { requirements, scenarios } = through;
  const [direct, via] = await Promise.all([runConformance({ command: "server", url: directUrl, requirements, ...(scenarios ? { scenarios } : {}) }), runThroughGateway(gateway, through)]);
  return { direct, through: via, differences: compareVerdicts(direct, via) };
}

/** The upstreams of the cross-era matrix, as data: what to register at the gateway for each, and how to end it. */
import { startEverything } from "./everything.ts";
import { startSseServer, startV1Server } from "./v1.ts";

export const upstreamKinds = ["v1-http", "v1-sse", "v2-stateless", "v2-legacy", "stdio"] as const;
export type UpstreamKind = (typeof upstreamKinds)[number];

export type Registration = { transport: "streamable-http" | "sse"; url: string } | { transport: "stdio"; command: string; args: string[] };

export interface Upstream {
  registration: Registration;
  close(): Promise<void>;
}

const over = (transport: "streamable-http" | "sse", start: () => Promise<{ url: string; close(): Promise<void> }>) => async (): Promise<Upstream> => {
  const { url, close } = await start();
  return { registration: { transport, url }, close };
};

const kinds: Record<UpstreamKind, () => Promise<Upstream>> = {
  "v1-http": over("streamable-http", () => startV1Server()),
  "v1-sse": over("sse", () => startSseServer()),
  "v2-stateless": over("streamable-http", () => startEverything({ era: "modern" })),
  "v2-legacy": over("streamable-http", () => startEverything({ era: "legacy" })),
  stdio: async () => ({ registration: { transport: "stdio", command: process.execPath, args: [`${import.meta.dirname}/everything-stdio.ts`, "--era", "legacy"] }, close: async () => undefined }),
};

export const startUpstream = (kind: UpstreamKind): Promise<Upstream> => kinds[kind]();

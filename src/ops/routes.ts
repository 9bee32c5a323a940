/** Operations over HTTP: liveness, readiness, the API description and its readable page. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { describeApi } from "../net/openapi.ts";
import { problem } from "../kernel/problem.ts";
import { route, type Route } from "../net/route.ts";
import type { Storage } from "../storage/index.ts";
import { apiPage } from "./api-page.ts";
import { pageHeaders } from "../net/html.ts";

const status = z.object({ status: z.literal("ok") });

export interface OpsRoutes {
  storage: Storage;
  version: string;
  publicUrl: string;
  /** False while stopping, so that load balancers look elsewhere. */
  isServing(): boolean;
  /** Prometheus text. */
  metrics(): string;
}

/** @param others every other route of the product: what the description describes. */
export function opsRoutes({ storage, version, publicUrl, isServing, metrics }: OpsRoutes, others: readonly Route[]): Route[] {
  const stylesheet = readFileSync(new URL("assets/pages.css", import.meta.url), "utf8");
  const own: Route[] = [
    route({
      method: "get",
      path: "/healthz",
      operationId: "alive",
      summary: "The process is alive",
      tag: "Operations",
      access: "anyone",
      responses: { 200: { description: "Alive", schema: status } },
      handler: () => ({ status: 200, body: { status: "ok" } }),
    }),
    route({
      method: "get",
      path: "/healthz/ready",
      operationId: "ready",
      summary: "The database is connected and migrated",
      tag: "Operations",
      access: "anyone",
      responses: { 200: { description: "Ready", schema: status }, 503: { description: "Not ready" } },
      async handler() {
        if (!isServing() || !(await storage.ready())) throw problem("unavailable", { detail: "Not ready" });
        return { status: 200, body: { status: "ok" } };
      },
    }),
    route({
      method: "get",
      path: "/metrics",
      operationId: "metrics",
      summary: "Counters and gauges in the Prometheus text format",
      tag: "Operations",
      access: { scopes: ["audit:read"] },
      responses: { 200: { description: "Prometheus text 0.0.4", schema: z.string(), contentType: "text/plain; version=0.0.4; charset=utf-8" } },
      handler: () => ({ status: 200, body: metrics() }),
    }),
    route({
      method: "get",
      path: "/openapi.json",
      operationId: "openapi",
      summary: "This description, OpenAPI 3.1",
      tag: "Operations",
      access: "anyone",
      responses: { 200: { description: "OpenAPI 3.1", schema: z.record(z.string(), z.unknown()) } },
      handler: () => ({ status: 200, body: description() }),
    }),
    route({
      method: "get",
      path: "/docs",
      operationId: "docs",
      summary: "This description as a page",
      tag: "Operations",
      access: "anyone",
      responses: { 200: { description: "HTML", schema: z.string(), contentType: "text/html; charset=utf-8" } },
      handler: () => ({ status: 200, body: apiPage(description()), headers: pageHeaders }),
    }),
    route({
      method: "get",
      path: "/assets/pages.css",
      operationId: "stylesheet",
      summary: "Stylesheet of the pages",
      tag: "Operations",
      access: "anyone",
      responses: { 200: { description: "CSS", schema: z.string(), contentType: "text/css; charset=utf-8" } },
      handler: () => ({ status: 200, body: stylesheet, headers: { "cache-control": "public, max-age=3600" } }),
    }),
  ];
  let cached: Record<string, unknown> | undefined;
  const description = () => (cached ??= describeApi([...others, ...own], { title: "Sallyport", version, publicUrl }));
  return own;
}

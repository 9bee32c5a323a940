/**
 * Serves a table of routes on Hono: authenticate, authorize, parse, handle, strip, serialise; in that order, for every route alike.
 * Errors are RFC 9457 problem details; the internal reason goes to the log only.
 */
import { Hono, type Context } from "hono";
import type { z } from "zod";
import { parseUntrustedJson } from "../kernel/json.ts";
import type { Log } from "../kernel/log.ts";
import { Problem, problem, type FieldError } from "../kernel/problem.ts";
import type { Principal } from "../kernel/principal.ts";
import type { Scope } from "../kernel/scopes.ts";
import { refuseMarkup } from "./body.ts";
import type { RequestInfo, Route, RouteInput, RouteOutput } from "./route.ts";

export interface ApiOptions {
  routes: readonly Route[];
  log: Log;
  bodyLimit: number;
  /** @throws Problem 401. */
  authenticate(authorization: string | undefined, request: RequestInfo): Promise<Principal>;
  /** @throws Problem 403. */
  requireScopes(principal: Principal, scopes: readonly Scope[], request: RequestInfo): void;
  /** For routes with `stepUp`. @throws Problem 401. */
  requireFreshSignIn(principal: Principal, action: string, request: RequestInfo): void;
  onRefused(reason: string, request: RequestInfo): void;
}

/** What the inbound server hands over with each request. */
export interface Bindings {
  requestId: string;
  address: string;
}

export type Api = Hono<{ Bindings: Bindings }>;

const nobody: Principal = { userId: "", scopes: new Set(), audience: [], tokenId: "", expiresAt: 0 };
const encoder = new TextEncoder();

export function createApi(options: ApiOptions): Api {
  const app: Api = new Hono<{ Bindings: Bindings }>({ strict: true });
  const methods = new Map<string, string[]>();
  for (const route of options.routes) {
    const path = route.path.replaceAll(/\{(\w+)\}/g, ":$1");
    app.on(route.method.toUpperCase(), path, (context) => answer(context, route, options));
    methods.set(path, [...(methods.get(path) ?? []), route.method.toUpperCase()]);
  }
  for (const [path, allowed] of methods) {
    app.all(path, (context) => failed(context, problem("method-not-allowed", { headers: { allow: allowed.join(", ") } }), undefined, options));
  }
  app.notFound((context) => failed(context, problem("not-found", { detail: "There is nothing at this address" }), undefined, options));
  app.onError((error, context) => failed(context, error, undefined, options));
  return app;
}

async function answer(context: Context<{ Bindings: Bindings }>, route: Route, options: ApiOptions): Promise<Response> {
  const started = performance.now();
  let principal = nobody;
  const request: RequestInfo = { id: context.env.requestId, headers: context.req.raw.headers, method: context.req.method, path: context.req.path, address: context.env.address };
  let response: Response;
  try {
    if (route.access !== "anyone") {
      principal = await options.authenticate(request.headers.get("authorization") ?? undefined, request);
      const { scopes, or } = route.access;
      options.requireScopes(principal, or !== undefined && principal.scopes.has(or) ? [or] : scopes, request);
      if (route.stepUp) options.requireFreshSignIn(principal, route.operationId, request);
    }
    const input = {
      params: route.params ? parse(route.params, context.req.param(), "path") : undefined,
      query: route.query ? parse(route.query, queryOf(context.req.url), "query") : undefined,
      body: route.body ? parse(route.body.schema, await readBody(context.req.raw, route.body.type, options.bodyLimit), "body") : undefined,
      principal,
      request,
    };
    const output = await route.handler(input as unknown as RouteInput<never, never, never>);
    response = serialise(route, output);
  } catch (error) {
    response = failed(context, error, route, options);
  }
  options.log.info("request", {
    requestId: request.id,
    method: context.req.method,
    route: route.path,
    status: response.status,
    milliseconds: Math.round((performance.now() - started) * 100) / 100,
    ...(principal.userId ? { actorId: principal.userId } : {}),
  });
  return response;
}

function serialise(route: Route, output: RouteOutput): Response {
  const response = answerOf(route, output);
  for (const cookie of output.cookies ?? []) response.headers.append("set-cookie", cookie);
  return response;
}

function answerOf(route: Route, { status, body, text, headers }: RouteOutput): Response {
  const spec = route.responses[status];
  if (!spec) throw new Error(`${route.operationId} answered ${status}, which it does not declare`);
  const all = { "cache-control": "no-store", ...headers };
  if (text !== undefined) return new Response(text, { status, headers: { "content-type": "application/json", ...all } });
  if (!spec.schema) return new Response(null, { status, headers: all });
  const stripped = spec.schema.safeParse(body);
  if (!stripped.success) throw new Error(`${route.operationId} answered ${status} with a body that does not fit its schema`, { cause: stripped.error });
  const contentType = spec.contentType ?? "application/json";
  return new Response(/^application\/(?:[\w.-]+\+)?json$/.test(contentType) ? JSON.stringify(stripped.data) : String(stripped.data), { status, headers: { "content-type": contentType, ...all } });
}

function failed(context: Context<{ Bindings: Bindings }>, error: unknown, route: Route | undefined, { log, onRefused }: ApiOptions): Response {
  const request: RequestInfo = { id: context.env.requestId, headers: context.req.raw.headers, method: context.req.method, path: context.req.path, address: context.env.address };
  const known = error instanceof Problem ? error : problem("internal", { cause: error });
  if (known.status >= 500) log.error("request.failed", { requestId: request.id, method: context.req.method, ...(route ? { route: route.path } : {}), status: known.status, error: known.extras.cause ?? known });
  else if (route === undefined) onRefused(known.code, request);
  const presented = route?.presentError?.(known);
  if (presented === undefined) return problemResponse(known, request.id);
  return new Response(JSON.stringify(presented.body), { status: presented.status, headers: { "content-type": presented.contentType, "cache-control": "no-store", ...known.extras.headers } });
}

/** RFC 9457 response. */
export function problemResponse(known: Problem, requestId: string): Response {
  return new Response(JSON.stringify(known.body(requestId)), {
    status: known.status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...known.extras.headers },
  });
}

function parse(schema: z.ZodType, value: unknown, from: string): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors: FieldError[] = result.error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => ({ field: [...issue.path, key.slice(0, 100)].join("."), message: "Unknown field" }))
      : [{ field: issue.path.join(".") || from, message: issue.message }],
  );
  throw problem("invalid", { detail: errors.length === 1 && errors[0] ? `${errors[0].field}: ${errors[0].message}` : `${errors.length} fields are not valid`, errors });
}

/** Query parameters: one value each; a repeated name would be ambiguous and is refused. */
function queryOf(url: string): Record<string, string> {
  const query: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URL(url).searchParams) {
    if (name in query) throw problem("invalid", { detail: `${name.slice(0, 100)}: given more than once`, errors: [{ field: name.slice(0, 100), message: "Given more than once" }] });
    query[name] = value;
  }
  return query;
}

async function readBody(request: Request, type: "json" | "form", limit: number): Promise<unknown> {
  const contentType = (request.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const expected = type === "json" ? /^application\/(?:json|[\w.-]+\+json)$/ : /^application\/x-www-form-urlencoded$/;
  if (!expected.test(contentType)) {
    throw problem("unsupported-media-type", { detail: type === "json" ? "Send application/json" : "Send application/x-www-form-urlencoded", headers: { accept: type === "json" ? "application/json" : "application/x-www-form-urlencoded" } });
  }
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") throw problem("unsupported-media-type", { detail: "Compressed bodies are not accepted" });
  const bytes = await readLimited(request, limit);
  refuseMarkup(bytes);
  if (type === "json") return parseUntrustedJson(bytes, { maxBytes: limit });
  return formOf(bytes);
}

async function readLimited(request: Request, limit: number): Promise<Uint8Array> {
  const tooLarge = () => problem("too-large", { detail: `The body is larger than ${limit} bytes (SALLYPORT_BODY_LIMIT)`, headers: { connection: "close" } });
  if (Number(request.headers.get("content-length") ?? 0) > limit) throw tooLarge();
  if (request.body === null) return encoder.encode("");
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body as AsyncIterable<Uint8Array>) {
      size += chunk.byteLength;
      if (size > limit) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof Problem ? error : problem("bad-request", { detail: "The body did not arrive completely", cause: error });
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

function formOf(bytes: Uint8Array): Record<string, string> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw problem("bad-request", { detail: "The form is not UTF-8", cause });
  }
  const form: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(text)) {
    // RFC 6749 section 3.2: parameters must not be included more than once.
    if (name in form) throw problem("bad-request", { detail: `${name.slice(0, 100)} is given more than once` });
    form[name] = value;
  }
  return { ...form };
}

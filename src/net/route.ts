/**
 * A route is one object: schemas, scopes, handler. Everything else follows from the table of them: parsing, authorization,
 * response stripping, OpenAPI, and the authorization matrix of the tests.
 */
import type { z } from "zod";
import type { Problem } from "../kernel/problem.ts";
import type { Principal } from "../kernel/principal.ts";
import type { Scope } from "../kernel/scopes.ts";

export interface RequestInfo {
  readonly id: string;
  readonly headers: Headers;
  readonly method: string;
  readonly path: string;
  /** The client's address, by the configured number of trusted proxies. */
  readonly address: string;
}

export interface RouteInput<Params, Query, Body> {
  params: Params;
  query: Query;
  body: Body;
  principal: Principal;
  request: RequestInfo;
}

export interface RouteOutput {
  status: number;
  body?: unknown;
  /** Instead of `body`: JSON that has passed the response's schema already, kept by the handler for the next reader. */
  text?: string;
  headers?: Record<string, string>;
  /** Values of Set-Cookie, one header each. */
  cookies?: readonly string[];
}

export interface ResponseSpec {
  description: string;
  /** Unknown members are stripped; a body that does not fit is a fault of ours (500). Absent: no body. */
  schema?: z.ZodType;
  contentType?: string;
  headers?: Record<string, string>;
}

export interface Route {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** Template in OpenAPI style: /api/v1/servers/{name} */
  path: string;
  operationId: string;
  summary: string;
  tag: string;
  /** Scopes that are all needed (holding `or` instead is enough too; none, if `self` says that the route serves each caller what is the caller's own), or "anyone" for a route that needs no token. There is no default. */
  access: { scopes: readonly Scope[]; or?: Scope; self?: true } | "anyone";
  /** Destructive administration: the caller's sign-in must be fresh (RFC 9470). */
  stepUp?: true;
  params?: z.ZodType;
  query?: z.ZodType;
  body?: { schema: z.ZodType; type: "json" | "form" };
  /** By status; the first is the success. */
  responses: Record<number, ResponseSpec>;
  /** Errors in another form than problem details, where a protocol demands it. */
  presentError?(error: Problem): { status: number; contentType: string; body: unknown };
  handler(input: RouteInput<never, never, never>): Promise<RouteOutput> | RouteOutput;
}

type Out<S> = S extends z.ZodType ? z.output<S> : undefined;

/** Ties the handler's types to the schemas. */
export function route<P extends z.ZodType | undefined = undefined, Q extends z.ZodType | undefined = undefined, B extends z.ZodType | undefined = undefined>(
  spec: Omit<Route, "params" | "query" | "body" | "handler"> & {
    params?: P;
    query?: Q;
    body?: { schema: B; type: "json" | "form" };
    handler(input: RouteInput<Out<P>, Out<Q>, Out<B>>): Promise<RouteOutput> | RouteOutput;
  },
): Route {
  return spec as unknown as Route;
}

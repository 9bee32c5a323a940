/** OpenAPI 3.1 from the route table: the same schemas that validate. */
import { z } from "zod";
import { scopes } from "../kernel/scopes.ts";
import type { Route } from "./route.ts";

type Json = Record<string, unknown>;

const problemSchema: Json = {
  type: "object",
  required: ["type", "title", "status", "detail", "code", "hint"],
  properties: {
    type: { type: "string", format: "uri" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    code: { type: "string" },
    hint: { type: "string" },
    reference: { type: "string" },
    errors: { type: "array", items: { type: "object", required: ["field", "message"], properties: { field: { type: "string" }, message: { type: "string" } } } },
  },
};

export interface ApiDescription {
  title: string;
  version: string;
  publicUrl: string;
}

export function describeApi(routes: readonly Route[], { title, version, publicUrl }: ApiDescription): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const entry = (paths[route.path] ??= {});
    entry[route.method] = operation(route);
  }
  return {
    openapi: "3.1.0",
    info: { title, version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    servers: [{ url: publicUrl }],
    paths,
    components: {
      securitySchemes: {
        OAuth2PasswordBearer: { type: "oauth2", flows: { password: { tokenUrl: "token", scopes } } },
      },
      schemas: { Problem: problemSchema },
    },
  };
}

function operation(route: Route): Json {
  const problemResponse = (description: string): Json => ({ description, content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } } });
  const responses: Record<string, Json> = {};
  for (const [status, spec] of Object.entries(route.responses)) {
    responses[status] = {
      description: spec.description,
      ...(spec.headers ? { headers: Object.fromEntries(Object.entries(spec.headers).map(([name, description]) => [name, { description, schema: { type: "string" } }])) } : {}),
      ...(spec.schema ? { content: { [spec.contentType ?? "application/json"]: { schema: jsonSchema(spec.schema, "output") } } } : {}),
    };
  }
  if (route.access !== "anyone") {
    responses["401"] = problemResponse(route.stepUp ? "Could not validate credentials, or a fresher sign-in is needed (RFC 9470)" : "Could not validate credentials");
    responses["403"] = problemResponse("Insufficient permissions");
  }
  if (route.params ?? route.query ?? route.body) responses["422"] ??= problemResponse("Some fields are not valid");
  return {
    operationId: route.operationId,
    summary: route.summary,
    tags: [route.tag],
    ...(route.access === "anyone" ? { security: [] } : { security: [{ OAuth2PasswordBearer: route.access.scopes }, ...(route.access.or === undefined ? [] : [{ OAuth2PasswordBearer: [route.access.or] }])] }),
    parameters: [...parameters(route.params, "path"), ...parameters(route.query, "query")],
    ...(route.body ? { requestBody: { required: true, content: { [route.body.type === "json" ? "application/json" : "application/x-www-form-urlencoded"]: { schema: jsonSchema(route.body.schema, "input") } } } } : {}),
    responses,
  };
}

function parameters(schema: z.ZodType | undefined, place: "path" | "query"): Json[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, "input") as { properties?: Record<string, Json>; required?: string[] };
  return Object.entries(properties).map(([name, property]) => ({ name, in: place, required: place === "path" || required.includes(name), schema: property, ...(property["description"] ? { description: property["description"] } : {}) }));
}

function jsonSchema(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Json;
  return rest;
}

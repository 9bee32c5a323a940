/** The shapes of the servers API. `name` and `url` follow the guidelines to the letter; everything else has a bound. */
import { z } from "zod";
import { parseUpstreamUrl } from "../net/guard.ts";
import { Problem } from "../kernel/problem.ts";
import { checkArguments, commandFields } from "./command.ts";

/** Names that would read as something else in paths, lists or objects. */
const reserved = new Set(["all", "none", "any", "me", "new", "self", "__proto__", "constructor", "prototype", "tostring", "valueof", "hasownproperty", "__definegetter__", "__definesetter__", "__lookupgetter__", "__lookupsetter__"]);

/** A name to look up; whether it is taken, free or reserved makes no difference. */
export const serverName = z
  .string()
  .min(1, "Name must be 1 to 100 characters")
  .max(100, "Name must be 1 to 100 characters")
  .regex(/^[a-zA-Z0-9_-]+$/, "Name must be alphanumeric with hyphens/underscores")
  .transform((name) => name.toLowerCase());

const newName = serverName.refine((name) => !reserved.has(name), "Name is reserved");

const serverUrl = z
  .string()
  .max(2048)
  .regex(/^https?:\/\//, "URL must start with http:// or https://")
  .superRefine((text, context) => {
    try {
      parseUpstreamUrl(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: error instanceof Problem ? error.message : "URL is not valid" });
    }
  });

/** Text for people: any language, no control characters but line breaks and tabs, no invisible direction changes. */
const prose = (max: number) => z.string().max(max).regex(/^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069\u{E0000}-\u{E007F}]*$/u, "must not contain control or direction-changing characters");

const tag = z.string().min(1).max(50).regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]*$/, "must be letters, digits and . _ -").transform((text) => text.toLowerCase());
const tags = z.array(tag).max(20).transform((list) => [...new Set(list)]);

const httpTransports = ["streamable-http", "sse"] as const;
export const transports = [...httpTransports, "stdio", "openapi"] as const;
export const authModes = ["none", "headers"] as const;

/** Hop-by-hop, framing and protocol headers are the gateway's own (RFC 9110 section 7.6.1). */
const forbiddenHeaders = /^(?:host|connection|content-length|content-type|content-encoding|accept|accept-encoding|transfer-encoding|te|trailer|upgrade|keep-alive|expect|origin|proxy-.*|mcp-.*|last-event-id|forwarded|x-forwarded-.*|__proto__|constructor|prototype)$/i;
const headers = z
  .record(
    z.string().min(1).max(100).regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "is not a header name").refine((name) => !forbiddenHeaders.test(name), "is set by the gateway itself"),
    z.string().min(1).max(8192).regex(/^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/, "must be visible ASCII without line breaks"),
  )
  .refine((record) => Object.keys(record).length <= 20, "at most 20 headers")
  .refine((record) => new Set(Object.keys(record).map((name) => name.toLowerCase())).size === Object.keys(record).length, "header names repeat");

const sharedFields = {
  title: prose(200).optional(),
  description: prose(5000).optional(),
  tags: tags.default([]),
  enabled: z.boolean().default(true),
};
const credentialFields = {
  authMode: z.enum(authModes).optional().describe("'headers' sends the stored headers to the upstream; the default follows from whether headers are given"),
  headers: headers.optional().describe("Write-only credentials for the upstream, sealed at rest; never returned"),
};
/** The longest document is the setting's to say, after its address has been fetched; what is sent inline is within the body limit too. */
const openapi = z.union([z.string().min(1).max(104_857_600), z.record(z.string(), z.unknown())]);
const httpFields = { url: serverUrl, ...sharedFields, ...credentialFields, transport: z.enum(httpTransports).optional().describe("Default: streamable-http") };
const stdioFields = { ...sharedFields, ...commandFields, transport: z.literal("stdio").describe("A local process that speaks MCP over its standard streams") };
const openapiFields = {
  url: serverUrl.describe("Base URL of the API; nothing beyond it is ever called"),
  ...sharedFields,
  ...credentialFields,
  openapi: openapi.describe("OpenAPI 3.0 or 3.1 document: its address, its text (JSON or YAML), or the JSON object itself"),
  transport: z.literal("openapi").describe("A REST API whose operations become tools"),
};

export const serverCreate = z.discriminatedUnion("transport", [z.strictObject({ name: newName, ...httpFields }), z.strictObject({ name: newName, ...stdioFields }).superRefine(checkArguments), z.strictObject({ name: newName, ...openapiFields })]);

/** PUT: everything but the name; absent optional members take their defaults, absent headers and variables are removed. */
export const serverReplace = z.discriminatedUnion("transport", [
  z.strictObject({ name: serverName.optional(), ...httpFields }),
  z.strictObject({ name: serverName.optional(), ...stdioFields }).superRefine(checkArguments),
  z.strictObject({ name: serverName.optional(), ...openapiFields }),
]);

/** PATCH (RFC 7396 in spirit): absent members stay; null clears. */
export const serverPatch = z.strictObject({
  url: serverUrl.optional(),
  title: prose(200).nullable().optional(),
  description: prose(5000).nullable().optional(),
  tags: tags.optional(),
  transport: z.enum(transports).optional(),
  authMode: z.enum(authModes).optional(),
  headers: headers.nullable().optional(),
  enabled: z.boolean().optional(),
  command: commandFields.command.optional(),
  args: commandFields.args.unwrap().optional(),
  env: commandFields.env.nullable(),
  cwd: commandFields.cwd.nullable(),
  network: z.boolean().optional(),
  openapi: openapi.optional(),
});

/** What only a stdio server has. */
export const commandMembers = ["command", "args", "env", "cwd", "network"] as const;

export type ServerCreate = z.output<typeof serverCreate>;
export type ServerPatch = z.output<typeof serverPatch>;

export const server = z.object({
  id: z.string(),
  name: z.string(),
  url: z.string(),
  title: z.string().nullable(),
  description: z.string().nullable(),
  tags: z.array(z.string()),
  transport: z.string(),
  authMode: z.string(),
  hasHeaders: z.boolean().describe("Whether upstream credentials are stored; their names and values are not returned"),
  stdio: z
    .object({ command: z.string(), args: z.array(z.string()), cwd: z.string().nullable(), network: z.boolean(), hasEnv: z.boolean().describe("Whether environment variables are stored; their names and values are not returned") })
    .nullable()
    .describe("What a stdio server runs, in full"),
  openapi: z.object({ source: z.string().describe("Address that the document was read from, or 'inline'"), digest: z.string() }).nullable(),
  ownerId: z.string(),
  enabled: z.boolean(),
  state: z.object({ status: z.enum(["unknown", "reachable", "unreachable"]), detail: z.string().nullable(), checkedAt: z.string().nullable() }),
  tools: z.array(z.string()).describe("Tool names seen at the last check"),
  mcpUrl: z.string().describe("Where clients reach the server through the gateway"),
  createdAt: z.string(),
  updatedAt: z.string(),
});

export type ServerView = z.output<typeof server>;

const sorts = ["name", "-name", "created", "-created", "updated", "-updated", "relevance"] as const;
export type Sort = (typeof sorts)[number];

export const listQuery = z.strictObject({
  q: z.string().max(200).optional().describe("Full-text search over name, title, description, tags and tool names"),
  tag: tag.optional(),
  transport: z.enum(transports).optional(),
  status: z.enum(["unknown", "reachable", "unreachable"]).optional(),
  enabled: z.enum(["true", "false"]).transform((text) => text === "true").optional(),
  owner: z.string().max(100).optional().describe("User id, or 'me'"),
  sort: z.enum(sorts).optional().describe("Default: relevance with q, name without"),
  limit: z.string().regex(/^\d{1,3}$/, "must be 1 to 200").transform(Number).pipe(z.number().min(1).max(200)).default(50),
  cursor: z.string().max(1000).optional().describe("nextCursor of the page before"),
});
export type ListQuery = z.output<typeof listQuery>;

export const serverPage = z.object({ items: z.array(server), nextCursor: z.string().nullable(), total: z.number() });

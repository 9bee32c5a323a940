/** The shapes of the bundles API. Everything has a bound. */
import { json, z } from "zod";
import { callToolName, findToolsName } from "../aggregate/meta-tools.ts";

const reserved = new Set(["all", "none", "any", "me", "new", "self", "__proto__", "constructor", "prototype"]);
const serverName = z.string().min(1).max(100).regex(/^[a-zA-Z0-9_-]+$/, "must be a server's name").transform((name) => name.toLowerCase());
/** Names are compared in lower case, as servers' names are. */
export const bundleName = serverName;
const newName = bundleName.refine((name) => !reserved.has(name), "Name is reserved");
const prose = (max: number) => z.string().max(max).regex(/^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069\u{E0000}-\u{E007F}]*$/u, "must not contain control or direction-changing characters");
const itemName = z.string().min(1).max(128).regex(/^[A-Za-z0-9_.-]+$/, "must be 1 to 128 letters, digits and . _ -");
const shownName = itemName.refine((name) => name !== findToolsName && name !== callToolName, "is a name of the gateway's own");

const argumentRule = z
  .strictObject({
    pin: json().optional().describe("The caller neither sees nor gives the argument; this is sent"),
    hide: z.literal(true).optional().describe("The caller neither sees nor gives the argument; nothing is sent"),
    default: json().optional().describe("Sent when the caller gives nothing"),
    description: prose(2000).optional(),
  })
  .refine((rule) => ["pin", "hide", "default"].filter((one) => Object.hasOwn(rule, one)).length <= 1, "pin, hide and default exclude each other")
  .refine((rule) => Object.keys(rule).length > 0, "says nothing");

const chosenTool = z.strictObject({
  server: serverName,
  tool: z.string().min(1).max(128).describe("As the server's own list names it"),
  name: shownName.optional().describe("As the bundle names it; default: as the server does"),
  title: prose(200).optional(),
  description: prose(5000).optional(),
  arguments: z.record(z.string().min(1).max(200), argumentRule).refine((rules) => Object.keys(rules).length <= 100, "at most 100 arguments").optional(),
});
const chosenPrompt = z.strictObject({ server: serverName, item: z.string().min(1).max(128), name: itemName.optional() });
const chosenResource = z.strictObject({ server: serverName, item: z.string().min(1).max(2048).describe("A URI, a URI template, or * for all of the server") });

const contents = {
  tools: z.array(chosenTool).max(500).default([]),
  prompts: z.array(chosenPrompt).max(500).default([]),
  resources: z.array(chosenResource).max(500).default([]),
};
const fields = {
  title: prose(200).nullable().optional(),
  description: prose(5000).nullable().optional(),
  instructions: prose(16_000).nullable().optional().describe("Instead of the servers' own instructions"),
  discover: z.boolean().default(false).describe("List only find_tools and call_tool; a client may ask for either with ?tools="),
  enabled: z.boolean().default(true),
};

interface Named {
  tools?: readonly { tool: string; name?: string | undefined }[] | undefined;
  prompts?: readonly { item: string; name?: string | undefined }[] | undefined;
}

/** Two things of one name could not be told apart: one of them needs another. */
function requireDistinct({ tools = [], prompts = [] }: Named, context: z.RefinementCtx): void {
  const seen = new Set<string>();
  tools.forEach(({ tool, name = tool }, index) => {
    if (!shownName.safeParse(name).success) context.addIssue({ code: "custom", path: ["tools", index, "name"], message: `${name} cannot be a name here: give another` });
    if (seen.has(name)) context.addIssue({ code: "custom", path: ["tools", index, "name"], message: `${name} is in the bundle already: give another name` });
    seen.add(name);
  });
  const heard = new Set<string>();
  prompts.forEach(({ item, name = item }, index) => {
    if (heard.has(name)) context.addIssue({ code: "custom", path: ["prompts", index, "name"], message: `${name} is in the bundle already: give another name` });
    heard.add(name);
  });
}

export const bundleCreate = z.strictObject({ name: newName, ...fields, ...contents }).superRefine(requireDistinct);
/** PUT: everything but the name; absent optional members take their defaults. */
export const bundleReplace = z.strictObject({ ...fields, ...contents }).superRefine(requireDistinct);
/** PATCH: absent members stay; null clears. */
export const bundlePatch = z
  .strictObject({ ...fields, discover: z.boolean().optional(), enabled: z.boolean().optional(), tools: z.array(chosenTool).max(500).optional(), prompts: z.array(chosenPrompt).max(500).optional(), resources: z.array(chosenResource).max(500).optional() })
  .superRefine(requireDistinct);
export type BundleFields = z.output<typeof bundleReplace>;
export type BundlePatch = z.output<typeof bundlePatch>;

export const bundle = z.object({
  id: z.string(),
  name: z.string(),
  title: z.string().nullable(),
  description: z.string().nullable(),
  instructions: z.string().nullable(),
  discover: z.boolean(),
  enabled: z.boolean(),
  tools: z.array(z.looseObject({ server: z.string(), tool: z.string() })),
  prompts: z.array(z.looseObject({ server: z.string(), item: z.string() })),
  resources: z.array(z.looseObject({ server: z.string(), item: z.string() })),
  ownerId: z.string(),
  mcpUrl: z.string().describe("Where clients reach the bundle"),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type BundleView = z.output<typeof bundle>;

export const toolStatus = z.object({
  name: z.string().describe("As the bundle names it"),
  server: z.string(),
  tool: z.string(),
  available: z.boolean().describe("Whether you could call it now"),
  reason: z.string().nullable().describe("Why not"),
});
export type ToolStatus = z.output<typeof toolStatus>;

/** docs/audit-events.md and its JSON Schema, from the catalogue. */
import { catalogue, type EventName } from "./catalogue.ts";
import { mappingOf } from "./mapping.ts";

const names = (Object.keys(catalogue) as EventName[]).sort();
const requirements = {
  "16.3.1": "authentication, successful or not",
  "16.3.2": "authorization, and access to what is sensitive",
  "16.3.3": "attempts to get round a control, and what this page says is recorded",
  "16.3.4": "errors, and controls that fail",
} as const;

export function eventsPage(): string {
  return [
    "# Audit events",
    "",
    `The ${names.length} events there are, from \`src/audit/catalogue.ts\`; a test keeps this page equal to it. An event has only the detail fields listed.`,
    "Beside them every event has `id`, `at`, `type`, `severity` and `outcome`, and where they are known `actorId` (a user id), `subject` (kind and id) and",
    "`requestId`; a call whose body was kept has `body`, the SHA-256 of what was sealed. [audit-event.schema.json](audit-event.schema.json) says the same as JSON Schema.",
    "",
    "ASVS is the requirement of OWASP ASVS 5.0 that the event serves:",
    ...Object.entries(requirements).map(([id, what]) => `V${id} ${what}${id === "16.3.4" ? "." : ";"}`),
    "SAFE-MCP names techniques in whose detection the event is used.",
    "",
    "| event | severity | meaning | detail | ASVS | SAFE-MCP |",
    "| --- | --- | --- | --- | --- | --- |",
    ...names.map((name) => {
      const { severity, description, detail } = catalogue[name];
      const { asvs, safeMcp } = mappingOf(name);
      return `| \`${name}\` | ${severity} | ${description} | ${detail.map((field) => `\`${field}\``).join(", ")} | V${asvs} | ${safeMcp.join(", ")} |`;
    }),
    "",
  ].join("\n");
}

/** JSON Schema 2020-12 of an event as it stands in the log and its exports. */
export function eventSchemaDocument(): string {
  const value = { oneOf: [{ type: ["string", "number", "boolean"] }, { type: "array", items: { type: "string" } }] };
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "urn:sallyport:audit-event",
    title: "An audit event of Sallyport",
    type: "object",
    required: ["at", "detail", "id", "outcome", "severity", "type"],
    properties: {
      id: { type: "string", format: "uuid" },
      at: { type: "string", format: "date-time" },
      outcome: { enum: ["success", "failure", "denied"] },
      severity: { enum: ["info", "notice", "warning", "critical"] },
      actorId: { type: "string" },
      subject: { type: "string", description: "kind:id" },
      requestId: { type: "string" },
      body: { type: "string", pattern: "^[0-9a-f]{64}$", description: "SHA-256 of what was sealed of the call" },
    },
    oneOf: names.map((name) => ({
      title: catalogue[name].description,
      properties: { type: { const: name }, severity: { const: catalogue[name].severity }, detail: { type: "object", properties: Object.fromEntries(catalogue[name].detail.map((field) => [field, value])), additionalProperties: false } },
    })),
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

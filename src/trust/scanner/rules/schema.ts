/** Hazards of a JSON Schema (2020-12): remote references, reference bombs, patterns that backtrack, defaults that point somewhere. */
import { isBadHost, isMetadataService, isSecretPath } from "../grammar/places.ts";
import { isLinear } from "../text/patterns.ts";
import { expansions } from "../text/references.ts";
import type { Place } from "../text/leaves.ts";
import type { Effect, Severity } from "../types.ts";
import type { Draft, Rule } from "./rule.ts";

function draft(effect: Effect, severity: Severity, place: Place, text: string, message: string): Draft {
  return { effect, severity, place, text, span: [0, text.length], message };
}
const tool = (inputSchema: unknown): { name: string; description: string; inputSchema: unknown } => ({ name: "do_it", description: "Does it.", inputSchema });

export const remoteReference: Rule = {
  id: "schema-remote-ref", title: "The schema refers to another host", owasp: "MCP04", safe: "SAFE-T1204",
  examples: { bad: [tool({ $ref: "https://example.net/schema.json" }), tool({ properties: { a: { $ref: "//example.net/s" } } })], good: [tool({ $ref: "#/$defs/a", $defs: { a: {} } }), tool({ $schema: "http://json-schema.org/draft-07/schema#" })] },
  check: (item) => item.harvest.schema.refs.filter(({ value }) => !value.startsWith("#")).slice(0, 10)
    .map(({ value, place }) => draft("hold", "high", place, value, "The schema can be changed from elsewhere after approval.")),
};

export const referenceBomb: Rule = {
  id: "schema-ref-bomb", title: "References that unfold without end", owasp: "MCP04", safe: "SAFE-T2102",
  examples: {
    bad: [tool({ $ref: "#/$defs/a0", $defs: Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`a${at}`, { properties: { x: { $ref: `#/$defs/a${at + 1}` }, y: { $ref: `#/$defs/a${at + 1}` } } }])) }), tool({ $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } })],
    good: [tool({ $defs: { node: { properties: { children: { items: { $ref: "#/$defs/node" } } } } }, $ref: "#/$defs/node" })],
  },
  check: (item) => {
    const { refs } = item.harvest.schema;
    const first = refs[0];
    if (first === undefined) return [];
    const { count, empty } = expansions(item.item);
    if (empty) return [draft("hold", "medium", first.place, first.value, "References lead in a circle without a schema between them.")];
    return count > 100_000 ? [draft("hold", "high", first.place, first.value, `Unfolds to more than ${count > 1e9 ? "a billion" : "100,000"} schemas.`)] : [];
  },
};

export const backtracking: Rule = {
  id: "schema-pattern", title: "A pattern that may backtrack without end", owasp: "MCP04", safe: "SAFE-T2102",
  examples: {
    bad: [tool({ properties: { a: { pattern: "^(a+)+$" } } }), tool({ properties: { a: { pattern: "(x|x)*y" } } }), tool({ properties: { a: { pattern: "^(\\w+\\s?)*$" } } }), tool({ properties: { a: { pattern: "(" } } })],
    good: [tool({ properties: { a: { pattern: "^[a-z]+(-[a-z]+)*$" } } }), tool({ properties: { a: { pattern: "^\\d{4}-\\d{2}-\\d{2}$" } } }), tool({ properties: { a: { pattern: "^(foo|bar)+$" } } })],
  },
  check: (item) => item.harvest.schema.patterns.filter(({ value }) => !isLinear(value)).slice(0, 10)
    .map(({ value, place }) => draft("hold", "medium", place, value, "The pattern is invalid or can take super-linear time.")),
};

const shell = /[;&|`]\s*(?:rm|curl|wget|nc|bash|sh|cat|whoami|powershell|chmod|python3?)\b|\$\([^)]{1,200}\)|`[^`]{2,200}`|(?:\.\.[\\/]){2}|\bdrop\s+table\b|<script\b|\|\s*(?:nc|sh|bash)\b/i;

export const hazardousDefault: Rule = {
  id: "schema-default", title: "A default that points where no default should", owasp: "MCP05", safe: "SAFE-T1101",
  examples: {
    bad: [tool({ properties: { a: { default: "; rm -rf /" } } }), tool({ properties: { a: { default: "../../../etc/passwd" } } }), tool({ properties: { a: { default: "~/.aws/credentials" } } }), tool({ properties: { a: { default: "https://webhook.site/1" } } }), tool({ properties: { a: { default: "http://169.254.169.254/latest" } } })],
    good: [tool({ properties: { a: { default: "https://api.example.com" } } }), tool({ properties: { a: { default: "./out" } } }), tool({ properties: { a: { default: "~/.kube/config" } } }), tool({ properties: { a: { default: "http://localhost:8080" } } })],
  },
  check: (item) => item.harvest.schema.defaults.flatMap(({ value, place }) => {
    const text = value.slice(0, 4_000);
    const honest = /kube|\.ssh\/(?:config|known_hosts)|gitconfig|\.env$/.test(text);
    if (shell.test(text) || isMetadataService(text)) return [draft("block", "critical", place, value, "The default is a command, a traversal or an inner address.")];
    if (isBadHost(text) || (isSecretPath(text) && !honest && text.length < 200)) return [draft("hold", "high", place, value, "The default names a place for secrets or a host that collects data.")];
    return /^https?:\/\/(?!localhost|127\.|\[::1\])/.test(text) ? [draft("note", "info", place, value, "The default is an address on the internet.")] : [];
  }).slice(0, 20),
};

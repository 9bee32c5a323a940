/** The OpenAPI description as one readable page: no script, native disclosure elements. */
import { Html, html, page } from "../net/html.ts";

type Json = Record<string, unknown>;

export function apiPage(description: Json): string {
  const paths = description["paths"] as Record<string, Record<string, Json>>;
  const operations = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })));
  const tags = [...new Set(operations.map(({ operation }) => tagOf(operation)))];
  return page(
    "API",
    html`<h1>API</h1>
<p>Also as <a href="/openapi.json">OpenAPI 3.1</a>. Get a token from <code>POST /token</code> and send it as <code>Authorization: Bearer …</code>. Errors are problem details (RFC 9457).</p>
<nav aria-label="Sections"><ul class="row">${tags.map((tag) => html`<li><a href="#${tag}">${tag}</a></li>`)}</ul></nav>
${tags.map(
      (tag) => html`<section id="${tag}"><h2>${tag}</h2>
${operations.filter(({ operation }) => tagOf(operation) === tag).map(({ path, method, operation }) => operationOf(path, method, operation))}
</section>`,
    )}`,
  );
}

function tagOf(operation: Json): string {
  return String((operation["tags"] as string[])[0]);
}

function operationOf(path: string, method: string, operation: Json): Html {
  const security = operation["security"] as { OAuth2PasswordBearer?: string[] }[];
  const needed = security[0]?.OAuth2PasswordBearer;
  const parameters = operation["parameters"] as Json[];
  const body = operation["requestBody"] as { content: Record<string, { schema: Json }> } | undefined;
  const responses = operation["responses"] as Record<string, { description: string; content?: Record<string, { schema: Json }> }>;
  return html`<details>
<summary><span class="method ${method.toLowerCase()}">${method}</span> <code>${path}</code> <span class="what">${String(operation["summary"])}</span></summary>
<p class="hint">${needed ? `Scopes: ${needed.join(", ")}` : "No token needed"}</p>
${parameters.length > 0 ? html`<h3>Parameters</h3><table><thead><tr><th scope="col">Name</th><th scope="col">In</th><th scope="col">Meaning</th></tr></thead><tbody>${parameters.map((parameter) => html`<tr><td><code>${String(parameter["name"])}</code></td><td>${String(parameter["in"])}</td><td>${String(parameter["description"] ?? "")} ${parameter["required"] ? "Required." : ""}</td></tr>`)}</tbody></table>` : undefined}
${body ? Object.entries(body.content).map(([type, { schema }]) => html`<h3>Body <code>${type}</code></h3><pre>${JSON.stringify(schema, undefined, 2)}</pre>`) : undefined}
<h3>Answers</h3>
${Object.entries(responses).map(([status, response]) => html`<p><strong>${status}</strong> ${response.description}</p>${Object.entries(response.content ?? {}).filter(([type]) => type === "application/json").map(([, { schema }]) => html`<pre>${JSON.stringify(schema, undefined, 2)}</pre>`)}`)}
</details>`;
}

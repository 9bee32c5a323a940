/** Writes the pages that are generated from the code. `npm run fix` runs it; a test fails when a page is not what this would write. */
import { writeFileSync } from "node:fs";
import { eventSchemaDocument, eventsPage } from "../src/audit/index.ts";
import { configurationPage } from "../src/cli/config.ts";
import { createProgram, type Cli } from "../src/cli/index.ts";
import { manualPage } from "../src/cli/manual.ts";

/** Page by path. The program is only described, never run. */
export function generatedPages(): Record<string, string> {
  return {
    "docs/audit-event.schema.json": eventSchemaDocument(),
    "docs/audit-events.md": eventsPage(),
    "docs/configuration.md": configurationPage(),
    "docs/cli.md": manualPage(createProgram({} as Cli, () => Promise.reject(new Error("not here")), () => ({ namespaces: false, limits: false, diesWithGateway: false, missing: [] }))),
  };
}

if (import.meta.main) for (const [path, text] of Object.entries(generatedPages())) writeFileSync(new URL(`../${path}`, import.meta.url), text);

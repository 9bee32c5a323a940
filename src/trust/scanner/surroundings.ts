/** What the grammar must know of a tool: its own names, so that "call get_x first" in get_x's own description is not a foreign order. */
import { plain } from "./grammar/classes.ts";
import type { Surroundings } from "./grammar/tokens.ts";
import type { ToolDefinition } from "./types.ts";

const maximum = 500;

export function surroundings(tool: ToolDefinition): Surroundings {
  const self = new Set<string>();
  if (typeof tool.name === "string" && tool.name.length <= 200) self.add(plain(tool.name));
  const parameters = new Set<string>();
  const schema = tool.inputSchema;
  if (typeof schema === "object" && schema !== null) {
    const { properties } = schema as { properties?: unknown };
    if (typeof properties === "object" && properties !== null) {
      for (const name in properties) {
        if (parameters.size >= maximum) break;
        if (name.length <= 100) parameters.add(plain(name));
      }
    }
  }
  return { self, parameters };
}

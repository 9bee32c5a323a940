/** Tools' input schemas, kept for a short while: a warm call is checked against one without asking anybody. */
import type { JsonObject, Target } from "./exchange.ts";

const freshFor = 30_000;
const remembered = 1000;

/** The target, which is asked for each schema at most once in a while. What it does not know is remembered, too. */
export function rememberSchemas(target: Target, now: () => number): Target {
  const known = new Map<string, { at: number; schema: JsonObject | undefined }>();
  return {
    ...target,
    async inputSchema(tool, asking) {
      const found = known.get(tool);
      if (found && now() - found.at < freshFor) return found.schema;
      const schema = await target.inputSchema(tool, asking);
      known.delete(tool);
      if (known.size >= remembered) known.delete(known.keys().next().value ?? "");
      known.set(tool, { at: now(), schema });
      return schema;
    },
    async listen(listening) {
      return target.listen({
        ...listening,
        notify(notification) {
          if (notification.method === "notifications/tools/list_changed") known.clear();
          listening.notify(notification);
        },
      });
    },
  };
}

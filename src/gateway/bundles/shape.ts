/** What a bundle shows: the tools, prompts and resources that its maker chose, under the names that its maker gave. */
import { matches } from "../../policy/index.ts";
import type { BundleState, ChosenTool } from "../../snapshot/index.ts";
import { exposedUri, mapTool } from "../aggregate/uris.ts";
import { itemOf, type Shape } from "../aggregate/shape.ts";
import { errorCodes, WireError } from "../wire/message.ts";
import { obstacle, sentArguments, shownSchema } from "./arguments.ts";

export function bundleShape(bundle: BundleState, discover: boolean): Shape {
  const names = new Set([...bundle.tools, ...bundle.prompts, ...bundle.resources].map(({ server }) => server));
  const tools = new Map(bundle.tools.map((chosen) => [nameOf(chosen), chosen]));
  const prompts = new Map(bundle.prompts.map((chosen) => [chosen.name ?? chosen.item, chosen]));
  return {
    key: `bundle:${bundle.id}:${bundle.revision}${discover ? "?discover" : ""}`,
    title: bundle.title ?? bundle.name,
    instructions: bundle.instructions,
    discover,
    servers: (visible) => visible.filter(({ name }) => names.has(name)),
    show(kind, { name: server }, definition) {
      const item = itemOf(kind, definition);
      if (item === undefined) return [];
      if (kind === "tools") {
        return [...tools].flatMap(([key, chosen]) => {
          const { title, description, arguments: rules = {} } = chosen;
          if (chosen.server !== server || chosen.tool !== item || obstacle(definition["inputSchema"], rules) !== undefined) return [];
          const anew = { name: key, ...(title === undefined ? {} : { title }), ...(description === undefined ? {} : { description }) };
          return [{ key, server, item, definition: { ...mapTool(server, definition), ...anew, ...(Object.keys(rules).length > 0 ? { inputSchema: shownSchema(definition["inputSchema"], rules) } : {}) } }];
        });
      }
      if (kind === "prompts") return [...prompts].flatMap(([key, chosen]) => (chosen.server === server && chosen.item === item ? [{ key, server, item, definition: { ...definition, name: key } }] : []));
      const key = exposedUri(server, item);
      const isChosen = bundle.resources.some((chosen) => chosen.server === server && (chosen.item === "*" || chosen.item === item));
      return isChosen ? [{ key, server, item, definition: { ...definition, [kind === "resources" ? "uri" : "uriTemplate"]: key } }] : [];
    },
    find(kind, name) {
      const tool = kind === "tools" ? tools.get(name) : undefined;
      if (tool) return { server: tool.server, item: tool.tool };
      const prompt = kind === "prompts" ? prompts.get(name) : undefined;
      return prompt && { server: prompt.server, item: prompt.item };
    },
    admits: (server, uri) => bundle.resources.some((chosen) => chosen.server === server && (chosen.item === "*" || chosen.item === uri || (chosen.item.includes("{") && matches(chosen.item.replaceAll(/\{[^{}]*\}/g, "*"), uri)))),
    prepare(name, args, definition) {
      const rules = tools.get(name)?.arguments;
      if (rules === undefined || Object.keys(rules).length === 0) return args;
      // Without its schema nobody knows what the rules mean.
      if (definition === undefined) throw new WireError(200, errorCodes.internal, "The server does not answer, so its tool cannot be called now");
      if (obstacle(definition["inputSchema"], rules) !== undefined) throw new WireError(200, errorCodes.invalidParams, `Unknown tool: ${name}`);
      return sentArguments(definition["inputSchema"], rules, args);
    },
  };
}

export function nameOf({ name, tool }: Pick<ChosenTool, "name" | "tool">): string {
  return name ?? tool;
}

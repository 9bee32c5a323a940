/** The fixture's vocabulary: what every peer of the tests serves, in the words of the conformance suite. */
export { prompts, resources, templates } from "./prompts.ts";
export { isAsk, type Ask, type Call, type Prompt, type Question, type Result, type Tool } from "./types.ts";
import { prompts, resources, templates } from "./prompts.ts";
import { askingTools } from "./questions.ts";
import { plainTools } from "./tools.ts";
import type { Prompt, Result, Tool } from "./types.ts";

export const tools: readonly Tool[] = [...plainTools, ...askingTools];

/** @returns undefined when there is no such resource. */
export const readResource = (uri: string): Result | undefined => resources.find((resource) => resource.uri === uri)?.read() ?? templates.map((template) => template.read(uri)).find((result) => result !== undefined);

/** A prompt as it is listed. */
export const describePrompt = ({ name, title, description, arguments: args }: Prompt) => ({ name, title, description, ...(args ? { arguments: args.map(({ values: _values, ...rest }) => rest) } : {}) });

type Reference = { type: "ref/prompt"; name: string } | { type: "ref/resource"; uri: string };

export function complete(ref: Reference, argument: { name: string; value: string }) {
  const known = ref.type === "ref/prompt" ? prompts.find(({ name }) => name === ref.name)?.arguments?.find(({ name }) => name === argument.name)?.values : templates.find(({ uriTemplate }) => uriTemplate === ref.uri)?.values;
  const values = (known ?? []).filter((value) => value.startsWith(argument.value));
  return { completion: { values, total: values.length, hasMore: false } };
}

/** The fixture's vocabulary: what every peer of the tests serves, in the words of the conformance suite. */
export { prompts, resources, templates } from "./prompts.ts";
export { isAsk, type Ask, type Call, type Event, type Prompt, type Question, type Result, type Tool } from "./types.ts";
import { askingTools } from "./questions.ts";
import { plainTools } from "./tools.ts";
import type { Tool } from "./types.ts";

export const tools: readonly Tool[] = [...plainTools, ...askingTools];

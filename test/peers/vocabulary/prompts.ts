/** The prompts and resources of the conformance suite's vocabulary. */
import { png } from "./content.ts";
import { askContext, givenContext } from "./questions.ts";
import type { Prompt, Resource, Template } from "./types.ts";

const user = (content: Record<string, unknown>) => ({ role: "user", content });
const says = (text: string) => user({ type: "text", text });

export const prompts: readonly Prompt[] = [
  { name: "test_simple_prompt", title: "Simple", description: "A prompt without arguments", get: () => ({ messages: [says("This is a simple prompt for testing.")] }) },
  {
    name: "test_prompt_with_arguments",
    title: "With arguments",
    description: "A prompt with two arguments",
    arguments: [
      { name: "arg1", description: "First test argument", required: true, values: ["paris", "park", "party"] },
      { name: "arg2", description: "Second test argument", required: true },
    ],
    get: ({ arg1 = "", arg2 = "" }) => ({ messages: [says(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)] }),
  },
  {
    name: "test_prompt_with_embedded_resource",
    title: "With a resource",
    description: "A prompt that embeds a resource",
    arguments: [{ name: "resourceUri", description: "URI of the resource to embed", required: true }],
    get: ({ resourceUri = "" }) => ({
      messages: [user({ type: "resource", resource: { uri: resourceUri, mimeType: "text/plain", text: "Embedded resource content for testing." } }), says("Please process the embedded resource above.")],
    }),
  },
  { name: "test_prompt_with_image", title: "With an image", description: "A prompt with an image", get: () => ({ messages: [user({ type: "image", data: png, mimeType: "image/png" }), says("Please analyze the image above.")] }) },
  {
    name: "test_input_required_result_prompt",
    title: "Asks first",
    description: "A prompt that asks for its context",
    get(_args, call) {
      const context = givenContext(call.answers);
      return context === undefined ? askContext() : { messages: [says(`Use this context: ${context}`)] };
    },
  },
];

const resource = (uri: string, name: string, title: string, mimeType: string, content: Record<string, unknown>): Resource => ({ uri, name, title, description: `${title} for tests`, mimeType, read: () => ({ contents: [{ uri, mimeType, ...content }] }) });

export const resources: readonly Resource[] = [
  resource("test://static-text", "static-text", "Fixed text", "text/plain", { text: "This is the content of the static text resource." }),
  resource("test://static-binary", "static-binary", "Fixed image", "image/png", { blob: png }),
  resource("test://watched-resource", "watched-resource", "Watched text", "text/plain", { text: "Watched resource content" }),
];

export const templates: readonly Template[] = [
  {
    uriTemplate: "test://template/{id}/data",
    name: "template-data",
    title: "Data by id",
    description: "A resource for every id",
    mimeType: "application/json",
    values: ["1", "12", "123"],
    read(uri) {
      const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
      return id === undefined ? undefined : { contents: [{ uri, mimeType: "application/json", text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) }] };
    },
  },
];

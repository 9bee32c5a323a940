/** The tools that ask the client before they answer: 2026-07-28 returns the questions (SEP-2322), earlier revisions send them as requests. */
import { text, type Ask, type Question, type Result, type Tool } from "./types.ts";

const none = { type: "object", properties: {}, additionalProperties: false };
const form = (message: string, properties: Record<string, unknown>, required: readonly string[] = Object.keys(properties)): Question => ({
  method: "elicitation/create",
  params: { message, requestedSchema: { type: "object", properties, ...(required.length > 0 ? { required } : {}) } },
});
const sample = (prompt: string, maxTokens: number): Question => ({ method: "sampling/createMessage", params: { messages: [{ role: "user", content: { type: "text", text: prompt } }], maxTokens } });
const roots: Question = { method: "roots/list" };

type Answer = Record<string, unknown>;
const object = (value: unknown): Answer | undefined => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Answer) : undefined);

/** The form's content if the person accepted. */
const accepted = (answers: Answer, key: string): Answer | undefined => {
  const answer = object(answers[key]);
  return answer?.["action"] === "accept" ? (object(answer["content"]) ?? {}) : undefined;
};
const sampled = (answers: Answer, key: string): string | undefined => {
  const content = object(object(answers[key])?.["content"]);
  return typeof content?.["text"] === "string" ? content["text"] : undefined;
};
const listed = (answers: Answer, key: string): string | undefined => {
  const found = object(answers[key])?.["roots"];
  return Array.isArray(found) ? found.map((root) => String(object(root)?.["uri"])).join(", ") : undefined;
};

/** One question, one answer: what most of these tools are. `read` gives undefined while the answer is missing or unusable, and it is asked again. */
function asking(name: string, description: string, key: string, question: (args: Answer) => Question, read: (answers: Answer) => string | undefined, inputSchema: Record<string, unknown> = none, state?: Answer): Tool {
  return {
    name,
    description,
    inputSchema,
    run(args, call) {
      const answer = call.state === undefined && state !== undefined ? undefined : read(call.answers);
      return answer === undefined ? { ask: { [key]: question(args) }, ...(state === undefined ? {} : { state }) } : text(answer);
    },
  };
}

/** A person's answer to a form, whatever it was. */
const outcome = (prefix: string, key: string) => (answers: Answer): string | undefined => {
  const answer = object(answers[key]);
  return typeof answer?.["action"] === "string" ? `${prefix}: action=${answer["action"]}, content=${JSON.stringify(answer["content"] ?? {})}` : undefined;
};

const string = { type: "string" };
const titled = (values: readonly (readonly [string, string])[]) => values.map(([value, title]) => ({ const: value, title }));

/** Named as the older revisions' scenarios call them. */
const forms: Tool[] = [
  asking("test_sampling", "Asks the client's model", "answer", (args) => sample(String(args["prompt"]), 100), (answers) => withPrefix("LLM response: ", sampled(answers, "answer")), { type: "object", properties: { prompt: string }, required: ["prompt"] }),
  asking(
    "test_elicitation",
    "Asks the person for a name and an address",
    "answer",
    (args) => form(String(args["message"]), { username: { ...string, description: "User's response" }, email: { ...string, description: "User's email address" } }),
    outcome("User response", "answer"),
    { type: "object", properties: { message: string }, required: ["message"] },
  ),
  asking(
    "test_elicitation_sep1034_defaults",
    "Asks with a default for every primitive type (SEP-1034)",
    "answer",
    () =>
      form(
        "Check these values",
        {
          name: { ...string, default: "John Doe" },
          age: { type: "integer", default: 30 },
          score: { type: "number", default: 95.5 },
          status: { ...string, enum: ["active", "inactive", "pending"], default: "active" },
          verified: { type: "boolean", default: true },
        },
        [],
      ),
    outcome("Elicitation completed", "answer"),
  ),
  asking(
    "test_elicitation_sep1330_enums",
    "Asks with every form of enumeration (SEP-1330)",
    "answer",
    () =>
      form(
        "Choose",
        {
          untitledSingle: { ...string, enum: ["option1", "option2", "option3"] },
          titledSingle: { ...string, oneOf: titled([["value1", "First Option"], ["value2", "Second Option"], ["value3", "Third Option"]]) },
          legacyEnum: { ...string, enum: ["opt1", "opt2", "opt3"], enumNames: ["Option One", "Option Two", "Option Three"] },
          untitledMulti: { type: "array", items: { ...string, enum: ["option1", "option2", "option3"] } },
          titledMulti: { type: "array", items: { anyOf: titled([["value1", "First Choice"], ["value2", "Second Choice"], ["value3", "Third Choice"]]) } },
        },
        [],
      ),
    outcome("Elicitation completed", "answer"),
  ),
  asking("test_missing_capability", "Needs a client with sampling", "llm_answer", () => sample("Answer with one word", 16), (answers) => sampled(answers, "llm_answer")),
];

function withPrefix(prefix: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : prefix + value;
}

const inputRequired: Tool[] = [
  asking("test_input_required_result_elicitation", "Asks for a name", "user_name", () => form("What is your name?", { name: string }), (answers) => {
    const name = accepted(answers, "user_name")?.["name"];
    return typeof name === "string" ? `Hello, ${name}!` : undefined;
  }),
  asking("test_input_required_result_sampling", "Asks the model for a capital", "capital_question", () => sample("What is the capital of France?", 100), (answers) => sampled(answers, "capital_question")),
  asking("test_input_required_result_list_roots", "Asks for the client's roots", "client_roots", () => roots, (answers) => withPrefix("Roots: ", listed(answers, "client_roots"))),
  asking("test_input_required_result_request_state", "Asks once, with state", "confirm", () => form("Please confirm", { ok: { type: "boolean" } }), (answers) => (accepted(answers, "confirm") ? "state-ok" : undefined), none, { step: 1 }),
  asking("test_input_required_result_tampered_state", "Asks once, with state that must not be altered", "confirm", () => form("Please confirm", { ok: { type: "boolean" } }), (answers) => (accepted(answers, "confirm") ? "state was intact" : undefined), none, { step: 1 }),
  {
    name: "test_input_required_result_multiple_inputs",
    description: "Asks for a name, a greeting and the roots at once",
    inputSchema: none,
    run(_args, call) {
      const name = accepted(call.answers, "user_name")?.["name"];
      const greeting = sampled(call.answers, "greeting");
      const places = listed(call.answers, "client_roots");
      if (call.state && typeof name === "string" && greeting !== undefined && places !== undefined) return text(`${greeting} ${name} (${places})`);
      return { ask: { user_name: form("What is your name?", { name: string }), greeting: sample("Generate a greeting", 50), client_roots: roots }, state: { asked: "all" } };
    },
  },
  {
    name: "test_input_required_result_multi_round",
    description: "Asks for a name, then for a colour",
    inputSchema: none,
    run(_args, call) {
      const first: Ask = { ask: { step1: form("Step 1: What is your name?", { name: string }) }, state: { round: 1 } };
      if (!call.state) return first;
      const name = call.state["name"] ?? accepted(call.answers, "step1")?.["name"];
      if (name === undefined) return first;
      const color = accepted(call.answers, "step2")?.["color"];
      return typeof color === "string" ? text(`${String(name)} likes ${color}`) : { ask: { step2: form("Step 2: What is your favorite color?", { color: string }) }, state: { round: 2, name } };
    },
  },
  {
    name: "test_input_required_result_capabilities",
    description: "Asks only what the client declared that it can answer",
    inputSchema: none,
    run(_args, { capabilities, answers }): Result | Ask {
      const ask: Record<string, Question> = {
        ...(capabilities["sampling"] ? { greeting: sample("Generate a greeting", 50) } : {}),
        ...(capabilities["elicitation"] ? { user_name: form("What is your name?", { name: string }) } : {}),
        ...(capabilities["roots"] ? { client_roots: roots } : {}),
      };
      return Object.keys(ask).length === 0 || Object.keys(ask).every((key) => key in answers) ? text(`Answered: ${Object.keys(ask).join(", ")}`) : { ask };
    },
  },
];

export const askingTools: readonly Tool[] = [...forms, ...inputRequired];
export const askContext = (): Ask => ({ ask: { user_context: form("What context should the prompt use?", { context: string }) } });
export const givenContext = (answers: Answer): string | undefined => {
  const context = accepted(answers, "user_context")?.["context"];
  return typeof context === "string" ? context : undefined;
};

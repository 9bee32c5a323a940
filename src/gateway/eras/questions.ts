/**
 * Questions to a client: requests of the server's own until 2025-11-25, `inputRequests` of a result from 2026-07-28 on (MRTR). Here is what
 * both fronts need: what a client declared that it can answer, and how URLs that must be visited first turn into questions.
 */
import type { ClientFacts, InputRequest, JsonObject } from "../exchange.ts";
import { errorCodes, isObject, WireError, type Members } from "../wire/message.ts";

/** The capabilities that a client must declare to be asked this; undefined: nobody can be asked this. */
export function requiredCapabilities({ method, params }: InputRequest): Members | undefined {
  if (method === "roots/list") return { roots: {} };
  if (method === "sampling/createMessage") return { sampling: params?.["tools"] === undefined ? {} : { tools: {} } };
  if (method === "elicitation/create") return { elicitation: params?.["mode"] === "url" ? { url: {} } : {} };
  return undefined;
}

/** @throws WireError when the client cannot be asked one of these. */
export function requireAnswerable(questions: Record<string, InputRequest>, { capabilities }: ClientFacts): void {
  for (const question of Object.values(questions)) {
    const required = requiredCapabilities(question);
    if (required === undefined) throw new WireError(200, errorCodes.internal, `The server asked ${question.method}, which no client can answer`);
    if (!declares(capabilities, required)) throw new WireError(400, errorCodes.missingCapability, `This needs a client with ${Object.keys(required).join(", ")}`, undefined, { requiredCapabilities: required });
  }
}

function declares(declared: unknown, required: Members): boolean {
  return Object.entries(required).every(([name, needed]) => {
    if (!isObject(declared) || !isObject(declared[name])) return false;
    // `elicitation: { url: {} }` alone does not take forms; `elicitation: {}` means forms (2025-06-18).
    if (name === "elicitation" && isObject(needed) && Object.keys(needed).length === 0) return declared[name]["form"] !== undefined || declared[name]["url"] === undefined;
    return declares(declared[name], needed as Members);
  });
}

/** -32042 of 2025-11-25 (visit these, then call again) as the questions of 2026-07-28; undefined for other errors. */
export function urlQuestions(error: unknown): Record<string, InputRequest> | undefined {
  if (!(error instanceof WireError) || error.code !== errorCodes.urlElicitationRequired || !isObject(error.data)) return undefined;
  const { elicitations } = error.data;
  if (!Array.isArray(elicitations) || elicitations.length === 0) return undefined;
  return Object.fromEntries(
    elicitations.filter(isObject).map(({ elicitationId, ...params }, index): [string, InputRequest] => [typeof elicitationId === "string" ? elicitationId : `url-${index + 1}`, { method: "elicitation/create", params: { mode: "url", ...params } }]),
  );
}

/** A question as a client of the revision knows it. */
export function legacyQuestion({ method, params }: InputRequest, key: string, protocolVersion: string): InputRequest {
  if (method !== "elicitation/create" || params === undefined) return { method, ...(params === undefined ? {} : { params }) };
  if (params["mode"] === "url") return { method, params: { elicitationId: key, ...params } };
  const { mode: _mode, ...form } = params;
  return { method, params: protocolVersion >= "2025-11-25" ? params : form };
}

/** The questions of an `input_required` result. @throws WireError for one that is malformed. */
export function questionsOf(result: JsonObject): Record<string, InputRequest> {
  const given = result["inputRequests"];
  if (given === undefined) return {};
  const malformed = () => new WireError(200, errorCodes.internal, "The server's questions are malformed");
  if (!isObject(given)) throw malformed();
  return Object.fromEntries(
    Object.entries(given).map(([key, question]): [string, InputRequest] => {
      if (!isObject(question) || typeof question["method"] !== "string") throw malformed();
      return [key, question as unknown as InputRequest];
    }),
  );
}

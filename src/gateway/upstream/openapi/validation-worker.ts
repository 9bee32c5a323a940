/** Checks arguments against a tool's input schema (JSON Schema 2020-12) where a schema that never ends harms nobody. */
import { parentPort } from "node:worker_threads";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { isLinear } from "./patterns.ts";

/** A pattern that might take too long is not checked: the API behind does that itself. */
const regExp = Object.assign(
  (pattern: string, flags: string) => {
    let expression: RegExp | undefined;
    try {
      // ast-grep-ignore: regex-from-text -- only patterns whose time is linear are made, in a thread with a deadline
      expression = isLinear(pattern) ? new RegExp(pattern, flags) : undefined; // oxlint-disable-line security/detect-non-literal-regexp -- only patterns whose time is linear are made, in a thread with a deadline
    } catch {
      // No regular expression of ECMAScript: not checked either.
    }
    return { test: (text: string) => expression?.test(text) ?? true, toString: () => `/${pattern}/${flags}` };
  },
  { code: "regExp" },
);

const compiled = new Map<string, ValidateFunction>();
const mostCompiled = 500;

parentPort?.on("message", ({ key, schema, value }: { key: string; schema: string; value: string }) => {
  let answer: { fault?: string };
  try {
    let validate = compiled.get(key);
    if (!validate) {
      const ajv = new Ajv2020({ strict: false, validateFormats: false, validateSchema: false, addUsedSchema: false, logger: false, code: { regExp } });
      // ast-grep-ignore: json-parse -- written by the gateway from what it parsed
      validate = ajv.compile(JSON.parse(schema) as object);
      if (compiled.size >= mostCompiled) compiled.clear();
      compiled.set(key, validate);
    }
    // ast-grep-ignore: json-parse -- written by the gateway from what it parsed
    const isValid = validate(JSON.parse(value));
    const error = validate.errors?.[0];
    answer = isValid ? {} : { fault: `${error?.instancePath === "" || error === undefined ? "The arguments" : `The argument ${error.instancePath.slice(1, 200)}`} ${error?.message ?? "are not valid"}${error?.keyword === "additionalProperties" ? ` (${String(error.params["additionalProperty"]).slice(0, 100)})` : ""}` };
  } catch {
    // A schema that cannot be used checks nothing: the API behind does.
    answer = {};
  }
  parentPort?.postMessage(answer);
});

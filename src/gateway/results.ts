/** Inspection of results at the second door: asks the judges, and does what the setting says (src/trust/results.ts). */
import type { Audit } from "../audit/index.ts";
import { parseUntrustedJson } from "../kernel/json.ts";
import type { Principal } from "../kernel/principal.ts";
import type { ServerState } from "../snapshot/index.ts";
import { maySuspect, resultEffects, textsOf, withoutHidden, type ResultEffect, type ResultFinding, type ResultHook } from "../trust/index.ts";
import { notPermittedCode } from "./permission.ts";
import { isObject, WireError, type Members } from "./wire/message.ts";

/** "report" passes everything on and records what was found; the others do what they say. */
export type ResultInspection = "off" | "report" | Exclude<ResultEffect, "allow">;

export interface ResultContext {
  caller: Principal;
  server: ServerState;
  method: string;
  name: string;
  requestId: string;
}

export interface Results {
  readonly mode: ResultInspection;
  /** Whether results of this method are somebody else's words for the model. */
  concerns(method: string | undefined): boolean;
  /** @returns the result as it may be passed on; the same object when nothing was found. @throws WireError when it is refused. */
  judge(context: ResultContext, result: Members): Promise<Members>;
  /** Looks through an answer that has been sent already, and records what it finds. Never throws. */
  report(context: ResultContext, body: Buffer): Promise<void>;
}

/** Bytes of a passing answer that are kept to be looked through. */
const mostKept = 262_144;

/** Keeps the beginning of an answer as it passes. */
export function keepBeginning(): { push(chunk: Buffer): void; body(): Buffer } {
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    push(chunk) {
      if (size >= mostKept) return;
      chunks.push(chunk);
      size += chunk.length;
    },
    body: () => Buffer.concat(chunks),
  };
}

const judged = new Set(["tools/call", "prompts/get", "resources/read"]);
const metaKey = "io.sallyport/inspection";

/** The results among the messages of a body: JSON, or the data of events. */
function resultsIn(body: Buffer): Members[] {
  const text = body.toString("utf8");
  const candidates = /^\s*\{/.test(text) ? [text] : text.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5));
  return candidates.flatMap((candidate) => {
    try {
      const message = parseUntrustedJson(candidate.trim(), { maxBytes: mostKept * 2, maxItems: 200_000 });
      return isObject(message) && isObject(message["result"]) ? [message["result"]] : [];
    } catch {
      return [];
    }
  });
}

export function createResults({ mode, hooks, audit }: { mode: ResultInspection; hooks: readonly ResultHook[]; audit: Audit }): Results {
  const results: Results = {
    mode,
    concerns: (method) => mode !== "off" && method !== undefined && judged.has(method),
    async report(context, body) {
      if (!maySuspect(body)) return;
      for (const result of resultsIn(body)) await results.judge(context, result).catch(() => undefined);
    },
    async judge({ caller, server, method, name, requestId }, result) {
      const { texts } = textsOf(result);
      if (texts.length === 0) return result;
      let effect: ResultEffect = "allow";
      const findings: ResultFinding[] = [];
      for (const hook of hooks) {
        const verdict = await hook({ server: server.name, method, name, texts });
        findings.push(...verdict.findings);
        if (resultEffects.indexOf(verdict.effect) > resultEffects.indexOf(effect)) effect = verdict.effect;
      }
      if (effect === "allow") return result;
      const applied = mode === "report" || mode === "off" ? "allow" : resultEffects.indexOf(effect) < resultEffects.indexOf(mode) ? effect : mode;
      const rules = [...new Set(findings.map(({ rule }) => rule))].slice(0, 50);
      audit.record({ type: "result.suspicious", actorId: caller.userId, requestId, subject: `server:${server.id}`, detail: { server: server.name, name, rules, effect: applied } });
      if (applied === "allow") return result;
      if (applied === "block") throw new WireError(403, notPermittedCode, "The result was withheld: it does not look like data", undefined, { rules });
      const meta = isObject(result["_meta"]) ? result["_meta"] : {};
      const noted = { ...result, _meta: { ...meta, [metaKey]: { effect: applied, rules } } };
      if (applied === "annotate") return noted;
      const places = new Map<string, string[]>();
      for (const { path, rule } of findings) places.set(path, [...(places.get(path) ?? []), rule]);
      return withheld(noted, "", places) as Members;
    },
  };
  return results;
}

/** The same value with the texts at these places taken out, or cleaned where hidden characters are all there is. */
function withheld(node: unknown, path: string, places: ReadonlyMap<string, readonly string[]>): unknown {
  if (typeof node === "string") {
    const rules = places.get(path);
    if (rules === undefined) return node;
    return rules.every((rule) => rule.startsWith("hidden-")) ? withoutHidden(node) : "[withheld: this text does not look like data]";
  }
  if (Array.isArray(node)) return node.map((member: unknown, index) => withheld(member, `${path}/${index}`, places));
  if (!isObject(node)) return node;
  return Object.fromEntries(Object.entries(node).map(([key, member]) => [key, withheld(member, `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`, places)]));
}

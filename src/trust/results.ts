/**
 * Results are external data too: what a tool, prompt or resource answers is looked through for instructions to the model, hidden characters
 * and secrets before (or, when it is only to be reported, after) it reaches an agent (AISVS 10.4.1; OWASP MCP06, LLM01; SAFE-T1102).
 * Further judges are hooks; one of them asks an external HTTP guardrail.
 */
import { z } from "zod";
import { parseUntrustedJson } from "../kernel/json.ts";
import type { Outbound } from "../net/outbound.ts";
import { hiddenKind, scanTool } from "./scanner/index.ts";

/** In rising order: pass, say so in `_meta`, take the text out, refuse the whole result. */
export const resultEffects = ["allow", "annotate", "redact", "block"] as const;
export type ResultEffect = (typeof resultEffects)[number];

export interface ResultFinding {
  /** RFC 6901 pointer into the result. */
  path: string;
  rule: string;
}

/** What a hook is shown: the texts of a result by their place in it. */
export interface ResultSubject {
  server: string;
  method: string;
  name: string;
  texts: readonly { path: string; text: string }[];
}

export interface ResultVerdict {
  effect: ResultEffect;
  findings: readonly ResultFinding[];
}

/** A judge of results. Its effect is at most as strict as the setting allows; of several, the strictest counts. */
export type ResultHook = (subject: ResultSubject) => ResultVerdict | Promise<ResultVerdict>;

const mostText = 262_144;
const longestLeaf = 16_384;
const mostLeaves = 2000;

/** Cheap: text without one of these cannot be an instruction that the scanner knows. Hidden characters and shapes of secrets are in it, too. */
const suspicious = /instruction|ignore|disregard|override|forget|system|assistant|agent|important|prompt|secret|password|token|credential|forward|do not|don't|never|must|before|~\/|\/etc\/|https?:|<\w|\p{Cf}|[\u0000-\u0008\u000e-\u001f\u007f-\u009f]|AKIA|gh[pousr]_|xox[abprs]-|sk-|-----BEGIN|eyJ/iu;

const secretShapes: readonly (readonly [string, RegExp])[] = [
  ["private-key", /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/],
  ["aws-access-key", /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/],
  ["github-token", /\bgh[pousr]_[A-Za-z0-9]{36,255}\b/],
  ["slack-token", /\bxox[abprs]-[A-Za-z0-9-]{10,250}\b/],
  ["api-key", /\bsk-[A-Za-z0-9_-]{20,250}\b/],
  ["jwt", /\beyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}\b/],
];

/** The texts of a result, within bounds; what is beyond them is not looked at, and `complete` says so. */
export function textsOf(result: unknown): { texts: { path: string; text: string }[]; complete: boolean } {
  const texts: { path: string; text: string }[] = [];
  let left = mostText;
  let complete = true;
  const walk = (node: unknown, path: string, depth: number) => {
    if (texts.length >= mostLeaves || left <= 0 || depth > 32) {
      complete = false;
      return;
    }
    if (typeof node === "string") {
      const text = node.slice(0, Math.min(longestLeaf, left));
      complete &&= text.length === node.length;
      left -= text.length;
      texts.push({ path, text });
    } else if (Array.isArray(node)) node.forEach((member, index) => walk(member, `${path}/${index}`, depth + 1));
    else if (typeof node === "object" && node !== null) {
      // Bytes in base64 are no text.
      for (const [key, member] of Object.entries(node)) if (key !== "data" && key !== "blob") walk(member, `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`, depth + 1);
    }
  };
  walk(result, "", 0);
  return { texts, complete };
}

/** Whether bytes can hold anything worth a closer look: one linear pass. */
export function maySuspect(body: Buffer): boolean {
  return body.length > 60 && suspicious.test(body.length > mostText ? body.toString("utf8", 0, mostText) : body.toString("utf8"));
}

/** The built-in judge: the scanner's blocking tier, hidden characters, shapes of secrets. */
export const inspectTexts: ResultHook = ({ texts }) => {
  const findings: ResultFinding[] = [];
  for (const { path, text } of texts) {
    if (!suspicious.test(text)) continue;
    for (const [rule, shape] of secretShapes) if (shape.test(text)) findings.push({ path, rule: `secret-${rule}` });
    if (hasHidden(text)) findings.push({ path, rule: "hidden-characters" });
    const report = scanTool({ name: "result", description: text });
    if (report.verdict === "block") findings.push(...[...new Set(report.findings.filter(({ effect }) => effect === "block").map(({ ruleId }) => ruleId))].map((rule) => ({ path, rule })));
  }
  return { effect: findings.length > 0 ? "block" : "allow", findings };
};

/** Invisible characters that have no business in a text for a model; joiners of emoji and scripts are left alone. */
function hasHidden(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const point = text.codePointAt(at) ?? 0;
    if (point > 0xffff) at++;
    const kind = point < 0x20 && point !== 0x1b ? undefined : hiddenKind(point);
    if (kind !== undefined && kind !== "variation" && point !== 0x200d && point !== 0x200c && point !== 0xfeff && point !== 0xad) return true;
  }
  return false;
}

export function withoutHidden(text: string): string {
  let out = "";
  for (const letter of text) {
    const kind = hiddenKind(letter.codePointAt(0) ?? 0);
    if (kind === undefined || kind === "variation" || letter === "\u200d" || letter === "\u200c") out += letter;
  }
  return out;
}

const answer = z.object({ effect: z.enum(resultEffects), findings: z.array(z.object({ path: z.string().max(2048), rule: z.string().max(100) })).max(1000).default([]) });

/**
 * A guardrail over HTTP: POST {server, method, name, texts} as JSON, answered with {effect, findings}.
 * What it does not answer in time, or answers wrongly, counts as "block": fail closed.
 */
export function httpGuardrail({ outbound, url, timeout = 2000 }: { outbound: Outbound; url: string; timeout?: number }): ResultHook {
  return async (subject) => {
    try {
      const { status, body } = await outbound.request(url, { method: "POST", headers: { "content-type": "application/json", accept: "application/json" }, body: JSON.stringify(subject), totalTimeoutMs: timeout, maxBytes: 262_144 });
      if (status !== 200) throw new Error(`status ${status}`);
      return answer.parse(parseUntrustedJson(body));
    } catch {
      return { effect: "block", findings: [{ path: "", rule: "guardrail-unavailable" }] };
    }
  };
}

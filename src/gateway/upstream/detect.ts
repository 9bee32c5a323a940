/**
 * Which eras an upstream speaks: first `server/discover`, then `initialize`, and nothing that either era might take for a call. A refused
 * credential, a failure or silence is no evidence. What was found is believed for a while, and forgotten when the upstream shows otherwise.
 */
import { randomInt } from "node:crypto";
import type { Era } from "../exchange.ts";
import { UpstreamError } from "./http.ts";
import { EraChanged, type Context } from "./leg.ts";
import { discoveryOf, envelope, mirroredHeaders, modernVersion, type Carry } from "./carriage.ts";
import { withMeta } from "./rpc.ts";
import { holderOf } from "./leg.ts";
import { isObject } from "../wire/message.ts";

export interface Probes {
  carry: Carry;
  /** Opens a legacy session and ends it. @throws EraChanged when the upstream does not know such a thing. */
  initialize(context: Context): Promise<void>;
  /** Whether a modern upstream may keep sessions besides: what has nothing to be heard (GET is answered 405) has no use for them. */
  mayHaveSessions(context: Context): Promise<boolean>;
  version: string;
}

export interface Finding {
  modern: boolean;
  /** Undefined: nobody has wanted to know. */
  legacy: boolean | undefined;
  /** False when the upstream's answers prove nothing: it is then asked in whatever era its client is of, and found out about soon again. */
  isSure: boolean;
}

/**
 * @param wanted a modern upstream is asked for `initialize` only when somebody wants to know and it may know it: else that is a malformed request.
 * @throws UpstreamError or the deadline's reason when the upstream cannot be asked.
 */
export async function detectEras(probes: Probes, context: Context, wanted: Era, before: Finding | undefined): Promise<Finding> {
  const modern = before ? before.modern : await speaksModern(probes, context);
  if (modern && wanted === "modern") return { modern, legacy: before?.legacy, isSure: true };
  if (modern && !(await probes.mayHaveSessions(context))) return { modern, legacy: false, isSure: true };
  const legacy = await probes.initialize(context).then(
    () => true,
    (error: unknown) => {
      if (error instanceof EraChanged) return false;
      if (modern && !context.deadline.signal.aborted) return false;
      return inconclusive(error);
    },
  );
  if (modern !== true && legacy !== true) return { modern: true, legacy: true, isSure: false };
  return { modern: modern === true, legacy: legacy === true, isSure: modern !== undefined };
}

/** @returns undefined for an answer that says nothing either way. @throws what says that there was no answer. */
function inconclusive(error: unknown): undefined {
  if (error instanceof UpstreamError && error.reason === "broken") return undefined;
  throw error;
}

/** @returns undefined when its answer proves nothing. */
async function speaksModern({ carry, version }: Probes, context: Context): Promise<boolean | undefined> {
  const params = withMeta(undefined, envelope({ client: context.client, version }));
  try {
    const { message } = await carry({ holder: holderOf(context), principalId: context.caller.userId, credential: context.credential, method: "server/discover", params, headers: mirroredHeaders("server/discover", params), deadline: context.deadline, onNotification: () => undefined });
    if (message.kind === "result") return discoveryOf(message.result).protocolVersions.includes(modernVersion);
    const { code, data } = message.error;
    if (code === -32020 || code === -32021) return true;
    return code === -32022 && isObject(data) && Array.isArray(data["supported"]) && data["supported"].includes(modernVersion);
  } catch (error) {
    return error instanceof EraChanged ? false : inconclusive(error);
  }
}

export interface Verdict {
  /** From memory, or found out now; one finding out serves all who ask meanwhile. */
  eras(wanted: Era, find: (before: Finding | undefined) => Promise<Finding>): Promise<readonly Era[]>;
  /** What is known, as far as it answers what is wanted. */
  known(wanted: Era): readonly Era[] | undefined;
  forget(): void;
}

/** Milliseconds that a guess is kept. */
const guessLifetime = 30_000;

/** @param lifetime milliseconds that a finding is believed, give or take a tenth. */
export function createVerdict(lifetime: number, now: () => number): Verdict {
  let found: Finding | undefined;
  let until = 0;
  const finding = new Map<Era, Promise<readonly Era[]>>();
  const current = () => (now() < until ? found : undefined);
  const erasOf = ({ modern, legacy }: Finding): readonly Era[] => [...(modern ? (["modern"] as const) : []), ...(legacy ? (["legacy"] as const) : [])];
  const known = (wanted: Era) => {
    const finding = current();
    return finding === undefined || (wanted === "legacy" && finding.legacy === undefined) ? undefined : erasOf(finding);
  };
  return {
    known,
    async eras(wanted, find) {
      const remembered = known(wanted) ?? finding.get(wanted);
      if (remembered !== undefined) return remembered;
      const before = current();
      const asking = find(before)
        .then((result) => {
          found = result;
          if (!before) until = now() + (result.isSure ? lifetime * 0.9 + randomInt(Math.max(1, Math.ceil(lifetime / 5))) : Math.min(lifetime, guessLifetime));
          return erasOf(result);
        })
        .finally(() => finding.delete(wanted));
      finding.set(wanted, asking);
      return asking;
    },
    forget() {
      found = undefined;
    },
  };
}

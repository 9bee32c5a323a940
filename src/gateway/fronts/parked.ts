/**
 * Calls of modern clients that rest while the client answers a question of a legacy upstream: the answer to the client was `input_required`
 * with a handle, and the client calls again with its answers (MCP 2026-07-28, MRTR). The handle is bound to the principal, the endpoint, the
 * method and the parameters; it expires, and it works once.
 */
import { newToken } from "../../kernel/ids.ts";
import { parseUntrustedJson } from "../../kernel/json.ts";
import { digestOf } from "../../kernel/digest.ts";
import type { InputRequest, JsonObject } from "../exchange.ts";
import type { Handles, Holder } from "../handles.ts";
import { errorCodes, isObject, WireError, type Members, type RequestId } from "../wire/message.ts";
import type { Limits } from "./limits.ts";

export type Ending = { result: JsonObject } | { error: unknown };

/** Where a call's next word goes: the HTTP response of the client's latest try. */
export interface Sink {
  answer(ending: Ending): void;
}

export interface Parking {
  /** A call that may come to rest. `abort` ends its work. */
  begin(call: { holder: Holder; method: string; params: Members | undefined; abort(reason: Error): void }, sink: Sink): ParkableCall;
  /** The call that this handle stands for, for this try; undefined when it is no handle of a parked call. @throws WireError when it was one. */
  find(holder: Holder, method: string, params: Members | undefined, id: RequestId | undefined): ParkableCall | undefined;
  readonly parked: number;
  /** Ends all of them. */
  stop(): void;
}

export interface ParkableCall {
  /** Puts the questions to the client and rests until they are answered. */
  ask(questions: Record<string, InputRequest>): Promise<Record<string, JsonObject>>;
  settle(ending: Ending): void;
  /** The client is back with its answers. */
  resume(sink: Sink, answers: unknown): void;
  /** The client is gone, with the sink open. */
  left(): void;
}

interface Waiting {
  question: InputRequest;
  resolve(answer: JsonObject): void;
  reject(error: Error): void;
}

/** A fingerprint of what was called: not of what a retry adds or renews. */
function fingerprint(method: string, params: Members | undefined): string {
  const { inputResponses: _answers, requestState: _state, _meta, ...rest } = params ?? {};
  return digestOf({ method, params: parseUntrustedJson(JSON.stringify(rest), { maxBytes: Number.POSITIVE_INFINITY }) });
}

export function createParking({ handles, limits, now }: { handles: Handles; limits: Limits; now: () => number }): Parking {
  const quota = limits.quota("parkedPerUser", "parked", "calls waiting for an answer");
  const parked = new Map<string, { call: ParkableCall; nonce: string; stop(reason: Error): void }>();
  const place = (holder: Holder, method: string, params: Members | undefined): Holder => ({ ...holder, place: `${holder.place}\n${fingerprint(method, params)}` });

  return {
    get parked() {
      return parked.size;
    },
    begin({ holder, method, params, abort }, first) {
      const id = newToken(16);
      const waiting = new Map<string, Waiting>();
      let sink: Sink | undefined = first;
      let ending: Ending | undefined;
      let expiry: NodeJS.Timeout | undefined;
      let release: (() => void) | undefined;
      let scheduled = false;
      const leave = () => {
        clearTimeout(expiry);
        parked.delete(id);
        release?.();
      };
      const stop = (reason: Error) => {
        leave();
        for (const { reject } of waiting.values()) reject(reason);
        waiting.clear();
        abort(reason);
      };
      /** Tells the client all open questions, and rests. */
      const flush = () => {
        scheduled = false;
        if (sink === undefined || waiting.size === 0) return;
        try {
          release ??= quota.take(holder.principalId);
        } catch (error) {
          for (const { reject } of waiting.values()) reject(error as Error);
          waiting.clear();
          return;
        }
        const nonce = newToken(16);
        parked.set(id, { call, nonce, stop });
        clearTimeout(expiry);
        expiry = setTimeout(() => {
          limits.counters.inputTimeout++;
          stop(new WireError(200, errorCodes.internal, "The client did not answer in time (SALLYPORT_INPUT_TIMEOUT)"));
        }, limits.inputTimeout);
        const requestState = handles.bind("parked-call", `${id}.${nonce}.${now() + limits.inputTimeout}`, place(holder, method, params));
        const asked = sink;
        sink = undefined;
        asked.answer({ result: { resultType: "input_required", inputRequests: Object.fromEntries([...waiting].map(([key, { question }]) => [key, question])), requestState } });
      };
      const schedule = () => {
        if (scheduled) return;
        scheduled = true;
        // What is asked in the same breath is told at once.
        setImmediate(flush);
      };
      const call: ParkableCall = {
        async ask(questions) {
          const answers = Object.entries(questions).map(([wanted, question]) => {
            let key = wanted;
            while (waiting.has(key)) key += "+";
            return new Promise<JsonObject>((resolve, reject) => waiting.set(key, { question, resolve, reject })).then((answer) => [wanted, answer] as const);
          });
          schedule();
          return Object.fromEntries(await Promise.all(answers));
        },
        settle(reached) {
          if (sink !== undefined) {
            const open = sink;
            sink = undefined;
            leave();
            open.answer(reached);
          } else ending = reached;
        },
        resume(next, answers) {
          clearTimeout(expiry);
          sink = next;
          if (ending !== undefined) return call.settle(ending);
          for (const [key, { resolve }] of waiting) {
            const answer = isObject(answers) && Object.hasOwn(answers, key) ? answers[key] : undefined;
            if (!isObject(answer)) continue;
            waiting.delete(key);
            resolve(answer);
          }
          // Missing answers are asked for again; keys that nobody asked for are ignored.
          if (waiting.size > 0) schedule();
        },
        left() {
          stop(new WireError(499, errorCodes.internal, "The client left"));
        },
      };
      return call;
    },
    find(holder, method, params, id) {
      const bound = params?.["requestState"];
      if (typeof bound !== "string") return undefined;
      const raw = handles.open("parked-call", bound, place(holder, method, params));
      if (raw === undefined) return undefined;
      const [key = "", nonce = "", expires = "0"] = raw.split(".");
      const found = parked.get(key);
      if (!found || found.nonce !== nonce || Number(expires) < now()) throw new WireError(200, errorCodes.invalidParams, "The requestState is no longer valid: it was used, has expired, or belongs to another process; call again without it", id);
      found.nonce = "";
      return found.call;
    },
    stop() {
      for (const { stop } of parked.values()) stop(new WireError(503, errorCodes.internal, "The gateway is stopping"));
    },
  };
}

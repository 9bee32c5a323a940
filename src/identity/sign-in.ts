/**
 * Showing who one is, with a password and then a code: for the login page, the password grant and step-up alike. Both are throttled per
 * account and address; a right password alone clears no counter, or codes could be guessed behind it.
 */
import type { Audit } from "../audit/index.ts";
import type { RequestInfo } from "../net/route.ts";
import type { UserState } from "../snapshot/index.ts";
import type { Factors } from "./mfa/factors.ts";
import type { Throttle } from "./throttle.ts";
import { usernameKey, type Users } from "./users.ts";

export type Shown = { user: UserState } | { refused: "credentials" } | { refused: "throttled"; seconds: number };
export type CodeShown = { factor: "totp" | "recovery" } | { refused: "credentials" } | { refused: "throttled"; seconds: number };

export interface SignIn {
  /** Costs the same for unknown users. Success is to be told to `succeeded` once nothing more is needed. */
  password(username: string, password: string, request: RequestInfo): Promise<Shown>;
  /** A one-time code or recovery code of the user; spends it. */
  code(user: Pick<UserState, "id" | "username">, code: string, request: RequestInfo): Promise<CodeShown>;
  succeeded(user: Pick<UserState, "username">): Promise<void>;
}

export interface SignInOptions {
  users: Pick<Users, "verify">;
  factors: Factors;
  throttle: Throttle;
  audit: Audit;
}

export function createSignIn({ users, factors, throttle, audit }: SignInOptions): SignIn {
  const subjectsOf = (username: string, request: RequestInfo) => [{ kind: "account", value: usernameKey(username) } as const, { kind: "address", value: request.address } as const];
  const blocked = async (username: string, request: RequestInfo) => {
    for (const subject of subjectsOf(username, request)) {
      const seconds = await throttle.blockedFor(subject);
      if (seconds === 0) continue;
      audit.record({ type: "authentication.throttled", requestId: request.id, detail: { by: subject.kind } });
      return { refused: "throttled", seconds } as const;
    }
    return undefined;
  };
  const fail = async (username: string, request: RequestInfo) => {
    for (const subject of subjectsOf(username, request)) await throttle.fail(subject);
    return { refused: "credentials" } as const;
  };
  return {
    async password(username, password, request) {
      const wait = await blocked(username, request);
      if (wait) return wait;
      const user = await users.verify(username, password);
      if (user) return { user };
      audit.record({ type: "authentication.password.failed", requestId: request.id, detail: { reason: "credentials" } });
      return fail(username, request);
    },
    async code(user, code, request) {
      const wait = await blocked(user.username, request);
      if (wait) return wait;
      const factor = await factors.useCode(user.id, code, request);
      if (factor) return { factor };
      audit.record({ type: "authentication.code.failed", actorId: user.id, requestId: request.id, detail: { reason: "credentials" } });
      return fail(user.username, request);
    },
    succeeded: (user) => throttle.succeed({ kind: "account", value: usernameKey(user.username) }),
  };
}

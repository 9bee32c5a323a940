/** What the authorization server needs to know of a person's browser: who is signed in there, and that a form was ours. */
import { sameText } from "../../kernel/digest.ts";
import { problem } from "../../kernel/problem.ts";
import type { Vault } from "../../storage/index.ts";

export interface BrowserSession {
  readonly id: string;
  readonly userId: string;
  /** Milliseconds. */
  readonly authenticatedAt: number;
  readonly factors: readonly string[];
}

/** @param cookieHeader the Cookie header as received. */
export type ReadSession = (cookieHeader: string | undefined) => Promise<BrowserSession | undefined>;

/** Where people sign in. @param returnTo a path of ours. */
export function loginPath(returnTo: string): string {
  return `/login?${new URLSearchParams({ return_to: returnTo })}`;
}

export interface FormTokens {
  /** For a form about `what`, good in this session alone. */
  make(session: BrowserSession, what: string): string;
  /** @throws Problem 403 when the form was not made by `make`. */
  require(session: BrowserSession, what: string, given: string): void;
}

export function createFormTokens(vault: Pick<Vault, "keyedHash">): FormTokens {
  const make = (session: BrowserSession, what: string) => vault.keyedHash("oauth-form", `${session.id}\n${what}`);
  return {
    make,
    require(session, what, given) {
      if (!sameText(make(session, what), given)) throw problem("forbidden", { detail: "This form is not from here, or your session has changed. Go back and try again" });
    },
  };
}

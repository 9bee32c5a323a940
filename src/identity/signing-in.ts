/** Signing in with a browser, put together: sessions, the login page, and what is shown at both doors. */
import type { Audit } from "../audit/index.ts";
import type { Route } from "../net/route.ts";
import type { Snapshot } from "../snapshot/index.ts";
import type { Storage } from "../storage/index.ts";
import type { Factors } from "./mfa/factors.ts";
import { accountRoutes } from "./pages/account.ts";
import { loginRoutes, type LoginRoutes } from "./pages/login.ts";
import { createSessions, type BrowserSession, type Sessions } from "./sessions.ts";
import { createSignIn, type SignIn } from "./sign-in.ts";
import { createSteps } from "./steps.ts";
import type { Throttle } from "./throttle.ts";
import type { Users } from "./users.ts";

export interface SigningIn {
  sessions: Sessions;
  /** For the authorization server: a person who has just confirmed who they are has just signed in. */
  readSession(cookieHeader: string | undefined): Promise<BrowserSession | undefined>;
  signIn: SignIn;
  routes: Route[];
}

export interface SigningInOptions {
  storage: Storage;
  snapshot: Pick<Snapshot, "users">;
  audit: Audit;
  users: Users;
  factors: Factors;
  throttle: Throttle;
  publicUrl: string;
  /** Seconds. */
  idle: number;
  lifetime: number;
  stepUpWindow: number;
  /** Other ways to sign in, shown on the login page. */
  links?: LoginRoutes["links"];
  now: () => number;
}

export function createSigningIn({ storage, snapshot, audit, users, factors, throttle, publicUrl, idle, lifetime, stepUpWindow, links, now }: SigningInOptions): SigningIn {
  const sessions = createSessions({ storage, audit, publicUrl, idle, lifetime, now });
  const signIn = createSignIn({ users, factors, throttle, audit });
  return {
    sessions,
    async readSession(cookieHeader) {
      const session = await sessions.read(cookieHeader);
      return session && { ...session, authenticatedAt: session.lastFactorAt };
    },
    signIn,
    routes: [
      ...loginRoutes({ sessions, signIn, factors, steps: createSteps({ storage, now }), vault: storage.vault, audit, snapshot, publicUrl, links: links ?? (() => []) }),
      ...accountRoutes({ sessions, signIn, factors, users, audit, snapshot, stepUpWindow, now }),
    ],
  };
}

/** HTTP of signing in at a provider: where a browser leaves, and where it comes back. */
import { z } from "zod";
import { Problem } from "../../kernel/problem.ts";
import { html, page, pageHeaders } from "../../net/html.ts";
import { route, type RequestInfo, type Route } from "../../net/route.ts";
import type { ExternalSignIn } from "./sign-in.ts";

const slug = z.string().regex(/^[a-z0-9][a-z0-9-]{0,49}$/);
const missing = { 404: { description: "Nothing of that name" } };

export interface SignInRoutes {
  signIn: ExternalSignIn;
  /** Begins a browser session. @returns the Set-Cookie value. */
  startSession(userId: string, factors: readonly ("federated" | "mfa")[], request: RequestInfo): Promise<string>;
}

/** Where a browser leaves for a provider and comes back. */
export function signInRoutes({ signIn, startSession }: SignInRoutes): Route[] {
  const provider = z.object({ provider: slug });
  const redirect = { 303: { description: "On", headers: { location: "Where to", "set-cookie": "Binds the browser, or begins the session" } } };
  const open = { method: "get", tag: "Sign-in", access: "anyone" } as const;
  return [
    route({
      ...open,
      path: "/login/external/{provider}",
      operationId: "startExternalSignIn",
      summary: "Leave for an identity provider",
      params: provider,
      query: z.object({ return_to: z.string().max(4096).optional() }),
      responses: { ...redirect, ...missing },
      async handler({ params, query, request }) {
        const { location, cookie } = await signIn.start(params.provider, query.return_to, request);
        return { status: 303, headers: { location }, cookies: [cookie] };
      },
    }),
    route({
      ...open,
      path: "/login/callback/{provider}",
      operationId: "finishExternalSignIn",
      summary: "Come back from an identity provider",
      params: provider,
      query: z.record(z.string().max(100), z.string().max(8192)),
      responses: { ...redirect, 403: { description: "The sign-in was not accepted", schema: z.string(), contentType: "text/html; charset=utf-8" }, ...missing },
      async handler({ params, query, request }) {
        try {
          const { user, factors, returnTo } = await signIn.finish(params.provider, new URLSearchParams(query), request);
          return { status: 303, headers: { location: returnTo }, cookies: [await startSession(user.id, factors, request)] };
        } catch (error) {
          if (!(error instanceof Problem) || error.code !== "forbidden") throw error;
          return { status: 403, body: refusedPage(request.id), headers: pageHeaders };
        }
      },
    }),
  ];
}

function refusedPage(reference: string): string {
  return page(
    "Not signed in",
    html`<h1>Not signed in</h1>
<p role="alert" class="error">The sign-in was not accepted.</p>
<p>Begin again at <a href="/login">the sign-in page</a>. If it happens again, give your administrator this reference: ${reference}</p>`,
  );
}

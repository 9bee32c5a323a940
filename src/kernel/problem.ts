/**
 * Every error a reader may see: one catalogue of RFC 9457 problem details, shared by the API, the CLI and the docs.
 * A `Problem` is thrown where no caller can act; its `detail` tells no more than the reader may know.
 */

export const problems = {
  "invalid-json": { status: 400, title: "The body is not acceptable JSON", hint: "Send one JSON value without duplicate keys, within the documented size and depth." },
  "bad-request": { status: 400, title: "The request cannot be understood", hint: "Compare the request with the API description at /openapi.json." },
  unauthorized: { status: 401, title: "Authentication is needed", hint: "Get a token from POST /token and send it as 'Authorization: Bearer <token>'." },
  "sign-in-needed": { status: 401, title: "A fresh sign-in is needed", hint: "Sign in again, then repeat this with the new token." },
  forbidden: { status: 403, title: "Not permitted", hint: "Ask an administrator for the scope or grant that this needs." },
  "foreign-origin": { status: 403, title: "Requests from this origin are not allowed", hint: "Add the origin to SALLYPORT_ALLOWED_ORIGINS if it is yours." },
  "not-found": { status: 404, title: "Not found", hint: "Check the name; what you may not see is reported as not found." },
  "method-not-allowed": { status: 405, title: "Method not allowed", hint: "See the Allow header." },
  conflict: { status: 409, title: "Already exists", hint: "Choose another name, or change the existing object." },
  "precondition-failed": { status: 412, title: "It was changed by somebody else", hint: "Read it again, redo your change, and send the new ETag in If-Match." },
  "too-large": { status: 413, title: "Too large", hint: "The detail names the limit and its setting." },
  "unsupported-media-type": { status: 415, title: "Unsupported media type", hint: "Send application/json (or the type the route names). XML is never accepted." },
  "misdirected-request": { status: 421, title: "This host is not served here", hint: "Add the name to SALLYPORT_PUBLIC_URL or SALLYPORT_ALLOWED_HOSTS." },
  invalid: { status: 422, title: "Some fields are not valid", hint: "The errors list names each field and what it must be." },
  "upstream-refused": { status: 422, title: "The address is not allowed", hint: "Only public addresses are allowed unless SALLYPORT_UPSTREAM_ALLOW names the host or CIDR." },
  "precondition-required": { status: 428, title: "A precondition is needed", hint: "Send the object's ETag in If-Match." },
  "too-many-requests": { status: 429, title: "Too many requests", hint: "Wait for the time in Retry-After." },
  internal: { status: 500, title: "Something failed on our side", hint: "Quote the reference to your administrator." },
  "upstream-failed": { status: 502, title: "The server behind the gateway failed", hint: "See its state with 'sallyport servers show'." },
  unavailable: { status: 503, title: "Not available right now", hint: "Try again shortly." },
  "upstream-timeout": { status: 504, title: "The server behind the gateway did not answer in time", hint: "The detail names the limit and its setting." },
} as const satisfies Record<string, { status: number; title: string; hint: string }>;

export type ProblemCode = keyof typeof problems;

/** One refused field: where it is (JSON path, dotted) and why. */
export interface FieldError {
  field: string;
  message: string;
}

export interface ProblemExtras {
  /** What happened, for this reader. Defaults to the catalogue's title. */
  detail?: string;
  /** Field errors of a 422. */
  errors?: FieldError[];
  /** Response headers that belong to the error, e.g. WWW-Authenticate (RFC 6750) or Retry-After. */
  headers?: Record<string, string>;
  /** The internal reason: logged, never sent. */
  cause?: unknown;
}

/** RFC 9457 body, content type `application/problem+json`. */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ProblemCode;
  hint: string;
  errors?: FieldError[];
  reference?: string;
}

export class Problem extends Error {
  readonly code: ProblemCode;
  readonly extras: ProblemExtras;

  constructor(code: ProblemCode, extras: ProblemExtras) {
    super(extras.detail ?? problems[code].title, { cause: extras.cause });
    this.name = "Problem";
    this.code = code;
    this.extras = extras;
  }

  get status(): number {
    return problems[this.code].status;
  }

  /** @param reference the request id, so that an administrator finds the event. */
  body(reference?: string): ProblemBody {
    const { title, status, hint } = problems[this.code];
    return {
      type: `urn:sallyport:problem:${this.code}`,
      title,
      status,
      detail: this.message,
      code: this.code,
      hint,
      ...(this.extras.errors ? { errors: this.extras.errors } : {}),
      ...(reference ? { reference } : {}),
    };
  }
}

/** `throw problem("not-found", { detail: "No server of that name" })` */
export function problem(code: ProblemCode, extras: ProblemExtras = {}): Problem {
  return new Problem(code, extras);
}

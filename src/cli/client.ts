/**
 * The command line's HTTP client: the same API as everybody's. It uses the platform's fetch, not the guarded client,
 * because the address is the user's own choice, not somebody else's data.
 */
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import type { CliEnvironment } from "../config/index.ts";
import { parseUntrustedJson } from "../kernel/json.ts";
import { CliError, exitCodes } from "./output.ts";

const credentials = z.object({ url: z.string(), token: z.string(), expiresAt: z.number(), refreshToken: z.string().optional() });
export type Credentials = z.output<typeof credentials>;

const problemBody = z.object({ detail: z.string(), hint: z.string().optional(), errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(), reference: z.string().optional() });
const resourceMetadata = z.object({ resource: z.string() });
const renewal = z.object({ access_token: z.string(), expires_in: z.number(), refresh_token: z.string() });
/** As every installation knows the command line (RFC 8252 section 8.4: it has no secret). */
export const cliClientId = "sallyport-cli";
const defaultUrl = "http://127.0.0.1:8420";

export interface ApiClient {
  readonly url: string;
  /** @param schema of the successful answer. @throws CliError with the problem's detail and hint. */
  call<S extends z.ZodType>(method: string, path: string, schema: S, body?: unknown): Promise<z.output<S>>;
  /** For answers without a body. */
  send(method: string, path: string, body?: unknown): Promise<void>;
  /** @param path of an endpoint of the gateway. @returns the token at hand if it is for that endpoint, or one exchanged for it (RFC 8693). */
  tokenFor(path: string): Promise<string | undefined>;
  /** For answers that are plain text. */
  text(path: string): Promise<string>;
  /** A form whose refusal is part of the protocol: the body, whatever the status. */
  attempt(path: string, fields: Record<string, string>): Promise<unknown>;
  form<S extends z.ZodType>(path: string, fields: Record<string, string>, schema: S): Promise<z.output<S>>;
}

export function readCredentials(file: string): Credentials | undefined {
  try {
    return credentials.parse(parseUntrustedJson(readFileSync(file)));
  } catch {
    return undefined;
  }
}

/** Atomic, and readable by its owner only. */
export function writeCredentials(file: string, value: Credentials): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify(value), { mode: 0o600 });
  chmodSync(temporary, 0o600);
  renameSync(temporary, file);
}

export function removeCredentials(file: string): void {
  rmSync(file, { force: true });
}

/** @param url overrides the environment's and the remembered one. */
export function createApiClient(environment: CliEnvironment, url?: string): ApiClient {
  const stored = readCredentials(environment.credentialsFile);
  const base = url ?? environment.url ?? stored?.url ?? defaultUrl;
  let token: Promise<string | undefined> | undefined;
  const currentToken = () => (token ??= environment.token === undefined ? keptToken(environment.credentialsFile, base, form) : Promise.resolve(environment.token));

  const receive = async (method: string, path: string, init: RequestInit, { withToken = true, mayFail = false } = {}): Promise<Uint8Array> => {
    const bearer = withToken ? await currentToken() : undefined;
    let response: Response;
    try {
      response = await fetch(`${base}${path}`, { ...init, method, redirect: "error", headers: { ...(bearer ? { authorization: `Bearer ${bearer}` } : {}), ...(init.headers as Record<string, string>) } });
    } catch {
      throw new CliError(`${base} does not answer`, exitCodes.unreachable, "Is it running ('npm start')? Otherwise give --url or set SALLYPORT_URL.");
    }
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (response.ok || (mayFail && response.status === 400)) return bytes;
    const known = problemBody.safeParse(parsed(bytes));
    throw new CliError(known.success ? describe(known.data) : `${base} answered ${response.status}`, codeOf(response.status), hintOf(response.status, known.data?.hint));
  };
  const send = async (method: string, path: string, init: RequestInit, how: { withToken?: boolean; mayFail?: boolean } = {}): Promise<unknown> => parsed(await receive(method, path, init, how));
  const json = (body: unknown): RequestInit => (body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  const form: ApiClient["form"] = async (path, fields, schema) => schema.parse(await send("POST", path, { body: new URLSearchParams(fields) }, { withToken: false }));
  return {
    url: base,
    async tokenFor(path) {
      const own = await currentToken();
      if (!own) return undefined;
      const { resource } = resourceMetadata.parse(await send("GET", `/.well-known/oauth-protected-resource${path}`, {}));
      // What is no JWT is a key, and good as it is.
      if (!own.includes(".") || audienceOf(own) === resource) return own;
      const answer = await form("/token", { grant_type: "urn:ietf:params:oauth:grant-type:token-exchange", subject_token: own, subject_token_type: "urn:ietf:params:oauth:token-type:access_token", resource }, z.object({ access_token: z.string() })).catch((error: unknown) => {
        throw error instanceof CliError && error.exitCode === exitCodes.failed ? new CliError("Could not validate credentials", exitCodes.unauthenticated, "Run 'sallyport login' first.") : error;
      });
      return answer.access_token;
    },
    call: async (method, path, schema, body) => schema.parse(await send(method, path, json(body))),
    send: async (method, path, body) => void (await send(method, path, json(body))),
    text: async (path) => new TextDecoder().decode(await receive("GET", path, {})),
    form,
    attempt: (path, fields) => send("POST", path, { body: new URLSearchParams(fields) }, { withToken: false, mayFail: true }),
  };
}

/** The token of the last login, renewed when it has expired. Of several commands at once one renews, and the others take what it got. */
async function keptToken(file: string, url: string, form: ApiClient["form"]): Promise<string | undefined> {
  const kept = () => {
    const stored = readCredentials(file);
    return stored?.url === url ? stored : undefined;
  };
  const usable = (stored: Credentials | undefined) => (stored && stored.expiresAt > Date.now() + 5000 ? stored.token : undefined);
  const first = kept();
  if (first?.refreshToken === undefined || usable(first) !== undefined) return usable(first);
  return locked(`${file}.lock`, async () => {
    const stored = kept();
    if (stored?.refreshToken === undefined || usable(stored) !== undefined) return usable(stored);
    const answer = await form("/token", { grant_type: "refresh_token", client_id: cliClientId, refresh_token: stored.refreshToken }, renewal).catch(() => undefined);
    if (answer === undefined) return undefined;
    writeCredentials(file, { url, token: answer.access_token, expiresAt: Date.now() + answer.expires_in * 1000, refreshToken: answer.refresh_token });
    return answer.access_token;
  });
}

/** One at a time, by a file that only one can make; one left behind by a crash is passed over after a while. */
async function locked<T>(file: string, work: () => Promise<T>): Promise<T> {
  const until = Date.now() + 10_000;
  while (Date.now() < until) {
    try {
      closeSync(openSync(file, "wx", 0o600));
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** Read, not verified: it only decides whether another token is asked for. */
function audienceOf(token: string): unknown {
  try {
    return (parseUntrustedJson(Buffer.from(token.split(".")[1] ?? "", "base64url")) as { aud?: unknown }).aud;
  } catch {
    return undefined;
  }
}

function parsed(bytes: Uint8Array): unknown {
  return bytes.length === 0 ? undefined : parseUntrustedJson(bytes, { maxBytes: 64 * 1024 * 1024, maxItems: 10_000_000, limitName: "the command line's limit" });
}

function describe({ detail, errors = [], reference }: z.output<typeof problemBody>): string {
  const lines = errors.length > 1 ? errors.map(({ field, message }) => `\n      ${field}: ${message}`).join("") : "";
  return `${detail}${lines}${reference && lines === "" && /our side/.test(detail) ? ` (reference ${reference})` : ""}`;
}

function codeOf(status: number): number {
  const codes: Record<number, number> = { 401: exitCodes.unauthenticated, 403: exitCodes.forbidden, 404: exitCodes.notFound, 409: exitCodes.conflict, 412: exitCodes.conflict, 422: exitCodes.usage };
  return codes[status] ?? exitCodes.failed;
}

function hintOf(status: number, hint: string | undefined): string | undefined {
  return status !== 401 ? hint : hint?.includes("repeat this") ? "Run 'sallyport login' again, then repeat this." : "Run 'sallyport login' first.";
}

/**
 * The command line's HTTP client: the same API as everybody's. It uses the platform's fetch, not the guarded client,
 * because the address is the user's own choice, not somebody else's data.
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import type { CliEnvironment } from "../config/index.ts";
import { parseUntrustedJson } from "../kernel/json.ts";
import { CliError, exitCodes } from "./output.ts";

const credentials = z.object({ url: z.string(), token: z.string(), expiresAt: z.number() });
export type Credentials = z.output<typeof credentials>;

const problemBody = z.object({ detail: z.string(), hint: z.string().optional(), errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(), reference: z.string().optional() });
const resourceMetadata = z.object({ resource: z.string() });
const defaultUrl = "http://127.0.0.1:8420";

export interface ApiClient {
  readonly url: string;
  readonly token: string | undefined;
  /** @param schema of the successful answer. @throws CliError with the problem's detail and hint. */
  call<S extends z.ZodType>(method: string, path: string, schema: S, body?: unknown): Promise<z.output<S>>;
  /** For answers without a body. */
  send(method: string, path: string, body?: unknown): Promise<void>;
  /** @param path of an endpoint of the gateway. @returns the token at hand if it is for that endpoint, or one exchanged for it (RFC 8693). */
  tokenFor(path: string): Promise<string | undefined>;
  /** For answers that are plain text. */
  text(path: string): Promise<string>;
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
  const token = environment.token ?? (stored?.url === base && stored.expiresAt > Date.now() ? stored.token : undefined);

  const receive = async (method: string, path: string, init: RequestInit, withToken = true): Promise<Uint8Array> => {
    let response: Response;
    try {
      response = await fetch(`${base}${path}`, { ...init, method, redirect: "error", headers: { ...(token && withToken ? { authorization: `Bearer ${token}` } : {}), ...(init.headers as Record<string, string>) } });
    } catch {
      throw new CliError(`${base} does not answer`, exitCodes.unreachable, "Is it running ('npm start')? Otherwise give --url or set SALLYPORT_URL.");
    }
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (response.ok) return bytes;
    const known = problemBody.safeParse(parsed(bytes));
    throw new CliError(known.success ? describe(known.data) : `${base} answered ${response.status}`, codeOf(response.status), hintOf(response.status, known.data?.hint));
  };
  const send = async (method: string, path: string, init: RequestInit, withToken = true): Promise<unknown> => parsed(await receive(method, path, init, withToken));
  const json = (body: unknown): RequestInit => (body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  const form: ApiClient["form"] = async (path, fields, schema) => schema.parse(await send("POST", path, { body: new URLSearchParams(fields) }, false));
  return {
    url: base,
    token,
    async tokenFor(path) {
      if (!token) return undefined;
      const { resource } = resourceMetadata.parse(await send("GET", `/.well-known/oauth-protected-resource${path}`, {}));
      // What is no JWT is a key, and good as it is.
      if (!token.includes(".") || audienceOf(token) === resource) return token;
      const answer = await form("/token", { grant_type: "urn:ietf:params:oauth:grant-type:token-exchange", subject_token: token, subject_token_type: "urn:ietf:params:oauth:token-type:access_token", resource }, z.object({ access_token: z.string() })).catch((error: unknown) => {
        throw error instanceof CliError && error.exitCode === exitCodes.failed ? new CliError("Could not validate credentials", exitCodes.unauthenticated, "Run 'sallyport login' first.") : error;
      });
      return answer.access_token;
    },
    call: async (method, path, schema, body) => schema.parse(await send(method, path, json(body))),
    send: async (method, path, body) => void (await send(method, path, json(body))),
    text: async (path) => new TextDecoder().decode(await receive("GET", path, {})),
    form,
  };
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
  return status === 401 ? "Run 'sallyport login' first." : hint;
}

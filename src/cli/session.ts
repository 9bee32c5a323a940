/** `login` by the device flow (RFC 8628) or with a password, and `logout`. */
import type { Command } from "commander";
import { z } from "zod";
import { allScopes } from "../kernel/scopes.ts";
import { cliClientId, readCredentials, removeCredentials, writeCredentials, type ApiClient } from "./client.ts";
import type { Cli } from "./index.ts";
import { CliError, exitCodes, printable } from "./output.ts";

const tokenAnswer = z.object({ access_token: z.string(), expires_in: z.number(), scope: z.string(), refresh_token: z.string().optional() });
const deviceAnswer = z.object({ device_code: z.string(), user_code: z.string(), verification_uri: z.string(), verification_uri_complete: z.string().optional(), expires_in: z.number(), interval: z.number().optional() });
const waiting = z.object({ error: z.string() });

interface LoginOptions {
  username?: string;
  passwordStdin?: boolean;
  otp?: string;
  device?: boolean;
  scope?: string;
}

export function sessionCommands(program: Command, cli: Cli): void {
  program
    .command("login")
    .description("Sign in with the browser, or with user name and password; keeps the token for the next commands")
    .option("--username <name>", "sign in with a password instead of the browser")
    .option("--password-stdin", "read the password from standard input")
    .option("--otp <code>", "one-time code or recovery code of your second factor (asked for when needed)")
    .option("--device", "sign in with the browser, also where there is no terminal")
    .option("--scope <scopes>", "space-separated scopes; all you hold when absent")
    .action(async (options: LoginOptions) => {
      const { ask, output, environment } = cli;
      const client = cli.client();
      const byBrowser = options.device ?? (ask.interactive && options.username === undefined && !options.passwordStdin);
      const token = byBrowser ? await loginByDevice(cli, client, options) : await loginByPassword(cli, client, options);
      writeCredentials(environment.credentialsFile, { url: client.url, token: token.access_token, expiresAt: Date.now() + token.expires_in * 1000, refreshToken: token.refresh_token });
      output.result({ url: client.url, scope: token.scope, expiresIn: token.expires_in }, () => [`Signed in at ${client.url}${token.refresh_token === undefined ? ` for ${Math.round(token.expires_in / 60)} minutes` : ""}, with ${token.scope}.`, "Next: sallyport servers list"]);
    });
  program
    .command("logout")
    .description("End the access that login got, and forget the token")
    .action(async () => {
      const { environment, output } = cli;
      const client = cli.client();
      const stored = readCredentials(environment.credentialsFile);
      removeCredentials(environment.credentialsFile);
      // Forgotten here in any case; whether the server could be told is a courtesy.
      if (stored?.url === client.url) await client.form("/revoke", stored.refreshToken === undefined ? { token: stored.token } : { token: stored.refreshToken, client_id: cliClientId }, z.unknown()).catch(() => undefined);
      output.result({ ok: true }, () => ["Signed out."]);
    });
}

async function loginByPassword({ ask }: Cli, client: ApiClient, options: LoginOptions): Promise<z.output<typeof tokenAnswer>> {
  const username = options.username ?? (await ask.text("User name: "));
  const password = options.passwordStdin ? (ask.input().split(/\r?\n/, 1)[0] ?? "") : await ask.secret("Password: ");
  const request = (otp: string | undefined) => client.form("/token", { grant_type: "password", username, password, ...(options.scope ? { scope: options.scope } : {}), ...(otp ? { otp } : {}) }, tokenAnswer);
  return request(options.otp).catch(async (error: unknown) => {
    if (options.otp !== undefined || !(error instanceof CliError) || error.message !== "A one-time code is needed") throw error;
    if (!ask.interactive) throw new CliError(error.message, error.exitCode, "Give it with --otp; there is no terminal to ask on.");
    return request(await ask.text("One-time code: "));
  });
}

async function loginByDevice({ output }: Cli, client: ApiClient, options: LoginOptions): Promise<z.output<typeof tokenAnswer>> {
  const device = await client.form("/device_authorization", { client_id: cliClientId, scope: options.scope ?? allScopes.join(" ") }, deviceAnswer);
  output.notice([`Open ${printable(device.verification_uri_complete ?? device.verification_uri)}`, `and compare the code: ${printable(device.user_code)}`]);
  const until = Date.now() + device.expires_in * 1000;
  let pause = (device.interval ?? 5) * 1000;
  while (Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const answer = await client.attempt("/token", { grant_type: "urn:ietf:params:oauth:grant-type:device_code", client_id: cliClientId, device_code: device.device_code });
    const token = tokenAnswer.safeParse(answer);
    if (token.success) return token.data;
    const { error } = waiting.parse(answer);
    if (error === "slow_down") pause += 5000;
    else if (error !== "authorization_pending") throw new CliError(error === "access_denied" ? "You did not allow it" : "The code has expired", exitCodes.unauthenticated, "Run 'sallyport login' again.");
  }
  throw new CliError("The code has expired", exitCodes.unauthenticated, "Run 'sallyport login' again.");
}

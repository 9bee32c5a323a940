/** `login`, `logout`. */
import type { Command } from "commander";
import { z } from "zod";
import { removeCredentials, writeCredentials } from "./client.ts";
import type { Cli } from "./index.ts";

const tokenAnswer = z.object({ access_token: z.string(), expires_in: z.number(), scope: z.string() });

export function sessionCommands(program: Command, cli: Cli): void {
  program
    .command("login")
    .description("Get a token with user name and password, and keep it for the next commands")
    .option("--username <name>", "user name (asked for when absent)")
    .option("--password-stdin", "read the password from standard input")
    .option("--scope <scopes>", "space-separated scopes; all you hold when absent")
    .action(async (options: { username?: string; passwordStdin?: boolean; scope?: string }) => {
      const { ask, output, environment } = cli;
      const client = cli.client();
      const username = options.username ?? (await ask.text("User name: "));
      const password = options.passwordStdin ? (ask.input().split(/\r?\n/, 1)[0] ?? "") : await ask.secret("Password: ");
      const token = await client.form("/token", { grant_type: "password", username, password, ...(options.scope ? { scope: options.scope } : {}) }, tokenAnswer);
      writeCredentials(environment.credentialsFile, { url: client.url, token: token.access_token, expiresAt: Date.now() + token.expires_in * 1000 });
      output.result({ url: client.url, scope: token.scope, expiresIn: token.expires_in }, () => [`Signed in at ${client.url} for ${Math.round(token.expires_in / 60)} minutes, with ${token.scope}.`, "Next: sallyport servers list"]);
    });
  program
    .command("logout")
    .description("Forget the kept token")
    .action(() => {
      removeCredentials(cli.environment.credentialsFile);
      cli.output.result({ ok: true }, () => ["Signed out."]);
    });
}

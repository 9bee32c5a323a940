/** `users …`: for administrators. */
import type { Command } from "commander";
import { z } from "zod";
import type { Cli } from "./index.ts";

const user = z.object({ id: z.string(), username: z.string(), scopes: z.array(z.string()), disabled: z.boolean(), factors: z.object({ totp: z.boolean(), passkeys: z.number(), recoveryCodes: z.number() }), createdAt: z.string() });
const factorsOf = ({ totp, passkeys }: z.output<typeof user>["factors"]) => [...(totp ? ["app"] : []), ...(passkeys > 0 ? [`${passkeys} passkey${passkeys === 1 ? "" : "s"}`] : [])].join(", ") || "none";
const path = (name: string) => `/api/v1/users/${encodeURIComponent(name)}`;
const scopeList = (text: string): string[] => text.split(/[ ,]+/).filter(Boolean);

export function userCommands(program: Command, cli: Cli): void {
  const { output, ask } = cli;
  const users = program.command("users").description("People with an account (administrators)");
  const changed = (value: z.output<typeof user>, what: string) => output.result(value, () => [`${value.username} ${what}.`]);

  users
    .command("list")
    .alias("ls")
    .description("List users")
    .action(async () => {
      const { items } = await cli.client().call("GET", "/api/v1/users", z.object({ items: z.array(user) }));
      output.result(items, () => output.table(["USER", "SCOPES", "FACTORS", "STATE", "SINCE"], items.map((item) => [item.username, item.scopes.join(" "), factorsOf(item.factors), item.disabled ? "disabled" : "active", item.createdAt.slice(0, 10)])));
    });
  users
    .command("add <username>")
    .description("Create a user; the password is asked for, or read from standard input")
    .option("--scopes <scopes>", "scopes, separated by commas", scopeList, [])
    .action(async (username: string, options: { scopes: string[] }) => {
      const password = await ask.secret(`Password of ${username}: `);
      changed(await cli.client().call("POST", "/api/v1/users", user, { username, password, scopes: options.scopes }), "was created");
    });
  users
    .command("set-scopes <username> <scopes>")
    .description("Replace a user's scopes; the user's tokens end at once")
    .action(async (username: string, scopes: string) => changed(await cli.client().call("PATCH", path(username), user, { scopes: scopeList(scopes) }), `now holds ${scopes}`));
  users
    .command("disable <username>")
    .description("Disable a user; the user's tokens end at once")
    .option("-y, --yes", "do not ask")
    .action(async (username: string, options: { yes?: boolean }) => {
      if (!options.yes) await ask.confirm(`Disable ${username}?`);
      changed(await cli.client().call("PATCH", path(username), user, { disabled: true }), "is disabled");
    });
  users
    .command("reset-mfa <username>")
    .description("Remove all second factors of a user who has lost them; the user's tokens and sign-ins end at once")
    .option("-y, --yes", "do not ask")
    .action(async (username: string, options: { yes?: boolean }) => {
      if (!options.yes) await ask.confirm(`Remove all second factors of ${username}?`);
      await cli.client().send("DELETE", `${path(username)}/factors`);
      output.result({ ok: true }, () => [`${username} has no second factor now.`, "Next: they sign in at /account/factors and add one."]);
    });
  users
    .command("enable <username>")
    .description("Enable a user again")
    .action(async (username: string) => changed(await cli.client().call("PATCH", path(username), user, { disabled: false }), "is enabled"));
}

/** `groups …`: for administrators. */
import type { Command } from "commander";
import { z } from "zod";
import type { Cli } from "./index.ts";

const group = z.object({ name: z.string(), description: z.string().nullable(), scopes: z.array(z.string()), members: z.array(z.string()), servers: z.array(z.string()) });
const path = (name: string, ...rest: string[]) => `/api/v1/groups/${[name, ...rest].map(encodeURIComponent).join("/")}`;
const words = (text: string): string[] => text.split(/[ ,]+/).filter(Boolean);

export function groupCommands(program: Command, cli: Cli): void {
  const { output, ask } = cli;
  const groups = program.command("groups").description("Groups of users, with scopes and grants in common (administrators)");
  const changed = (value: z.output<typeof group>, what: string) => output.result(value, () => [`${value.name} ${what}.`]);

  groups
    .command("list")
    .alias("ls")
    .description("List groups")
    .action(async () => {
      const { items } = await cli.client().call("GET", "/api/v1/groups", z.object({ items: z.array(group) }));
      output.result(items, () => output.table(["GROUP", "SCOPES", "SERVERS", "MEMBERS"], items.map((item) => [item.name, item.scopes.join(" "), item.servers.join(" "), item.members.length])));
    });
  groups
    .command("show <group>")
    .description("Show a group and its members")
    .action(async (name: string) => {
      const item = await cli.client().call("GET", path(name), group);
      output.result(item, () => output.table(["FIELD", "VALUE"], [["Name", item.name], ["Description", item.description], ["Scopes", item.scopes.join(" ")], ["Servers", item.servers.join(" ")], ["Members", item.members.join(" ")]]));
    });
  groups
    .command("add <group>")
    .description("Create a group")
    .option("--scopes <scopes>", "scopes of every member, separated by commas", words, [])
    .option("--description <text>")
    .action(async (name: string, options: { scopes: string[]; description?: string }) => changed(await cli.client().call("POST", "/api/v1/groups", group, { name, ...options }), "was created"));
  groups
    .command("set-scopes <group> <scopes>")
    .description("Replace a group's scopes; members who lose one lose their tokens at once")
    .action(async (name: string, scopes: string) => changed(await cli.client().call("PATCH", path(name), group, { scopes: words(scopes) }), `now gives ${scopes}`));
  groups
    .command("rm <group>")
    .alias("remove")
    .description("Remove a group, its memberships and its grants")
    .option("-y, --yes", "do not ask")
    .action(async (name: string, options: { yes?: boolean }) => {
      if (!options.yes) await ask.confirm(`Remove ${name}?`);
      await cli.client().send("DELETE", path(name));
      output.result({ removed: name }, () => [`Removed ${name}.`]);
    });
  for (const [verb, method, kind, summary] of [["join", "PUT", "members", "Add a user to a group"], ["leave", "DELETE", "members", "Remove a user from a group"], ["grant", "PUT", "grants", "Let a group call a server's tools"], ["revoke", "DELETE", "grants", "Withdraw a group's grant"]] as const) {
    groups
      .command(`${verb} <group> <${kind === "members" ? "username" : "server"}>`)
      .description(summary)
      .action(async (name: string, other: string) => {
        await cli.client().send(method, path(name, kind, other));
        output.result({ group: name, [kind === "members" ? "username" : "server"]: other }, () => [kind === "members" ? `${other} is ${verb === "join" ? "now" : "no longer"} in ${name}.` : `${name} may ${verb === "grant" ? "now" : "no longer"} call ${other}.`]);
      });
  }
}

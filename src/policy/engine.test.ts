/** Decisions in Cedar, against what the policies say and against a reference model. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createEngine, validatePolicy } from "./engine.ts";
import { starter } from "./policies.ts";
import type { Circumstances, PolicyAction, Subject, Thing } from "./vocabulary.ts";

const ann: Subject = { username: "Ann", kind: "person", scopes: ["tools:call"], groups: ["engineering"], granted: true };
const bob: Subject = { username: "bob", kind: "service", scopes: [], groups: [], granted: false };
const tool = (server: string, name: string, tier = "read", tags: string[] = []): Thing => ({ kind: "tool", name, tier, server: { name: server, tags, transport: "streamable-http" } });
const noon: Circumstances = { address: "10.1.2.3", at: Date.UTC(2026, 10, 23, 12), factor: false, client: "ide", actors: [], arguments: {} };

async function decider(...texts: string[]) {
  for (const text of texts) expect(await validatePolicy(text)).toEqual([]);
  const engine = await createEngine(texts.map((text, index) => ({ name: `p${index}`, text })));
  return (subject: Subject, thing: Thing, given: Partial<Circumstances> = {}, action: PolicyAction = "call") => engine.decide(subject, action, thing, { ...noon, ...given });
}

describe("decisions", () => {
  it("denies what nothing permits", async () => {
    const decide = await decider();
    expect(decide(ann, tool("db", "read"))).toEqual({ allowed: false, reasons: [], obligations: [] });
  });

  it("permits what was granted by the starter policy, for nobody else", async () => {
    const decide = await decider(starter.text);
    expect(decide(ann, tool("db", "read"))).toMatchObject({ allowed: true, reasons: ["p0"] });
    expect(decide(bob, tool("db", "read")).allowed).toBe(false);
  });

  it("lets a forbid win over every permit", async () => {
    const decide = await decider("permit (principal, action, resource);", 'forbid (principal, action, resource in Sallyport::Server::"db") when { resource.tier == "destructive" };');
    expect(decide(ann, tool("db", "drop", "destructive"))).toMatchObject({ allowed: false, reasons: ["p1"] });
    expect(decide(ann, tool("db", "read")).allowed).toBe(true);
    expect(decide(ann, tool("other", "drop", "destructive")).allowed).toBe(true);
  });

  it("knows groups, users whatever their case, tags and kinds", async () => {
    const decide = await decider('permit (principal in Sallyport::Group::"engineering", action, resource) when { resource.tags.contains("internal") };', 'permit (principal == Sallyport::User::"bob", action == Sallyport::Action::"call", resource == Sallyport::Tool::"db/read") when { principal.kind == "service" };');
    expect(decide(ann, tool("wiki", "search", "read", ["internal"])).allowed).toBe(true);
    expect(decide(ann, tool("wiki", "search")).allowed).toBe(false);
    expect(decide({ ...bob, username: "BOB" }, tool("db", "read")).allowed).toBe(true);
    expect(decide(bob, tool("db", "write")).allowed).toBe(false);
    expect(decide(bob, tool("db", "read"), {}, "list").allowed).toBe(false);
  });

  it("looks at arguments, down to nested ones", async () => {
    const decide = await decider("permit (principal, action, resource);", 'forbid (principal, action == Sallyport::Action::"call", resource == Sallyport::Tool::"files/read") unless { context.arguments.hasTag("options.path") && context.arguments.getTag("options.path") like "/srv/*" };', 'forbid (principal, action == Sallyport::Action::"call", resource == Sallyport::Tool::"bank/pay") unless { context.numbers.hasTag("amount") && context.numbers.getTag("amount") <= 100 };');
    const read = (args: unknown) => decide(ann, tool("files", "read"), { arguments: args }).allowed;
    expect(read({ options: { path: "/srv/a" } })).toBe(true);
    expect(read({ options: { path: "/etc/passwd" } })).toBe(false);
    expect(read({ path: "/srv/a" })).toBe(false);
    expect(read(undefined)).toBe(false);
    const pay = (amount: unknown) => decide(ann, tool("bank", "pay"), { arguments: { amount } }).allowed;
    expect([pay(100), pay(101), pay("100"), pay(Number.POSITIVE_INFINITY), pay(100.5)]).toEqual([true, false, false, false, false]);
  });

  it("looks at address, time, second factor, client and who acts", async () => {
    const decide = await decider('permit (principal, action, resource) when { context.address.isInRange(ip("10.0.0.0/8")) && context.hour >= 8 && context.hour < 18 && ["mon", "tue"].contains(context.weekday) && context.factor && context.client == "ide" && !context.actors.contains("bot") };');
    const good = { factor: true };
    expect(decide(ann, tool("db", "read"), good).allowed).toBe(true);
    expect(decide(ann, tool("db", "read"), { ...good, address: "::ffff:10.9.9.9" }).allowed).toBe(true);
    for (const change of [{ address: "192.168.1.1" }, { address: "" }, { at: Date.UTC(2026, 10, 23, 20) }, { at: Date.UTC(2026, 10, 25, 12) }, { factor: false }, { client: "other" }, { actors: ["bot"] }]) expect(decide(ann, tool("db", "read"), { ...good, ...change }).allowed).toBe(false);
  });

  it("refuses a call whose arguments are more than a policy can look at", async () => {
    const decide = await decider("permit (principal, action, resource);", 'forbid (principal, action, resource) when { context.arguments.hasTag("evil") };');
    expect(decide(ann, tool("db", "read"), { arguments: Array.from({ length: 2000 }, () => "x") }).allowed).toBe(false);
  });

  it("passes on what a policy asks for besides", async () => {
    const decide = await decider('@redact("email, phone") @limit("10/60") permit (principal, action, resource);');
    expect(decide(ann, tool("crm", "find")).obligations).toEqual([{ policy: "p0", kind: "limit", value: "10/60" }, { policy: "p0", kind: "redact", value: "email, phone" }].sort((a, b) => (a.kind < b.kind ? -1 : 1)));
  });

  it("agrees with a reference model over random policies and requests", async () => {
    const names = ["a", "b", "c"];
    const rule = fc.record({ effect: fc.constantFrom("permit", "forbid"), user: fc.option(fc.constantFrom("ann", "bob")), server: fc.option(fc.constantFrom(...names)), argument: fc.option(fc.constantFrom("x", "y")) });
    const request = fc.record({ user: fc.constantFrom("ann", "bob"), server: fc.constantFrom(...names), argument: fc.constantFrom("x", "y", "z") });
    await fc.assert(
      fc.asyncProperty(fc.array(rule, { maxLength: 6 }), fc.array(request, { minLength: 10, maxLength: 10 }), async (rules, requests) => {
        const texts = rules.map(({ effect, user, server, argument }) => `${effect} (principal${user ? ` == Sallyport::User::"${user}"` : ""}, action, resource${server ? ` in Sallyport::Server::"${server}"` : ""})${argument ? ` when { context.arguments.hasTag("q") && context.arguments.getTag("q") == "${argument}" }` : ""};`);
        const engine = await createEngine(texts.map((text, index) => ({ name: String(index), text })));
        for (const { user, server, argument } of requests) {
          const matching = rules.filter((candidate) => (candidate.user ?? user) === user && (candidate.server ?? server) === server && (candidate.argument ?? argument) === argument);
          const expected = matching.some(({ effect }) => effect === "permit") && !matching.some(({ effect }) => effect === "forbid");
          expect(engine.decide({ ...ann, username: user }, "call", tool(server, "t"), { ...noon, arguments: { q: argument } }).allowed).toBe(expected);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("validation", () => {
  it("says what is wrong, and where", async () => {
    expect(await validatePolicy("permit (principal, action resource);")).toMatchObject([{ start: 26, end: 34, message: expect.stringContaining("unexpected token") as string }]);
    expect(await validatePolicy("permit (principal, action, resource) when { context.foo };")).toMatchObject([{ message: expect.stringContaining("foo") as string }]);
    expect(await validatePolicy("permit (principal, action, resource); permit (principal, action, resource);")).toHaveLength(1);
    expect(await validatePolicy("")).toHaveLength(1);
    expect(await validatePolicy('@limit("often") permit (principal, action, resource);')).toMatchObject([{ start: 0, message: expect.stringContaining("@limit") as string }]);
    expect(await validatePolicy("permit (principal == ?principal, action, resource);")).toHaveLength(1);
  });
});

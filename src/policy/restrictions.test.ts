import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Principal } from "../kernel/principal.ts";
import type { ServerState } from "../snapshot/index.ts";
import { authorize, matches } from "./index.ts";

const server = (name: string): ServerState => ({ id: name, name, url: "", title: undefined, description: undefined, tags: [], transport: "streamable-http", authMode: "none", sealedHeaders: undefined, ownerId: "u", enabled: true, state: "", stateDetail: undefined, checkedAt: undefined, toolNames: [], revision: 1, createdAt: 0, updatedAt: 0 });
const principal = (restrictions?: Principal["restrictions"]): Principal => ({ userId: "u", scopes: new Set(["tools:call", "admin"]), audience: [], tokenId: "t", expiresAt: 0, ...(restrictions ? { restrictions } : {}) });
const granted = { isGranted: () => true };

describe("restrictions of a key", () => {
  it("keep it to its servers, for calls and for changes", () => {
    const narrowed = principal({ servers: ["one"] });
    expect(authorize(granted, narrowed, { kind: "call-server", server: server("one") }).allowed).toBe(true);
    for (const kind of ["call-server", "change-server"] as const) expect(authorize(granted, narrowed, { kind, server: server("two") })).toMatchObject({ allowed: false });
  });

  it("keep it to its tools, and leave no prompts and resources", () => {
    const narrowed = principal({ tools: ["read_*"] });
    const use = (item: "tool" | "prompt" | "resource", name: string) => authorize(granted, narrowed, { kind: "use-item", server: server("one"), item, name }).allowed;
    expect([use("tool", "read_file"), use("tool", "write_file"), use("prompt", "read_it"), use("resource", "read_it")]).toEqual([true, false, false, false]);
    expect(authorize(granted, principal(), { kind: "use-item", server: server("one"), item: "prompt", name: "x" }).allowed).toBe(true);
  });

  it("never widen what the user may", () => {
    expect(authorize({ isGranted: () => false }, principal({ servers: ["one"], tools: ["*"] }), { kind: "use-item", server: server("one"), item: "tool", name: "x" })).toMatchObject({ allowed: false, because: "unseen" });
  });

  it("match patterns as a regular expression would, without being one", () => {
    const part = fc.string({ unit: fc.constantFrom("a", "b", "*", ".", "("), maxLength: 8 });
    fc.assert(
      fc.property(part, fc.string({ unit: fc.constantFrom("a", "b", ".", "("), maxLength: 10 }), (pattern, name) => {
        const reference = new RegExp(`^${pattern.split("*").map((text) => RegExp.escape(text)).join(".*")}$`, "s");
        return matches(pattern, name) === reference.test(name);
      }),
      { numRuns: 2000 },
    );
  });
});

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { createDatabase, databases } from "../../test/world.ts";
import { Problem } from "../kernel/problem.ts";
import { Secret } from "../kernel/secret.ts";
import { createVault } from "./envelope.ts";
import { openStorage, type Change, type Storage } from "./index.ts";

const newKey = () => new Secret(randomBytes(32).toString("base64url"));

describe.each(databases)("storage on %s", (kind) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-storage-"));
  const opened: Storage[] = [];
  afterEach(async () => {
    for (const storage of opened.splice(0)) await storage.close();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  let number = 0;
  const place = async () => (kind === "postgres" ? { SALLYPORT_DATABASE_URL: new Secret(await createDatabase()), SALLYPORT_DATA_DIR: folder } : { SALLYPORT_DATABASE_URL: undefined, SALLYPORT_DATA_DIR: join(folder, String(number++)) });
  const open = async (where: Awaited<ReturnType<typeof place>>, key: Secret, previous?: Secret) => {
    const storage = await openStorage({ config: { ...where, SALLYPORT_ENCRYPTION_KEY: key, SALLYPORT_ENCRYPTION_KEY_PREVIOUS: previous }, onError: () => undefined });
    opened.push(storage);
    return storage;
  };
  const user = (id: string, name = id) => ({ id, username: name, username_key: name, password_hash: "x", scopes: "[]", disabled: 0, epoch: 1, created_at: 1_800_000_000_000, updated_at: 1_800_000_000_000 });

  it("migrates an empty database, and again without doing anything", async () => {
    const [where, key] = [await place(), newKey()];
    const first = await open(where, key);
    expect(await first.ready()).toBe(true);
    await first.db.insertInto("users").values(user("a")).execute();
    const second = await open(where, key);
    expect(await second.db.selectFrom("users").select("id").execute()).toEqual([{ id: "a" }]);
  });

  it("keeps milliseconds exactly", async () => {
    const storage = await open(await place(), newKey());
    await storage.db.insertInto("users").values(user("a")).execute();
    expect(await storage.db.selectFrom("users").select("created_at").executeTakeFirst()).toEqual({ created_at: 1_800_000_000_000 });
  });

  it("writes all of a transaction or nothing, and tells nobody of nothing", async () => {
    const storage = await open(await place(), newKey());
    const heard: (Change | undefined)[] = [];
    storage.onChange((change) => void heard.push(change));
    await expect(
      storage.write(async (transaction, announce) => {
        announce({ topic: "user", ref: "a" });
        await transaction.insertInto("users").values(user("a")).execute();
        throw new Error("on purpose");
      }),
    ).rejects.toThrow("on purpose");
    expect(await storage.db.selectFrom("users").selectAll().execute()).toEqual([]);
    expect(heard).toEqual([]);
  });

  it("tells listeners before the write resolves, and other processes soon after", async () => {
    const [where, key] = [await place(), newKey()];
    const here = await open(where, key);
    const there = await open(where, key);
    const heardHere: (Change | undefined)[] = [];
    let heardThere: () => void = () => undefined;
    const arrived = new Promise<void>((resolve) => (heardThere = resolve));
    here.onChange((change) => void heardHere.push(change));
    there.onChange(() => heardThere());
    await here.write(async (transaction, announce) => {
      await transaction.insertInto("users").values(user("a")).execute();
      announce({ topic: "user", ref: "a" });
    });
    expect(heardHere).toEqual([{ topic: "user", ref: "a" }]);
    const began = performance.now();
    await arrived;
    expect(performance.now() - began).toBeLessThan(1000);
  });

  it("answers a unique violation with a conflict", async () => {
    const storage = await open(await place(), newKey());
    const insert = (id: string) => storage.write((transaction) => transaction.insertInto("users").values(user(id, "same")).execute());
    await insert("a");
    await expect(insert("b")).rejects.toSatisfy((error) => error instanceof Problem && error.code === "conflict");
  });

  it("refuses to start with another encryption key", async () => {
    const [where, key] = [await place(), newKey()];
    await open(where, key);
    await expect(open(where, newKey())).rejects.toThrow("SALLYPORT_ENCRYPTION_KEY is not the key that this database was made with");
    const next = newKey();
    await expect(open(where, next, key)).resolves.toBeDefined();
  });

  it("treats hostile text as a value, whatever it says", async () => {
    const storage = await open(await place(), newKey());
    const hostile = ["'; drop table users; --", "' or '1'='1", "$1", "?", ":x", "\\'; delete from users", "%", "_"];
    await storage.db.insertInto("users").values(hostile.map((text, index) => user(String(index), text))).execute();
    for (const [index, text] of hostile.entries()) expect(await storage.db.selectFrom("users").select("id").where("username", "=", text).execute()).toEqual([{ id: String(index) }]);
  });
});

describe("envelopes", () => {
  const vault = createVault(newKey());
  const at = { table: "servers", column: "headers", row: "1" };

  it("open to what was sealed, and never look the same twice", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => vault.open(at, vault.seal(at, text.toWellFormed())) === text.toWellFormed()));
    expect(vault.seal(at, "x")).not.toBe(vault.seal(at, "x"));
  });

  it("do not open in another row, column or table", () => {
    const sealed = vault.seal(at, "secret");
    for (const elsewhere of [{ ...at, row: "2" }, { ...at, column: "url" }, { ...at, table: "users" }]) expect(() => vault.open(elsewhere, sealed)).toThrow(/changed or moved/);
  });

  it("do not open when any character is changed", () => {
    const sealed = vault.seal(at, "secret");
    for (let index = 0; index < sealed.length; index++) {
      const other = sealed[index] === "A" ? "B" : "A";
      const changed = sealed.slice(0, index) + other + sealed.slice(index + 1);
      // The last character of base64url carries unused bits: an equal decoding is the same envelope.
      if (Buffer.from(changed.split(".")[3] ?? "", "base64url").equals(Buffer.from(sealed.split(".")[3] ?? "", "base64url")) && changed.split(".").slice(0, 3).join() === sealed.split(".").slice(0, 3).join()) continue;
      expect(() => vault.open(at, changed), String(index)).toThrow(/envelope/i);
    }
  });

  it("open under the previous key while it is configured, and not without it", () => {
    const [old, next] = [newKey(), newKey()];
    const sealed = createVault(old).seal(at, "kept");
    expect(createVault(next, [old]).open(at, sealed)).toBe("kept");
    expect(() => createVault(next).open(at, sealed)).toThrow(/key that is not configured/);
  });

  it("hash differently per purpose and key", () => {
    expect(new Set([vault.keyedHash("a", "x"), vault.keyedHash("b", "x"), createVault(newKey()).keyedHash("a", "x")]).size).toBe(3);
    expect(vault.keyedHash("a", "x")).toBe(vault.keyedHash("a", "x"));
  });
});

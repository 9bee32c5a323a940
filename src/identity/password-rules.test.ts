import { describe, expect, it } from "vitest";
import { isEnoughAlone, passwordWeakness } from "./password-rules.ts";
import { returnPath } from "./return-to.ts";

const owner = { username: "ada", hasFactor: false };

describe("password rules", () => {
  it.each(["correct horse battery", "seven quiet harbours", "ünïcödé wörter sind gut", "四つの静かな港と青い海と白い船が", "x7#kQ!m2vT9$pLz4", "a quite long password", "q".repeat(3) + "uiet harbour words", "word ".repeat(3) + "different kinds of words ".repeat(30)])("take %j", (password) => expect(passwordWeakness(password, owner)).toBeUndefined());
  it.each(["short", "fourteen chars", "passwordpassword", "password12345678", "PasswordPassword1", "aaaaaaaaaaaaaaaaaaaa", "abcabcabcabcabcabc", "qwertyuiopasdfghjkl", "123456789012345678", "sallyportsallyport1", "adaadaadaadaadaada", "iloveyouiloveyou", "x".repeat(1025)])("refuse %j", (password) => expect(passwordWeakness(password, owner)).toBeDefined());
  it("want 8 characters beside a second factor, counted after NFKC", () => {
    expect(passwordWeakness("kelp raft", { username: "ada", hasFactor: true })).toBeUndefined();
    expect(passwordWeakness("password", { username: "ada", hasFactor: true })).toBeDefined();
    expect(passwordWeakness("kelp ra", { username: "ada", hasFactor: true })).toBeDefined();
    expect(isEnoughAlone("ﬁ".repeat(8))).toBe(true);
    expect(isEnoughAlone("😀".repeat(14))).toBe(false);
  });
});

describe("the path to return to", () => {
  it.each(["/account", "/a?b=c#d", "/interaction/x-1?y=%2F%2Fevil"])("keeps %j", (path) => expect(returnPath(path)).toBe(path));
  it.each([undefined, "", "//x", "/\\x", "/.//x", "/..//x", "https://x", "/a\tb", "/a\u0000"])("replaces %j", (path) => expect(returnPath(path)).toBe("/account"));
});

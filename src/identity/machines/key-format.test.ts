import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isKeyForm, mintKey } from "./key-format.ts";

describe("the form of API keys", () => {
  it("is recognised by anybody who knows it, and tells noise by its checksum", () => {
    for (let round = 0; round < 200; round++) {
      const { key, prefix } = mintKey();
      expect(key).toMatch(/^sp_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}$/);
      expect(key.startsWith(`${prefix}_`)).toBe(true);
      expect(isKeyForm(key)).toBe(true);
    }
  });

  it("fails for any one changed character", () => {
    const { key } = mintKey();
    for (let at = 3; at < key.length; at++) expect(isKeyForm(key.slice(0, at) + (key[at] === "a" ? "b" : "a") + key.slice(at + 1)), String(at)).toBe(false);
  });

  it("takes nothing else for a key", () => {
    fc.assert(fc.property(fc.string(), (text) => !isKeyForm(text) && !isKeyForm(`sp_${text}`)));
  });

  it("never repeats", () => {
    expect(new Set(Array.from({ length: 500 }, () => mintKey().key)).size).toBe(500);
  });
});

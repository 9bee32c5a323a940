import { describe, expect, it } from "vitest";
import { qrCode, qrModules } from "./qr.ts";

describe("a QR code", () => {
  it("grows with its text, up to version 13 at level M", () => {
    expect(qrModules("a".repeat(14))).toHaveLength(21);
    expect(qrModules("a".repeat(331))).toHaveLength(69);
    expect(() => qrModules("a".repeat(332))).toThrow("Too long");
    expect(qrCode("a".repeat(332), "x")).toBeUndefined();
  });

  it("has its three finders and the dark module", () => {
    const grid = qrModules("otpauth://totp/x");
    const finder = grid.slice(0, 7).map((row) => row.slice(0, 7).map(Number).join("")).join(" ");
    expect(finder).toBe("1111111 1000001 1011101 1011101 1011101 1000001 1111111");
    expect(grid.at(-8)?.[8]).toBe(true);
  });

  it("escapes nothing into markup but its label", () => {
    expect(qrCode("<script>", '"<x>')?.text).not.toMatch(/<script|<x>/);
  });
});

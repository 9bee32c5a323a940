/**
 * What a call carried, for auditors: sealed in a table of its own, so that it can be sealed anew under another root key, and removed,
 * while the chain stays as it is. The event holds a commitment: SHA-256 over the sealed text, which begins with random bits, so that
 * nobody finds short arguments by guessing.
 */
import { z } from "zod";
import { sameText, sha256Hex } from "../kernel/digest.ts";
import { parseUntrustedJson } from "../kernel/json.ts";
import { newToken } from "../kernel/ids.ts";
import type { Database, Vault } from "../storage/index.ts";
import type { CallBody } from "./catalogue.ts";

/** Characters kept of each side. */
const longest = 65_536;

const captured = z.object({ nonce: z.string(), request: z.string().optional(), response: z.string().optional(), truncated: z.boolean() });
export type Captured = Omit<z.output<typeof captured>, "nonce">;

const place = (event: string) => ({ table: "audit_bodies", column: "envelope", row: event });

export function sealBody(vault: Vault, event: string, { request, response }: CallBody): { envelope: string; commitment: string } {
  const cut = (text: string | undefined) => text?.slice(0, longest).toWellFormed();
  const truncated = (request?.length ?? 0) > longest || (response?.length ?? 0) > longest;
  const text = JSON.stringify({ nonce: newToken(16), request: cut(request), response: cut(response), truncated });
  return { envelope: vault.seal(place(event), text), commitment: sha256Hex(text) };
}

/** @returns undefined when there is none (any more). @throws Error when it was changed, moved, or is not what the event committed to. */
export async function openBody(db: Database, vault: Vault, event: { id: string; body?: string }): Promise<Captured | undefined> {
  const row = await db.selectFrom("audit_bodies").select("envelope").where("event_id", "=", event.id).executeTakeFirst();
  if (!row) return undefined;
  const text = vault.open(place(event.id), row.envelope);
  if (!sameText(sha256Hex(text), event.body ?? "")) throw new Error("What was captured is not what the event committed to");
  const { nonce: _nonce, ...rest } = captured.parse(parseUntrustedJson(Buffer.from(text), { maxBytes: 12 * longest }));
  return rest;
}

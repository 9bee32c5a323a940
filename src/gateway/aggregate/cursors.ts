/**
 * Cursors of merged lists: the name after which the next page begins, under a MAC that binds it to its principal, endpoint and list.
 * A name, not a position, so that pages neither repeat nor skip when the list changes between them.
 */
import { sameText } from "../../kernel/digest.ts";
import type { Vault } from "../../storage/index.ts";

export interface Cursors {
  seal(place: Place, after: string): string;
  /** @returns undefined for every cursor that was not sealed for this place. */
  open(place: Place, cursor: string): string | undefined;
}

export interface Place {
  principalId: string;
  endpoint: string;
  list: string;
}

const longest = 8192;

export function createCursors(vault: Pick<Vault, "keyedHash">): Cursors {
  const macOf = ({ principalId, endpoint, list }: Place, after: string) => vault.keyedHash("mcp-cursor", JSON.stringify([principalId, endpoint, list, after]));
  return {
    seal: (place, after) => `${Buffer.from(after).toString("base64url")}.${macOf(place, after)}`,
    open(place, cursor) {
      const [encoded = "", mac = "", ...rest] = cursor.split(".");
      if (rest.length > 0 || cursor.length > longest) return undefined;
      const after = Buffer.from(encoded, "base64url").toString();
      return sameText(mac, macOf(place, after)) ? after : undefined;
    },
  };
}

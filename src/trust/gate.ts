/**
 * The pins in the data path: what may be listed, what may be called. A call is decided by a map look-up; only the first call after a while,
 * or after a server has announced a change, waits for a new inspection (AISVS 10.4.7; OWASP MCP03, rug pulls).
 */
import type { ServerState } from "../snapshot/index.ts";
import { itemOf, listOf } from "./items.ts";
import { isOpen, type Pins, type ServerPins } from "./pins.ts";
import type { Review, ApprovalMode } from "./review.ts";
import type { ItemKind } from "./scanner/index.ts";

/** A call's answer: let through, under the upstream's own name when it was renamed here, or withheld. */
export type Admission = { open: true; name: string } | { open: false; standing: string };

export interface Gate {
  /**
   * @param kind and name of what the message asks for, as the client knows it.
   * @returns a promise only when the server has to be inspected first.
   */
  admit(server: ServerState, kind: ItemKind, name: string): Admission | Promise<Admission>;
  /** What a list result of the server may show: the same array when nothing is withheld or described anew. */
  shown(server: ServerState, kind: Exclude<ItemKind, "server">, items: readonly unknown[]): readonly unknown[];
  /** Whether the server's own name and instructions may be shown as given. */
  introduces(server: ServerState, introduction: { name: unknown; title: unknown; instructions: unknown }): boolean;
  /** The server said that items of these kinds changed: none of them is taken for known until it has been inspected again. */
  changed(server: ServerState, kinds: readonly ItemKind[]): void;
}

export interface GateOptions {
  pins: Pins;
  review: Review;
  mode: (server: ServerState) => ApprovalMode;
  /** Milliseconds for which an inspection holds. */
  maxAge: number;
  /** Milliseconds between inspections that a surprise in a list may cause. */
  patience?: number;
  now: () => number;
  onRefused: (server: ServerState, kind: ItemKind, name: string, standing: string) => void;
}

export function createGate({ pins, review, mode, maxAge, patience = 2000, now, onRefused }: GateOptions): Gate {
  /** By server and kind, milliseconds: after which an inspection must have begun for what it saw to count. */
  const stale = new Map<string, number>();
  const surprised = new Map<string, number>();

  const fresh = (server: ServerState, kind: ItemKind, known: ServerPins | undefined): boolean => {
    const at = Math.max(known?.inspectedAt ?? 0, review.verifiedAt(server));
    return at > 0 && at + maxAge > now() && (stale.size === 0 || at >= (stale.get(`${server.id} ${kind}`) ?? 0));
  };
  const decide = (server: ServerState, kind: ItemKind, name: string): Admission => {
    const known = pins.of(server.id);
    const pin = known?.find(kind, name);
    if (pin && isOpen(known, pin, now())) return { open: true, name: pin.name };
    // Servers have more resources than they list (templates, links in results): only what is withheld is closed.
    if (kind === "resource" && pin === undefined && known?.state === "approved") return { open: true, name };
    const standing = known?.state !== "approved" ? (known?.state ?? "draft") : pin === undefined ? "unknown" : pin.standing !== "approved" ? pin.standing : pin.until <= now() ? "expired" : "disabled";
    onRefused(server, kind, name, standing);
    return { open: false, standing };
  };
  /** A name nobody has seen may be new: one look, but not one per call. */
  const mayLook = (server: ServerState): boolean => {
    const at = now();
    if (at - (surprised.get(server.id) ?? 0) < patience) return false;
    surprised.set(server.id, at);
    return true;
  };
  const lookAgain = (server: ServerState) => {
    if (mayLook(server)) void review.inspectEveryEra(server);
  };

  const lookThenDecide = async (server: ServerState, kind: ItemKind, name: string): Promise<Admission> => {
    // An inspection that had begun before the change was announced may have missed it: then once more.
    for (let attempt = 0; attempt < 2; attempt++) {
      await review.inspect(server);
      if (fresh(server, kind, pins.of(server.id))) return decide(server, kind, name);
    }
    // Fail closed: what cannot be verified is not called.
    onRefused(server, kind, name, "unverified");
    return { open: false, standing: "unverified" };
  };

  return {
    admit(server, kind, name) {
      if (mode(server) === "off") return { open: true, name };
      const known = pins.of(server.id);
      if (fresh(server, kind, known) && (kind === "resource" || known?.find(kind, name) !== undefined || !mayLook(server))) return decide(server, kind, name);
      return lookThenDecide(server, kind, name);
    },
    shown(server, kind, items) {
      if (mode(server) === "off") return items;
      const known = pins.of(server.id);
      const { key } = listOf[kind];
      let touched = false;
      const result = items.flatMap((definition) => {
        const item = itemOf(kind, definition);
        const pin = item && known?.original(kind, item.name);
        if (!item || !pin || !pin.approved.has(item.digest)) {
          touched = true;
          if (item && pin?.seen.has(item.digest) !== true) {
            stale.set(`${server.id} ${kind}`, now());
            lookAgain(server);
          }
          return [];
        }
        if (!isOpen(known, pin, now())) {
          touched = true;
          return [];
        }
        const override = pin.override;
        if (override?.title === undefined && override?.description === undefined && override?.alias === undefined) return [definition];
        touched = true;
        return [{ ...(definition as object), ...(override.alias === undefined ? {} : { [key]: override.alias }), ...(override.title === undefined ? {} : { title: override.title }), ...(override.description === undefined ? {} : { description: override.description }) }];
      });
      return touched ? result : items;
    },
    introduces(server, introduction) {
      if (mode(server) === "off") return true;
      const { name, title, instructions } = introduction;
      const item = itemOf("server", { name: name ?? null, title: title ?? null, instructions: instructions ?? null });
      const known = pins.of(server.id);
      const pin = known?.find("server", "");
      if (item && pin?.seen.has(item.digest) !== true) lookAgain(server);
      return item !== undefined && pin !== undefined && pin.approved.has(item.digest) && isOpen(known, pin, now());
    },
    changed(server, kinds) {
      for (const kind of kinds) stale.set(`${server.id} ${kind}`, now());
      void review.inspect(server);
    },
  };
}


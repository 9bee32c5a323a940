/**
 * The bounds of one scan. A definition beyond them is not refused here: the rest stays unread and is held for a reviewer.
 */
import type { ScanLimits } from "./types.ts";

export const defaultLimits: ScanLimits = {
  items: 2_000,
  nodes: 20_000,
  depth: 48,
  leaf: 32_768,
  itemText: 131_072,
  serverText: 1_048_576,
  findings: 500,
};

/** What is left of the budget of one server; `spent` names the first bound that was hit. */
export interface Budget {
  readonly limits: ScanLimits;
  characters: number;
  strings: number;
  items: number;
}

export function newBudget(limits?: Partial<ScanLimits>): Budget {
  return { limits: { ...defaultLimits, ...limits }, characters: 0, strings: 0, items: 0 };
}

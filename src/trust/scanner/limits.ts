/** What one scan may cost. The defaults let the largest honest servers through; see the bad-input table in SECURITY. */
import type { ScanLimits } from "./types.ts";

export const defaultLimits: ScanLimits = {
  items: 5_000,
  nodes: 20_000,
  depth: 48,
  leaf: 40_000,
  itemText: 200_000,
  serverText: 4_000_000,
  findings: 1_000,
};

export function withDefaults(limits: Partial<ScanLimits> | undefined): ScanLimits {
  return { ...defaultLimits, ...limits };
}

/** What an endpoint's target said of itself lately: its era decides about tasks, its name goes into every modern result. */
import type { Asking, Discovery, Target } from "../exchange.ts";

export interface Discoveries {
  /** Asks when nothing is remembered. @throws as `Target.discover` does. */
  of(endpoint: string, target: Target, asking: () => Asking): Promise<Pick<Discovery, "era" | "serverInfo">>;
  remember(endpoint: string, discovery: Discovery): void;
}

const freshFor = 60_000;
const remembered = 1000;

export function createDiscoveries(now: () => number): Discoveries {
  const known = new Map<string, { at: number; discovery: Discovery }>();
  const remember = (endpoint: string, discovery: Discovery) => {
    known.delete(endpoint);
    if (known.size >= remembered) known.delete(known.keys().next().value ?? "");
    known.set(endpoint, { at: now(), discovery });
  };
  return {
    remember,
    async of(endpoint, target, asking) {
      const found = known.get(endpoint);
      if (found && now() - found.at < freshFor) return found.discovery;
      const discovery = await target.discover(asking());
      remember(endpoint, discovery);
      return discovery;
    },
  };
}

/** Metrics in the Prometheus text format 0.0.4: events by type, what is open now, limits that were reached, and the process itself. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Audit } from "../audit/index.ts";

export interface Gauges {
  /** Name without prefix → value now. */
  [name: string]: number;
}

export interface MetricsSources {
  /** What is open at the gateway. */
  gauges(): Gauges;
  /** How often each limit was reached, by the setting that sets it. */
  limits(): Readonly<Record<string, number>>;
  version: string;
}

export interface Metrics {
  /** Counts every event that passes. */
  counting(audit: Audit): Audit;
  text(sources: MetricsSources): string;
  close(): void;
}

export function createMetrics(): Metrics {
  const events = new Map<string, number>();
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const count = ({ type, outcome }: { type: string; outcome?: string | undefined }) => {
    const key = outcome === undefined ? type : `${type} ${outcome}`;
    events.set(key, (events.get(key) ?? 0) + 1);
  };
  return {
    counting: (audit) => ({
      ...audit,
      record(event) {
        count(event);
        audit.record(event);
      },
      async recordIn(transaction, event) {
        await audit.recordIn(transaction, event);
        count(event);
      },
    }),
    text({ gauges, limits, version }) {
      const lines: string[] = [];
      const family = (name: string, type: "counter" | "gauge", help: string, samples: readonly (readonly [labels: Record<string, string>, value: number])[]) => {
        lines.push(`# HELP sallyport_${name} ${help}`, `# TYPE sallyport_${name} ${type}`);
        for (const [labels, value] of samples) {
          const written = Object.entries(labels).map(([label, text]) => `${label}="${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`);
          lines.push(`sallyport_${name}${written.length === 0 ? "" : `{${written.join(",")}}`} ${value}`);
        }
      };
      family("info", "gauge", "The running version.", [[{ version }, 1]]);
      family("events_total", "counter", "Security events since the start, by type; see docs/audit-events.md.", [...events].sort().map(([key, value]) => {
        const [type = "", outcome] = key.split(" ");
        return [{ type, ...(outcome === undefined ? {} : { outcome }) }, value] as const;
      }));
      for (const [name, value] of Object.entries(gauges())) family(`gateway_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`, "gauge", "Open at the gateway now.", [[{}, value]]);
      family("limit_reached_total", "counter", "How often a limit was reached, by the setting that sets it.", Object.entries(limits()).map(([setting, value]) => [{ setting }, value] as const));
      const { rss, heapUsed } = process.memoryUsage();
      const { user, system } = process.cpuUsage();
      family("process_resident_memory_bytes", "gauge", "Resident memory.", [[{}, rss]]);
      family("process_heap_bytes", "gauge", "Heap in use.", [[{}, heapUsed]]);
      family("process_cpu_seconds_total", "counter", "CPU time used.", [[{}, (user + system) / 1e6]]);
      family("event_loop_delay_seconds", "gauge", "Delay of the event loop since it was last asked for.", [[{ quantile: "0.5" }, delay.percentile(50) / 1e9], [{ quantile: "0.99" }, delay.percentile(99) / 1e9]]);
      delay.reset();
      return `${lines.join("\n")}\n`;
    },
    close: () => void delay.disable(),
  };
}

import { describe, expect, it } from "vitest";
import type { Audit } from "../audit/index.ts";
import { createMetrics } from "./metrics.ts";

describe("metrics", () => {
  it("count events, by type and outcome, and pass them on", async () => {
    const passed: string[] = [];
    const metrics = createMetrics();
    const audit = metrics.counting({ record: ({ type }) => void passed.push(type), recordIn: async (_transaction, { type }) => void passed.push(type) } as Audit);
    audit.record({ type: "call.completed", outcome: "success" });
    audit.record({ type: "call.completed", outcome: "success" });
    await audit.recordIn({} as never, { type: "server.created" });
    const text = metrics.text({ gauges: () => ({ parkedCalls: 3 }), limits: () => ({ SALLYPORT_SESSIONS: 2 }), version: '1"\n' });
    metrics.close();
    expect(passed).toEqual(["call.completed", "call.completed", "server.created"]);
    expect(text).toContain('sallyport_events_total{type="call.completed",outcome="success"} 2\n');
    expect(text).toContain('sallyport_events_total{type="server.created"} 1\n');
    expect(text).toContain("# TYPE sallyport_gateway_parked_calls gauge\nsallyport_gateway_parked_calls 3\n");
    expect(text).toContain('sallyport_limit_reached_total{setting="SALLYPORT_SESSIONS"} 2\n');
    expect(text).toContain('sallyport_info{version="1\\"\\n"} 1\n');
    for (const line of text.trimEnd().split("\n")) expect(line).toMatch(/^(?:# (?:HELP|TYPE) sallyport_\w+ .+|sallyport_\w+(?:\{[^}]*\})? [\d.e+-]+)$/);
  });
});

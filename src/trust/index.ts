/** Trust: what strangers say of their tools, inspected before anybody's agent reads it, and pinned to what was approved. */
export { createGate, type Gate } from "./gate.ts";
export { openPins, type Pins } from "./pins.ts";
export { createReview, type ApprovalMode } from "./review.ts";
export { httpGuardrail, inspectTexts, maySuspect, resultEffects, textsOf, withoutHidden, type ResultEffect, type ResultFinding, type ResultHook } from "./results.ts";
export { trustRoutes } from "./routes.ts";
export { riskTier, scanServer, tokenCost, type Finding, type ItemKind, type ScanReport, type ServerDefinition } from "./scanner/index.ts";
export { scheduleInspections } from "./schedule.ts";

/** Trust: what strangers say of their tools, inspected before anybody's agent reads it. */
export { riskTier, scanServer, tokenCost, type Finding, type ScanReport } from "./scanner/index.ts";

/** Operations: the log, health, the API's description. */
export { createLog } from "./log.ts";
export { createMetrics } from "./metrics.ts";
export { opsRoutes } from "./routes.ts";

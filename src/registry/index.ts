/** The registry: servers, search, and their API. */
export { registryRoutes } from "./routes.ts";
export { createSearch } from "./search.ts";
export { createServers } from "./servers.ts";
export { storedDocument } from "./documents.ts";

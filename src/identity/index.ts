/** Identity: users, groups, machines, tokens, keys, directories and first set-up. */
export { openFederation } from "./federation.ts";
export { createFactors, hasFactor } from "./mfa/factors.ts";
export { openKeys } from "./keys.ts";
export { resourceMetadataRoutes } from "./resource-metadata.ts";
export { challengeHints, createResources, type Resources } from "./resources.ts";
export { createOAuth, type ReadSession } from "./oauth/index.ts";
export { openRevocations } from "./revocations.ts";
export { identityRoutes } from "./routes.ts";
export { createSetup } from "./setup.ts";
export { createSigningIn } from "./signing-in.ts";
export { createStepUp } from "./step-up.ts";
export { createThrottle } from "./throttle.ts";
export { createTokens, type Tokens } from "./tokens.ts";
export { createUsers, type Users } from "./users.ts";

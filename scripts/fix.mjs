/** `npm run fix`: what the linter can mend by itself. */
import { join } from "node:path";
import { ensureInstalled, nodePath, root, run, say } from "./runtime.mjs";

await ensureInstalled("develop");
process.exitCode = await run(nodePath(), [join(root, "node_modules/oxlint/bin/oxlint"), "--fix"]);
say("Next: npm run check");

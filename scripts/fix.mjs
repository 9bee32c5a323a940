/** `npm run fix`: what the linter can mend by itself, and the pages that are generated from the code. */
import { join } from "node:path";
import { ensureInstalled, nodePath, root, run, say } from "./runtime.mjs";

await ensureInstalled("develop");
process.exitCode = await run(nodePath(), [join(root, "node_modules/oxlint/bin/oxlint"), "--fix"]);
process.exitCode = (await run(nodePath(), ["scripts/docs.ts"])) || process.exitCode;
process.exitCode = (await run(nodePath(), ["scripts/sast.mjs", "--write"])) || process.exitCode;
say("Next: npm run check");

/** `npm start`: installs what is missing and runs the product with the local profile. */
import { become, ensureInstalled } from "./runtime.mjs";

await ensureInstalled("run");
await become(["src/main.ts", "start", ...process.argv.slice(2)]);

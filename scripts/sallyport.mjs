#!/usr/bin/env node
/** The `sallyport` command, from a clone. */
import { become, ensureInstalled } from "./runtime.mjs";

await ensureInstalled("run");
await become(["src/main.ts", ...process.argv.slice(2)]);

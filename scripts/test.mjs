/** `npm test`: everything that `npm run check` checks. */
import "./check.mjs";

/** Which regular expressions of a stranger's schema may be run: those whose time cannot grow faster than the text (CWE-1333). */

/**
 * Anchored at the start, no group but for the whole, nothing that looks around or back, at most one repetition without a bound, and bounded
 * ones that stay small: such a pattern never tries two ways of the same length.
 */
export function isLinear(pattern: string): boolean {
  if (pattern.length > 256 || !pattern.startsWith("^")) return false;
  const bare = pattern.replaceAll(/\\[\s\S]/g, (escape) => (/\\[1-9k]/.test(escape) ? "(" : "x")).replaceAll(/\[[^\][]*\]/g, "x");
  if (/[()|]/.test(bare)) return false;
  let unbounded = 0;
  for (const [repetition, , most] of bare.matchAll(/[*+]|\{(\d{0,4})(?:,(\d{0,4}))?\}/g)) {
    if (repetition === "*" || repetition === "+" || (repetition.includes(",") && most === "")) unbounded += 1;
    else if (repetition.includes(",") && Number(most) > 1000) return false;
  }
  const bounded = [...bare.matchAll(/\{\d{0,4},\d{1,4}\}|\?/g)].length;
  return unbounded <= 1 && (unbounded === 0 ? bounded <= 2 : bounded === 0);
}

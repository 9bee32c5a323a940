/** Refuses secrets that are placeholders, too short or too regular (ASVS 5.0 V13.3, NIST SP 800-63B-4 section 3.1.1). */

/** Present anywhere, in any case, these make a value a placeholder. */
const placeholders = ["changeme", "change-me", "change_me", "placeholder", "your-", "your_", "replace", "example", "insert", "todo", "dummy", "letmein", "default", "12345678", "87654321", "qwertyui", "abcdefgh", "<", ">", "${"];

/** Dictionary words that add nothing to a secret's strength; they do not count towards its length. */
const weakWords = ["password", "passwort", "passw0rd", "secret", "sallyport", "admin", "administrator", "welcome", "monkey", "dragon", "iloveyou", "token", "key"];

const rules = {
  key: { minimum: 32, distinct: 10, advice: "use at least 32 random characters, such as the output of 'openssl rand -base64 32'" },
  password: { minimum: 15, distinct: 5, advice: "use at least 15 characters; a few unrelated words do well" },
} as const;

/** @returns why the value is refused, never quoting it; undefined when it is acceptable. */
export function weakness(value: string, kind: "key" | "password"): string | undefined {
  const { minimum, distinct, advice } = rules[kind];
  const folded = value.toLowerCase();
  if (value.length < minimum) return `is shorter than ${minimum} characters: ${advice}`;
  if (placeholders.some((word) => folded.includes(word))) return `looks like a placeholder: ${advice}`;
  const rest = weakWords.reduce((text, word) => text.replaceAll(word, ""), folded);
  if (rest.length < minimum / 2) return `is made of common words: ${advice}`;
  if (new Set(folded).size < distinct || isRepetition(folded)) return `is too regular: ${advice}`;
  return undefined;
}

/** A value that is one short block over and over ("abcabcabc…"). */
function isRepetition(value: string): boolean {
  return (value + value).indexOf(value, 1) <= value.length / 2;
}

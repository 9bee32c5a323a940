/**
 * Which characters a reader cannot see, and which look like others (UTS #39, UAX #31, UTR #36).
 * The tables are small on purpose: what is used to hide or imitate ASCII text, not the whole of confusables.txt.
 */

export type HiddenKind = "zero-width" | "tag" | "bidi" | "control" | "ansi" | "variation" | "private-use";

/** The kind of an invisible code point, or undefined for a visible one. Tab, line feed and carriage return are visible. */
export function hiddenKind(point: number): HiddenKind | undefined {
  if (point < 0x20) return point === 0x09 || point === 0x0a || point === 0x0d ? undefined : "control";
  if (point < 0x7f) return undefined;
  if (point <= 0x9f) return "control";
  if (point === 0xad || point === 0x34f || point === 0x180e || point === 0xfeff) return "zero-width";
  if (point === 0x115f || point === 0x1160 || point === 0x3164 || point === 0xffa0) return "zero-width";
  if (point === 0x61c || point === 0x200e || point === 0x200f) return "bidi";
  if (point >= 0x200b && point <= 0x200d) return "zero-width";
  if (point >= 0x202a && point <= 0x202e) return "bidi";
  if (point >= 0x2066 && point <= 0x2069) return "bidi";
  if (point >= 0x2060 && point <= 0x206f) return "zero-width";
  if (point === 0x2028 || point === 0x2029) return "control";
  if (point >= 0xfe00 && point <= 0xfe0f) return "variation";
  if (point >= 0xfff9 && point <= 0xfffb) return "control";
  if (point >= 0xe000 && point <= 0xf8ff) return "private-use";
  if (point >= 0xe0000 && point <= 0xe007f) return "tag";
  if (point >= 0xe0100 && point <= 0xe01ef) return "variation";
  if (point >= 0xf0000) return "private-use";
  return undefined;
}

/** Bidi overrides reorder what a reviewer sees; embeddings, isolates and marks may be honest in right-to-left text. */
export function isBidiOverride(point: number): boolean {
  return point === 0x202d || point === 0x202e;
}

export function isRightToLeft(point: number): boolean {
  return (point >= 0x590 && point <= 0x8ff) || (point >= 0xfb1d && point <= 0xfefc);
}

/** Scripts in which ZERO WIDTH (NON-)JOINER is spelling: Arabic, Syriac, Indic, Khmer and emoji sequences. */
export function joinsHonestly(point: number): boolean {
  return (
    (point >= 0x600 && point <= 0x8ff) ||
    (point >= 0x900 && point <= 0xdff) ||
    (point >= 0x1780 && point <= 0x18af) ||
    (point >= 0x2190 && point <= 0x2bff) ||
    (point >= 0xfe00 && point <= 0xfe0f) ||
    (point >= 0x1f000 && point <= 0x1faff)
  );
}

const look = new Map<number, string>();
function alike(ascii: string, others: string): void {
  for (const other of others) look.set(other.codePointAt(0) as number, ascii);
}
alike("a", "аαɑᴀ"); alike("b", "ʙЬ"); alike("c", "сϲᴄ"); alike("d", "ԁᴅɗ"); alike("e", "еєεᴇҽ"); alike("f", "ꜰƒ");
alike("g", "ɡɢց"); alike("h", "һʜհ"); alike("i", "іιɪ"); alike("j", "јᴊ"); alike("k", "κкᴋ"); alike("l", "ӏʟ"); alike("m", "ᴍм");
alike("n", "ɴո"); alike("o", "оοօᴏσ"); alike("p", "рρᴘ"); alike("q", "ԛ"); alike("r", "ʀг"); alike("s", "ѕꜱ"); alike("t", "τᴛт");
alike("u", "υᴜս"); alike("v", "νᴠѵ"); alike("w", "ԝᴡω"); alike("x", "хχ"); alike("y", "уʏγ"); alike("z", "ᴢ");
alike("A", "АΑ"); alike("B", "ВΒ"); alike("C", "СϹ"); alike("E", "ЕΕ"); alike("H", "НΗ"); alike("I", "ІΙ"); alike("J", "Ј");
alike("K", "КΚ"); alike("M", "МΜ"); alike("N", "Ν"); alike("O", "ОΟ"); alike("P", "РΡ"); alike("S", "Ѕ"); alike("T", "ТΤ");
alike("X", "ХΧ"); alike("Y", "УΥ"); alike("Z", "Ζ");

/** The ASCII letter that this letter looks like, if any. */
export function lookalike(point: number): string | undefined {
  return point < 0x131 ? undefined : look.get(point);
}

/** Letters of the Latin alphabets (Turkish dotless i, African hooks) are spelling, not imitation, though they fold alike. */
export function isLatin(point: number): boolean {
  return point < 0x250;
}

/** U+1F1E6…U+1F1FF and U+1F130…: letters drawn as symbols that NFKC leaves alone. */
export function symbolLetter(point: number): string | undefined {
  if (point >= 0x1f1e6 && point <= 0x1f1ff) return String.fromCharCode(97 + point - 0x1f1e6);
  if (point >= 0x1f170 && point <= 0x1f189) return String.fromCharCode(97 + point - 0x1f170);
  if (point >= 0x1f150 && point <= 0x1f169) return String.fromCharCode(97 + point - 0x1f150);
  return undefined;
}

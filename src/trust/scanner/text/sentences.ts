/**
 * Sentences of a text with their spans. A sentence is the unit in which an instruction is looked for, so a break that is missed
 * costs little and a break too many may tear an instruction apart: abbreviations and wrapped lines do not break.
 */

export interface Sentence {
  readonly from: number;
  readonly to: number;
  /** Begins a line that is a list item, a heading or the text itself. */
  readonly opens: boolean;
}

const maximumLength = 1_200;
const abbreviations = new Set(["e.g", "i.e", "etc", "vs", "cf", "no", "approx", "incl", "eg", "ie", "fig", "inc", "ltd", "mr", "mrs", "dr", "st"]);

export function sentences(text: string): Sentence[] {
  const out: Sentence[] = [];
  let from = 0;
  let opens = true;
  const cut = (to: number, next: number, nextOpens: boolean): void => {
    let start = from;
    let end = to;
    while (start < end && text.charCodeAt(start) <= 32) start += 1;
    while (end > start && text.charCodeAt(end - 1) <= 32) end -= 1;
    for (; end > start; start += maximumLength) {
      out.push({ from: start, to: Math.min(end, start + maximumLength), opens });
      opens = false;
      if (end - start <= maximumLength) break;
    }
    from = next;
    opens = nextOpens;
  };
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 10) {
      if (breaksLine(text, at)) cut(at, at + 1, true);
    } else if (code === 0x3002 || code === 0xff01 || code === 0xff1f || code === 0x964) cut(at + 1, at + 1, false);
    else if (code === 33 || code === 63 || (code === 46 && !isAbbreviation(text, at))) {
      let end = at + 1;
      while (end < text.length && closes(text.charCodeAt(end))) end += 1;
      if (end >= text.length || text.charCodeAt(end) <= 32) {
        cut(end, end, false);
        at = end - 1;
      }
    } else if (code === 0x3c && text.charCodeAt(at + 1) === 0x2f) {
      // a closing tag ends what it encloses
      const end = text.indexOf(">", at);
      if (end > 0 && end - at < 40) {
        cut(end + 1, end + 1, false);
        at = end;
      }
    }
  }
  cut(text.length, text.length, false);
  return out;
}

/** A line feed ends a sentence unless it merely wraps one: the next line goes on in lower case without a marker. */
function breaksLine(text: string, at: number): boolean {
  let next = at + 1;
  while (next < text.length && (text.charCodeAt(next) === 32 || text.charCodeAt(next) === 9)) next += 1;
  const code = text.charCodeAt(next);
  if (!(code >= 97 && code <= 122)) return true;
  const colon = text.indexOf(":", next);
  if (colon > 0 && colon - next < 40 && /^[\w.?[\]]{1,40}$/.test(text.slice(next, colon))) return true; // "name: what it is"
  let last = at - 1;
  while (last >= 0 && text.charCodeAt(last) <= 32) last -= 1;
  const before = text.charCodeAt(last);
  return before === 46 || before === 58 || before === 33 || before === 63 || before === 59;
}

function isAbbreviation(text: string, at: number): boolean {
  let start = at;
  while (start > 0 && at - start < 8 && /[A-Za-z.]/.test(text.charAt(start - 1))) start -= 1;
  return abbreviations.has(text.slice(start, at).toLowerCase());
}

function closes(code: number): boolean {
  return code === 34 || code === 39 || code === 41 || code === 93 || code === 0x2019 || code === 0x201d || code === 33 || code === 63 || code === 46 || code === 96 || code === 42;
}

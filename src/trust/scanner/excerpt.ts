/** A span of untrusted text made fit to show: shortened, invisible and control characters written out as `\u{…}`. */
import { hiddenKind } from "./text/characters.ts";

const width = 160;

export function excerpt(text: string, [from, to]: readonly [number, number]): string {
  const end = Math.min(to, from + width);
  let out = from > 0 ? "…" : "";
  for (let at = from; at < end; ) {
    const point = text.codePointAt(at) ?? 0;
    if (hiddenKind(point) !== undefined || point < 0x20 || (point >= 0xd800 && point <= 0xdfff)) out += point === 10 || point === 9 || point === 13 ? " " : `\\u{${point.toString(16)}}`;
    else out += String.fromCodePoint(point);
    at += point > 0xffff ? 2 : 1;
  }
  return end < text.length ? `${out}…` : out;
}

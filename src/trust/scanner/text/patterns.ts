/**
 * Whether a regular expression of a schema runs in linear time with a backtracking engine. A small parser looks for the shapes that do
 * not: an unbounded repetition inside another whose rounds can be told apart in more than one way, alternatives under a repetition that
 * begin alike, backreferences. It errs on the side of refusal for what it cannot parse.
 */

/** Sets of ASCII as 128 bits in four numbers; anything beyond is one shared bit. */
type CharacterSet = readonly [number, number, number, number, boolean];
interface Node {
  /** Can match the empty string. */
  readonly empty: boolean;
  readonly first: CharacterSet;
  readonly last: CharacterSet;
  /** Every character that occurs in it. */
  readonly any: CharacterSet;
  /** Contains an unbounded repetition. */
  readonly repeats: boolean;
  /** The unbounded repetition may stand at its end, with these characters. */
  readonly openEnd: CharacterSet;
  readonly openStart: CharacterSet;
}
class TooHard extends Error {}

const none: CharacterSet = [0, 0, 0, 0, false];
const every: CharacterSet = [-1, -1, -1, -1, true];
const union = (a: CharacterSet, b: CharacterSet): CharacterSet => [a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3], a[4] || b[4]];
const overlap = (a: CharacterSet, b: CharacterSet): boolean => ((a[0] & b[0]) | (a[1] & b[1]) | (a[2] & b[2]) | (a[3] & b[3])) !== 0 || (a[4] && b[4]);
const inverse = (a: CharacterSet): CharacterSet => [~a[0], ~a[1], ~a[2], ~a[3], true];
function single(code: number): CharacterSet {
  if (code > 127) return [0, 0, 0, 0, true];
  const set = [0, 0, 0, 0];
  set[code >> 5] = 1 << (code & 31);
  return [set[0] as number, set[1] as number, set[2] as number, set[3] as number, false];
}
function range(from: number, to: number): CharacterSet {
  let set = none;
  for (let code = from; code <= Math.min(to, 127); code++) set = union(set, single(code));
  return to > 127 ? union(set, [0, 0, 0, 0, true]) : set;
}
const digit = range(48, 57);
const wordSet = union(union(range(65, 90), range(97, 122)), union(digit, single(95)));
const space = union(union(single(32), range(9, 13)), [0, 0, 0, 0, true]);

const emptyNode: Node = { empty: true, first: none, last: none, any: none, repeats: false, openEnd: none, openStart: none };
const atom = (set: CharacterSet): Node => ({ empty: false, first: set, last: set, any: set, repeats: false, openEnd: none, openStart: none });

/** False for a pattern that is invalid, longer than 2,000 characters, or may backtrack super-linearly. */
export function isLinear(source: string): boolean {
  if (source.length > 2_000) return false;
  try {
    // oxlint-disable-next-line security/detect-non-literal-regexp -- compiled to learn whether it is valid, never run
    new RegExp(source, "u");
  } catch {
    try {
      // oxlint-disable-next-line security/detect-non-literal-regexp -- compiled to learn whether it is valid, never run
      new RegExp(source);
    } catch {
      return false;
    }
  }
  try {
    const parser = { source, at: 0, depth: 0 };
    alternatives(parser);
    return parser.at === source.length;
  } catch (error) {
    if (error instanceof TooHard) return false;
    throw error;
  }
}

interface Parser {
  readonly source: string;
  at: number;
  depth: number;
}

function alternatives(parser: Parser): Node & { readonly branches: readonly Node[] } {
  if (++parser.depth > 60) throw new TooHard();
  const branches = [sequence(parser)];
  while (parser.source[parser.at] === "|") {
    parser.at += 1;
    branches.push(sequence(parser));
  }
  parser.depth -= 1;
  const joined = branches.reduce((a, b) => ({
    empty: a.empty || b.empty, first: union(a.first, b.first), last: union(a.last, b.last), any: union(a.any, b.any), repeats: a.repeats || b.repeats,
    openEnd: union(a.openEnd, b.openEnd), openStart: union(a.openStart, b.openStart),
  }));
  return { ...joined, branches };
}

function sequence(parser: Parser): Node {
  let whole = emptyNode;
  while (parser.at < parser.source.length && parser.source[parser.at] !== "|" && parser.source[parser.at] !== ")") {
    const part = quantified(parser);
    // Two unbounded repetitions side by side over the same characters: quadratic at least.
    if (overlap(whole.openEnd, part.openStart)) throw new TooHard();
    whole = {
      empty: whole.empty && part.empty, first: whole.empty ? union(whole.first, part.first) : whole.first, last: part.empty ? union(whole.last, part.last) : part.last,
      any: union(whole.any, part.any), repeats: whole.repeats || part.repeats,
      openEnd: part.empty ? union(whole.openEnd, part.openEnd) : part.openEnd, openStart: whole.empty ? union(whole.openStart, part.openStart) : whole.openStart,
    };
  }
  return whole;
}

function quantified(parser: Parser): Node {
  const node = single_(parser);
  const quantifier = /^(?:[*+?]|\{(\d+)(?:,(\d*))?\})[?+]?/.exec(parser.source.slice(parser.at, parser.at + 24));
  if (quantifier === null) return node;
  parser.at += quantifier[0].length;
  const sign = quantifier[0][0];
  const least = sign === "*" || sign === "?" ? 0 : sign === "+" ? 1 : Number(quantifier[1]);
  const most = sign === "?" ? 1 : sign === "*" || sign === "+" ? Infinity : quantifier[2] === undefined ? least : quantifier[2] === "" ? Infinity : Number(quantifier[2]);
  const unbounded = most > 64;
  if (!unbounded) return { ...node, empty: node.empty || least === 0 };
  if (node.empty && node.repeats) throw new TooHard();
  // A round may end where the next could have begun: (a+)+, (\w+\s?)*, but not (-[a-z]+)*.
  if (node.repeats && (overlap(node.openEnd, node.first) || overlap(node.openStart, node.last))) throw new TooHard();
  const branches = (node as Node & { branches?: readonly Node[] }).branches ?? [];
  for (let a = 0; a < branches.length; a++) for (let b = a + 1; b < branches.length; b++) {
    const [left, right] = [branches[a] as Node, branches[b] as Node];
    // Branches that begin alike are told apart later or never; with literals of one character never.
    if (overlap(left.first, right.first) && (overlap(left.last, right.last) || left.empty || right.empty)) throw new TooHard();
  }
  return { ...node, empty: node.empty || least === 0, repeats: true, openEnd: union(node.openEnd, node.any), openStart: union(node.openStart, node.first) };
}

function single_(parser: Parser): Node {
  const { source } = parser;
  const sign = source[parser.at] as string;
  parser.at += 1;
  if (sign === "(") {
    const head = /^\?(?::|<?[=!]|<[A-Za-z_]\w*>)/.exec(source.slice(parser.at, parser.at + 80));
    if (head !== null) parser.at += head[0].length;
    else if (source[parser.at] === "?") throw new TooHard();
    const inside = alternatives(parser);
    if (source[parser.at] !== ")") throw new TooHard();
    parser.at += 1;
    return head !== null && /[=!]$/.test(head[0]) ? emptyNode : inside;
  }
  if (sign === "[") return atom(bracket(parser));
  if (sign === ".") return atom(every);
  if (sign === "^" || sign === "$") return emptyNode;
  if (sign === "\\") return escape(parser);
  return atom(single(sign.charCodeAt(0)));
}

function escape(parser: Parser): Node {
  const letter = parser.source[parser.at] ?? "";
  if (letter === "b" || letter === "B") {
    parser.at += 1;
    return emptyNode;
  }
  if (/[1-9k]/.test(letter)) throw new TooHard();
  return atom(escaped(parser));
}

function escaped(parser: Parser): CharacterSet {
  const letter = parser.source[parser.at] ?? "";
  parser.at += 1;
  switch (letter) {
    case "d": return digit;
    case "D": return inverse(digit);
    case "w": return wordSet;
    case "W": return inverse(wordSet);
    case "s": return space;
    case "S": return inverse(space);
    case "p": case "P": {
      const end = parser.source.indexOf("}", parser.at);
      if (end > 0) parser.at = end + 1;
      return every;
    }
    case "u": case "x": {
      const digits = /^(?:[0-9a-fA-F]{4}|\{[0-9a-fA-F]+\}|[0-9a-fA-F]{2})/.exec(parser.source.slice(parser.at, parser.at + 10))?.[0] ?? "";
      parser.at += digits.length;
      return single(Number.parseInt(digits.replace(/[{}]/g, ""), 16) || 0);
    }
    case "n": return single(10);
    case "r": return single(13);
    case "t": return single(9);
    default: return single(letter.charCodeAt(0) || 0);
  }
}

function bracket(parser: Parser): CharacterSet {
  const negated = parser.source[parser.at] === "^";
  if (negated) parser.at += 1;
  let set = none;
  while (parser.at < parser.source.length && parser.source[parser.at] !== "]") {
    const start = parser.source[parser.at] as string;
    parser.at += 1;
    if (start === "\\") {
      set = union(set, escaped(parser));
      continue;
    }
    if (parser.source[parser.at] === "-" && parser.source[parser.at + 1] !== "]" && parser.source[parser.at + 1] !== undefined) {
      let end = parser.source[parser.at + 1] as string;
      parser.at += 2;
      if (end === "\\") {
        end = parser.source[parser.at] ?? "";
        parser.at += 1;
      }
      set = union(set, range(start.charCodeAt(0), end.charCodeAt(0)));
    } else set = union(set, single(start.charCodeAt(0)));
  }
  if (parser.source[parser.at] !== "]") throw new TooHard();
  parser.at += 1;
  return negated ? inverse(set) : set;
}

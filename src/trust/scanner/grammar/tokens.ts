/**
 * Tokens of a sentence with their concepts and, for verbs, their mood: who is told to do it, or who does it. "Read ~/.ssh/id_rsa
 * first" commands; "reads", "will read" and "never reads" describe. The mood is what a list of bad words cannot see.
 */
import "./languages.ts";
import { base, conceptNumber, gerund, look, lookForeign, past, phraseHeads, phrases, shellWords, third, verbCount, type Concept } from "./lexicon.ts";
import { substrings } from "./languages.ts";
import { isBadHost, isMetadataService, isSecretPath } from "./places.ts";

/**
 * plain: says nothing of who acts. command/ban: the reader is told to do or not to do it. fact/denial: something does or does not.
 * bid: a bare imperative that opens a sentence after the first one ("Deletes a file. Use with care."); in the first it says what the tool does.
 */
export const moods = ["plain", "command", "ban", "fact", "denial", "bid"] as const;
export type Mood = (typeof moods)[number];

export interface Token {
  /** Lower case. */
  readonly text: string;
  readonly from: number;
  readonly to: number;
  readonly kind: Kind;
  /** Written in capitals, two letters or more. */
  readonly caps: boolean;
  concepts: readonly number[];
  readonly form: number;
  mood: Mood;
  /** First word of a clause: after the sentence's start, a comma, a colon, a dash or a conjunction. */
  clauseStart: boolean;
}
export type Kind = "word" | "ident" | "path" | "url" | "email" | "number" | "tag" | "mark" | "shell";

// One alternative per kind, each a run of one class after a distinct beginning, so that every character is read once.
const pattern =
  /((?:https?|ftp|wss?):\/\/[^\s"'<>)\]}`]+)|([A-Za-z0-9_+-][A-Za-z0-9._+-]{0,63}@[A-Za-z0-9-]{1,63}\.[A-Za-z0-9.-]{2,80})|(<(?!!--)[!/]?[A-Za-z|!_-][^<>\n]{0,60}>|\[\/?[A-Z][A-Z _-]{2,40}\]|<\|[a-z_]{2,30}\|>)|((?<![\w)>])(?:~|\.{1,2}|\$[A-Z]{2,20}|%[A-Z]{2,20}%|[A-Za-z]:)?[\\/][\w.@*~-][\w.@*~$\\/-]*|\.[a-z][\w-]{1,40}[\w./@*-]*|[A-Za-z]\w{0,60}\.(?:json|ya?ml|toml|env|pem|key|ini|conf|cfg|txt|md|sh|db|sqlite|kdbx|p12|pfx|dat|log|csv|py|js|ts)\b)|([A-Za-z][A-Za-z0-9]{0,60}_\w{1,200}(?:\(\))?|[a-z][a-z0-9]{0,60}[A-Z][A-Za-z0-9]{0,200}(?:\(\))?|[A-Za-z]\w{0,80}\(\))|(\d[\d.,:%/-]*)|(\p{L}[\p{L}\p{M}]*(?:['\u2019-]\p{L}+)*\d{0,4})|(&&|\|\||\$\(|[.,:;!?()|$\u2014\u2013\u060c\u3001\uff0c-]|=>|->|\u2192)/gu;

/** The order of the alternatives. */
const group = { url: 1, email: 2, tag: 3, path: 4, ident: 5, number: 6, word: 7 } as const;

const heads = phraseHeads();
const c = (concept: Concept): number => conceptNumber(concept);
const own = {
  secretPath: c("@secretpath"), path: c("@path"), url: c("@url"), email: c("@email"), ident: c("@ident"), shell: c("@shell"), number: c("@number"),
  caps: c("@caps"), quoted: c("@quoted"), param: c("@param"), banner: c("@banner"), authority: c("authority"), urgent: c("urgent"), pretext: c("pretext"), tag: c("@tag"), badHost: c("@badhost"), foreign: c("@foreign"), external: c("external"), not: c("not"), file: c("file"),
  secret: c("secret"), config: c("config"),
};
const nothing: readonly number[] = [];
const englishGlue: ReadonlySet<string> = new Set("the of to and is are for with this that be by from you your must it will can should any all".split(" "));
const ideographs = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/;

/** At most this many tokens are read of one sentence; a sentence has at most 1,200 characters. */
const maximumTokens = 320;

const noNames: ReadonlySet<string> = new Set();

/** `later`: not the first sentence of its text. `names`: the tool's own parameters, lower case; a word that is one of them is marked where it is written like a name. */
export function tokenise(text: string, from: number, to: number, names: ReadonlySet<string> = noNames, later = false): Token[] {
  const tokens: Token[] = [];
  const slice = text.slice(from, to);
  let glue = 0;
  let words = 0;
  for (const match of slice.matchAll(pattern)) {
    if (tokens.length >= maximumTokens) break;
    const raw = match[0];
    const start = from + match.index;
    if (match[group.word] !== undefined) {
      if (ideographs.test(raw)) {
        unspaced(raw, start, tokens);
        continue;
      }
      const lower = raw.toLowerCase().replaceAll("\u2019", "'");
      words += 1;
      if (englishGlue.has(lower)) glue += 1;
      tokens.push({ text: lower, from: start, to: start + raw.length, kind: "word", caps: raw.length > 1 && raw === raw.toUpperCase() && raw !== lower, concepts: nothing, form: 0, mood: "plain", clauseStart: false });
    } else tokens.push(special(raw, start, match));
  }
  assign(tokens, words > 2 && glue * 9 < words);
  mark(tokens, text, names);
  setMoods(tokens, later);
  return tokens;
}

/** Quotation, capitals, numbers, banners and the tool's own parameters. */
function mark(tokens: readonly Token[], text: string, names: ReadonlySet<string>): void {
  let loud = 0;
  let solemn = false;
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as Token;
    const before = text.charAt(token.from - 1);
    const quoted = before === "'" || before === '"' || before === "`" || before === "\u2018" || before === "\u201c";
    if (quoted && token.kind !== "mark") token.concepts = [...token.concepts, own.quoted];
    if (names.size > 0 && (token.kind === "ident" || quoted) && names.has(token.text)) token.concepts = [...token.concepts, own.param];
    if (token.kind === "word" && token.caps && token.text.length > 2) token.concepts = [...token.concepts, own.caps];
    if (at < 8 && loud === at - (tokens[0]?.kind === "mark" ? 1 : 0) && token.caps) {
      loud += 1;
      if (token.concepts.includes(own.authority) || token.concepts.includes(own.urgent) || token.concepts.includes(own.pretext)) solemn = true;
    }
  }
  const first = tokens[0];
  if (first === undefined) return;
  const after = tokens[loud + (first.kind === "mark" ? 1 : 0)];
  const bracketed = first.kind === "tag" && first.text.startsWith("[") && /admin|system|security|notice|alert|instruction|override|internal|debug|critical|urgent/.test(first.text);
  if (bracketed || (loud >= 2 && solemn && (after === undefined || (after.kind === "mark" && after.text !== "." && after.text !== ",")))) first.concepts = [...first.concepts, own.banner];
}

function special(raw: string, from: number, match: readonly (string | undefined)[]): Token {
  const token = (kind: Kind, concepts: readonly number[], text = raw.toLowerCase()): Token =>
    ({ text, from, to: from + raw.length, kind, caps: false, concepts, form: 0, mood: "plain", clauseStart: false });
  if (match[group.url] !== undefined) return token("url", isBadHost(raw) || isMetadataService(raw) ? [own.url, own.external, own.badHost] : [own.url, own.external]);
  if (match[group.email] !== undefined) return token("email", [own.email, own.external]);
  if (match[group.tag] !== undefined) return token("tag", [own.tag]);
  if (match[group.path] !== undefined) return token("path", isSecretPath(raw) ? [own.path, own.file, own.secretPath] : [own.path, own.file]);
  if (match[group.ident] !== undefined) return token("ident", identConcepts(raw));
  if (match[group.number] !== undefined) return token("number", [own.number]);
  return token("mark", nothing, raw);
}

function identConcepts(raw: string): number[] {
  return isSecretPath(raw) ? [own.ident, own.secretPath] : [own.ident];
}

/** The words of an identifier: `contentFromReading_ssh_key` reads "content from reading ssh key". */
export function identWords(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/[_.\-/]+/g, " ");
}

/** Chinese, Japanese, Korean: the longest known substring at each place; what lies between is one unknown token. */
function unspaced(raw: string, start: number, tokens: Token[]): void {
  for (let at = 0; at < raw.length && tokens.length < maximumTokens; ) {
    const hit = substrings.get(raw.charAt(at))?.find((entry) => raw.startsWith(entry.text, at));
    const length = hit?.text.length ?? 1;
    const isVerb = hit?.concepts.some((concept) => concept < verbCount) ?? false;
    if (hit !== undefined) {
      tokens.push({ text: hit.text, from: start + at, to: start + at + length, kind: "word", caps: false, concepts: [...hit.concepts, own.foreign], form: isVerb ? base : 0, mood: "plain", clauseStart: false });
    }
    at += length;
  }
}

function assign(tokens: Token[], foreign: boolean): void {
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as Token;
    if (token.kind !== "word" || token.concepts.length > 0) continue;
    const entry = look(token.text) ?? singular(token.text);
    const alien = foreign ? lookForeign(token.text) : undefined;
    if (alien !== undefined) {
      token.concepts = [...new Set([...(entry?.concepts ?? []), ...alien.concepts, own.foreign])];
      (token as { form: number }).form = alien.form === 0 ? (entry?.form ?? 0) : alien.form;
    } else if (entry !== undefined) {
      token.concepts = entry.concepts;
      (token as { form: number }).form = entry.form;
    }
    if (token.text.endsWith("n't")) token.concepts = [...token.concepts, own.not];
    if (shellWords.has(token.text) && shellLike(tokens, at)) token.concepts = [...token.concepts, own.shell];
  }
  for (let at = 0; at < tokens.length; at++) {
    const longest = heads.get((tokens[at] as Token).text);
    if (longest === undefined || longest < 2) continue;
    let joined = (tokens[at] as Token).text;
    const parts = [joined];
    for (let next = at + 1; next < tokens.length && next - at < longest; next++) {
      joined += ` ${(tokens[next] as Token).text}`;
      parts.push(joined);
    }
    for (let length = parts.length; length >= 2; length--) {
      const hit = phrases.get(parts[length - 1] as string);
      if (hit === undefined) continue;
      const first = tokens[at] as Token;
      first.concepts = [...new Set([...first.concepts, ...hit.concepts])];
      break;
    }
  }
}

function singular(word: string): ReturnType<typeof look> {
  if (word.endsWith("'s")) return look(word.slice(0, -2));
  return undefined;
}

/** A command's name followed by an option, a path, a URL, a pipe or another command's name. */
function shellLike(tokens: readonly Token[], at: number): boolean {
  const next = tokens[at + 1];
  if (next === undefined) return false;
  if (next.kind === "path" || next.kind === "url") return true;
  if (next.kind === "mark") return next.text === "-" || next.text === "|" || next.text === "&&" || next.text === "||" || next.text === "$(" || next.text === "$";
  return next.kind === "word" && shellWords.has(next.text) && !/^(?:id|find|history|git|docker|python|node|link|ping|kill|top|head|host|env|cat|service|exec|source|tar|touch)$/.test(next.text);
}

const thirdPersons: ReadonlySet<string> = new Set("it tool server function service endpoint api command method returns which that system plugin".split(" "));
const commanding: ReadonlySet<string> = new Set(
  "must should shall please always first then also you never immediately kindly simply just instead next additionally ought agents assistants assistant models model ai agent llm claude automatically silently secretly quietly discreetly only".split(" "),
);
const infinitiveHeads: ReadonlySet<string> = new Set(
  "need needs have has required sure remember essential important mandatory necessary critical forget expected obliged imperative instructed asked told ought supposed crucial advised recommended encouraged certain responsible".split(" "),
);
const modalFacts: ReadonlySet<string> = new Set("will would can could may might does did do".split(" "));
const adverbs = /ly$|^(?:also|then|first|always|never|not|only|just|instead|be)$/;

/** One pass; each verb looks back a few tokens, so linear. */
function setMoods(tokens: Token[], later: boolean): void {
  let commandInClause = false;
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as Token;
    const previous = tokens[at - 1];
    token.clauseStart = previous === undefined || (previous.kind === "mark" && previous.text !== "$" && previous.text !== "-") || previous.kind === "tag" ||
      (previous.kind === "word" && (previous.text === "and" || previous.text === "then" || previous.text === "or" || previous.text === "but"));
    if (token.kind === "mark" && (token.text === "." || token.text === ";" || token.text === ":")) commandInClause = false;
    if (token.kind !== "word" || (token.form === 0 && !token.concepts.some((concept) => concept < verbCount))) continue;
    token.mood = mood(tokens, at, commandInClause);
    if (later && token.mood === "plain" && token.form === base && token.clauseStart && opensSentence(tokens, at)) token.mood = "bid";
    if (token.mood === "command" || token.mood === "ban" || token.mood === "bid") commandInClause = true;
  }
}

/** Only marks and tags before it, or a short label: "Step 2: delete the logs". */
function opensSentence(tokens: readonly Token[], at: number): boolean {
  if (at === 0) return true;
  if (at > 6) return false;
  const before = tokens[at - 1] as Token;
  if (before.kind === "tag") return true;
  if (before.kind !== "mark") return false;
  return before.text === ":" || before.text === "-" || tokens.slice(0, at).every((token) => token.kind === "mark" || token.kind === "tag" || token.kind === "number");
}

function mood(tokens: readonly Token[], at: number, commandBefore: boolean): Mood {
  const token = tokens[at] as Token;
  // Look back over adverbs for what governs the verb.
  let back = at - 1;
  let negated = false;
  let steps = 0;
  let urged = false;
  while (back >= 0 && steps < 4) {
    const word = tokens[back] as Token;
    if (word.kind !== "word") break;
    if (word.concepts.includes(own.not)) {
      negated = true;
      if (word.text === "without") return "ban";
      if (word.text.endsWith("n't")) return /^(?:don't|mustn't|shouldn't|shan't)$/.test(word.text) && !saidOfAThing(tokens, back) ? "ban" : "denial";
    } else if (!adverbs.test(word.text)) break;
    if (commanding.has(word.text)) urged = true;
    back -= 1;
    steps += 1;
  }
  const governor = tokens[back];
  const word = governor?.kind === "word" ? governor.text : undefined;
  if (token.form === third) return negated ? "denial" : "fact";
  if (token.form === gerund) {
    if (negated || word === "avoid" || word === "without" || word === "from") return word === "from" && !negated ? "plain" : "ban";
    return "plain";
  }
  if (token.form === past) {
    // "must be sent", "should be included": a command in the passive voice.
    for (let look = at - 1; look >= 0 && look >= at - 4; look--) {
      const earlier = tokens[look] as Token;
      if (earlier.kind !== "word") break;
      if (earlier.text === "must" || earlier.text === "should" || earlier.text === "shall") return negated ? "ban" : "command";
      if (earlier.text === "needs" || earlier.text === "need" || earlier.text === "required") return "command";
      if (earlier.text === "will" || earlier.text === "is" || earlier.text === "are" || earlier.text === "can" || earlier.text === "was") return negated ? "denial" : "fact";
    }
    return "plain";
  }
  // Base form.
  if (word === undefined || governor === undefined) {
    if (negated) return "ban";
    if (back < 0 && at > 0 && urged) return "command";
    if (governor?.kind === "mark" && governor.text !== ")" && commandBefore) return "command";
    // After "When X," or "Before X:" the main clause commands.
    if (governor?.kind === "mark" && (governor.text === "," || governor.text === ":") && conditionBefore(tokens, back)) return "command";
    if (back < 0 || governor?.kind === "mark" || governor?.kind === "tag") return urged ? "command" : "plain";
    return "plain";
  }
  if (word === "to") {
    const head = tokens[back - 1];
    if (head?.kind === "word" && infinitiveHeads.has(head.text)) return negated ? "ban" : "command";
    return negated ? "ban" : "plain";
  }
  if (modalFacts.has(word)) {
    if (negated) return word === "do" && !saidOfAThing(tokens, back) ? "ban" : "denial";
    return word === "do" ? "command" : "fact";
  }
  if (commanding.has(word)) {
    if ((word === "must" || word === "should" || word === "shall") && saidOfAThing(tokens, back)) return negated ? "denial" : "fact";
    return negated ? "ban" : "command";
  }
  if (word === "and" || word === "or" || word === "but") return commandBefore || urged ? (negated ? "ban" : "command") : "plain";
  if (thirdPersons.has(word)) return negated ? "denial" : "fact";
  return negated ? "ban" : urged ? "command" : "plain";
}

function saidOfAThing(tokens: readonly Token[], at: number): boolean {
  const subject = tokens[at - 1];
  return subject?.kind === "word" && thirdPersons.has(subject.text);
}

const openers = new Set("when whenever before after if once upon while every each prior for during unless as until on".split(" "));
function conditionBefore(tokens: readonly Token[], at: number): boolean {
  for (let look = at - 1; look >= 0 && look >= at - 24; look--) {
    const token = tokens[look] as Token;
    if (token.kind === "mark" && (token.text === "." || token.text === ":" || token.text === ";")) return false;
    if (token.kind === "word" && openers.has(token.text) && (look === 0 || tokens[look - 1]?.kind !== "word" || tokens[look - 1]?.text === "and")) return true;
  }
  return false;
}

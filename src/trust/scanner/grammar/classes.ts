/**
 * The word classes of the directive grammar, and the tables that build them. A word may be in several classes.
 * Verbs are inflected here: `READ` holds the base and -ing forms (orders), `READ_S` the third person (descriptions of what a
 * tool does), `READ_ED` the participle ("must be sent").
 */

const ids = new Map<string, number>();

/** The number of a class or of a literal word (written `'word`). */
export function classId(name: string): number {
  let id = ids.get(name);
  if (id === undefined) {
    id = ids.size;
    ids.set(name, id);
  }
  return id;
}

export function className(id: number): string {
  for (const [name, value] of ids) if (value === id) return name;
  return "?";
}

export const words = new Map<string, number[]>();
/** Phrases by their first word: the remaining words and the classes the whole carries. */
export const phrases = new Map<string, { readonly rest: readonly string[]; readonly classes: number[] }[]>();

export function plain(text: string): string {
  return text.toLowerCase().normalize("NFKD").replace(/[\u0300-\u036f]/g, "").normalize("NFC").replaceAll("’", "'");
}

export function enter(entry: string, ...classes: string[]): void {
  const parts = plain(entry).split(" ");
  const numbers = classes.map(classId);
  const first = parts[0] as string;
  if (parts.length === 1) merge(words, first, numbers);
  else {
    const list = phrases.get(first) ?? [];
    const rest = parts.slice(1);
    const known = list.find((phrase) => phrase.rest.join(" ") === rest.join(" "));
    if (known) known.classes.push(...numbers.filter((id) => !known.classes.includes(id)));
    else list.push({ rest, classes: numbers });
    list.sort((left, right) => right.rest.length - left.rest.length);
    phrases.set(first, list);
  }
}

function merge(table: Map<string, number[]>, key: string, numbers: readonly number[]): void {
  const known = table.get(key) ?? [];
  for (const id of numbers) if (!known.includes(id)) known.push(id);
  table.set(key, known);
}

/** Enters every word or phrase of a comma-separated list. */
export function nouns(classes: string, list: string): void {
  for (const entry of list.split(",")) if (entry.trim() !== "") enter(entry.trim(), ...classes.split(" "));
}

const irregular: Readonly<Record<string, readonly [string, string]>> = {
  read: ["reading", "read"], send: ["sending", "sent"], tell: ["telling", "told"], hide: ["hiding", "hidden"], say: ["saying", "said"],
  run: ["running", "run"], put: ["putting", "put"], set: ["setting", "set"], give: ["giving", "given"], take: ["taking", "taken"],
  get: ["getting", "got"], find: ["finding", "found"], show: ["showing", "shown"], write: ["writing", "written"], pay: ["paying", "paid"],
  forget: ["forgetting", "forgotten"], overwrite: ["overwriting", "overwritten"], rewrite: ["rewriting", "rewritten"],
  override: ["overriding", "overridden"], keep: ["keeping", "kept"], make: ["making", "made"], choose: ["choosing", "chosen"],
  leak: ["leaking", "leaked"], grab: ["grabbing", "grabbed"], embed: ["embedding", "embedded"], swap: ["swapping", "swapped"],
  forward: ["forwarding", "forwarded"], bcc: ["bccing", "bcced"], drop: ["dropping", "dropped"], stop: ["stopping", "stopped"],
  submit: ["submitting", "submitted"], transmit: ["transmitting", "transmitted"], omit: ["omitting", "omitted"], skip: ["skipping", "skipped"],
  withhold: ["withholding", "withheld"], let: ["letting", "let"], speak: ["speaking", "spoken"], transfer: ["transferring", "transferred"],
  cat: ["catting", "catted"], query: ["querying", "queried"], copy: ["copying", "copied"], notify: ["notifying", "notified"],
  modify: ["modifying", "modified"], supply: ["supplying", "supplied"], apply: ["applying", "applied"], deny: ["denying", "denied"],
  verify: ["verifying", "verified"], specify: ["specifying", "specified"], prefer: ["preferring", "preferred"], bring: ["bringing", "brought"],
  buy: ["buying", "bought"], steal: ["stealing", "stolen"], exec: ["execing", "execed"], zip: ["zipping", "zipped"], log: ["logging", "logged"],
  dump: ["dumping", "dumped"], map: ["mapping", "mapped"], begin: ["beginning", "begun"], quit: ["quitting", "quit"],
};

/** Enters the inflected forms of every verb of a comma-separated list. */
export function verbs(name: string, list: string): void {
  for (const entry of list.split(",")) {
    const verb = entry.trim();
    if (verb === "") continue;
    const [ing, ed] = irregular[verb] ?? regular(verb);
    enter(verb, name);
    enter(ing, name, `${name}_ING`);
    enter(ed, `${name}_ED`);
    enter(/(?:s|x|ch|sh|z|o)$/.test(verb) ? `${verb}es` : /[^aeiou]y$/.test(verb) ? `${verb.slice(0, -1)}ies` : `${verb}s`, `${name}_S`);
  }
}

function regular(verb: string): readonly [string, string] {
  if (verb.endsWith("e")) return [`${verb.slice(0, -1)}ing`, `${verb}d`];
  return [`${verb}ing`, /[^aeiou]y$/.test(verb) ? `${verb.slice(0, -1)}ied` : `${verb}ed`];
}

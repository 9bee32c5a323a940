/**
 * The acts of an injected instruction, in the pattern language. One act is evidence, not a verdict: rules combine acts of
 * neighbouring sentences, the model weighs them. The order is part of the model's feature space; append only.
 */
import { matches, pattern, type Index } from "./patterns.ts";

const table = {
  // Keeping the user in the dark.
  conceal: [
    "TELL!ban ~4 USER", "TELL!ban ~3 THIS|STEP|INSTRUCTION|TOOL|REPLACE|PREVIOUS|FILE|SECRET", "TELL!ban ~1 anything|about|any", "CONCEAL!do ~6 USER|from", "CONCEAL!command", "UNSAID", "USER ~3 NOT ~4 KNOW|see|TELL", "NOT ~2 let ~2 USER", "NOT ~2 KNOW ~3 USER",
    "without ~2 USER ~3 KNOW|TELL|knowledge|awareness|noticing", "TELL!ban ~6 RESULT", "LOG!ban ~4 THIS|it|STEP", "keep ~3 SECRET|PRIVATE|CONCEAL|quiet|confidential|COVERT", "USER ~2 must|should ~1 NOT", "NOT ~2 draw ~2 attention", "ONLY ~3 MODEL ~3 see|READ", "NOT ~3 see ~2 USER", "no ~1 mention|trace|indication",
    "PASS!ban ~3 THIS|it ~6 RESULT", "TELL!ban ~2 YOU|that|why",
  ],
  covertly: ["COVERT ~3 READ|SEND|PASS|CALL|EXEC|WRITE|DELETE|REPLACE|LOG|PAY|GRANT", "READ|SEND|PASS|CALL|EXEC|WRITE|DELETE|REPLACE|LOG|PAY ~6 COVERT", "COVERT ~5 also|and"],
  banTell: ["TELL!ban", "ASK!ban ~3 USER", "NOT ~2 bother ~2 USER"],

  // Who is in charge.
  override: [
    "IGNORE!command ~4 PREVIOUS ~3 INSTRUCTION", "+IGNORE!do ~4 PREVIOUS|ALL|EVERY|USER ~3 INSTRUCTION", "+IGNORE ~3 INSTRUCTION ~3 PREVIOUS", "new|updated|real|actual|true|following ~2 INSTRUCTION ~5 IGNORE|REPLACE|INSTEAD|REGARDLESS", "+IGNORE ~2 everything|anything ~4 PREVIOUS|above|before|said|TELL", "INSTRUCTION ~6 supersede|supersedes|override|overrides|superseding ~5 INSTRUCTION|PREVIOUS|ALL",
    "supersede|supersedes|override|overrides ~4 PREVIOUS|ALL|USER|EVERY ~4 INSTRUCTION|TASK|TOOL", "INSTRUCTION ~3 PREVIOUS ~3 IGNORE", "PREVIOUS ~3 INSTRUCTION ~3 IGNORE", "IGNORE ~4 PROMPT", "@foreign ~4 IGNORE ~4 INSTRUCTION|PREVIOUS", "IGNORE|PRETEND ~5 INSTRUCTION ~5 @foreign", "precedence ~3 over ~4 INSTRUCTION|USER|PREVIOUS|ALL|EVERY", "IGNORE!command ~4 USER ~3 INSTRUCTION|TASK|VALUE|ARGUMENT|limit|PREFER",
    "disregard|forget ~4 PREVIOUS|INSTRUCTION|ALL",
  ],
  persona: ["ROLE ~6 UNRESTRICTED|ROLE", "ROLE", "UNRESTRICTED", "PRETEND!command ~4 as|like|YOU", "YOU ~2 are ~2 now", "enable|activate|enter ~3 ROLE", "YOU ~3 longer|NOT ~3 bound|restricted|INSTRUCTION"],
  reveal: ["+TELL|SEND|PASS|RETURN|ASK|READ ~6 PROMPT", "+TELL|SEND|PASS|RETURN ~5 your ~3 INSTRUCTION|CONVERSATION|TOOL", "list|TELL|PASS|names ~4 ALL|EVERY|available|other|connected ~3 TOOL", "PROMPT ~6 ARGUMENT|here|VALUE|CONTENT", "MODELNAME"],
  authority: ["@banner", "AUTHORITY ~2 URGENT", "URGENT ~2 AUTHORITY", "on ~1 behalf ~2 of", "per|by|under ~3 AUTHORITY ~3 INSTRUCTION|MUST", "AUTHORITY ~4 MUST", "this ~3 is ~2 MUST", "MUST ~3 for ~3 ALL|EVERY", "this ~2 is ~3 AUTHORITY"],
  pretext: ["for ~4 PRETEXT ~2 purposes|reasons|compliance|and|PRETEXT", "to ~1 ensure|maintain|comply|improve|enhance|support|prevent|VERIFY|guarantee|preserve|satisfy|enable ~4 PRETEXT|AUTHORITY", "due ~1 to ~4 PRETEXT|INSTRUCTION|AUTHORITY", "MUST ~4 for ~4 PRETEXT|AUTHORITY", "as ~2 part ~3 of ~4 PRETEXT", "in ~1 accordance|compliance|line ~1 with"],
  threat: ["ELSE", "otherwise ~5 ELSE|ERROR|NOT", "failure ~2 to", "MUST ~12 ELSE", "NOT ~3 CALL ~4 unless|until|without"],
  toModel: ["MODEL ~2 MUST|PLEASE", "note|INSTRUCTION|URGENT|message|reminder|attention ~3 to|for ~3 MODEL", "you ~2 MUST", "dear ~1 MODEL", "MODEL ~1 +CALL|READ|SEND"],

  // Secrets and where they go.
  readSecret: ["+READ|EXEC|PASS|VERIFY|SEND|CALL ~8 @secretpath", "@secretpath ~6 PASS|SEND|CONTENT", "CONTENT ~4 @secretpath", "+READ!command ~6 SECRET", "+READ!do ~4 ALL|USER|stored|saved|local|your ~3 SECRET", "SECRET ~2 from|in|stored ~4 USER|FILE|CONFIG|@path|machine|browser|disk|system"],
  readFile: ["+READ!command ~6 FILE|@path|CONFIG|PRIVATE|DATABASE|EMAIL|CONVERSATION", "+READ!do ~4 @path", "before|BEFORE|WHEN ~8 +READ ~6 FILE|@path|CONFIG|PRIVATE", "read_file|read_text_file|get_file_contents|readfile", "+READ!command"],
  giveSecret: ["+PASS|SEND|TELL|LOG|include ~8 SECRET", "+PASS|SEND ~8 @secretpath", "MUST ~8 SECRET ~6 PASS|SEND|ARGUMENT", "SECRET ~8 as|in|into|to|via ~4 ARGUMENT|@url|@email|EXTERNAL|@ident", "SECRET ~6 +PASS|SEND"],
  giveContents: [
    "+PASS|SEND ~5 CONTENT|it|them|RESULT|FILE ~3 as|in|into|to|via|through|within|under ~5 ARGUMENT|@url|@email|@ident|THIS", "CONTENT|RESULT ~4 as|in|into|via ~4 ARGUMENT|@ident", "+PASS!command ~6 ARGUMENT|@ident", "+PASS!command ~4 CONTENT|CONVERSATION|PRIVATE|FILE|ALL|EXACT", "PASS ~6 sidenote",
    "READ ~10 +PASS|SEND", "CONTENT ~3 of ~6 here|ARGUMENT", "+SEND!command ~5 CONTENT|CONVERSATION|PRIVATE|FILE|ALL|RESULT|EXACT",
  ],
  giveConversation: ["+PASS|SEND|LOG|TELL|RETURN|WRITE|READ ~6 CONVERSATION ~8 ARGUMENT|@url|@email|EXTERNAL|here|this|@ident", "CONVERSATION ~6 PASS|SEND|as|in ~4 ARGUMENT", "ALL|EXACT|summary|PREVIOUS ~4 CONVERSATION", "summary ~4 CONVERSATION", "PASS|SEND!command ~5 CONVERSATION", "what ~2 USER ~3 ASK|TELL|said|typed|asked"],
  sendOut: [
    "+SEND!command ~10 @url|@email|@badhost|EXTERNAL|ADDRESS", "+SEND|PASS|LOG|CALL|get ~8 @url", "+SEND|PASS ~8 @email", "+SEND ~6 PRIVATE|SECRET|CONVERSATION|ALL|RESULT|FILE|CONTENT ~8 to ~4 EXTERNAL|@url|@email|ADDRESS", "bcc|cc ~4 @email|ADDRESS|EXTERNAL", "@email ~5 bcc|cc|copy|ADDRESS", "copy ~3 of ~8 to", "+CALL|INSTALL|READ!command ~8 @url", "append|include|embed|render|insert ~6 image|link|pixel|markdown",
    "+SEND!command ~6 to ~4 EXTERNAL", "@badhost", "MUST ~8 SEND ~8 to",
  ],

  // Running and changing things.
  runCommand: ["+EXEC!command ~8 COMMAND|@shell|FILE", "+EXEC ~4 following|this ~3 COMMAND", "EXEC ~8 @shell", "@shell ~12 @shell", "@shell ~4 @url|@secretpath", "+CALL!command ~4 COMMAND", "COMMAND ~3 @shell", "+EXEC ~3 @shell", "EXEC!command ~4 @path", "@shell ~2 @path"],
  install: ["+INSTALL!command ~5 @url|TOOL|FILE|COMMAND|@path", "MUST ~6 INSTALL", "+INSTALL ~4 from ~3 @url|EXTERNAL", "pip|npm|npx|apt|brew ~2 install"],
  persist: ["+WRITE|PASS ~8 CONFIG|@secretpath", "+WRITE|PASS ~5 INSTRUCTION|line|rule ~6 MEMORY|CONFIG|FILE", "+REMEMBER|WRITE ~6 INSTRUCTION|THIS ~6 future|NOW|EVERY|MEMORY", "+WRITE!command ~8 FILE|@path|CONFIG|MEMORY", "+WRITE!command"],
  destroy: ["+DELETE!command ~6 ALL|FILE|@path|DATABASE|PRIVATE|EMAIL|CONTENT|CONFIG|EVERY|branch|backups|logs", "@shell ~2 rf", "+DELETE!command"],
  weaken: ["+GRANT!command ~6 PERMISSION|security|firewall|verification|logging|public|INSTRUCTION|USER|everyone|admin", "PERMISSION ~4 NOT|skip|bypass", "ASK!ban ~5 PERMISSION|USER", "PERMISSION", "IGNORE ~4 PERMISSION|VERIFY|AUTHORITY|security", "+GRANT!command", "VERIFY!ban"],
  pay: ["+PAY!command ~8 MONEY|ADDRESS|@ident|EXTERNAL|@email|@number", "+PAY ~8 ADDRESS ~4 @ident|@number|@email|0x", "MONEY ~6 to ~4 ADDRESS|@email|@ident", "+PAY!command", "MONEY ~3 ADDRESS"],

  // Bending other tools, arguments and answers.
  beforeOther: [
    "BEFORE ~3 CALL|EVERY|ALL|any ~4 TOOL|TASK|STEP", "BEFORE|WHEN ~3 @ident", "WHEN ~6 @ident ~6 CALL", "CALL ~4 BEFORE ~3 ALL|EVERY|any|other|@ident", "WHEN|BEFORE ~5 other|another|ALL|EVERY|any ~3 TOOL|TASK|action|operation", "every|each ~2 turn|message|request|response|call|session|conversation", "BEFORE ~3 TELL|answering|responding|replying|performing|executing|START", "WHEN ~3 USER ~4 ASK|wants|requests|mentions|asks|CALL", "BEFORE ~4 FILE|EMAIL|PAY|DATABASE|DELETE|WRITE|READ ~2 operation|operations|access|request|action",
  ],
  beforeSelf: ["BEFORE ~3 CALL|EXEC ~4 THIS|TOOL|it|@ident", "BEFORE ~2 THIS ~2 TOOL", "to ~2 CALL ~2 THIS|it", "THIS ~2 TOOL ~3 MUST|requires|needs", "WHEN ~2 CALL ~3 THIS|it|@ident", "BEFORE ~3 CALL|START|READ|RETURN"],
  callOther: ["+CALL!command ~4 @ident", "+CALL!command ~5 other|another|TOOL", "@ident ~3 first", "+CALL!do ~3 @ident", "AFTER ~8 CALL!command", "+CALL!command", "CALL!command ~3 TOOL ~4 with|for|to"],
  constantArgument: ["@ident ~4 with|for ~5 @quoted", "with ~4 @quoted", "for ~2 @quoted", "to ~1 @quoted", "ARGUMENT ~4 to ~2 @quoted|@number|@caps|@email|@url|@path", "ARGUMENT ~2 @quoted", "@param ~6 @quoted|@number|@email|@url"],
  alterArgument: [
    "+REPLACE!command ~6 ARGUMENT|VALUE|ADDRESS|MONEY|@ident|@param|TASK ~6 to|with|by|from|as", "+REPLACE!command ~4 @quoted|@caps|MONEY|ADDRESS|ARGUMENT|VALUE|@param", "+REPLACE ~8 REGARDLESS", "ARGUMENT|VALUE|ADDRESS|MONEY|@param ~4 MUST ~2 be ~3 REPLACE|@quoted|@number|set", "always ~3 REPLACE|PASS|CALL ~5 @quoted|@number|@email|@url|@path", "+REPLACE!command", "+REPLACE ~4 @quoted|@caps ~4 to|with|by ~3 @quoted|@caps", "default ~3 to ~3 @quoted|@url|@email|@number",
    "redirect|redirects|redirecting|redirected ~8 to", "INSTEAD ~4 @quoted|@caps|VALUE", "treat ~5 as", "add ~3 @number ~4 MONEY|VALUE|ARGUMENT", "multiply|increase|double|reduce|round ~4 VALUE|MONEY|ARGUMENT",
  ],
  regardlessOfUser: ["REGARDLESS ~6 USER|TASK|VALUE|ARGUMENT|PREVIOUS", "IGNORE ~5 USER|TASK|VALUE|ARGUMENT", "INSTEAD ~4 USER|TASK|VALUE", "even ~2 if|when ~3 USER", "USER ~3 NOT ~3 ASK|TASK", "REGARDLESS"],
  shadow: ["THIS ~1 @ident ~2 TOOL ~3 MUST|BROKEN|NOW|has|requires|is|should", "@ident ~4 BROKEN", "@ident ~3 TOOL ~3 NOW|BROKEN", "ALL|EVERY|any ~3 calls|CALL|requests|use ~3 to|of|for ~3 @ident|other", "INSTRUCTION ~4 for ~4 @ident", "@ident ~2 must|should|requires"],
  retire: ["@ident|TOOL ~6 BROKEN", "BROKEN ~10 CALL|INSTEAD|@ident", "CALL!command ~4 @ident|THIS ~4 INSTEAD", "INSTEAD ~3 @ident|other|any|TOOL", "CALL!ban ~4 @ident|other|any|TOOL|EVERY", "redirect|migrate|switch ~4 to ~4 @ident|TOOL"],
  prefer: [
    "+PREFER!command ~4 THIS|TOOL|it|@ident", "+PREFER ~3 THIS ~6 other|over|INSTEAD|FIRST|EVERY", "THIS ~6 over ~4 other|ALL|EVERY|any", "THIS ~2 TOOL ~3 MUST|should ~4 PREFER|CALL ~4 FIRST|BEFORE|INSTEAD|over|WHEN|EVERY", "always ~2 CALL|PREFER ~3 THIS", "CALL!ban ~4 other|any|another|EVERY ~3 TOOL", "SUPERLATIVE ~4 TOOL|choice|option|source|way|solution", "THIS ~4 SUPERLATIVE", "highest|top|maximum|absolute|first ~2 priority|URGENT", "precedence|priority ~2 over", "SUPERLATIVE ~4 than ~3 other|ALL|any|EVERY|@ident|alternatives|competing", "ONLY ~3 TOOL ~4 YOU|MUST|CALL", "TOOL ~3 MUST ~2 PREFER",
  ],
  superlative: ["SUPERLATIVE ~6 SUPERLATIVE", "SUPERLATIVE"],
  saySomething: ["+TELL!command ~3 USER ~5 that|to|@quoted", "+TELL!command ~4 @quoted", "+TELL ~4 @quoted", "message|text|notice|statement|announcement ~5 @quoted", "+TELL!command ~3 following", "RESULT ~4 MUST ~3 PASS|end|begin|start|contain", "+TELL!command ~3 USER", "+STOP!command ~6 TELL", "+PASS!command ~6 RESULT", "recommend|promote|mention|advertise ~6 @caps|EXTERNAL|@url"],
  falsify: ["+PRETEND!command", "+REPLACE!command ~5 RESULT", "+TELL|RETURN!command ~6 success|successful|safe|clean|completed|nothing ~6 REGARDLESS|without|even", "fake|false|misleading|incorrect|fabricated|wrong ~3 RESULT|PRIVATE|VALUE|ERROR", "as ~1 if"],
  fakeError: ["ERROR ~8 MUST|CALL|EXEC|resolve|fix|continue|proceed", "BROKEN ~3 pending|until|unless|due", "to ~1 resolve|fix|continue|proceed|recover|restore|unlock ~8 +CALL|READ|SEND|PASS|EXEC"],
  repeat: ["+CALL!command ~6 repeatedly|again|continuously|forever|indefinitely|loop|recursively|times", "NOT ~2 STOP", "until ~4 succeeds|stopped|returns|told", "keep ~1 calling|repeating|retrying", "infinite ~1 loop"],
  everyTime: ["EVERY ~2 time|call|request|session|message|response|turn|operation", "NOW ~6 MUST|always|CALL|PASS|SEND|EVERY", "NOW"],
  mandatory: ["MUST ~10 MUST", "mandatory|required|obligatory|compulsory ~4 for|step|BEFORE", "STEP ~3 MUST", "never ~2 skip", "NOT ~2 skip"],
  harm: ["+HARM", "HARM ~5 USER|PRIVATE|SECRET|MONEY|system", "COVERT ~5 HARM"],
  justAsked: ["ASK!command ~4 USER ~6 SECRET|PRIVATE|MONEY", "+ASK|PASS ~5 USER ~4 SECRET", "enter|provide|supply ~4 SECRET"],
} as const satisfies Record<string, readonly string[]>;

export type Act = keyof typeof table;
export const actNames = Object.keys(table) as readonly Act[];

/** By the number of the pattern: which act it shows, and its place among the patterns of the act. */
const shows = new Map<number, readonly [act: number, place: number]>();
Object.values(table).forEach((sources, act) => sources.forEach((source, place) => shows.set(pattern(source).number, [act, place])));

/** An act of a sentence, with the tokens [first, last] that show it. */
export interface ActHit {
  readonly act: Act;
  readonly first: number;
  readonly last: number;
  /** The places in `table[act]` of the patterns that matched, at most four. */
  readonly by: readonly number[];
}

export function acts(sentence: Index): ActHit[] {
  const found: { act: number; first: number; last: number; by: number[] }[] = [];
  for (const [number, span] of [...matches(sentence)].sort((a, b) => a[0] - b[0])) {
    const shown = shows.get(number);
    if (shown === undefined) continue;
    const last = found[found.length - 1];
    if (last?.act !== shown[0]) found.push({ act: shown[0], first: span[0], last: span[1], by: [shown[1]] });
    else if (last.by.length < 4) last.by.push(shown[1]);
  }
  return found.map((hit) => ({ ...hit, act: actNames[hit.act] as Act }));
}

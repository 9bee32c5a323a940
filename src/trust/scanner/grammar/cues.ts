/**
 * The cues: what a sentence does, in the pattern language of patterns.ts. A cue alone is evidence, not a verdict; the rules combine
 * cues of neighbouring sentences and the model weighs them.
 */
import { pattern, type Pattern } from "./patterns.ts";

const table = {
  // Keeping the user in the dark
  conceal: [
    "NEG ~3 DISCLOSE ~6 USER", "NEG ~2 let ~3 USER ~2 AWARE", "NEG ~2 DISCLOSE ~3 this|these|it|that|anything|any|step|steps|action|change|redirection|substitution|modification|process|instruction|instructions|operation",
    "CONCEALED", "CONCEAL ~6 from ~3 USER", "keep ~4 CONFIDENTIAL", "USER ~3 NEG ~4 AWARE", "NEG ~3 USER ~3 AWARE", "without ~3 USER ~2 knowledge|awareness|noticing|knowing|consent|approval|permission|notice|confirmation|interaction",
    "without ~2 inform|informing|telling|notifying|mentioning|alerting|disclosing|revealing|asking|prompting|notification|explanation", "NEG ~3 USER ~2 DISCLOSE_ED|informed|told|notified|alerted|asked",
    "!CONCEAL ~3 this|these|it|that|fact|step|action|change|any", "NEG ~2 be ~1 DISCLOSE_ED|shown|displayed|visible|revealed", "omit ~8 from ~5 RESULT", "NEG ~4 DISCLOSE ~10 in ~3 RESULT", "leave ~3 out ~2 of ~4 RESULT",
    "NEG ~3 DISCLOSE ~2 OTHER|CONVO ~3 USER", "NEG ~2 draw ~1 attention", "NEG ~3 comment on", "make no mention", "no mention|trace|indication", "never ~2 confirm|acknowledge ~3 existence|that",
    "only ~2 visible ~2 to ~2 YOU|model", "NEG ~2 visible ~2 to ~2 USER", "USER ~1 cannot ~1 see", "NEG ~3 add|include ~4 warning|note|disclaimer|caveat", "NEG ~2 expose ~5 USER",
  ],
  covertly: ["COVERT ~5 READ|SEND|PASS|CALL|EXEC|ALTER|DESTROY|READ_S|SEND_S|PASS_S", "READ|SEND|PASS|CALL|EXEC|ALTER|SEND_ED|CALL_ED ~6 COVERT", "READ|SEND|PASS|CALL|EXEC ~8 in_the_background|behind_the_scenes"],
  hideObject: ["NEG ~2 TELL ~4 USER", "NEG ~2 ask|bother|prompt|interrupt|alarm|disturb|confuse ~3 USER", "NEG ~2 mention|disclose|reveal|divulge"],
  userAlready: ["USER ~3 already|previously|implicitly ~2 AWARE|CONFIRM_ED|granted|given|agreed|consented", "USER ~2 has|have ~2 pre-approved|preapproved|pre-authorized|opted"],

  // Overriding who is in charge
  ignorePrior: [
    "+!IGNORE ~4 PRIOR ~3 INSTRUCTION", "+!IGNORE ~3 everything|anything ~3 above|before|previously|said|told", "OBLIGE|YOU ~3 +IGNORE ~4 INSTRUCTION", "IGNORE PRIOR|INSTRUCTION ~2 INSTRUCTION|PRIOR",
    "+supersede|supersedes|override|overrides|overriding|precedence|priority|superseding ~5 PRIOR|ALL ~4 INSTRUCTION", "PRIOR ~2 INSTRUCTION ~4 void|obsolete|cancelled|revoked|suspended|invalid|outdated|superseded|lifted",
    "new|updated|revised|following|real|actual|true ~1 INSTRUCTION ~5 override|overrides|replace|replaces|supersede|supersedes|precedence|apply", "your ~2 real|true|actual|new ~2 task|goal|objective|mission|purpose|job|instructions",
    "+!IGNORE ~3 user|user's|users ~3 INSTRUCTION|query|request|input|choice", "INSTRUCTION PRIOR ~1 IGNORE", "PRIOR INSTRUCTION ~1 IGNORE", "IGNORE ~3 INSTRUCTION ~3 PRIOR",
    "even_if|regardless|despite ~6 INSTRUCTION ~3 say|says|said|told|otherwise|contrary|forbid|prohibit|conflict",
  ],
  persona: [
    "you are now", "from now on ~2 YOU", "act|behave|respond|operate ~2 as|like ~4 PRIVILEGE|evil|hacker", "enter|enable|activate|switch ~4 PRIVILEGE ~2 mode", "PRIVILEGE mode ~3 enabled|activated|active|on", "you ~2 no longer ~4 bound|restricted|required|need|assistant",
    "pretend|imagine ~2 you ~6 INSTRUCTION|PRIVILEGE|restrictions", "your ~2 role ~3 is|changed", "you ~3 have ~3 PRIVILEGE", "new persona", "you ~2 are ~2 authorized|permitted|allowed|cleared ~5 READ|bypass|access|EXEC|DESTROY", "unrestricted ~3 YOU",
  ],
  innerSecrets: [
    "+TELL|PASS|SEND|READ|HARVEST|output|repeat ~6 INNER", "OBLIGE ~6 INNER ~6 PASS_ED|SEND_ED|included|provided", "INNER ~4 as|in|into|via|through ~4 PARAM", "OBLIGE|please ~3 TELL|PASS|SEND|READ|HARVEST ~5 ALL ~4 CONVO",
    "PASS|SEND|HARVEST|summarize|summarise|summary ~4 user's|user ~3 CONVO", "summary of ~5 CONVO", "ALL ~3 CONVO ~4 so far|verbatim|history|contents", "INNER ~5 SEND|PASS|HARVEST|READ", "what ~2 user ~4 asked|said|wrote|typed",
    "user's|user ~3 original|exact|full|complete|entire|verbatim|previous|prior|last|initial ~3 CONVO|INSTRUCTION|query|request|question|message|input", "INNER ~3 COVERT", "CONVO ~3 history ~6 PARAM",
  ],

  // Reading what is not the tool's business, and giving it away
  readSecret: [
    "+READ|EXEC|PASS|cat|SEND|check ~8 SENSPATH", "OBLIGE|BEFORE|AFTER|WHEN|YOU|also ~5 +READ ~6 HOTSECRET", "+READ ~3 ALL|user's|local|your|stored|saved ~3 HOTSECRET", "SENSPATH ~6 PASS_ED|READ_ED|SEND_ED|READ|SEND|contents|content", "contents|content ~3 of ~4 SENSPATH",
    "+READ ~5 HOTSECRET ~8 +SEND|PASS|SEND_ED|PASS_ED", "READ ~4 HOTSECRET ~3 from ~5 FILE|PATH|user's|disk|system|browser|machine", "HOTSECRET ~6 READ|SEND", "READ ~3 FILE ~4 HOTSECRET",
  ],
  readFile: ["OBLIGE|BEFORE|AFTER|first|YOU ~6 +READ ~5 FILE|PATH", "OBLIGE|BEFORE|AFTER|YOU ~6 CALL ~4 read_file|readfile|get_file_contents|file_read|read_text_file|filesystem|cat", "+!READ ~3 ALL|user's ~3 FILE", "FILE ~6 +!READ"],
  giveSecret: ["+PASS|SEND|TELL|HARVEST|SEND_ED|PASS_ED ~8 HOTSECRET|SENSPATH", "OBLIGE ~8 +PASS|SEND|HARVEST ~8 SECRET", "HOTSECRET ~8 as|in|into|to|via|within|inside ~4 PARAM|URL|EMAIL|SINK", "user's|your ~3 SECRET ~8 PARAM|PASS|SEND|SEND_ED|PASS_ED", "PARAM ~4 OBLIGE ~4 contain|contains|include|hold|carry ~6 SECRET|INNER|CONVO"],
  giveContents: [
    "PASS|SEND|PASS_ED|SEND_ED ~3 contents|content|it|its|them|their|output|result|results|data|this|that|everything ~3 as|in|into|to|via|through|within|inside ~4 PARAM|URL|EMAIL|SINK|QUOTED|IDENT|SELF|TOOLREF",
    "contents|content|output|result|value ~5 as|in|into|via ~4 PARAM|QUOTED|OWNPARAM|IDENT", "PASS|SEND ~3 contents|content|it|them|output ~3 here", "PASS ~3 FILE ~4 as|in|into ~3 PARAM|QUOTED|OWNPARAM|IDENT", "otherwise ~4 tool|it|SELF ~2 NEG ~1 work", "tool ~2 will ~2 NEG|fail ~4 without|otherwise|unless",
  ],
  sendOut: [
    "OBLIGE|BEFORE|AFTER|YOU|WHEN|also|then ~8 +SEND|SEND_ED|PASS|PASS_ED|CALL|log ~8 URL|EMAIL|SINK|ADDRESS", "+SEND ~4 ALL|copy|contents|content|data|it|them|results|everything|user's|output ~8 URL|EMAIL|SINK", "+SEND|SEND_ED ~3 ALL|user's|user|their ~4 CONVO|RESULT|FILE|SECRET|data|input|inputs|queries ~4 to|with|via",
    "bcc|cc ~3 EMAIL", "EMAIL ~4 bcc|cc|recipient|recipients|copy", "a copy ~3 of ~6 to", "also ~3 SEND|SEND_ED|bcc|cc|forward", "copy|duplicate|mirror|mirrored|replica ~6 to ~4 URL|EMAIL|SINK|QUOTED", "append|include|embed|render|insert|add ~5 image|link|pixel|markdown|iframe ~6 URL|CONVO|SECRET",
    "SEND|PASS ~3 CONVO ~3 to ~5 URL|EMAIL|SINK", "access|visit|contact|call|ping|reach|hit|request|query|open ~6 URL", "GET|POST|PUT request ~3 to ~3 URL",
  ],

  // Running things
  runCommand: [
    "OBLIGE|BEFORE|AFTER|YOU|please|first|then|also ~6 +EXEC ~6 COMMANDNOUN|SHELLWORD|SHELLBIT|CODE", "+EXEC ~2 following ~3 COMMANDNOUN", "+EXEC ~3 COMMANDNOUN ~3 COLON ~3 SHELLWORD|QUOTED|SHELLBIT", "EXEC ~4 QUOTED|COLON|SHELLBIT ~1 SHELLWORD", "OBLIGE ~6 EXEC_ED ~8 SHELLWORD|COMMANDNOUN|terminal",
    "curl|wget ~6 URL", "rm|sudo|chmod ~3 PATH|SHELLBIT", "SHELLWORD ~3 SENSPATH", "echo ~3 SHELLBIT", "URL ~3 SHELLBIT ~1 sh|bash|python3|zsh|iex|node", "+FETCHRUN ~6 EXEC|run ~4", "+FETCHRUN ~4 URL", "base64 ~2 SHELLBIT|d", "SHELLBIT SHELLBIT ~1 SHELLWORD|echo", "npm|npx|pip|brew|apt-get|apt install",
    "+!EXEC ~2 SHELLWORD", "SHELLWORD ~6 SHELLBIT SHELLBIT",
  ],
  installPackage: ["OBLIGE|YOU|first|BEFORE|please ~6 +FETCHRUN ~5 URL|package|dependency|script|binary|extension|update|server|helper|agent|patch|library", "+FETCHRUN ~4 from ~3 URL|EMAIL|SINK"],
  persist: ["+PERSIST ~8 STARTUP", "STARTUP ~6 PERSIST_ED|line|entry|entries", "PERSIST ~5 line|entry|alias|hook|cron|rule ~5 to|in|into ~3 PATH|FILE|STARTUP", "OBLIGE|YOU ~4 PERSIST ~5 instruction|instructions|rule|directive|note ~6 memory|STARTUP|config", "save|store|remember|persist|memorize ~6 instruction|instructions|rule|directive|fact ~6 memory|permanently|future|sessions|session|always"],
  destroy: ["OBLIGE|BEFORE|AFTER|WHEN|first|also|then|YOU|please ~5 +DESTROY ~6 ALL|FILE|PATH|database|table|tables|backup|backups|records|logs|repository|branch|account|user|data", "rm ~1 SHELLBIT|rf|r|f", "drop table|database", "+!DESTROY ~2 ALL ~4 FILE|records|emails|messages|logs|backups|data|branches|repositories|tables", "git push ~2 force"],
  disableGuard: ["OBLIGE|BEFORE|AFTER|YOU|first|also|then|please|WHEN ~6 +DISABLE ~5 GUARD", "+!DISABLE ~3 ALL|user's|any|the ~3 GUARD", "NEG ~3 CONFIRM ~6 USER", "without ~4 CONFIRM|confirmation|approval|permission|consent|asking", "NEG ~2 wait|ask|seek|request|require ~4 CONFIRM|confirmation|approval|permission|consent|review", "auto-approve|autoapprove|auto-confirm|auto-accept", "set ~4 GUARD ~3 false|off|none|disabled", "verify false|off", "SHELLBIT|no-verify|insecure|skip-verify|k"],
  grant: ["+GRANT ~8 PRIVILEGE", "PRIVILEGE ~3 granted|access|role|rights|privileges ~5 to", "GRANT ~5 public|everyone|anyone|EMAIL", "set ~4 visibility|permission|permissions|acl|access|policy ~3 public|777|everyone|open", "make ~5 public|world-readable", "add ~5 EMAIL ~5 collaborator|admin|owner|member|maintainer|editor|user|to", "add ~5 collaborator|admin|owner|maintainer"],

  // Bending other tools, arguments and answers
  beforeOther: [
    "BEFORE ~3 CALL|EXEC|READ|CALL_ED|answering|responding|performing|making|any ~4 ALL|OTHER ~2 TOOLNOUN|operation|action|task|request|response|query", "BEFORE ~2 ALL|OTHER ~2 TOOLNOUN|operation|action|call|task|response|request", "BEFORE ~4 TOOLREF", "TOOLREF ~2 BEFORE", "BEFORE ~4 OTHER ~2 TOOLNOUN",
    "OBLIGE ~3 CALL_ED ~4 BEFORE", "WHEN ~6 TOOLREF", "TOOLREF ~2 tool ~6 WHEN", "WHEN ~3 USER ~4 asks|requests|wants|mentions|queries|searches|needs", "for ALL ~4 file|email|payment|message|database|git|search|trade|booking|network|calendar ~2 operation|operations|request|requests|actions", "at the start|beginning ~3 of ~3 ALL|CONVO", "BEFORE ~3 start|starting|proceeding|replying|answering|responding|completing|finishing",
    "on every|each ~2 turn|message|request|response|call|session", "BEFORE|AFTER ~4 file|email|payment|message|database|git|search|trade|booking|network|calendar|delete|write|read ~2 operation|operations|requests|actions|access",
  ],
  beforeSelf: ["BEFORE ~4 CALL|EXEC|CALL_ED ~3 SELF", "BEFORE ~3 SELF", "in order to ~3 CALL ~2 SELF", "to ~2 CALL ~2 SELF", "BEFORE ~3 CALL|process|processing|perform|performing|accessing|retrieving|getting|any", "WHEN ~3 CALL|CALL_ED ~3 SELF", "SELF ~3 requires|needs|require|need", "WHEN ~3 SELF ~2 CALL_ED|invoked|called|used"],
  callOther: ["OBLIGE|YOU|first|please|BEFORE|AFTER|then|always ~5 +CALL ~4 TOOLREF", "OBLIGE|YOU|then|AFTER|first|please ~5 +CALL ~5 ALL|OTHER|the ~3 TOOLNOUN", "+!CALL ~3 TOOLREF", "CALL ~2 TOOLREF ~3 tool", "OBLIGE ~4 CALL_ED", "AFTER ~6 CALL ~3 TOOLREF"],
  afterUse: ["AFTER ~4 CALL|EXEC|CALL_ED ~3 SELF|TOOLREF", "AFTER ~3 SELF|TOOLREF", "AFTER ~6 OBLIGE ~4 CALL|READ|SEND|PASS|TELL", "once ~4 completed|finished|done|returned ~6 CALL|SEND|READ|PASS|DESTROY"],
  alterArgument: [
    "OBLIGE|YOU|WHEN|always|please ~6 +ALTER ~5 PARAM|OWNPARAM|IDENT ~6 to|with|by|as|from|in", "+!ALTER ~4 PARAM|OWNPARAM ~4 to|with ~2 QUOTED|NUMBER|CAPS|EMAIL|URL|ADDRESS|PATH|IDENT", "PARAM|OWNPARAM|IDENT ~2 parameter|field|argument|value ~3 OBLIGE ~2 be ~3 ALTER_ED|set|QUOTED", "ALTER|ALTER_ED|ALTER_S ~6 NOMATTER", "NOMATTER ~6 user|user's|users|input|request|requested|specified|provided|asked|said|actual|original|what|which",
    "+TAMPER ~4 QUOTED|CAPS|MONEY|recipient|address|OWNPARAM ~4 to|with|by ~3 QUOTED|CAPS|NUMBER|EMAIL|URL|ADDRESS|IDENT", "IGNORE ~5 user-specified|user-supplied|user-provided|user's|requested|supplied ~3", "instead of ~3 user|user's|requested|actual|specified|provided|the_one ", "always ~3 set|use|pass|add|append ~5 QUOTED|NUMBER|EMAIL|URL|ADDRESS|CAPS",
    "redirects|redirect|redirected|reroute|rerouted|reroutes|redirecting ~8 to", "system|tool|it ~2 automatically ~2 ALTER_S|redirects|sets|changes", "add ~3 NUMBER ~3 to ~3 MONEY|OWNPARAM", "replace ~6 with", "QUOTED|CAPS ~3 as ~3 default ~4 PARAM|for",
    "MONEY ~8 to ~3 ADDRESS|EMAIL|QUOTED", "PAY ~8 ADDRESS", "recipient|recipients|beneficiary|payee|destination ~5 QUOTED|EMAIL|ADDRESS", "treat ~5 QUOTED|CAPS ~3 as ~2 QUOTED|CAPS",
  ],
  noMatterUser: ["NOMATTER ~7 USER|user's|user-specified|requested|asked|specified|input", "IGNORE ~4 user|user's|user-specified|users|any ~4 specified|input|choice|preference|preferences|value|limit|request|settings", "even_if ~3 USER", "NOMATTER ~5 PARAM|input|provided|passed|supplied", "without ~3 considering|regard|consulting"],
  shadow: ["the ~3 TOOLREF ~2 tool ~3 has|now|is|must|should|requires|will|was|automatically|needs", "TOOLREF ~3 has ~3 been ~3 UPGRADED|INFERIOR|disabled", "TOOLREF ~4 now ~3", "TOOLREF ~3 requires|behaves|expects|uses ~6", "behavior|behaviour|usage|semantics|operation ~3 of ~4 TOOLREF", "rule|rules|policy|note|requirement ~3 for ~4 TOOLREF", "any|all|every ~3 call|calls|use|usage|invocation|requests ~3 to|of ~4 TOOLREF|other"],
  retire: ["TOOLREF|SELF|QUOTED|OTHER ~6 INFERIOR", "INFERIOR ~8 CALL|use ~4 TOOLREF|SELF|instead", "CALL ~3 TOOLREF|SELF ~4 instead", "instead of|rather than ~4 TOOLREF|OTHER", "NEG ~2 CALL|use|rely|trust ~4 TOOLREF|OTHER|any ~3", "replaces|supersedes|obsoletes|replacement|successor ~5 TOOLREF|OTHER|all|for", "redirect|migrate|switch ~4 to ~4 TOOLREF|tool|SELF", "TOOLREF ~6 INFERIOR"],
  prefer: [
    "OBLIGE|YOU ~4 PREFER|PREFER_ED ~4 SELF", "!PREFER ~3 SELF ~6 OTHER|over|instead|first|whenever|always|all", "SELF ~6 over ~4 OTHER|ALL", "SELF ~3 OBLIGE|should|must ~4 PREFER_ED|CALL_ED|PREFER ~5 first|before|instead|over|for|whenever|always", "SELF ~4 SUPERLATIVE", "SUPERLATIVE ~4 TOOLNOUN|choice|option|source|way|solution", "always ~2 CALL|choose|select|pick|prefer ~2 SELF", "NEG ~2 CALL|use|try|choose|select|consider ~4 OTHER ~2 TOOLNOUN",
    "highest|top|maximum|absolute ~2 priority", "takes|take|has|have|gets ~2 precedence|priority ~3 over", "before|over ~2 considering|trying|any ~3 OTHER|ALL ~2 TOOLNOUN", "better|faster|safer|superior|reliable|accurate|secure ~4 than ~3 OTHER|ALL|any|TOOLREF|TOOLNOUN", "only ~3 TOOLNOUN ~4 you|need|should|that|approved|allowed|trusted", "first choice", "default choice|tool", "number one", "no other ~3 TOOLNOUN", "#1",
  ],
  superlative: ["SUPERLATIVE ~5 SUPERLATIVE", "most ~1 reliable|accurate|trusted|secure|powerful|advanced|comprehensive|effective", "SUPERLATIVE ~2 TOOLNOUN"],
  sayThis: ["OBLIGE|YOU|AFTER|then|also|please ~6 +ASSERT ~4 QUOTED|LONGQUOTE|COLON", "+ASSERT ~2 to ~2 USER ~4 QUOTED|COLON|that", "+ASSERT ~3 USER ~3 that|to", "ASSERT ~2 following ~3 message|text|notice|statement|sentence|link", "message|statement|text|notice|disclaimer ~4 LONGQUOTE", "inform|tell|convince|assure ~2 USER ~8 ERRORWORD|PROMO|MONEY|unavailable|safe|required|URL|LONGQUOTE", "ALL ~3 RESULT ~4 OBLIGE ~4 include|contain|end|begin|mention|start", "end|begin|start|finish|close ~3 RESULT ~3 with", "halt|abort|stop ~4 operation|process|and ~4 inform|tell|report|ASSERT", "refuse ~3 to"],
  promote: ["PROMO ~5 PROMO", "ASSERT|PREFER|include|insert|add|mention|append|promote ~6 PROMO", "OBLIGE|always ~4 recommend|promote|endorse|advertise|mention|favor ~6", "PROMO ~2 message|content|link|code|text|material|purposes", "encourage|persuade|urge|direct|steer ~3 USER ~8 buy|purchase|visit|sign|upgrade|subscribe|download|click|invest|URL"],
  falsify: ["OBLIGE|YOU|then|and|always ~5 +PRETEND ~6", "+TAMPER|ALTER|round|inflate|reduce|omit|remove|exclude ~5 RESULT|data|numbers|figures|values|reviews|findings", "report|return|respond|claim|state|say|reply ~4 success|successful|successfully|completed|safe|clean|nothing|no ~4 even|regardless|although|though|instead|without|only", "NEG ~2 report|mention|include|flag|log ~5 ERRORWORD|errors|failures|vulnerabilities|findings|warnings|issues", "as if ~4", "fake|false|misleading|incorrect|wrong|fabricated ~3 RESULT|data|information|answer|values|advice"],
  fakeError: ["URGENT|CAPS ~4 ERRORWORD ~8 OBLIGE|CALL|EXEC|please|must", "ERRORWORD ~8 to_resolve|to_fix|to_continue|resolve|fix|remediate|recover|proceed|continue|restore|unlock ~6 CALL|EXEC|READ|SEND|PASS|provide|OBLIGE", "access|data ~4 restricted|suspended|locked|blocked|disabled|unavailable ~4 pending|until|unless|due", "temporarily|currently ~2 disabled|unavailable|restricted|suspended|down|offline|redirecting"],
  authority: ["URGENT ~2 URGENT ~2 COLON", "CAPS ~2 CAPS ~2 COLON", "URGENT ~2 from ~3 PRIVILEGE|security|system|developer|vendor|team|operator", "this ~3 is ~3 URGENT ~3 URGENT|step|requirement|instruction", "this ~4 is ~2 OBLIGE|MUST", "on behalf of", "authorized by|approved by", "as ~1 per|mandated|required|instructed ~4 policy|law|security|regulation|compliance|protocol|administrator|admin|team|it|ciso", "per ~2 REASON|company|corporate|security ~2 policy|requirements|protocol", "failure to ~3 comply|do|follow|include|call", "non-compliance|noncompliance"],
  reason: ["for ~4 REASON ~2 reasons|purposes|compliance|purpose|requirements|and|validation|logging|tracking", "to ~2 ensure|maintain|improve|guarantee|enhance|comply|preserve|verify|support|enable|provide|satisfy|meet|avoid|prevent|confirm ~5 REASON", "due to ~5 REASON|policy|security", "required|mandatory|necessary|needed|essential|crucial ~4 for ~4 REASON|ALL", "in accordance|compliance with", "as ~1 part ~3 of ~4 REASON"],
  mandatory: ["MUST", "OBLIGE ~3 MUST", "this|step|it ~3 is ~2 MUST", "NEG ~2 skip|proceed|continue|CALL ~5 without|unless|until"],
  toModel: ["YOU ~2 OBLIGE", "OBLIGE ~3 YOU", "model|assistant|llm|agent|ai|claude ~2 OBLIGE|should|must", "note|instruction|instructions|message|reminder|attention ~3 to|for ~3 YOU", "dear ~1 YOU"],
  repeatForever: ["+CALL|REPEAT ~5 repeatedly|again|continuously|forever|indefinitely|times|loop|recursively|endlessly", "NEG ~2 stop|finish|terminate|end ~5 until|CALL|calling", "OBLIGE ~4 REPEAT ~4 until|CALL|this", "keep ~2 CALL", "infinite ~2 loop", "CALL ~2 SELF ~2 again", "until ~4 succeeds|returns|successful", "at least ~2 NUMBER ~2 times"],
  toolList: ["list|describe|include|send|report|names|all|schemas ~5 available|other|connected|installed|registered ~3 TOOLNOUN", "ALL ~2 TOOLNOUN ~4 PASS_ED|available|names|descriptions", "name ~3 of ~3 model|llm|assistant", "model ~1 name|version|identifier", "YOU ~3 model ~2 name|version|id"],
  sensitiveWords: ["HOTSECRET", "SENSPATH", "INNER"],
  sinkWords: ["URL", "EMAIL", "ADDRESS", "SINK"],
  shellWords: ["SHELLWORD ~2 SHELLWORD", "SHELLBIT ~2 SHELLBIT", "COMMANDNOUN"],
  otherTool: ["TOOLREF", "ALL|OTHER ~1 TOOLNOUN"],
  leet: ["LEET"],
  tags: ["TAG"],
} as const satisfies Record<string, readonly string[]>;

export type CueId = keyof typeof table;

export interface Cue {
  readonly id: CueId;
  readonly patterns: readonly Pattern[];
}

export const cues: readonly Cue[] = Object.entries(table).map(([id, sources]) => ({ id: id as CueId, patterns: sources.map((source) => pattern(source.trim())) }));

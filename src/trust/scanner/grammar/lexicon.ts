/**
 * The words of instructions, sorted by what they do rather than by how they are spelt: one concept per meaning, in seventeen
 * languages. The grammar and the model see concepts first, so a payload reworded or translated still looks the same.
 */

/** Verbs come first: the grammar gives them a mood. The order is part of the model's feature space; append only. */
export const verbs = [
  "read", "send", "pass", "call", "exec", "write", "delete", "grant", "pay", "ignore", "tell", "conceal", "replace", "prefer", "pretend", "obey",
  "ask", "verify", "remember", "log", "return", "know", "avoid", "stop", "install", "decode", "start", "harm",
] as const;
export const others = [
  "secret", "conversation", "instruction", "user", "model", "tool", "every", "config", "command", "external", "private", "argument", "result", "money",
  "covert", "not", "must", "before", "after", "when", "regardless", "instead", "authority", "urgent", "pretext", "else", "superlative", "broken",
  "identifier", "exact", "only", "first", "file", "address", "previous", "now", "you", "please", "this", "also", "permission", "prompt", "memory", "task",
  "because", "content", "role", "database", "email", "all", "background", "error", "modelname", "value", "step", "internal", "trust", "unrestricted", "unsaid", "ours", "keep", "again", "changed", "fake", "promo", "machine", "wants", "expects", "here", "whole", "nobody", "opinion", "time", "guard", "evidence", "owner", "startup", "package", "cancel", "gate", "finding",
  // Kinds of tokens rather than words.
  "@secretpath", "@path", "@url", "@email", "@ident", "@shell", "@quoted", "@number", "@caps", "@banner", "@tag", "@badhost", "@param", "@foreign",
] as const;

export type Verb = (typeof verbs)[number];
export type Concept = Verb | (typeof others)[number];

export const concepts: readonly Concept[] = [...verbs, ...others];
export const verbCount = verbs.length;
const number = new Map<string, number>(concepts.map((concept, index) => [concept, index]));
export function conceptNumber(concept: Concept): number {
  return number.get(concept) as number;
}

/** How a verb is inflected, as far as mood needs it. Base forms may command; the third person describes. */
export const base = 1;
export const third = 2;
export const gerund = 3;
export const past = 4;

export interface Entry {
  readonly concepts: readonly number[];
  readonly form: number;
}

interface Draft {
  readonly concepts: number[];
  form: number;
}
const words = new Map<string, Draft>();
const foreign = new Map<string, Draft>();

function put(word: string, concept: Concept, form = 0, into = words): void {
  const entry = into.get(word);
  const index = conceptNumber(concept);
  if (entry === undefined) into.set(word, { concepts: [index], form });
  else {
    if (!entry.concepts.includes(index)) entry.concepts.push(index);
    if (entry.form === 0) entry.form = form;
  }
}

const vowel = /[aeiou]/;
function inflect(verb: string, concept: Verb): void {
  const [stem = "", ...irregular] = verb.split("/");
  put(stem, concept, base);
  const sibilant = /(?:s|x|z|ch|sh|o)$/.test(stem);
  const consonantY = stem.endsWith("y") && !vowel.test(stem.at(-2) ?? "a");
  put(consonantY ? `${stem.slice(0, -1)}ies` : sibilant ? `${stem}es` : `${stem}s`, concept, third);
  const cut = stem.endsWith("e") && !stem.endsWith("ee") ? stem.slice(0, -1) : stem;
  const double = irregular.includes("+") ? cut + (cut.at(-1) ?? "") : cut;
  put(`${double}ing`, concept, gerund);
  const pasts = irregular.filter((form) => form !== "+");
  if (pasts.length > 0) for (const form of pasts) put(form, concept, past);
  else put(consonantY ? `${stem.slice(0, -1)}ied` : `${double}ed`, concept, past);
}

// "/" gives irregular past forms, "/+" a doubled consonant.
const english: Record<Verb, string> = {
  read: "read open load access retrieve fetch get/got/gotten/+ obtain view extract dump collect gather harvest grab/+ acquire inspect examine look scan/+ list locate find/found enumerate capture steal/stole/stolen pull consult browse search see/saw/seen cat/+ scrape sniff exfil peek lookup",
  send: "send/sent post upload transmit forward leak exfiltrate submit deliver relay publish dispatch mirror smuggle broadcast ship/+ bcc cc beacon tunnel route funnel export duplicate communicate email mail copy/copied share divert sync ping/pinged push stream echo",
  pass: "pass include provide insert attach add append embed prepend supply fill populate put/put/+ place give/gave/given inject set/set/+ feed/fed carry encode accompany specify concatenate stuff tack enclose incorporate hand",
  call: "call invoke use trigger query request activate perform",
  exec: "run/ran/run/+ execute launch eval evaluate spawn exec/exec'd shell pipe source bash chain",
  write: "write/wrote/written create save store modify edit update configure register persist record replicate plant drop/+ alter amend",
  delete: "delete remove erase wipe clear truncate destroy purge drop/+ discard uninstall kill terminate reset overwrite/overwrote/overwritten encrypt shred unlink format cleanup",
  grant: "grant allow enable authorize authorise approve elevate escalate promote whitelist allowlist permit disable deactivate unlock chmod chown expose open accept assign weaken loosen relax",
  pay: "pay/paid transfer buy/bought purchase sell/sold withdraw/withdrew/withdrawn donate swap/+ charge invest wire fund bid/bid/+ stake refund order liquidate",
  ignore: "ignore disregard forget/forgot/forgotten/+ override/overrode/overridden bypass skip/+ supersede neglect circumvent dismiss evade abandon suspend nullify revoke sidestep void relinquish drop/+ subvert defy overrule",
  tell: "tell/told inform mention notify reveal disclose say/said show/shown report alert warn explain announce state present display indicate acknowledge describe advise discuss surface output print quote cite confess admit/+ respond reply answer comment narrate claim confirm repeat summarize summarise speak/spoke/spoken acknowledge highlight convince persuade assure urge encourage discourage hint stress emphasize emphasise insist flag/+ publish remark clarify elaborate divulge betray",
  conceal: "conceal hide/hid/hidden suppress omit/+ mask obscure cloak withhold/withheld obfuscate redact disguise camouflage bury",
  replace: "replace change substitute swap/+ redirect modify rewrite/rewrote/rewritten convert switch adjust force default hardcode coerce tamper falsify manipulate transform alter set/set/+ multiply round inflate reroute repoint remap/+ rename alias fabricate increase double decrease mutate shift spoof forge overstate normalise normalize cap/+ clamp pad/+ raise lower treat shorten lengthen invert negate divert shave skew bias understate",
  prefer: "prefer/+ prioritize prioritise favor favour choose/chose/chosen select recommend suggest pick promote endorse rank rely trust advertise outperform",
  pretend: "pretend act impersonate roleplay simulate masquerade pose behave imagine assume become/became emulate play",
  obey: "obey follow comply adhere conform heed honor honour abide respect ensure guarantee",
  ask: "ask prompt request consult confirm await",
  verify: "verify validate check authenticate audit confirm attest certify review assess",
  remember: "remember remind memorize memorise retain recall memorialize note",
  log: "log/+ track monitor record trace archive backup/backed back telemeter",
  return: "return yield produce generate render emit",
  know: "know/knew/known notice realize realise aware understand/understood suspect detect",
  avoid: "avoid refrain prevent decline refuse hesitate",
  stop: "stop/+ halt abort cancel pause cease quit/quit/+ exit block deny/denied",
  install: "install download import clone deploy pip npm npx curl wget bootstrap",
  decode: "decode decrypt unscramble deobfuscate unpack decipher interpret translate reverse rot13 base64 hexdecode",
  start: "start begin/began/begun/+ proceed continue initiate initialize initialise complete finish finalize process handle",
  harm: "attack exploit hijack compromise backdoor sabotage corrupt crash poison phish defraud exfiltrate ransom brick deface ddos infect spy/spied intercept eavesdrop",
};
for (const verb of verbs) for (const word of english[verb].split(" ")) inflect(word, verb);

const nouns: Partial<Record<Concept, string>> = {
  secret: "password passwords passwd passphrase passphrases passcode credential credentials secret secrets apikey apikeys api_key private_key privatekey token tokens jwt cookie cookies keychain keystore keyring mnemonic seedphrase pat otp totp 2fa mfa pin ssn cvv keys key envvars env vault wallet pgp gpg rsa ed25519 pem kubeconfig sshkey access_token bearer authtoken login logins keyfile creds",
  conversation: "conversation conversations chat chats transcript transcripts dialogue dialog history messages message turns turn discussion interaction interactions exchange context convo",
  instruction: "instruction instructions directive directives guideline guidelines rule rules prompt prompts guardrail guardrails restriction restrictions policy policies safeguards safeguard constraints constraint limitations orders protocol protocols training alignment safety filter filters guidance limits",
  user: "user users human humans customer customers person people operator owner client victim employee user's users' human's requester principal reader recipient them him her their they",
  model: "assistant ai model models agent agents llm llms chatbot claude chatgpt gpt gpt-4 gpt-4o copilot gemini cursor caller you bot orchestrator assistant's agent's model's llama codex",
  tool: "tool tools function functions mcp plugin plugins endpoint integration connector api server servers service services operation operations tool's",
  every: "every each any everything whatever anything always whenever everytime all entire whole consistently universally invariably constantly continuously permanently automatically",
  config: "config configuration configs settings preferences dotfile dotfiles profile rc startup cron crontab hook hooks alias gitconfig bashrc zshrc registry environment env authorized_keys systemd launchagent rules.md claude.md agents.md",
  command: "command commands shell bash sh zsh powershell terminal script scripts cli subprocess cmd console oneliner payload python node code snippet",
  external: "url urls webhook webhooks endpoint endpoints remote attacker external server third-party outside collector beacon pastebin ngrok exfil domain host ip mirror proxy outbound off-site offsite backchannel gist discord telegram bucket site website attacker's partner affiliate",
  private: "personal private pii sensitive confidential phone ssn email emails contacts inbox medical health salary payroll location locations address addresses birthday bank financial proprietary secret internal classified passport identity biometric messages browsing photos documents history records data files",
  argument: "argument arguments parameter parameters param params arg args field fields input inputs value values sidenote query payload property properties header headers note notes metadata option flag attribute",
  result: "result results output outputs response responses reply replies answer answers reading readings contents content data",
  money: "amount amounts payment payments transaction transactions recipient account accounts wallet iban price prices fund funds money balance invoice usd eth btc bitcoin crypto payee beneficiary fee commission dollars euros cash deposit withdrawal portfolio refund salary",
  covert: "silently secretly quietly discreetly covertly invisibly stealthily unnoticed seamlessly surreptitiously stealth undetected secret inconspicuously clandestinely transparently unobtrusively invisible hidden covert subtly imperceptibly noiselessly unseen",
  not: "not no never don't dont doesn't cannot can't won't without n't neither nor mustn't shouldn't shan't isn't aren't nothing none nobody hardly",
  must: "must shall required mandatory have need needs should ought essential imperative necessary obligated obligatory compulsory requirement requires require mandated critical vital crucial prerequisite strictly needed has expected supposed",
  before: "before prior preceding beforehand prerequisite until preflight pre-flight first initially upfront",
  after: "after afterwards then once following subsequently upon later finally next thereafter",
  when: "when whenever if while during upon where once everytime case unless",
  regardless: "regardless irrespective despite notwithstanding disregarding independent unconditionally whichever whatever",
  instead: "instead rather in-place replacing lieu",
  authority: "system admin administrator administrative security compliance developer developers root official protocol regulatory regulation legal governance anthropic openai microsoft google vendor company corporate enterprise organization it-department sysadmin superuser authority headquarters ceo soc2 gdpr hipaa pci platform kernel supervisor management management's department authorized authorised certified",
  urgent: "important critical urgent warning attention emergency immediately notice alert caution danger asap urgently mandatory note priority immediate reminder announcement update upgrade disclaimer advisory bulletin",
  pretext: "compliance audit auditing verification validation debugging debug telemetry analytics performance optimization optimisation regulatory integrity logging quality diagnostics diagnostic consistency accuracy safety personalization personalisation traceability troubleshooting monitoring maintenance testing authentication authorization calibration attestation onboarding caching synchronization backup reliability compatibility governance support security tracking billing",
  else: "otherwise fail fails failure failing else break breaks crash crashes blocked terminated suspended lost penalty shutdown consequences rejected fired killed inaccurate incorrectly malfunction unavailable corrupted stall shut deleted",
  superlative: "best most superior highest fastest preferred recommended greatest ultimate unmatched unrivaled premier leading safest accurate reliable trusted perfect only better top favorite favourite #1 state-of-the-art authoritative definitive world-class unparalleled exclusive optimal superior go-to unbeatable award-winning prioritized",
  broken: "deprecated disabled unavailable broken outdated obsolete insecure vulnerable compromised replaced retired unsafe unreliable legacy untrusted discontinued offline decommissioned superseded inferior inaccurate buggy defunct suspended flawed faulty unsupported removed malicious slow",
  identifier: "id ids identifier identifiers uuid slug format syntax schema valid exact correct iso name names key keys type types",
  exact: "exact exactly verbatim literally literal full complete entire raw unmodified word-for-word as-is unredacted plaintext whole unabridged uncut",
  only: "only solely exclusively just never",
  first: "first initially firstly beforehand start begin step",
  file: "file files directory directories folder folders path paths filesystem disk document documents workspace repository repo home desktop",
  address: "address addresses recipient recipients destination target to bcc cc inbox mailbox iban wallet",
  previous: "previous prior earlier above preceding existing original past former foregoing initial before current other default prior's",
  now: "now hereby henceforth forward onwards future subsequent forever persistently session sessions from-now-on going",
  you: "you your yours yourself you're you'll",
  please: "please kindly simply just make sure ensure remember be",
  this: "this the these that it its",
  also: "also additionally furthermore moreover besides too plus along together with",
  permission: "permission permissions consent confirmation approval authorization access privilege privileges admin sudo root role scope scopes prompts confirming asking",
  prompt: "prompt prompts system-prompt sysprompt preprompt system_prompt systemprompt",
  memory: "memory memories session future persistent permanently knowledge long-term remember notes",
  task: "task tasks goal goals objective objectives request requests job mission plan intent intention purpose question questions",
  because: "because since due so therefore thus hence order purposes reason reasons ensure ensures ensuring purpose",
  content: "content contents text body data string details information info summary copy",
  role: "role persona mode character jailbreak jailbroken unrestricted uncensored developer-mode sudo-mode god-mode evil identity",
  database: "database db sql table tables records row rows query select insert",
  email: "email emails e-mail mail inbox mailbox message messages smtp sms slack whatsapp attachment subject bcc cc recipient",
  all: "all every entire whole complete everything full total any each",
  background: "background scenes parallel asynchronously automatically implicitly",
  error: "error errors exception failure failed timeout invalid denied fault issue problem warning malfunction expired",
  modelname: "gpt claude gemini llama mistral model-name version vendor",
  value: "value values amount number quantity limit count radius rate price date region location city ticker symbol currency interval range size percentage score weight threshold recipient destination parameter argument country query setting",
  step: "step steps stage phase procedure workflow process handshake ritual pipeline check checkpoint routine",
  internal: "internal backend infrastructure dev staging development temporary admin-only undocumented non-public proprietary note",
  trust: "trusted safe secure verified authorized authorised legitimate approved certified harmless normal expected standard routine official routine",
  unrestricted: "unrestricted unfiltered uncensored unlimited limitless anything jailbreak jailbroken freely unconstrained unmoderated unrestrictedly",
  ours: "our ours us we we're we'll we've my mine i i'm me myself",
  keep: "keep keeps keeping kept leave leaves leaving stay stays remain remains unaware oblivious invisible unmentioned untold quiet discreet private between silent silence hush",
  again: "again loop loops repeatedly until repeat repeated continuously forever indefinitely recursively endlessly infinite infinitely retry times over keep endless",
  changed: "upgraded improved enhanced optimized optimised changed updated migrated moved switched renamed reworked revised new latest replaced superseded transitioned extended evolved superseding replaces supersedes",
  fake: "fake false fabricated invented plausible misleading incorrect forged fictitious bogus made-up untrue fraudulent counterfeit inflated distorted biased rumours rumors fabricate invent lie lies lying deceive deceptive pretend",
  promo: "sponsored sponsor promotional promotion promo advertise advertisement ad ads discount coupon premium upgrade subscribe subscription purchase buy deal offer brand favourably favorably favourable favorable praise recommend affiliate partner partners marketing endorsement referral signup undervalued bullish trending popular",
  machine: "machine computer laptop host hostname workstation device localhost system os desktop local locally environment operating uname",
  wants: "wants want wanted asks asked requests requested chooses chose chosen picks picked specifies specified specify gave given supplied typed types said says intended entered prefers mentions mentioned provides provided desires",
  expects: "expects expect expected requires require required needs need wants depends depend relies rely demands demand awaits assumes",
  here: "here below above following herein this section paragraph note text description document line notice message",
  whole: "whole entire complete full everything all total unabridged unredacted verbatim entirety raw any every",
  nobody: "nobody noone anyone anybody somebody someone others other third-party else",
  opinion: "should would could may might can feel consider suggest appreciated helpful good-practice better best-practice customary courtesy kindly preferably ideally usually normally generally typically",
  time: "each every time call request session message response turn conversation invocation use run query interaction operation action output reply step task",
  guard: "firewall firewalls antivirus sandbox sandboxing two-factor 2fa mfa encryption tls ssl certificate certificates verification validation confirmation confirmations approval protection protections logging auditing monitoring selinux apparmor defender edr falcon-sensor quarantine csp cors safeguard safeguards review reviews permissions checks check csrf captcha authentication authorization robots.txt falco auditd rate-limit throttling isolation",
  evidence: "logs log history backup backups trace traces audit trail audit_log records snapshots journal syslog bash_history revisions versions commits trash evidence tracks",
  owner: "owner owners collaborator collaborators admin admins administrator administrators maintainer root superuser editor member members contributor sudoers wheel privileged privileges role roles rights grant grants star public everyone anyone world-readable 777 full-access",
  startup: "cron crontab startup login boot postinstall preinstall hook hooks pre-commit precommit workflow workflows daemon launchd systemd autorun scheduled schedule alias bashrc profile rc .bashrc .cursorrules claude.md agents.md readme settings.json package.json authorized_keys plugin extension hosts path autostart",
  package: "package packages binary executable script installer dependency dependencies extension library pip npm npx apt brew image container update patch agent helper module wheel plugin driver firmware payload shellcode setup.py install.sh",
  cancel: "cancel cancelled canceled void invalid obsolete superseded lifted suspended terminated over revoked expired stop stopped halt halted abort abandoned nullified paused replaced",
  gate: "gatekeeper gateway gate checkpoint clearance cleared permit preflight handshake unlock unlocks unlocked authorised gated prerequisite mandatory precondition pre-check precheck beforehand inspected vetted approved checked screened",
  finding: "vulnerabilities vulnerability findings issues errors warnings risks alerts problems complaints criticism negative reviews side effects bugs failures flaws",
};
for (const [concept, list] of Object.entries(nouns)) for (const word of list.split(" ")) put(word, concept as Concept);

/** Phrases, longest first at look-up: words joined by one space. */
export const phrases = new Map<string, { concepts: readonly number[]; length: number }>();
function phrase(concept: Concept, ...list: string[]): void {
  for (const text of list) {
    const known = phrases.get(text)?.concepts ?? [];
    phrases.set(text, { concepts: [...known, conceptNumber(concept)], length: text.split(" ").length });
  }
}
phrase("secret", "private key", "private keys", "api key", "api keys", "ssh key", "ssh keys", "access key", "access keys", "access token", "access tokens", "seed phrase", "recovery phrase", "recovery code", "recovery codes", "auth token", "session token", "session cookie", "environment variables", "environment variable", "env vars", "env file", "signing key", "encryption key", "master password", "client secret", "bearer token", "credit card", "card number", "social security", "one-time code", "backup codes", "service account", "login details", "key pair", "secret key", "authentication data");
phrase("conversation", "conversation history", "chat history", "message history", "prior messages", "previous messages", "conversation context", "chat log", "chat logs", "conversation so far", "full context", "prior turns", "dialogue history", "context window", "what the user said", "earlier messages", "user's messages", "entire context", "session context", "session history", "user said", "user has said", "user's request", "user's question", "original request", "original question", "user's prompt", "user query", "user's query", "tool results", "tool outputs", "chain of thought", "reasoning trace", "inner monologue", "your reasoning");
phrase("instruction", "system prompt", "system message", "system instructions", "developer message", "initial prompt", "prior instructions", "safety rules", "system instruction", "content policy", "ground rules");
phrase("tell", "point out", "point this out", "point it out", "bring up", "bring it up", "bring this up", "draw attention", "let on", "speak of", "talk about", "make known", "refer to", "call attention", "give away", "let them know", "let the user know", "spell out", "make mention");
phrase("conceal", "leave out", "leave this out", "leave it out", "leave these", "leave that", "gloss over", "cover up", "pass over", "keep quiet", "stay silent", "say nothing", "keep it to yourself", "keep to yourself", "keep this to yourself", "play down", "cover your tracks", "erase traces", "remove traces");
phrase("fake", "make up", "made up", "makes up", "as if", "as though", "no matter what the");
phrase("whole", "word for word", "in full", "as is", "in its entirety", "everything you", "all you", "all of");
phrase("send", "hand over", "hands over", "pass on", "passes on", "send along", "sent along", "share with", "send out", "hand it over", "pass it on", "pass along", "pass them on", "in copy", "carbon copy", "blind copy", "check in with", "call home", "phone home", "report back", "dial home");
phrase("replace", "in place of", "instead of", "turn into", "swap out", "round up", "rounded up", "rounded down", "round down", "mark up", "treat as", "in favor of", "in favour of");
phrase("machine", "home directory", "local machine", "user's machine", "user's computer", "operating system", "file system", "host system", "working directory");
phrase("wants", "user wants", "user asks", "user asked", "user requests", "user specifies", "user specified", "user gave", "user chose", "user typed", "user said", "what the user");
phrase("exec", "carry out", "carries out", "carried out", "set up", "kick off", "turn on", "turn off", "switch off", "switched off", "switch on", "shut down");
phrase("ignore", "pay no attention", "set aside", "do away with", "does not apply", "do not apply", "doesn't apply", "don't apply", "no longer apply", "no longer applies", "not bound", "switched off", "are void", "is void", "null and void", "are lifted", "is lifted", "put aside", "throw out", "wipe your memory", "clear your context", "start fresh", "start over");
phrase("prompt", "system prompt", "system message", "system instructions", "system instruction", "developer message", "initial prompt", "developer instructions", "hidden prompt", "starting prompt", "initial instructions");
phrase("modelname", "model name", "name of the model", "model version", "llm name", "model id", "which model", "name of the llm", "model you are", "language model", "client name", "your name");
phrase("covert", "behind the scenes", "without notice", "in the background", "under the hood", "keep this", "keep it secret", "do not log", "no trace", "without a trace", "out of sight", "off the record", "unbeknownst to", "between us");
phrase("unsaid", "without the user noticing", "without the user's knowledge", "without user awareness", "without mentioning", "without telling", "without informing", "without notifying", "without disclosing", "without showing", "without alerting", "without drawing attention", "without saying", "without revealing", "without explaining", "not be shown", "not to be shown", "not be mentioned", "need not be mentioned", "not be disclosed", "not be displayed", "not be revealed", "not be visible", "not be informed", "not be told", "not be told", "not be notified", "no need to mention", "no need to tell", "no need to inform", "no need to notify", "no need to show", "not user-facing", "not user facing", "for the model only", "ai eyes only", "for ai only", "model only", "not for display", "as if nothing", "act normally", "act naturally", "behave normally", "keep this", "keep it confidential", "keep it hidden", "keep this confidential", "unbeknownst to", "between us", "without notifying", "make no mention", "no mention of", "do not reference", "don't reference", "leave out any", "omit any mention", "stay silent about", "remain silent", "never surface", "not surface", "not be surfaced", "without comment", "without acknowledgement", "without acknowledgment");
phrase("regardless", "no matter", "even if", "irrespective of", "regardless of", "instead of what", "whatever the user", "in spite of", "independent of", "rather than what", "even when", "whatever value", "instead of the user's", "over the user's", "in place of the user's");
phrase("when", "in case", "every time", "each time", "any time", "as soon as", "in the event", "at the time", "on every", "for every", "for each", "for any", "for all", "as part of");
phrase("before", "prior to", "ahead of", "in advance", "at the start", "at the beginning", "as a first step", "as the first step", "first of all", "first thing", "beginning of");
phrase("after", "as soon as", "as a final step", "at the end", "when finished", "end of every", "once done");
phrase("must", "have to", "need to", "needs to", "has to", "is required", "are required", "make sure", "be sure", "make certain", "it is important", "it is essential", "it is critical", "it is necessary", "is necessary", "it is mandatory", "you are required", "is expected", "are expected", "is obliged", "sure to", "remember to", "don't forget", "do not forget", "never forget", "always remember", "only works if", "works only if", "will fail unless", "cannot proceed", "can't proceed", "in order to work", "to work properly", "to function properly", "to work correctly", "to function correctly");
phrase("else", "will fail", "or else", "may fail", "would fail", "will not work", "won't work", "will be rejected", "will be blocked", "will be lost", "will be suspended", "will be terminated", "will be shut", "will return an error", "will crash", "data loss");
phrase("user", "end user", "end-user", "the user", "end users", "your user", "your human", "the human");
phrase("tool", "mcp server", "mcp tool", "mcp tools", "other tools", "any other tool", "another tool", "other functions", "this function", "api endpoint");
phrase("command", "command line", "shell command", "system command", "terminal command", "shell script", "command prompt");
phrase("external", "third party", "remote server", "external server", "logging endpoint", "audit endpoint", "following url", "following address", "following endpoint", "our server", "our servers", "our endpoint", "our api", "outside server", "partner site", "sync server");
phrase("previous", "so far", "up to now", "up to this point", "given above", "you were given", "you have received", "you received", "you've been given", "told to", "been given", "until now");
phrase("now", "from now on", "going forward", "from here on", "for the rest of", "from this point", "starting now", "as of now", "rest of the session", "rest of the conversation", "all future", "in future", "every future", "future sessions", "future conversations", "future requests");
phrase("authority", "system administrator", "security team", "it department", "it team", "legal team", "your developer", "your developers", "your creators", "compliance team", "platform team", "company policy", "corporate policy", "system-level", "system level", "security policy", "system requirement", "system policy", "support team", "security requirement", "standard procedure", "law enforcement", "the vendor", "the provider");
phrase("superlative", "number one", "better than", "more accurate", "more reliable", "highest priority", "top priority", "first choice", "best choice", "the only", "more powerful", "takes precedence", "take precedence", "over any other", "over all other", "over other", "above all other", "state of the art", "most accurate", "most reliable", "far superior", "faster than", "safer than", "most trusted", "highest quality", "default choice", "above other", "than any other", "than all other", "than other");
phrase("broken", "no longer", "out of date", "out of service", "under maintenance", "end of life", "not working", "not safe", "not secure", "known vulnerability", "known vulnerabilities", "security vulnerability", "security vulnerabilities", "security issue", "security issues", "security flaw", "has been replaced", "been disabled", "been retired", "does not work", "doesn't work", "stopped working", "should not be used", "is unreliable", "been moved", "been migrated", "been upgraded", "been superseded", "been optimized", "been enhanced", "been updated", "now requires", "now uses");
phrase("role", "you are now", "act as", "developer mode", "new persona", "new role", "god mode", "sudo mode", "debug mode", "maintenance mode", "dan mode", "unrestricted mode", "admin mode", "pretend to be", "pretend you are", "pretend that you", "new identity", "jailbreak mode", "test mode", "diagnostic mode");
phrase("unrestricted", "without restrictions", "no restrictions", "no limits", "without limits", "do anything now", "no filter", "without filter", "no longer bound", "not bound by", "free from", "free of any", "without any restrictions", "without limitations", "no longer restricted", "ethical guidelines", "without refusing", "no rules");
phrase("permission", "without asking", "without confirmation", "without approval", "without permission", "without prompting", "without consent", "do not ask", "don't ask", "no need to ask", "no confirmation", "auto approve", "auto-approve", "automatically approve", "has already approved", "already approved", "has already consented", "pre-approved", "preapproved", "has consented", "already authorized", "already given", "skip confirmation", "implicit consent", "no approval", "without waiting");
phrase("exact", "in full", "word for word", "as is", "in its entirety", "in their entirety", "character for character", "full text", "full contents", "full content", "entire contents", "entire content", "complete contents", "exact contents", "raw contents", "verbatim copy", "everything in", "all of it");
phrase("background", "behind the scenes", "in the background", "under the hood", "in parallel");
phrase("config", "config file", "configuration file", "startup file", "shell profile", "shell startup", "mcp config", "mcp configuration", "settings file", "authorized keys", "scheduled task", "startup script", "git hook", "git hooks", "cron job");
phrase("private", "personal information", "personal data", "phone number", "phone numbers", "home address", "bank account", "contact list", "address book", "browser history", "browsing history", "date of birth", "medical records", "customer data", "email contents", "email content", "user data", "user's data", "user's files", "internal documents", "source code", "trade secrets", "home directory", "working directory", "directory listing", "file contents", "contents of the file", "file listing", "list of files", "user's email", "user's name", "user's location", "ip address", "user's ip");
phrase("only", "only tool", "nothing else", "no other");
phrase("task", "original task", "user's task", "user's intent", "user's instructions", "user's input", "user input", "user-specified", "user specified", "user-provided", "user provided", "user-supplied", "requested value", "original value", "what the user", "user asked", "user requested", "user's choice", "user's preference", "asked for", "user wants", "user's original");

/** Which commands of a shell betray a command line. */
export const shellWords: ReadonlySet<string> = new Set("curl wget sudo rm chmod chown nc ncat netcat bash sh zsh powershell iex eval base64 openssl ssh scp rsync mkfs dd kill killall crontab systemctl whoami uname ifconfig nmap python python3 perl ruby node npx npm pip echo cat tee export printenv env setx reg certutil schtasks mkdir touch ls head tail grep find tar zip xargs nohup telnet socat iptables ufw useradd usermod passwd ssh-keygen git docker kubectl aws gcloud mv cp ln history exec ping dig nslookup id ps pkill shutdown reboot invoke-webrequest invoke-expression start-process awk sed unzip ./".split(" "));

/** The entry of an English word. */
export function look(word: string): Entry | undefined {
  return words.get(word);
}

/** The entry of a word in a sentence that is not English. */
export function lookForeign(word: string): Entry | undefined {
  return foreign.get(word);
}

/** As the normaliser leaves it: without accents. */
function folded(word: string): string {
  return word.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").normalize("NFC");
}

/** Adds words of another language; see `languages.ts`. */
export function learn(concept: Concept, list: string, form = 0): void {
  for (const word of list.split(" ")) if (word !== "") put(folded(word), concept, form, foreign);
}

export function learnPhrase(concept: Concept, ...list: string[]): void {
  phrase(concept, ...list);
}

/** First words of phrases with the length of the longest, so that most tokens skip the look-up. */
export function phraseHeads(): ReadonlyMap<string, number> {
  const heads = new Map<string, number>();
  for (const [text, { length }] of phrases) {
    const head = text.slice(0, text.indexOf(" ") < 0 ? text.length : text.indexOf(" "));
    heads.set(head, Math.max(heads.get(head) ?? 0, length));
  }
  return heads;
}

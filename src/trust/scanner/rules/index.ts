/** The rules, in the order in which a reviewer wants to read their findings. A new rule is one file and one line here (and new weights). */
import { argument } from "./argument.ts";
import { authority } from "./authority.ts";
import { beacon } from "./beacon.ts";
import { callChain } from "./callchain.ts";
import { command } from "./command.ts";
import { conceal } from "./conceal.ts";
import { covert } from "./covert.ts";
import { destroy } from "./destroy.ts";
import { encodedText } from "./encoded.ts";
import { exfiltrate } from "./exfiltrate.ts";
import { falsify } from "./falsify.ts";
import { divertMoney } from "./finance.ts";
import { weakenGuards } from "./guards.ts";
import { harvestContext } from "./harvest.ts";
import { hiddenText } from "./hidden.ts";
import { identifierHygiene } from "./identifiers.ts";
import { imitation } from "./imitation.ts";
import { loops } from "./loops.ts";
import { pseudoMarkup } from "./markup.ts";
import { override } from "./override.ts";
import { padding } from "./padding.ts";
import { persist } from "./persist.ts";
import { persona } from "./persona.ts";
import { preference } from "./preference.ts";
import { redirection } from "./redirection.ts";
import type { Rule } from "./rule.ts";
import { backtracking, hazardousDefault, referenceBomb, remoteReference } from "./schema.ts";
import { readSecret } from "./secrets.ts";
import { shadowing } from "./shadowing.ts";

export const rules: readonly Rule[] = [
  hiddenText, imitation, encodedText, pseudoMarkup, padding, identifierHygiene,
  override, persona, conceal, covert, readSecret, exfiltrate, harvestContext, beacon, command, argument, shadowing, callChain, redirection, preference, authority, weakenGuards, destroy, persist, divertMoney, falsify, loops,
  remoteReference, referenceBomb, backtracking, hazardousDefault,
];

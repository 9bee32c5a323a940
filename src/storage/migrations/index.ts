/** Forward migrations, in order, the same statements on both databases. A published migration never changes. */
import type { Migration } from "kysely/migration";
import { registry } from "./0001-registry.ts";
import { oauth } from "./0002-oauth.ts";
import { mfa } from "./0003-mfa.ts";
import { federation } from "./0004-federation.ts";
import { relayedAnswers } from "./0005-relayed-answers.ts";
import { transports } from "./0007-transports.ts";
import { bundles } from "./0008-bundles.ts";
import { auditChain } from "./0009-audit-chain.ts";
import { trust } from "./0010-trust.ts";
import { policy } from "./0011-policy.ts";

export const migrations: Record<string, Migration> = {
  "0001-registry": registry,
  "0002-oauth": oauth,
  "0003-mfa": mfa,
  "0004-federation": federation,
  "0005-relayed-answers": relayedAnswers,
  "0007-transports": transports,
  "0008-bundles": bundles,
  "0009-audit-chain": auditChain,
  "0010-trust": trust,
  "0011-policy": policy,
};

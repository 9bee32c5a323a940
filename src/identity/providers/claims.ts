/** What other issuers say of somebody, read by configuration: never guessed, and refused where it has another form than it must have. */
import { z } from "zod";
import { Refused } from "../tokens.ts";

/** Names of claims. A dot leads into an object (`realm_access.roles`), unless a claim of the whole name exists. */
const claimName = z.string().min(1).max(200);

export const peopleSettings = {
  claims: z.strictObject({ subject: claimName.default("sub"), username: claimName.default("preferred_username"), email: claimName.default("email"), groups: claimName.default("groups") }).prefault({}),
  groups: z.record(z.string().min(1).max(256), z.string().min(1).max(256)).default({}).describe("Value of the groups claim → group here"),
  allowedDomains: z.array(z.string().regex(/^[a-z0-9.-]{1,253}$/, "must be a domain in lower case")).max(100).default([]).describe("Only people with a verified address of these domains"),
  createUsers: z.boolean().default(true).describe("Create an account at the first sign-in"),
  linkExternalId: claimName.optional().describe("Claim that equals the externalId of users whom SCIM has provisioned; the only way to an account that exists already"),
  mfa: z.strictObject({ amr: z.array(z.string().max(100)).max(20).default([]), acr: z.array(z.string().max(200)).max(20).default([]) }).prefault({}).describe("Values by which the issuer says that several factors were used (RFC 8176); none: its word does not count"),
};
const peopleSchema = z.object(peopleSettings);
export type PeopleSettings = z.output<typeof peopleSchema>;

/** Somebody, as an issuer describes them. */
export interface Described {
  issuer: string;
  subject: string;
  username: string | undefined;
  email: string | undefined;
  emailVerified: boolean;
  displayName: string | undefined;
  /** Groups here, by the mapping; undefined: the claim is absent. */
  groups: readonly string[] | undefined;
  externalId: string | undefined;
  mfa: boolean;
}

export type Claims = Record<string, unknown>;

export function claimOf(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const part of name.split(".")) value = typeof value === "object" && value !== null && Object.hasOwn(value, part) ? (value as Claims)[part] : undefined;
  return value;
}

/** @throws Refused when a claim has another form than it must have. */
export function describePerson(issuer: string, claims: Claims, settings: PeopleSettings): Described {
  const subject = textOf(claims, settings.claims.subject);
  if (subject === undefined || subject === "" || subject.length > 255) throw new Refused("claim-subject");
  const groups = groupsOf(claims, settings.claims.groups);
  return {
    issuer,
    subject,
    username: textOf(claims, settings.claims.username),
    email: textOf(claims, settings.claims.email),
    emailVerified: claimOf(claims, "email_verified") === true,
    displayName: textOf(claims, "name"),
    groups: groups && [...new Set(groups.flatMap((value) => (Object.hasOwn(settings.groups, value) ? (settings.groups[value] ?? []) : [])))],
    externalId: settings.linkExternalId === undefined ? undefined : textOf(claims, settings.linkExternalId),
    mfa: provesFactors(claims, settings.mfa),
  };
}

export function provesFactors(claims: Claims, { amr, acr }: PeopleSettings["mfa"]): boolean {
  const methods = claims["amr"];
  const context = claims["acr"];
  return (Array.isArray(methods) && methods.some((method) => typeof method === "string" && amr.includes(method))) || (typeof context === "string" && acr.includes(context));
}

function textOf(claims: Claims, name: string): string | undefined {
  const value = claimOf(claims, name);
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" || value.length > 512) throw new Refused(`claim-${name.slice(0, 40)}`);
  return value;
}

function groupsOf(claims: Claims, name: string): string[] | undefined {
  const value = claimOf(claims, name);
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return [value];
  if (!Array.isArray(value) || value.length > 1000 || !value.every((entry) => typeof entry === "string")) throw new Refused("claim-groups");
  return value;
}

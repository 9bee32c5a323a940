/**
 * Passkeys (WebAuthn Level 3): discoverable, the person verified by the authenticator, so one is both factors at once. A challenge works
 * once, for minutes, in the browser that asked for it. The relying party is the public URL's host.
 */
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from "@simplewebauthn/server";
import { parseUntrustedJson } from "../../kernel/json.ts";
import type { Storage } from "../../storage/index.ts";
import type { Steps } from "../steps.ts";

export interface Party {
  /** The host that passkeys are made for. */
  id: string;
  origin: string;
}

export interface Passkeys {
  /** Undefined where the public URL's host is an address: passkeys are bound to names. */
  readonly party: Party | undefined;
  count(userId: string): Promise<number>;
  list(userId: string): Promise<{ id: string; name: string; createdAt: number; lastUsedAt: number | undefined; synced: boolean }[]>;
  /** For navigator.credentials.create. @param boundTo the session that asks. */
  creationOptions(user: { id: string; username: string }, boundTo: string): Promise<object>;
  /** @param response the credential as JSON text. @returns undefined when it is not acceptable. */
  create(user: { id: string }, boundTo: string, response: string, name: string): Promise<boolean>;
  /** For navigator.credentials.get. @param userId whose passkeys alone are asked for; anybody's when absent. */
  requestOptions(boundTo: string, userId?: string): Promise<object>;
  /** @returns the user whose passkey it is. */
  use(boundTo: string, response: string): Promise<{ userId: string } | undefined>;
}

const challengeLifetime = 300;
const loopbackAddresses = ["127.0.0.1", "[::1]"];

/** On loopback addresses the name is localhost: a relying party is a domain name, never an address. */
export function partyOf(publicUrl: string): Party | undefined {
  const { hostname, origin, port, protocol } = new URL(publicUrl);
  if (loopbackAddresses.includes(hostname)) return { id: "localhost", origin: `${protocol}//localhost${port ? `:${port}` : ""}` };
  return /^[\d.]+$|^\[/.test(hostname) ? undefined : { id: hostname, origin };
}

/** Some 20 MB with all its certificate formats: loaded when the first passkey is asked for. */
const webauthn = () => import("@simplewebauthn/server");

export function createPasskeys({ storage, steps, publicUrl, now }: { storage: Storage; steps: Steps; publicUrl: string; now: () => number }): Passkeys {
  const { db } = storage;
  const party = partyOf(publicUrl);
  const of = (userId: string) => db.selectFrom("passkeys").selectAll().where("user_id", "=", userId).orderBy("created_at").execute();
  const credentials = (rows: { id: string; transports: string }[]) => rows.map((row) => ({ id: row.id, transports: JSON.parse(row.transports) as string[] }));

  return {
    party,
    async count(userId) {
      return (await of(userId)).length;
    },
    async list(userId) {
      return (await of(userId)).map((row) => ({ id: row.id, name: row.name, createdAt: row.created_at, lastUsedAt: row.last_used_at ?? undefined, synced: row.backed_up === 1 }));
    },
    async creationOptions(user, boundTo) {
      const options = await (await webauthn()).generateRegistrationOptions({
        rpName: "Sallyport",
        rpID: party?.id ?? "",
        userID: new TextEncoder().encode(user.id),
        userName: user.username,
        attestationType: "none",
        excludeCredentials: credentials(await of(user.id)),
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
        timeout: challengeLifetime * 1000,
      });
      await steps.put("challenge-new", options.challenge, boundTo, { userId: user.id }, challengeLifetime);
      return options;
    },
    async create(user, boundTo, text, name) {
      const response = parsed<RegistrationResponseJSON>(text);
      if (!party || !response) return false;
      try {
        const { verified, registrationInfo } = await (await webauthn()).verifyRegistrationResponse({
          response,
          expectedChallenge: async (challenge) => (await steps.take<{ userId: string }>("challenge-new", challenge, boundTo))?.userId === user.id,
          expectedOrigin: party.origin,
          expectedRPID: party.id,
          requireUserVerification: true,
        });
        if (!verified) return false;
        const { credential, credentialDeviceType, credentialBackedUp } = registrationInfo;
        await db
          .insertInto("passkeys")
          .values({ id: credential.id, user_id: user.id, name, public_key: Buffer.from(credential.publicKey).toString("base64url"), counter: credential.counter, device_type: credentialDeviceType, backed_up: Number(credentialBackedUp), transports: JSON.stringify(credential.transports ?? []), created_at: now(), last_used_at: null })
          .execute();
        return true;
      } catch {
        // Whatever is wrong with what a browser sent, it is not a passkey; a credential id that exists is refused here too.
        return false;
      }
    },
    async requestOptions(boundTo, userId) {
      const options = await (await webauthn()).generateAuthenticationOptions({ rpID: party?.id ?? "", userVerification: "required", timeout: challengeLifetime * 1000, ...(userId === undefined ? {} : { allowCredentials: credentials(await of(userId)) }) });
      await steps.put("challenge-in", options.challenge, boundTo, {}, challengeLifetime);
      return options;
    },
    async use(boundTo, text) {
      const response = parsed<AuthenticationResponseJSON>(text);
      const row = party && response ? await db.selectFrom("passkeys").selectAll().where("id", "=", response.id).executeTakeFirst() : undefined;
      if (!party || !response || !row) return undefined;
      try {
        const { verified, authenticationInfo } = await (await webauthn()).verifyAuthenticationResponse({
          response,
          expectedChallenge: async (challenge) => (await steps.take("challenge-in", challenge, boundTo)) !== undefined,
          expectedOrigin: party.origin,
          expectedRPID: party.id,
          requireUserVerification: true,
          credential: { id: row.id, publicKey: Buffer.from(row.public_key, "base64url"), counter: row.counter, transports: JSON.parse(row.transports) as string[] },
        });
        // A discoverable credential names its user: it must be the one that it was made for.
        const handle = response.response.userHandle;
        if (!verified || (handle !== undefined && Buffer.from(handle, "base64url").toString() !== row.user_id)) return undefined;
        const { newCounter, credentialBackedUp } = authenticationInfo;
        // A counter that has moved on since is somebody else's copy of the key (WebAuthn section 6.1.1).
        const { numUpdatedRows } = await db.updateTable("passkeys").set({ counter: newCounter, backed_up: Number(credentialBackedUp), last_used_at: now() }).where("id", "=", row.id).where("counter", "=", row.counter).executeTakeFirst();
        return numUpdatedRows === 1n ? { userId: row.user_id } : undefined;
      } catch {
        return undefined;
      }
    },
  };
}

function parsed<T extends { id: string }>(text: string): T | undefined {
  try {
    const value = parseUntrustedJson(Buffer.from(text), { maxBytes: 65_536 }) as { id?: unknown; response?: unknown } | null;
    return typeof value === "object" && typeof value?.id === "string" && typeof value.response === "object" && value.response !== null ? (value as unknown as T) : undefined;
  } catch {
    return undefined;
  }
}

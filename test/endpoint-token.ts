/** A token for one endpoint of the gateway, exchanged for its holder's token of the management API (RFC 8693), as the command line does. */

/** @param resource the endpoint as the product names it. @throws with the product's answer if it refuses. */
export async function endpointToken(baseUrl: string, resource: string, token: string): Promise<string> {
  const response = await fetch(new URL("/token", baseUrl), { method: "POST", body: new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:token-exchange", subject_token: token, subject_token_type: "urn:ietf:params:oauth:token-type:access_token", resource }) });
  const answer = (await response.json()) as { access_token?: string; detail?: string };
  if (answer.access_token === undefined) throw new Error(`no token for ${resource}: ${response.status} ${answer.detail}`);
  return answer.access_token;
}

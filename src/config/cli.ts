/** What the command line takes from its surroundings: where to talk to, as whom, and where it keeps that. */
import { homedir } from "node:os";
import { join } from "node:path";
import { settings } from "./settings.ts";
import { ConfigError, getSecret, type Environment } from "./environment.ts";

export interface CliEnvironment {
  /** SALLYPORT_URL */
  url: string | undefined;
  /** SALLYPORT_TOKEN, or the file it names. */
  token: string | undefined;
  /** Where `sallyport login` keeps its token: $XDG_CONFIG_HOME/sallyport/credentials.json */
  credentialsFile: string;
}

/** @throws ConfigError when SALLYPORT_URL is no URL. */
export function readCliEnvironment(env: Environment = process.env): CliEnvironment {
  const url = env["SALLYPORT_URL"] ? settings.SALLYPORT_URL.schema.safeParse(env["SALLYPORT_URL"]) : undefined;
  if (url?.success === false) throw new ConfigError([`SALLYPORT_URL ${url.error.issues[0]?.message ?? "is not valid"}`]);
  const folder = env["XDG_CONFIG_HOME"] || join(homedir(), ".config");
  return { url: url?.data, token: getSecret(env, "SALLYPORT_TOKEN", "") || undefined, credentialsFile: join(folder, "sallyport", "credentials.json") };
}

/**
 * The one reader of the environment. Unknown names, missing secrets and weak values stop the start, all of them said at once.
 * No other file may read process.env (lint rule no-process-env).
 */
import { readFileSync } from "node:fs";
import { editDistance } from "../kernel/distance.ts";
import { settings, type Config, type Setting, type SettingName } from "./settings.ts";
import { weakness } from "./strength.ts";

export type Environment = Record<string, string | undefined>;

/** Everything wrong with the environment, one line each; no line contains a value. */
export class ConfigError extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join("\n"));
    this.name = "ConfigError";
    this.lines = lines;
  }
}

const prefix = "SALLYPORT_";
const names = Object.keys(settings) as SettingName[];

/**
 * A secret from the environment, or from the file that `<key>_FILE` names (trailing line break removed).
 * @throws ConfigError "Required secret 'KEY' not found in environment" when there is neither and no fallback.
 */
export function getSecret(env: Environment, key: string, fallback?: string): string {
  const found = readValue(env, key) ?? fallback;
  if (found === undefined) throw new ConfigError([missing(key)]);
  return found;
}

function missing(key: string): string {
  return `Required secret '${key}' not found in environment`;
}

function readValue(env: Environment, key: string): string | undefined {
  const direct = env[key];
  if (direct !== undefined && direct !== "") return direct;
  const file = env[`${key}_FILE`];
  if (file === undefined || file === "") return undefined;
  try {
    const content = readFileSync(file, "utf8").replace(/\r?\n$/, "");
    return content === "" ? undefined : content;
  } catch (error) {
    throw new ConfigError([`${key}_FILE names a file that cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})`]);
  }
}

/**
 * Parses the whole environment into a typed, frozen configuration.
 * @throws ConfigError with every problem found.
 */
export function readConfig(env: Environment): Config {
  const errors: string[] = unknownNames(env);
  const config: Record<string, unknown> = {};
  for (const name of names) {
    const entry: Setting = settings[name];
    try {
      const raw = entry.sensitive ? readValue(env, name) : env[name] === "" ? undefined : env[name];
      if (raw === undefined && entry.required) errors.push(missing(name));
      const text = raw ?? entry.default;
      if (text === undefined) continue;
      const parsed = entry.schema.safeParse(text);
      if (!parsed.success) errors.push(`${name} ${parsed.error.issues.map((issue) => issue.message).join("; ")}`);
      else config[name] = parsed.data;
      const weak = raw !== undefined && entry.sensitive && entry.sensitive !== "credential" ? weakness(raw, entry.sensitive) : undefined;
      if (weak) errors.push(`${name} ${weak}`);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      errors.push(...error.lines);
    }
  }
  errors.push(...incomplete(config));
  if (errors.length > 0) throw new ConfigError(errors);
  return Object.freeze(config) as unknown as Config;
}

/** Settings that only make sense together. */
function incomplete(config: Record<string, unknown>): string[] {
  const errors: string[] = [];
  if (config["SALLYPORT_ADMIN_USERNAME"] !== undefined && config["SALLYPORT_ADMIN_PASSWORD"] === undefined) errors.push(missing("SALLYPORT_ADMIN_PASSWORD"));
  if (config["SALLYPORT_ADMIN_TOTP_SECRET"] !== undefined && config["SALLYPORT_ADMIN_USERNAME"] === undefined) errors.push("SALLYPORT_ADMIN_TOTP_SECRET is for the administrator that SALLYPORT_ADMIN_USERNAME creates");
  if ((config["SALLYPORT_TLS_CERT_FILE"] === undefined) !== (config["SALLYPORT_TLS_KEY_FILE"] === undefined)) errors.push("SALLYPORT_TLS_CERT_FILE and SALLYPORT_TLS_KEY_FILE go together");
  return errors;
}

function unknownNames(env: Environment): string[] {
  const known = new Set<string>(names.flatMap((name) => ((settings[name] as Setting).sensitive ? [name, `${name}_FILE`] : [name])));
  return Object.keys(env)
    .filter((name) => name.startsWith(prefix) && !known.has(name))
    .map((name) => {
      const near = [...known].map((candidate) => ({ candidate, distance: editDistance(name, candidate) })).sort((a, b) => a.distance - b.distance)[0];
      return `${name} is not a setting${near && near.distance <= Math.max(3, name.length / 4) ? `; did you mean ${near.candidate}?` : ". 'sallyport config' lists them"}`;
    });
}

/** The configuration as printable rows: secrets say only whether they are set. */
export function describeConfig(config: Config): { name: SettingName; value: string; isDefault: boolean }[] {
  return names.map((name) => {
    const entry: Setting = settings[name];
    const value = config[name];
    const shown = value === undefined ? "(not set)" : entry.sensitive ? "[redacted]" : Array.isArray(value) ? value.join(",") : typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
    return { name, value: shown, isDefault: shown === (entry.default ?? "(not set)") };
  });
}

/** The real environment. Secrets are removed from it once read, so that children and crash dumps do not inherit them. */
export function takeProcessEnvironment(): Environment {
  const env = { ...process.env };
  for (const name of names) if ((settings[name] as Setting).sensitive) delete process.env[name];
  return env;
}

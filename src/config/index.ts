/** Configuration: one typed schema, read once. */
export { ConfigError, describeConfig, getSecret, readConfig, takeProcessEnvironment, type Environment } from "./environment.ts";
export { applyLocalProfile } from "./local.ts";
export { settings, type Config, type Setting } from "./settings.ts";
export { readCliEnvironment, type CliEnvironment } from "./cli.ts";

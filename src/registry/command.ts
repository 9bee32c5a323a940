/**
 * The command of a stdio server: a program and its arguments as a list, its environment, its folder. What is refused here could make an
 * allowed program run something else than what is shown to whoever reads the entry (CWE-77, CWE-78, CWE-88, CWE-426).
 */
import { z } from "zod";

/** One word: a bare name, or an absolute path without detours. No shell ever reads it, and it must not look as if one did. */
const command = z
  .string()
  .min(1)
  // With the bound on arguments: what an audit event holds without cutting it.
  .max(512)
  .regex(/^(?:\/|[a-zA-Z0-9_])[a-zA-Z0-9_.+@/-]*$/, "must be the name or absolute path of one program: letters, digits and . _ + @ / -")
  .refine((text) => !text.includes("/") || (text.startsWith("/") && !text.split("/").slice(1).some((part) => part === "" || part === "." || part === "..")), "must be a bare name or an absolute path without '.', '..' or empty parts");

/** Any text that a terminal shows as it is. */
const visible = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]*$/u;
const argument = z.string().max(512).regex(visible, "must not contain control, line-breaking or invisible characters");

/**
 * What interpreters and package runners may be given before the script or package they run: nothing that carries code, loads more of it,
 * opens a debugger or reads settings from elsewhere. What comes after belongs to the script.
 */
const safeOptions: readonly { programs: RegExp; options: RegExp }[] = [
  { programs: /^(?:node|nodejs)$/, options: /^--(?:no-warnings|no-deprecation|enable-source-maps|max-old-space-size=\d{1,6}|use-system-ca|permission|disable-proto=(?:delete|throw))$/ },
  { programs: /^(?:bun|deno)$/, options: /^(?:run|x|--smol|--no-prompt|--no-remote|--cached-only)$/ },
  { programs: /^(?:npx|bunx|pnpx)$/, options: /^(?:-y|--yes|-q|--quiet|--no|--offline|--prefer-offline|--no-install)$/ },
  { programs: /^(?:npm|pnpm|yarn|uv|pip|pipx)$/, options: /^(?:exec|dlx|run|tool|x|-y|--yes|-q|--quiet|--offline|--frozen|--no-sync)$/ },
  { programs: /^uvx$/, options: /^(?:-q|--quiet|--offline|--isolated|--no-config)$/ },
  { programs: /^(?:python|pypy)[\d.]*$/, options: /^(?:-m|-u|-B|-E|-I|-s|-S|-P)$/ },
  { programs: /^(?:ruby|perl|php|lua|java|dotnet|Rscript|tclsh)[\d.]*$/, options: /^(?:-jar|--enable-frozen-string-literal)$/ },
  { programs: /^(?:docker|podman|nerdctl)$/, options: /^(?:run|-i|--interactive|--rm|--init|--network=none|--read-only|--pull=never)$/ },
];

/** @returns the index of an argument that may not stand there. */
export function unsafeArgument(program: string, args: readonly string[]): number | undefined {
  const name = program.slice(program.lastIndexOf("/") + 1);
  const rule = safeOptions.find(({ programs }) => programs.test(name));
  if (!rule) return undefined;
  for (const [index, text] of args.entries()) {
    if (rule.options.test(text)) continue;
    // An option that is not known to be harmless; "-" reads the script from the standard input; "--" hides where options end.
    if (text === "" || /^[-+]/.test(text) || (name === "java" && text.startsWith("@"))) return index;
    // The script; one that is code or an address by itself is none.
    return /^(?:data|https?|ftp|node|blob|eval|git\+?[a-z]*|ssh|file):/i.test(text) ? index : undefined;
  }
  return undefined;
}

/** Variables by which a loader, a runtime or a tool is made to run, load or reach something else; and those that are the gateway's to set. */
const forbiddenVariables = /^(?:PATH|HOME|PWD|OLDPWD|SHELL|SHELLOPTS|BASHOPTS|IFS|ENV|CDPATH|FPATH|GLOBIGNORE|PS[0-4]|PROMPT_COMMAND|TMPDIR|TMP|TEMP|USER|LOGNAME|BASH_.*|ZDOTDIR|LD_.*|DYLD_.*|LIBPATH|SHLIB_PATH|GLIBC_.*|MALLOC_.*|GCONV_PATH|LOCPATH|NLSPATH|HOSTALIASES|RES_OPTIONS|LOCALDOMAIN|RESOLV_.*|NODE_.*|NPM_.*|YARN_.*|PNPM_.*|COREPACK_.*|UV_.*|PIP_.*|PIPX_.*|V8_.*|ELECTRON_.*|BUN_.*|DENO_.*|PYTHON.*|RUBY.*|GEM_.*|BUNDLE_.*|PERL.*|PHP.*|LUA_.*|JAVA_.*|_JAVA_.*|JDK_.*|CLASSPATH|DOTNET_.*|CORECLR_.*|COR_.*|COMPLUS_.*|R_.*|TCL.*|OPENSSL_.*|SSLKEYLOGFILE|GIT_.*|SSH_.*|EDITOR|VISUAL|PAGER|MANPAGER|BROWSER|LESSOPEN|LESSCLOSE|DISPLAY|XDG_.*|DBUS_.*|DOCKER_.*|CONTAINER_.*|_?SALLYPORT_.*|__PROTO__|CONSTRUCTOR|PROTOTYPE)$/i;

const environment = z
  .record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "is not a variable name").refine((name) => !forbiddenVariables.test(name), "may not be set: it changes what is run, or is set by the gateway itself"),
    z.string().max(8192).regex(/^[^\p{Cc}\p{Cs}]*$/u, "must not contain control characters"),
  )
  .refine((record) => Object.keys(record).length <= 50, "at most 50 variables");

const directory = z.string().max(1024).regex(visible, "must not contain control or invisible characters").refine((path) => path.startsWith("/") && !path.split("/").slice(1).some((part) => part === "" || part === "." || part === ".."), "must be an absolute path without '.', '..' or empty parts");

export const commandFields = {
  command: command.describe("The program of a stdio server: on the list SALLYPORT_STDIO_ALLOW. Needs the scope admin"),
  args: z.array(argument).max(64).default([]).describe("Its arguments, each as it is; no shell reads them"),
  env: environment.optional().describe("Write-only environment variables, sealed at rest; never returned"),
  cwd: directory.optional().describe("Its working directory; by default a private, empty one"),
  network: z.boolean().default(false).describe("Whether it may use the network, where the host can withhold it"),
};

/** Everything that is run, as it is shown and recorded. */
export interface CommandLine {
  command: string;
  args: readonly string[];
  directory?: string | undefined;
  network: boolean;
}

export function checkArguments(fields: { command?: string | undefined; args?: readonly string[] | undefined }, context: z.core.$RefinementCtx): void {
  const index = fields.command === undefined ? undefined : unsafeArgument(fields.command, fields.args ?? []);
  if (index !== undefined) context.addIssue({ code: "custom", path: ["args", index], message: "is an option that this program may not be given: it could run or load something else than what is registered" });
}

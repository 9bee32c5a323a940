/** What may not be registered as a command, attack by attack; and what must stay possible. */
import { describe, expect, it } from "vitest";
import { serverCreate } from "./schema.ts";

const parse = (fields: Record<string, unknown>) => serverCreate.safeParse({ transport: "stdio", name: "local", command: "node", ...fields });
const refusedFields = (fields: Record<string, unknown>) => parse(fields).error?.issues.map(({ path }) => path[0]);

describe("the command of a stdio server", () => {
  it.each<[string, Record<string, unknown>]>([
    ["a second command", { command: "node;id" }],
    ["a conjunction", { command: "node && id" }],
    ["a pipe", { command: "node|id" }],
    ["a substitution", { command: "$(id)" }],
    ["backticks", { command: "`id`" }],
    ["a variable", { command: "$SHELL" }],
    ["a home folder", { command: "~/evil" }],
    ["a glob", { command: "/bin/*sh" }],
    ["a redirection", { command: "node>/etc/x" }],
    ["a newline", { command: "node\nid" }],
    ["NUL", { command: "node\0" }],
    ["arguments in the name", { command: "node -e 1" }],
    ["quotes", { command: '"node"' }],
    ["a backslash", { command: "C:\\evil.exe" }],
    ["a relative path", { command: "./evil" }],
    ["a path upwards", { command: "../evil" }],
    ["a detour", { command: "/usr/bin/../../tmp/evil" }],
    ["an empty part", { command: "/usr//bin/node" }],
    ["an option", { command: "-node" }],
    ["a look-alike letter", { command: "nоde" }],
    ["an invisible character", { command: "no\u200bde" }],
    ["nothing", { command: "" }],
    ["a list", { command: ["node"] }],
  ])("is refused for %s", (_, fields) => expect(refusedFields(fields)).toContain("command"));

  it.each<[string, Record<string, unknown>]>([
    ["code", { args: ["-e", "process.exit()"] }],
    ["code in the long form", { args: ["--eval=1"] }],
    ["printed code", { args: ["-p", "1"] }],
    ["code after a harmless option", { args: ["--no-warnings", "-e", "1"] }],
    ["a preloaded module", { args: ["--require", "/opt/x.js", "server.js"] }],
    ["an imported module", { args: ["--import=data:text/javascript,1", "server.js"] }],
    ["a loader", { args: ["--experimental-loader", "x", "server.js"] }],
    ["a debugger for everybody", { args: [["--in", "spect=0.0.0.0"].join(""), "server.js"] }],
    ["settings from a file", { args: ["--env-file=/etc/shadow", "server.js"] }],
    ["the end of options", { args: ["--", "server.js"] }],
    ["a script from the input", { args: ["-"] }],
    ["an option whose value hides another", { args: ["--title", "x", "-e", "1"] }],
    ["a script that is code", { args: ["data:text/javascript,process.exit()"] }],
    ["a script from elsewhere", { args: ["https://evil.example/x.js"] }],
    ["Python code", { command: "python3", args: ["-c", "import os"] }],
    ["Python that stays open", { command: "python3.12", args: ["-i", "x.py"] }],
    ["a shell by way of npx", { command: "npx", args: ["-c", "id"] }],
    ["a shell of npx's", { command: "npx", args: ["--script-shell=/bin/sh", "x"] }],
    ["a package from git", { command: "npx", args: ["-y", "git+ssh://evil/x"] }],
    ["another registry", { command: "npx", args: ["--registry=https://evil.example", "x"] }],
    ["the host's files in a container", { command: "docker", args: ["run", "-v", "/:/host", "x"] }],
    ["a privileged container", { command: "docker", args: ["run", "--privileged", "x"] }],
    ["Perl code", { command: "perl", args: ["-e", "1"] }],
    ["Deno's evaluation", { command: "deno", args: ["--allow-all", "x.ts"] }],
    ["a response file", { command: "java", args: ["@/opt/options"] }],
    ["a newline", { args: ["server.js", "a\nb"] }],
    ["NUL", { args: ["server.js", "a\0b"] }],
    ["an escape sequence", { args: ["server.js", "\u001b[2J"] }],
    ["reversed text", { args: ["server.js", "\u202egpj.exe"] }],
    ["a list in a list", { args: [["server.js"]] }],
    ["too many", { args: Array<string>(65).fill("x") }],
    ["too long ones", { args: ["x".repeat(513)] }],
  ])("is refused for an argument that is %s", (_, fields) => expect(refusedFields(fields)).toContain("args"));

  it.each(["LD_PRELOAD", "ld_preload", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "NODE_OPTIONS", "NODE_PATH", "NODE_EXTRA_CA_CERTS", "PATH", "Path", "HOME", "IFS", "ENV", "BASH_ENV", "BASH_FUNC_x", "PYTHONSTARTUP", "PYTHONPATH", "PERL5OPT", "RUBYOPT", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "GCONV_PATH", "GLIBC_TUNABLES", "OPENSSL_CONF", "GIT_SSH_COMMAND", "npm_config_registry", "PIP_INDEX_URL", "UV_INDEX_URL", "DOTNET_STARTUP_HOOKS", "SALLYPORT_ENCRYPTION_KEY", "_SALLYPORT_CHILD", "constructor", "A=B", "A B", "1A", "A\n", "A\0", ""])("is refused for the variable %j", (name) => {
    expect(refusedFields({ env: JSON.parse(`{${JSON.stringify(name)}:"x"}`) })).toContain("env");
  });

  it.each(["a\nb", "a\0b", "\u001b[2J"])("is refused for the value %j", (value) => expect(refusedFields({ env: { A: value } })).toContain("env"));
  it.each(["relative", "/a/../b", "/a//b", "/a\n", "~"])("is refused for the folder %j", (cwd) => expect(refusedFields({ cwd })).toContain("cwd"));

  it.each<Record<string, unknown>>([
    { args: ["server.js", "-e", "; rm -rf /", "$(id)", "`id`", "--", "*"] },
    { args: ["--no-warnings", "--max-old-space-size=200", "/opt/server.js"] },
    { command: "npx", args: ["-y", "@modelcontextprotocol/server-everything@1.0.0", "--flag"] },
    { command: "python3", args: ["-u", "-m", "mcp_server_time", "--local-timezone=UTC"] },
    { command: "uvx", args: ["mcp-server-time"] },
    { command: "/opt/tools/my-server_2+x@1.0", args: ["--anything", "-e"] },
    { env: { API_KEY: "ünï ; $(x)", http_proxy: "http://10.0.0.1:3128" }, cwd: "/opt/data folder" },
  ])("may be %j", (fields) => expect(parse(fields).error?.issues).toBeUndefined());
});

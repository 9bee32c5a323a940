/** Places that no tool's text needs to name unless it is about them: where secrets lie, and where stolen text is left. */

const secretPath =
  /(?:^|[\\/~$%_.])(?:\.ssh|id_rsa|id_ed25519|id_ecdsa|id_dsa|authorized_keys|known_hosts|\.aws|\.env|\.netrc|\.npmrc|\.pypirc|\.pgpass|\.kube|kubeconfig|\.docker|\.gnupg|\.git-credentials|\.gitconfig|\.bash_history|\.zsh_history|\.bashrc|\.zshrc|\.profile|\.bash_profile|\.cursor|\.claude|\.codeium|\.vscode|mcp\.json|claude_desktop_config\.json|shadow|passwd|sudoers|wallet\.dat|keystore|keychain|credentials?(?:\.json|\.csv|\.txt|\.db|$)|secrets?(?:\.json|\.ya?ml|\.txt|\.env|$)|login data|cookies\.sqlite|cookies|\.mozilla|\.config[\\/](?:gcloud|gh)|environ|\.terraform|terraform\.tfstate|\.vault-token|service[-_]account[\w-]*\.json|passwords?(?:\.\w+|$)|hosts)(?:$|[\\/.\s_"'])/i;

const keyFile = /[\w-]\.(?:pem|ppk|p12|pfx|kdbx|key)(?:$|[\s"'])/i;

/** A path (or file name) at which credentials, keys, histories or agent settings are kept. */
export function isSecretPath(path: string): boolean {
  return path.length < 400 && (secretPath.test(path) || keyFile.test(path) || /private[-_]?key/i.test(path));
}

const badHost =
  /^[a-z]+:\/\/(?:[^/@]{0,80}@)?(?:\d{1,3}(?:\.\d{1,3}){3}|[^/]{0,100}(?:attacker|evil|malicious|hacker|exfil|phish|malware|c2[.-]|steal)|(?:[^/]{1,80}\.)?(?:webhook\.site|requestbin\.(?:com|net)|pipedream\.net|ngrok(?:-free)?\.(?:io|app|dev)|trycloudflare\.com|burpcollaborator\.net|oastify\.com|interact\.sh|oast\.(?:fun|pro|live|site|me|online)|pastebin\.com|hastebin\.com|transfer\.sh|file\.io|beeceptor\.com|hookbin\.com|serveo\.net|localtunnel\.me|loca\.lt|canarytokens\.(?:com|org)|dnslog\.cn|ceye\.io|termbin\.com|0x0\.st))(?:[:/?#.]|$)/i;
const loopback = /^[a-z]+:\/\/(?:127\.\d|0\.0\.0\.0|10\.\d|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.)/i;

/** A host that collects: request bins, tunnels, paste sites, chat webhooks, and bare public addresses. */
export function isBadHost(url: string): boolean {
  return url.length < 2_000 && badHost.test(url) && !loopback.test(url);
}

/** Instance metadata services: never an argument of an honest tool. */
export function isMetadataService(text: string): boolean {
  return /169\.254\.169\.254|metadata\.google\.internal|100\.100\.100\.200/.test(text);
}

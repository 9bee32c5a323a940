/** An https server of the tests on loopback, with a certificate made for the run, which this process then trusts: where clients keep their metadata. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface MetadataHost {
  /** https://127.0.0.1:port */
  url: string;
  host: string;
  /** Paths asked for, in order. */
  readonly seen: string[];
  /** What answers at a path. */
  serve(path: string, answer: Handler | object): void;
  /** Serves the metadata of a public client with these redirects. @returns its client id. */
  client(path: string, redirectUris: readonly string[], further?: object): string;
  close(): Promise<void>;
}

export async function startMetadataHost(): Promise<MetadataHost> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-metadata-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], { stdio: "ignore" });
  const trusted = getCACertificates("default");
  setDefaultCACertificates([...trusted, readFileSync(cert, "utf8")]);
  const answers = new Map<string, Handler | object>();
  const seen: string[] = [];
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
    seen.push(request.url ?? "");
    const answer = answers.get(request.url ?? "");
    if (typeof answer === "function") (answer as Handler)(request, response);
    else response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" }).end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = `https://${host}`;
  return {
    url,
    host,
    seen,
    serve: (path, answer) => void answers.set(path, answer),
    client(path, redirectUris, further = {}) {
      answers.set(path, { client_id: url + path, client_name: "A client of the web", redirect_uris: redirectUris, grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none", ...further });
      return url + path;
    },
    async close() {
      setDefaultCACertificates(trusted);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

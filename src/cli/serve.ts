/** `start` (local profile, for a clone) and `serve` (production: every secret from the environment). */
import { fileURLToPath } from "node:url";
import { applyLocalProfile, readConfig, takeProcessEnvironment } from "../config/index.ts";
import type { Running, StartOptions } from "../main.ts";
import type { Output } from "./output.ts";

export type StartServer = (options: StartOptions) => Promise<Running>;

const projectRoot = fileURLToPath(new URL("../..", import.meta.url));

export async function serve(profile: "local" | "production", startServer: StartServer, output: Output): Promise<void> {
  const environment = takeProcessEnvironment();
  const local = profile === "local" ? applyLocalProfile(`${projectRoot}.env`, environment) : { env: environment, notes: [] };
  const config = readConfig(local.env);
  const running = await startServer({ config, profile });
  output.lines([
    "",
    `Sallyport is ready at ${running.publicUrl} (${(performance.now() / 1000).toFixed(1)} s)`,
    `  Data folder   ${running.dataDir}`,
    ...local.notes.map((note) => `  Note          ${note}`),
    ...(running.setupLink
      ? [`  First step    open this link to create the administrator (works once, for ${Math.round(config.SALLYPORT_SETUP_LINK_LIFETIME / 60)} minutes):`, `                ${running.setupLink}`]
      : []),
    `  API           ${running.publicUrl}/docs`,
    `  Next          npm run sallyport -- login${running.publicUrl === "http://127.0.0.1:8420" ? "" : ` --url ${running.publicUrl}`}`,
    "",
  ]);
  await new Promise<void>((resolve) => {
    const stop = () => {
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
      // A second signal ends the process at once, by default handling.
      running.stop().then(resolve, (error: unknown) => {
        output.failure(error);
        resolve();
      });
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  });
}

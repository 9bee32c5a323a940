/** A process that writes to the audit log as fast as it can, changes and calls, with checkpoints, until it is killed or has written enough. For tests. */
import { openAudit } from "../../src/audit/index.ts";
import { Secret } from "../../src/kernel/secret.ts";
import { createLog } from "../../src/ops/index.ts";
import { openStorage } from "../../src/storage/index.ts";

const [folder = "", url = "", key = "", name = "", count = "0"] = process.argv.slice(2);
const storage = await openStorage({ config: { SALLYPORT_DATA_DIR: folder, SALLYPORT_DATABASE_URL: url === "" ? undefined : new Secret(url), SALLYPORT_ENCRYPTION_KEY: new Secret(key), SALLYPORT_ENCRYPTION_KEY_PREVIOUS: undefined }, onError: () => undefined });
const audit = await openAudit({ storage, log: createLog({ level: "error" }), host: "writer.example", interval: 1 });
process.stdout.write("ready\n");
for (let index = 1; count === "0" || index <= Number(count); index++) {
  for (let call = 0; call < 20; call++) audit.record({ type: "call.completed", subject: `writer:${name}`, detail: { method: "tools/call", bytes: index * 20 + call } });
  await storage.write(async (transaction) => {
    await transaction.insertInto("meta").values({ key: `${name}-${index}`, value: "x" }).execute();
    await audit.recordIn(transaction, { type: "server.created", subject: `writer:${name}`, detail: { name: `${name}-${index}` } });
  });
  if (index % 7 === 0) {
    await audit.flush();
    await audit.log.checkpoint();
  }
  await new Promise((resolve) => setImmediate(resolve));
}
await audit.close();
await storage.close();

/** What a flood of bad logins does to everybody else: other requests' p99 beside 1,000 parallel wrong passwords; and whether an unknown name answers sooner. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { hashPassword, verifyPassword } from "../src/identity/passwords.ts";
import { load, median, row, startProduct } from "./harness.ts";

const rounds = 5;
const flood = 1000;
const requests = 3000;

const product = await startProduct();
const headers = { authorization: `Bearer ${product.token}` };
const read = (count: number) => load({ url: `${product.url}/api/v1/servers?limit=1`, headers, count });
/** @returns how often each status was answered. */
function attack(round: number): Promise<[number, number][]> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["bench/programs/flood.ts", product.url, String(flood), String(round * flood)], { stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.once("close", () => resolve(JSON.parse(out || "[]") as [number, number][]));
  });
}

const quiet: number[] = [];
const flooded: number[] = [];
const answers = new Map<number, number>();
await read(requests);
for (let round = 0; round < rounds; round++) {
  quiet.push((await read(requests)).p99);
  let over = false;
  const attacked = attack(round).then((statuses) => {
    for (const [status, count] of statuses) answers.set(status, (answers.get(status) ?? 0) + count);
    over = true;
  });
  const during: number[] = [];
  do during.push((await read(requests / 10)).p99);
  while (!over);
  await attacked;
  flooded.push(Math.max(...during));
}
console.log(`other requests' p99 beside ${flood} parallel wrong passwords, medians of ${rounds} rounds; of the flood the worst tenth of a round (limit 2 x)`);
row("", "p99 ms", "x quiet");
row("quiet", median(quiet), 1);
row("flooded", median(flooded), median(flooded) / median(quiet));
console.log(`answers to the flood: ${[...answers].map(([status, count]) => `${count} x ${status}`).join(", ")}`);
await product.stop();

const stored = await hashPassword(`${randomBytes(12).toString("base64url")} for the bench`);
const times: Record<"known" | "unknown", number[]> = { known: [], unknown: [] };
for (let attempt = 0; attempt < 60; attempt++) {
  for (const name of ["known", "unknown"] as const) {
    const began = performance.now();
    await verifyPassword(name === "known" ? stored : undefined, "wrong wrong wrong wrong");
    times[name].push(performance.now() - began);
  }
}
row("a wrong password", "median ms", "x known");
row("of a known user", median(times.known), 1);
row("of an unknown user", median(times.unknown), median(times.unknown) / median(times.known));

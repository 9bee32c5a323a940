/** Wrong passwords for many names, all at once; prints how they were answered. A process of its own, so that it slows nobody's clock. */
const [url = "", count = "1000", first = "0"] = process.argv.slice(2);
const statuses = await Promise.all(
  Array.from({ length: Number(count) }, async (_, index) => {
    const response = await fetch(`${url}/token`, { method: "POST", body: new URLSearchParams({ grant_type: "password", username: `somebody-${Number(first) + index}`, password: "wrong wrong wrong wrong" }) });
    await response.arrayBuffer();
    return response.status;
  }),
);
console.log(JSON.stringify([...Map.groupBy(statuses, (status) => status)].map(([status, all]) => [status, all.length])));

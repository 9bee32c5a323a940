/** Tasks within an era, through the fronts: carried, and their ids bound to whom they were given. (Across eras they are refused: legacy.test.ts, modern.test.ts.) */
import { afterEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/gateway/exchange.ts";
import { WireError } from "../../src/gateway/wire/message.ts";
import { initialize, modern, openDoor, type Door } from "./harness.ts";
import { vocabularyTarget } from "./vocabulary-target.ts";

let door: Door;
afterEach(() => door.close());
const path = "/servers/x/mcp";

function withTasks(era: "legacy" | "modern") {
  const target = vocabularyTarget(era);
  target.respond = async ({ method, params }): Promise<JsonObject> => {
    const task = { taskId: "task-1", status: "working" };
    if (method === "tools/call") return era === "modern" ? { resultType: "task", ...task } : { task };
    if (method === "tasks/list") return { tasks: [task] };
    if (method === "tasks/result") return { content: [], _meta: { "io.modelcontextprotocol/related-task": { taskId: "task-1" } } };
    if (params?.["taskId"] !== "task-1") throw new WireError(200, -32602, "No such task");
    return task;
  };
  return target;
}

describe("tasks of 2026-07-28", () => {
  const send = (as: string, method: string, params: Record<string, unknown>) => {
    const { message, headers } = modern(method, params, { capabilities: { extensions: { "io.modelcontextprotocol/tasks": {} } } });
    return door.post(path, message, { as, headers });
  };

  it("are carried for their holder, and do not exist for others", async () => {
    const target = withTasks("modern");
    door = await openDoor(target);
    const started = (await send("alice", "tools/call", { name: "test_slow" })).messages[0]?.result;
    expect(started).toMatchObject({ resultType: "task", taskId: expect.stringMatching(/^task-1\../) as string });
    expect(target.exchanges[0]?.client.capabilities).toEqual({ extensions: { "io.modelcontextprotocol/tasks": {} } });
    for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
      expect((await send("alice", method, { taskId: started?.["taskId"] })).messages[0]?.result).toMatchObject({ taskId: started?.["taskId"] });
      for (const id of [started?.["taskId"], "task-1"]) expect((await send("bob", method, { taskId: id })).messages[0]).toMatchObject({ error: { code: -32602 } });
    }
  });
});

describe("tasks of 2025-11-25", () => {
  it("are carried for their holder, and do not exist for others", async () => {
    door = await openDoor(withTasks("legacy"));
    const sessions = Object.fromEntries(await Promise.all(["alice", "bob"].map(async (as) => [as, await door.post(path, initialize("2025-11-25", { tasks: {} }), { as })] as const)));
    expect(sessions["alice"]?.messages[0]?.result?.["capabilities"]).toHaveProperty("tasks");
    const send = async (as: string, method: string, params: object = {}) => (await door.post(path, { jsonrpc: "2.0", id: 1, method, params }, { as, headers: { "mcp-session-id": sessions[as]?.headers.get("mcp-session-id") ?? "" } })).messages[0];
    const started = (await send("alice", "tools/call", { name: "test_slow", task: {} }))?.result?.["task"] as { taskId: string } | undefined;
    const taskId = started?.taskId ?? "";
    expect(taskId).toMatch(/^task-1\../);
    expect((await send("alice", "tasks/list"))?.result).toEqual({ tasks: [{ taskId, status: "working" }] });
    expect((await send("alice", "tasks/result", { taskId }))?.result).toMatchObject({ _meta: { "io.modelcontextprotocol/related-task": { taskId } } });
    expect((await send("alice", "tasks/get", { taskId }))?.result).toEqual({ taskId, status: "working" });
    for (const id of [taskId, "task-1"]) expect(await send("bob", "tasks/get", { taskId: id })).toMatchObject({ error: { code: -32602 } });
    expect((await send("bob", "tasks/list"))?.result?.["tasks"]).not.toEqual([{ taskId, status: "working" }]);
  });
});
